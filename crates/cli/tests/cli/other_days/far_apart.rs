//! Rows whose days lie years apart: what they cost is what there is of them, not the calendar between them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::super::world::{TABLES, assert_same, lake, rows};
use super::super::{nsc, stdout};
use super::{
    Night, assert_converges, entry, issued, load, midnights, night, night_by_night, snapshot, words,
};

/// How many files of a table stand in directories of their own, and how many commits made them.
fn partitions_and_commits(table: &Path) -> (usize, usize) {
    let names: Vec<String> = std::fs::read_dir(table)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let days = names.iter().filter(|n| n.contains('=')).count();
    let log = std::fs::read_dir(table.join("_delta_log")).unwrap();
    let commits = log.filter(|e| {
        let name = e.as_ref().unwrap().file_name().to_string_lossy().into_owned();
        name.ends_with(".json")
    });
    (days, commits.count())
}

#[test]
fn an_entry_of_1970_and_a_snapshot_of_year_one_cost_no_day_in_between() {
    let nights = [
        night(vec![
            (
                "transaction_ledger",
                vec![
                    entry("t1", "u1", "CHARGE", "100.00", "2026-01-05T01:00:00Z", None),
                    entry("t0", "u1", "CHARGE", "1.00", "1970-01-01T00:00:00Z", None),
                ],
            ),
            (
                "user_wallets",
                vec![
                    snapshot("u0", "0", "0001-01-02T00:00:00Z"),
                    snapshot("u1", "101.00", "2026-01-05T15:00:00Z"),
                ],
            ),
        ]),
        night(vec![(
            "transaction_ledger",
            vec![entry("t2", "u1", "CHARGE", "10.00", "2026-01-06T01:00:00Z", None)],
        )]),
        // Later still another one, between them.
        night(vec![(
            "transaction_ledger",
            vec![entry("t3", "u1", "HOLD", "5.00", "1999-12-31T00:00:00Z", None)],
        )]),
    ];
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    night_by_night(&root, dir.path(), &nights, &["e2e"]);
    assert_eq!(
        issued(&root),
        [
            "0001-01-02 0.00",
            "1970-01-01 1.00",
            "1999-12-31 1.00",
            "2026-01-05 101.00",
            "2026-01-06 111.00",
            "2026-01-07 111.00"
        ]
    );
    for table in ["supply_position", "wallet_position"] {
        let (days, commits) = partitions_and_commits(&root.join("_nsc").join(table));
        assert!(
            days <= 6 && commits < 30,
            "{table}: {days} days, {commits} commits"
        );
    }
    let states = rows(&root, "gold.pipeline_state", &[]);
    let silver = states.iter().find(|r| r.contains("pipeline_silver")).unwrap();
    assert!(
        silver.contains(r#"[[\"0001-01-02\",\"2026-01-07\"]]"#),
        "the days in between were missed, and are one range: {silver}"
    );
}

#[test]
fn a_year_of_late_days_is_merged_some_days_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    for n in 0..365 {
        let date = date_of_2025(n);
        for k in 0..60 {
            let at = format!("{date}T01:{k:02}:00Z");
            lines.push(entry(&format!("t{n}-{k}"), "u1", "CHARGE", "1.00", &at, None));
        }
    }
    let history = night(vec![("transaction_ledger", lines)]);
    let (late, whole) = (dir.path().join("late"), dir.path().join("whole"));
    for root in [&late, &whole] {
        lake(root, &words("run sync-rules --now 2024-01-01T00:00:00Z"));
        load(root, dir.path(), 0, &history);
    }
    let report = lake(
        &late,
        &words("run silver --now 2026-01-06T15:30:00Z --format json"),
    );
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["affected_days"].as_array().unwrap().len(), 365);
    let (_, commits) = partitions_and_commits(&late.join("silver/ledger_entries"));
    assert!(commits < 40, "{commits} commits");
    lake(
        &whole,
        &words("run silver --date-kst-start 2025-01-01 --date-kst-end 2025-12-31 --now 2026-01-06T15:30:00Z"),
    );
    let silver = |root: &Path| -> BTreeMap<String, Vec<String>> {
        // The guardrail has not run.
        let written = |t: &&str| t.starts_with("silver.") && *t != "silver.dq_status";
        let tables = TABLES.into_iter().filter(written);
        tables
            .map(|t| (t.to_owned(), rows(root, t, &super::LINEAGE)))
            .collect()
    };
    assert_same(&silver(&late), &silver(&whole));
}

/// The `n`-th day of 2025.
fn date_of_2025(n: i64) -> String {
    let months = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut left = n;
    for (month, days) in (1..).zip(months) {
        if left < days {
            return format!("2025-{month:02}-{:02}", left + 1);
        }
        left -= days;
    }
    unreachable!("a year has 365 days")
}

#[test]
fn an_entry_that_moves_between_two_late_days_leaves_no_search_row_behind() {
    let of = |tx: &str, kind: &str, at: &str| entry(tx, "u1", kind, "10.00", at, Some("R1"));
    let nights = [
        night(vec![
            ("user_wallets", midnights(["0.00", "0.00", "0.00", "0.00"])),
            (
                "transaction_ledger",
                vec![
                    of("t1", "CHARGE", "2026-01-05T01:00:00Z"),
                    of("t2", "HOLD", "2026-01-05T02:00:00Z"),
                ],
            ),
        ]),
        night(vec![(
            "transaction_ledger",
            vec![of("t3", "CHARGE", "2026-01-06T01:00:00Z")],
        )]),
        // Of the first day one entry goes to the second, and another one comes in its place.
        night(vec![(
            "transaction_ledger",
            vec![
                of("t1", "CHARGE", "2026-01-06T03:00:00Z"),
                of("t4", "HOLD", "2026-01-05T03:00:00Z"),
            ],
        )]),
    ];
    let (_dir, grown) = assert_converges(&nights, &["silver", "b", "c"]);
    let found = rows(&grown, "gold.admin_tx_search", &[]);
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn a_day_that_runs_cover_piece_by_piece_is_processed_when_no_gap_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let lines = ["01", "09"].map(|hour| {
        let at = format!("2026-01-05T{hour}:00:00Z");
        entry(&format!("t{hour}"), "u1", "CHARGE", "10.00", &at, None)
    });
    lake(&root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    let lines: Night = night(vec![("transaction_ledger", lines.to_vec())]);
    load(&root, dir.path(), 0, &lines);
    let piece = |from: &str, to: &str| {
        let line = format!("run silver --start-ts {from} --end-ts {to} --now 2026-01-06T00:00:00Z");
        lake(&root, &words(&line));
    };
    let controls = || {
        let root = root.to_string_lossy().into_owned();
        let line = format!("--root {root} run b --date-kst 2026-01-05 --now 2026-01-06T00:00:00Z");
        let line = words(&line);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let ended = nsc(dir.path(), &line);
        (ended.status.code(), stdout(&ended))
    };
    piece("2026-01-05T06:00:00Z", "2026-01-05T15:00:00Z");
    assert_eq!(controls().0, Some(3));
    // A minute is left open, then closed.
    piece("2026-01-04T15:00:00Z", "2026-01-05T05:59:00Z");
    assert_eq!(controls().0, Some(3));
    piece("2026-01-05T05:59:00Z", "2026-01-05T06:00:00Z");
    let (code, said) = controls();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(issued(&root), ["2026-01-05 20.00"]);
}
