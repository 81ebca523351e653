//! Of the rows that are appended for one thing, the newest is the one written last, whatever time its run was told.
//! Holds lakehouse contract 1, "Newest".

use std::fmt::Write as _;
use std::path::Path;

use super::stdout;
use super::world::lake;

const OPEN_NOW: &str = "SELECT exception_type, subject FROM gold.open_findings ORDER BY 1, 2";
const COUNTS: &str = "SELECT event_count FROM silver.dq_status WHERE source_table = 'transaction_ledger_raw' ORDER BY generated_at";

fn run(root: &Path, line: &str) {
    lake(root, &line.split_whitespace().collect::<Vec<_>>());
}

fn ask(root: &Path, sql: &str) -> Vec<String> {
    let csv = stdout(&lake(root, &["sql", sql, "--format", "csv"]));
    csv.lines().skip(1).map(str::to_owned).collect()
}

/// Loads entries of one wallet: number and amount.
fn load_entries(root: &Path, name: &str, entries: &[(u32, &str)]) {
    let mut lines = String::new();
    for (n, amount) in entries {
        writeln!(
            lines,
            r#"{{"tx_id":"tx-{n}","wallet_id":"w","type":"CHARGE","amount":"{amount}","created_at":"2026-01-05T01:00:0{n}Z","ingested_at":"2026-01-05T01:05:0{n}Z","source_extracted_at":"2026-01-05T01:05:00Z"}}"#
        )
        .unwrap();
    }
    load(root, "transaction_ledger", name, &lines);
}

fn load(root: &Path, table: &str, name: &str, lines: &str) {
    let file = root.parent().unwrap().join(name);
    std::fs::write(&file, lines).unwrap();
    lake(root, &["ingest", table, &file.to_string_lossy()]);
}

#[test]
fn a_window_judged_again_under_the_same_or_an_earlier_time_has_one_newer_row() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    run(&root, "rules sync");
    let judge = |now: &str| {
        run(
            &root,
            &format!(
                "run a --run-mode backfill --start-ts 2026-01-05T01:00:00Z --end-ts 2026-01-05T01:10:00Z --now {now}"
            ),
        );
    };
    load_entries(&root, "1.jsonl", &[(1, "1")]);
    judge("2026-01-05T03:00:00Z");
    load_entries(&root, "2.jsonl", &[(2, "1")]);
    for _ in 0..3 {
        judge("2026-01-05T03:00:00Z");
    }
    assert_eq!(ask(&root, COUNTS), ["1", "2"]);
    load_entries(&root, "3.jsonl", &[(3, "1")]);
    for _ in 0..2 {
        judge("2026-01-05T02:00:00Z");
    }
    assert_eq!(ask(&root, COUNTS), ["1", "2", "3"]);
}

#[test]
fn a_finding_that_comes_and_goes_under_one_time_is_open_when_it_was_found_last() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    run(&root, "rules sync");
    let snapshots = [("2026-01-04T15:00:00Z", "0"), ("2026-01-05T15:00:00Z", "7")].map(|(at, balance)| {
        format!(
            r#"{{"user_id":"w","balance":"{balance}","frozen_amount":"0","ingested_at":"{at}","source_extracted_at":"{at}"}}"#
        )
    });
    load(&root, "user_wallets", "w.jsonl", &snapshots.join("\n"));
    let night = |now: &str| {
        for pipeline in ["silver", "b"] {
            run(
                &root,
                &format!("run {pipeline} --date-kst 2026-01-05 --now {now}"),
            );
        }
        ask(&root, OPEN_NOW)
    };
    let found = ["RECON_DRIFT_HIGH,w", "SUPPLY_MISMATCH,"];
    let nothing: [&str; 0] = [];

    load_entries(&root, "1.jsonl", &[(1, "5")]);
    assert_eq!(night("2026-01-06T00:20:00Z"), found);
    load_entries(&root, "2.jsonl", &[(2, "2")]);
    assert_eq!(night("2026-01-06T00:20:00Z"), nothing);
    // Told an earlier time: it is open again all the same.
    load_entries(&root, "3.jsonl", &[(3, "1")]);
    assert_eq!(night("2026-01-06T00:10:00Z"), found);
    let rows = ask(&root, "SELECT count(*) FROM gold.exception_ledger");
    assert_eq!(night("2026-01-06T00:10:00Z"), found);
    assert_eq!(ask(&root, "SELECT count(*) FROM gold.exception_ledger"), rows);
}
