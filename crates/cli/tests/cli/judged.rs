//! What a night says it has judged: an empty or mistyped root never passes, and history is judged as it happened.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::world::{SOURCES, lake, rows};
use super::{nsc, stderr, stdout};

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn report(root: &Path, line: &str) -> Value {
    let output = lake(root, &words(&format!("{line} --format json")));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `control: verdict: detail` of a report and its parts.
fn verdicts(report: &Value) -> Vec<String> {
    let own = report["verdicts"].as_array().into_iter().flatten();
    let text = |v: &Value, name: &str| v[name].as_str().unwrap().to_owned();
    let mut all: Vec<String> = own
        .map(|v| [text(v, "control"), text(v, "verdict"), text(v, "detail")].join(": "))
        .collect();
    for part in report["parts"].as_array().into_iter().flatten() {
        all.extend(verdicts(part));
    }
    all
}

fn ask(root: &Path, sql: &str) -> Vec<String> {
    let output = lake(root, &["sql", "--format", "csv", sql]);
    stdout(&output).lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn no_run_makes_a_root_or_passes_on_one_that_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |root: &str, pipeline: &str| {
        let ended = nsc(dir.path(), &["--root", root, "run", pipeline]);
        assert_eq!(ended.status.code(), Some(2), "{pipeline}: {}", stderr(&ended));
        assert!(
            stderr(&ended).contains("NSC0406") && stderr(&ended).contains("nsc init"),
            "{pipeline}: {}",
            stderr(&ended)
        );
    };
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    for pipeline in ["silver", "a", "b", "c", "e2e"] {
        refused("mistyped", pipeline);
        refused("empty", pipeline);
    }
    assert!(!dir.path().join("mistyped").exists());
    assert_eq!(std::fs::read_dir(dir.path().join("empty")).unwrap().count(), 0);
    // Rules alone are nothing to judge; they are brought in, and so make a root.
    lake(&dir.path().join("rules"), &["run", "sync-rules"]);
    refused("rules", "e2e");
    // The default root as well: an unset NSC_ROOT.
    let unset = nsc(dir.path(), &["run", "e2e"]);
    assert_eq!(unset.status.code(), Some(2), "{}", stderr(&unset));
    assert!(!dir.path().join("lakehouse").exists());
}

#[test]
fn an_empty_lakehouse_is_made_once_and_its_night_has_no_data() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let made = stdout(&lake(&root, &["init"]));
    assert!(made.contains("6 Bronze tables made"), "{made}");
    let again = stdout(&lake(&root, &["init"]));
    assert!(again.contains("0 Bronze tables made, 6 were there"), "{again}");
    let night = "run e2e --now 2026-01-05T15:30:00Z";
    assert_eq!(
        verdicts(&report(&root, night)),
        [
            "A transaction_ledger_raw: no_data: 1 window, and not a row up to the end",
            "A user_wallets_raw: no_data: 1 window, and not a row up to the end",
            "A payment_orders_raw: no_data: 1 window, and not a row up to the end",
            "B-1 reconciliation: no_data: the day has no wallet to judge",
            "B-2 supply: no_data: no wallet has a snapshot, and nothing was issued",
        ]
    );
    let supply = "SELECT verdict, wallet_cnt, reconciled_cnt, is_ok FROM gold.ledger_supply_balance_daily";
    assert_eq!(ask(&root, supply), ["no_data,0,0,true"]);
    let root = root.to_string_lossy().into_owned();
    for (severity, exit) in [("critical", 12), ("warn", 12)] {
        let line = format!(
            "--root {root} run b --date-kst 2026-01-05 --now 2026-01-05T15:40:00Z --fail-on {severity}"
        );
        let ended = nsc(dir.path(), &words(&line));
        assert_eq!(ended.status.code(), Some(exit), "{}", stderr(&ended));
    }
}

/// The sample day of the repository, as `make up` loads and runs it.
fn sample_day(root: &Path) -> Value {
    let day = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config/sample/day");
    for source in SOURCES {
        let file = day.join(format!("{source}.jsonl")).to_string_lossy().into_owned();
        lake(root, &["ingest", source, &file]);
    }
    report(root, "run e2e --date-kst 2026-01-05 --now 2026-01-05T15:30:00Z")
}

#[test]
fn the_first_commands_of_the_readme_say_what_they_judged_and_raise_no_storm() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let first = verdicts(&sample_day(&root));
    assert_eq!(
        first,
        [
            "A transaction_ledger_raw: CRITICAL: 144 windows, 321 rows: 1 CONTRACT_VIOLATION, 1 DUP_SUSPECTED, 142 ok",
            "A user_wallets_raw: ok: 144 windows, 24 rows: 144 ok",
            "A payment_orders_raw: ok: 144 windows, 153 rows: 144 ok",
            "B-1 reconciliation: CRITICAL: 13 wallets: 11 ok, 2 critical",
            "B-2 supply: CRITICAL: 12 wallets: issued 2205000.75, balances 2199900.75, pending 0.00, difference 5100.00",
        ]
    );
    let windows = "SELECT count(*), min(window_start_ts), max(window_end_ts) FROM silver.dq_status";
    assert_eq!(
        ask(&root, windows),
        ["432,2026-01-04T15:00:00Z,2026-01-05T15:00:00Z"]
    );
    let count = "SELECT count(*) FROM gold.exception_ledger";
    assert_eq!(ask(&root, count), ["5"]);
    // The same again, and then, as the README has it, the night of whoever reads it.
    report(&root, "run e2e --date-kst 2026-01-05 --now 2026-01-05T15:30:00Z");
    assert_eq!(ask(&root, count), ["5"]);
    report(&root, "run e2e --now 2026-11-29T19:00:00Z");
    let storm: usize = ask(&root, count)[0].parse().unwrap();
    assert!(storm < 20, "{storm} exceptions");
}

/// A ledger and payment orders with a row every two minutes of some hours of 2026-01-05 (UTC), loaded weeks later.
fn history(root: &Path, dir: &Path, hours: impl Iterator<Item = u32>) {
    let (mut ledger, mut orders) = (String::new(), String::new());
    for hour in hours {
        for minute in (0..60).step_by(2) {
            let at = format!("2026-01-05T{hour:02}:{minute:02}:00Z");
            writeln!(
                ledger,
                r#"{{"tx_id":"t{hour}-{minute}","wallet_id":"u1","type":"HOLD","amount":"1.00","created_at":"{at}"}}"#
            )
            .unwrap();
            writeln!(
                orders,
                r#"{{"order_id":"p{hour}-{minute}","user_id":"u1","amount":"1.00","status":"PAID","created_at":"{at}"}}"#
            )
            .unwrap();
        }
    }
    let snapshot = r#"{"user_id":"u1","balance":"0.00","frozen_amount":"0","source_extracted_at":"2026-01-04T15:00:00Z"}"#;
    for (source, text) in [
        ("transaction_ledger", ledger.as_str()),
        ("payment_orders", &orders),
        ("user_wallets", snapshot),
    ] {
        let file = dir.join(format!("{source}.jsonl"));
        std::fs::write(&file, text).unwrap();
        let file = file.to_string_lossy().into_owned();
        lake(
            root,
            &["ingest", source, &file, "--ingested-at", "2026-02-01T00:00:00Z"],
        );
    }
    lake(root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
}

const FOUND: &str = "SELECT source_table, exception_type, severity, window_start_ts, window_end_ts, metric_value \
                     FROM gold.exception_ledger WHERE state = 'OPEN' ORDER BY 1, 4";
const MORNING: &str = "run a --run-mode backfill --start-ts 2026-01-05T01:00:00Z --end-ts 2026-01-05T09:00:00Z --now 2026-02-02T00:00:00Z";

#[test]
fn a_look_back_over_a_quiet_history_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    history(&root, dir.path(), 0..15);
    let said = verdicts(&report(&root, MORNING));
    assert_eq!(
        said[0],
        "A transaction_ledger_raw: ok: 48 windows, 240 rows: 48 ok"
    );
    assert!(ask(&root, FOUND).is_empty());
    // Nothing has changed since: nothing is judged again, and the report says the same.
    let again = report(&root, MORNING);
    assert_eq!(again["steps"][0]["step"], "unchanged since the last run");
    assert_eq!(verdicts(&again), said);
}

#[test]
fn a_hole_in_history_is_one_finding_a_source_and_closes_when_it_is_filled() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    history(&root, dir.path(), (0..3).chain(6..15));
    report(&root, MORNING);
    let hole = |source: &str| {
        format!(
            "{source}_raw,EVENT_DROP_SUSPECTED,CRITICAL,2026-01-05T03:00:00Z,2026-01-05T06:00:00Z,18.000000"
        )
    };
    assert_eq!(
        ask(&root, FOUND),
        [hole("payment_orders"), hole("transaction_ledger")]
    );
    // The day is judged whole by the chain, and B is not gated by what was silent and came back.
    let day = report(&root, "run e2e --date-kst 2026-01-05 --now 2026-02-02T01:00:00Z");
    assert!(
        verdicts(&day)
            .iter()
            .any(|v| v.starts_with("B-1 reconciliation: ") && !v.contains("gated")),
        "{:?}",
        verdicts(&day)
    );
    let filled = dir.path().join("filled");
    std::fs::create_dir(&filled).unwrap();
    history(&root, &filled, 3..6);
    report(&root, MORNING);
    let open = "SELECT count(*) FROM (SELECT state, row_number() OVER (PARTITION BY date_kst, exception_type, source_table, \
                window_start_ts, window_end_ts ORDER BY generated_at DESC) AS age FROM gold.exception_ledger \
                WHERE window_start_ts = TIMESTAMP '2026-01-05T03:00:00Z') WHERE age = 1 AND state = 'OPEN'";
    assert_eq!(ask(&root, open), ["0"]);
}

#[test]
fn catching_up_after_weeks_is_one_finding_a_source() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let line = r#"{"tx_id":"t1","wallet_id":"u1","type":"HOLD","amount":"1.00","created_at":"2026-01-05T00:00:00Z"}"#;
    let file = dir.path().join("l.jsonl");
    std::fs::write(&file, line).unwrap();
    let file = file.to_string_lossy().into_owned();
    lake(
        &root,
        &[
            "ingest",
            "transaction_ledger",
            &file,
            "--ingested-at",
            "2026-01-05T00:09:00Z",
        ],
    );
    lake(&root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    report(&root, "run a --now 2026-01-05T00:10:00Z");
    let before: Vec<String> = rows(&root, "gold.exception_ledger", &[]);
    report(&root, "run a --now 2026-01-26T00:10:00Z");
    let after = rows(&root, "gold.exception_ledger", &[]);
    let new: Vec<&String> = after.iter().filter(|r| !before.contains(r)).collect();
    assert_eq!(new.len(), 3, "{new:?}");
    let of_ledger = new.iter().find(|r| r.contains("transaction_ledger_raw")).unwrap();
    let of_ledger: Value = serde_json::from_str(of_ledger).unwrap();
    let message: Value = serde_json::from_str(of_ledger["message"].as_str().unwrap()).unwrap();
    assert_eq!(message["windows"], "3024");
    assert_eq!(message["from"], "2026-01-05T00:10:00Z");
    assert_eq!(message["to"], "2026-01-26T00:10:00Z");
    // Every window has its row, for the gate of its day.
    let windows = "SELECT count(*) FROM silver.dq_status WHERE source_table = 'transaction_ledger_raw'";
    assert_eq!(ask(&root, windows), ["3025"]);
}

#[test]
fn a_guardrail_that_ran_while_the_clock_stood_at_1970_does_not_catch_up_half_a_century() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    lake(&root, &["run", "sync-rules"]);
    let line = r#"{"tx_id":"t1","wallet_id":"u1","type":"CHARGE","amount":"1.00","created_at":"2026-01-05T10:00:00+09:00"}"#;
    let file = dir.path().join("l.jsonl");
    std::fs::write(&file, line).unwrap();
    let at = ["--ingested-at", "2026-01-05T15:10:00Z"];
    lake(
        &root,
        &[
            &["ingest", "transaction_ledger", &file.to_string_lossy()],
            &at[..],
        ]
        .concat(),
    );
    lake(&root, &words("run a --now 1970-01-02T00:00:00Z"));
    let after = report(&root, "run a --now 2026-01-05T15:30:00Z");
    assert!(
        after["notes"][0].as_str().unwrap().contains("are left out"),
        "{after}"
    );
    let windows = ask(
        &root,
        "SELECT count(DISTINCT window_start_ts) FROM silver.dq_status",
    );
    // Two years of ten minutes, and the one of 1970.
    assert_eq!(windows, [(2 * 366 * 144 + 1).to_string()]);
    let last = report(&root, "run a --now 2026-01-05T15:40:00Z");
    assert!(last["notes"].is_null(), "{last}");
}
