//! What proves a night: reports that cannot be changed unseen, days compared with what they were, rules that say who changed
//! them. Follows lakehouse contract 4.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::{as_json, at, demo, entry, lake, late};
use crate::{stderr, stdout};

const DAY: &str = "2026-01-05";

/// The night after: what came late is taken, and the day computed again.
fn next_night(root: &Path) {
    lake(
        root,
        &[
            "run",
            "e2e",
            "--date-kst",
            DAY,
            "--now",
            "2026-01-06T15:30:00Z",
            "--run-id",
            "second",
        ],
    );
    lake(root, &["run", "silver", "--now", "2026-01-06T15:40:00Z"]);
    lake(
        root,
        &[
            "run",
            "b",
            "--date-kst",
            DAY,
            "--now",
            "2026-01-06T15:50:00Z",
            "--run-id",
            "third",
        ],
    );
}

fn reports(root: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(root.join("_nsc/runs")).unwrap();
    found.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_report_that_was_changed_or_removed_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let standing = |of: &Value| -> Vec<String> {
        let rows = of.as_array().unwrap().iter();
        rows.map(|r| {
            format!(
                "{} {}",
                r["pipeline"].as_str().unwrap(),
                r["report"].as_str().unwrap()
            )
        })
        .collect()
    };
    let all = [
        "e2e as recorded",
        "sync_rules leaves no hash (nsc rules history)",
        "pipeline_a as recorded",
        "pipeline_silver as recorded",
        "pipeline_b as recorded",
        "pipeline_c as recorded",
    ];
    assert_eq!(standing(&as_json(&root, &["runs", "verify"])), all);
    // A run that finds nothing new, and one that fails, leave their word as well.
    lake(&root, &["run", "b", "--date-kst", DAY]);
    let refused = at(&root, &["run", "b", "--date-kst", "2026-01-07"]);
    assert_eq!(refused.status.code(), Some(3));
    let known = standing(&as_json(&root, &["runs", "verify"]));
    assert_eq!(
        known.iter().filter(|s| *s == "pipeline_b as recorded").count(),
        3,
        "{known:?}"
    );
    // The verdict of the day made better with an editor.
    let report = reports(&root).into_iter().find(|path| {
        std::fs::read_to_string(path).unwrap().contains("B-2 supply")
            && path.to_string_lossy().contains("first")
    });
    let report = report.unwrap();
    let text = std::fs::read_to_string(&report).unwrap();
    std::fs::write(&report, text.replace("difference 5100.00", "difference 0.00")).unwrap();
    let found = at(&root, &["runs", "verify", "first"]);
    assert_eq!(found.status.code(), Some(6), "{}", stderr(&found));
    assert!(
        stdout(&found).contains("CHANGED") && stderr(&found).contains("NSC0407"),
        "{}",
        stdout(&found)
    );
    // What is of the machine may differ: the report is still the run's.
    let seconds = text.replace("\"seconds\":", "\"seconds\":1");
    std::fs::write(&report, seconds).unwrap();
    lake(&root, &["runs", "verify", "first"]);
    std::fs::remove_file(&report).unwrap();
    let gone = at(&root, &["runs", "verify"]);
    assert_eq!(gone.status.code(), Some(6));
    assert!(stdout(&gone).contains("MISSING"), "{}", stdout(&gone));
}

/// What an attacker would rather change than the verdict itself, and what is no attack at all.
#[test]
fn neither_a_chain_nor_a_version_nor_a_copy_can_be_passed_off() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    for now in ["2026-01-05T16:00:00Z", "2026-01-05T17:00:00Z"] {
        let again = ["--run-id", "again", "--now", now];
        lake(&root, &[&["run", "b", "--date-kst", DAY], &again[..]].concat());
    }
    let runs = root.join("_nsc/runs");
    let first = std::fs::read_to_string(runs.join("first.json")).unwrap();
    let verify = |why: &str, is_wrong: bool| {
        let output = at(&root, &["runs", "verify"]);
        let expected = if is_wrong { Some(6) } else { Some(0) };
        assert_eq!(
            output.status.code(),
            expected,
            "{why}: {}{}",
            stdout(&output),
            stderr(&output)
        );
    };
    verify("nothing was changed", false);
    let put = |text: &str| std::fs::write(runs.join("first.json"), text).unwrap();
    let edited = |change: &dyn Fn(&mut Value)| {
        let mut report: Value = serde_json::from_str(&first).unwrap();
        change(&mut report);
        report.to_string()
    };
    put(&edited(&|r| {
        r["verdicts"] = json!([{"control": "B-1 reconciliation", "verdict": "ok"}])
    }));
    verify("a verdict of the chain itself", true);
    put(&edited(&|r| r["invoked_by"] = json!("somebody@else")));
    verify("who ran the chain", true);
    put(&edited(&|r| {
        r["parts"][3]["versions_written"] = json!({"gold.recon_daily_snapshot_flow": 0})
    }));
    verify("what as_of_run goes by", true);
    put(&first);
    // One of two reports of an id that was used again.
    let kept = std::fs::read(runs.join("again.1.json")).unwrap();
    std::fs::remove_file(runs.join("again.1.json")).unwrap();
    verify("an earlier report of the id is gone", true);
    std::fs::write(runs.join("again.1.json"), &kept).unwrap();
    // The report of one run under the name of another, and one of a run that never was.
    std::fs::copy(runs.join("again.json"), runs.join("other.json")).unwrap();
    verify("a report under another name", true);
    let forged = std::fs::read_to_string(runs.join("again.json"))
        .unwrap()
        .replace("\"again\"", "\"other\"");
    std::fs::write(runs.join("other.json"), forged).unwrap();
    verify("a run that never was", true);
    std::fs::write(runs.join("other.json"), "").unwrap();
    verify("a report without a content", true);
    // It hides none of the others.
    let listed = as_json(&root, &["runs", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 4, "{listed}");
    std::fs::remove_file(runs.join("other.json")).unwrap();
    // Killed after a step was recorded and before the chain said so.
    put(&edited(&|r| {
        r["status"] = json!("started");
        r["parts"].as_array_mut().unwrap().truncate(2);
    }));
    verify("a run that was killed", false);
}

#[test]
fn a_day_is_compared_with_what_it_was_when_it_was_first_computed() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let same = as_json(&root, &["diff", DAY]);
    for table in [
        "recon_daily_snapshot_flow",
        "ledger_supply_balance_daily",
        "exception_ledger",
    ] {
        assert_eq!(same[table], json!([]), "{table}");
    }
    // The entry that explains the drift of user-1003 comes a day late.
    late(
        &root,
        "transaction_ledger",
        "late.jsonl",
        &[entry("tx-late-1", "user-1003", "PAYMENT", "100.00")],
    );
    next_night(&root);
    let changed = as_json(&root, &["diff", DAY]);
    let rows = changed["recon_daily_snapshot_flow"].as_array().unwrap();
    let drifts: Vec<(&str, &str, &str)> = rows
        .iter()
        .map(|r| {
            let text = |name: &str| r[name].as_str().unwrap();
            (text("side"), text("user_id"), text("drift_abs"))
        })
        .collect();
    assert_eq!(
        drifts,
        [("before", "user-1003", "100.00"), ("now", "user-1003", "0.00")]
    );
    assert_eq!(changed["ops_payment_failure_daily"], json!([]));
    let closed = changed["exception_ledger"].as_array().unwrap();
    assert!(
        closed
            .iter()
            .any(|r| r["side"] == "now" && r["state"] == "CLEARED"),
        "{closed:?}"
    );
    // Between two runs that are named, in either direction.
    let back = as_json(&root, &["diff", DAY, "--from", "second", "--to", "first"]);
    assert_eq!(back["recon_daily_snapshot_flow"].as_array().unwrap().len(), 2);
    let never = at(&root, &["diff", "2026-02-01"]);
    assert_eq!(never.status.code(), Some(3), "{}", stderr(&never));
    // And what the two runs say differently.
    let said = as_json(&root, &["runs", "diff", "first.pipeline_b", "second.pipeline_b"]);
    let said = said.to_string();
    assert!(
        said.contains("B-1 reconciliation 2026-01-05") && !said.contains("peak_memory"),
        "{said}"
    );
    // The finding that is closed names what came since.
    let why = as_json(
        &root,
        &[
            "explain",
            "exception",
            "--date-kst",
            DAY,
            "--type",
            "RECON_DRIFT_HIGH",
            "--subject",
            "user-1003",
        ],
    );
    let since = why["entries_that_came_after_it_was_found"].to_string();
    assert!(
        since.contains("tx-late-1") && !since.contains("tx-20260105-0003"),
        "{since}"
    );
}

#[test]
fn a_change_of_the_rules_says_who_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let rules = "
version: 1
rules:
- rule_id: ledger_recon_abs_default_v2
  domain: ledger
  metric: drift_abs
  threshold: 1.0
  severity_map: {warn: 0.5, crit: 1.0}
";
    std::fs::write(dir.path().join("looser.yaml"), rules).unwrap();
    lake(
        &root,
        &[
            "rules",
            "sync",
            "looser.yaml",
            "--reason",
            "agreed with finance, ticket 4711",
        ],
    );
    let history = as_json(&root, &["rules", "history", "ledger.drift_abs"]);
    let of = |id: &str| {
        history
            .as_array()
            .unwrap()
            .iter()
            .find(|r| r["rule_id"] == id)
            .unwrap()
            .clone()
    };
    let new = of("ledger_recon_abs_default_v2");
    assert_eq!(new["reason"], "agreed with finance, ticket 4711");
    assert!(new["by"].as_str().unwrap().contains('@'));
    assert_eq!(of("ledger_recon_abs_default")["reason"], Value::Null);
    let blank = at(&root, &["rules", "sync", "looser.yaml", "--reason", ""]);
    assert_eq!(blank.status.code(), Some(2));
}

#[test]
fn columns_say_what_they_mean_in_new_tables_and_in_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let log = root.join("gold/recon_daily_snapshot_flow/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).unwrap();
    let comment = r#"{\"comment\":\"|delta - net flow|\"}"#;
    assert!(text.contains(comment), "{text}");
    // A table of before has none; a comment of somebody else's stays.
    let mut old = String::new();
    for part in text.split(r#"\"metadata\":{"#) {
        if old.is_empty() {
            old.push_str(part);
            continue;
        }
        old.push_str(r#"\"metadata\":{"#);
        let (_, rest) = part.split_once('}').unwrap();
        old.push('}');
        old.push_str(rest);
    }
    let theirs = r#"\"name\":\"user_id\",\"type\":\"string\",\"nullable\":false,\"metadata\":{"#;
    assert!(old.contains(theirs), "{old}");
    let old = old.replace(
        theirs,
        &format!("{theirs}\\\"comment\\\":\\\"the wallet, as we call it\\\""),
    );
    std::fs::write(&log, old).unwrap();
    std::fs::remove_file(log.with_extension("json").with_file_name("_last_checkpoint")).ok();
    let before = as_json(
        &root,
        &[
            "sql",
            "SELECT * FROM gold.recon_daily_snapshot_flow ORDER BY user_id",
        ],
    );
    let migrated = as_json(&root, &["table", "migrate", "gold.recon_daily_snapshot_flow"]);
    assert_eq!(migrated[0]["described"], 11, "{migrated}");
    let again = as_json(&root, &["table", "migrate", "gold.recon_daily_snapshot_flow"]);
    assert_eq!(again[0]["described"], 0);
    let newest = std::fs::read_dir(log.parent().unwrap()).unwrap();
    let newest = newest
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .max();
    let newest = std::fs::read_to_string(newest.unwrap()).unwrap();
    assert!(
        newest.contains("the wallet, as we call it") && newest.contains("|delta - net flow|"),
        "{newest}"
    );
    assert_eq!(
        as_json(
            &root,
            &[
                "sql",
                "SELECT * FROM gold.recon_daily_snapshot_flow ORDER BY user_id"
            ]
        ),
        before
    );
}
