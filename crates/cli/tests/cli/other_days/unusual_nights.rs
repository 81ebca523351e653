//! Several versions in one night, positions that are not unique, missed nights, explicit days: what such nights leave of
//! other days.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{
    Night, assert_converges, at_once, entry, issued, load, midnights, night, night_by_night, now, order,
    standing, words,
};
use crate::environment::ended;
use crate::world::{assert_same, lake, rows};

fn charge(tx: &str, amount: &str, at: &str) -> Value {
    entry(tx, "u1", "CHARGE", amount, at, None)
}

/// An order that is pending, and an entry that names it.
fn pending_with_its_entry(at: &str) -> Night {
    night(vec![
        ("payment_orders", vec![order("PO1", Some("PENDING"), at, at)]),
        (
            "transaction_ledger",
            vec![entry("t1", "u1", "CHARGE", "10.00", at, Some("PO1"))],
        ),
    ])
}

/// Three nights, of which the second one ends after some of its pipelines.
fn cut_off(dir: &Path, name: &str, nights: &[Night], second: &[&str], third: &[&str]) -> PathBuf {
    let root = dir.join(name);
    lake(&root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    for (n, lines) in nights.iter().enumerate() {
        load(&root, dir, n, lines);
        let pipelines = [&["silver", "b", "c"], second, third][n];
        for pipeline in pipelines {
            lake(&root, &words(&format!("run {pipeline} --now {}", now(n))));
        }
    }
    root
}

#[test]
fn a_night_that_ended_after_silver_is_made_up_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let nights = ["05", "06", "07"].map(|day| {
        let at = format!("2026-01-{day}T01:00:00Z");
        let paid = order(&format!("PO{day}"), Some("PAID"), &at, &at);
        let charged = charge(&format!("t{day}"), "10.00", &at);
        let mut lines = night(vec![
            ("transaction_ledger", vec![charged]),
            ("payment_orders", vec![paid]),
        ]);
        if day == "05" {
            lines.insert("user_wallets", midnights(["0.00", "10.00", "20.00", "31.00"]));
        }
        lines
    });
    let whole = dir.path().join("whole");
    at_once(&whole, dir.path(), &nights);
    let facts = |root: &Path| rows(root, "gold.fact_payment_anonymized", &["run_id"]);
    for (n, second) in [&["silver"][..], &["silver", "b"], &["silver", "c"], &[]]
        .into_iter()
        .enumerate()
    {
        let three = ["silver", "b", "c"];
        let root = cut_off(dir.path(), &format!("cut-{n}"), &nights, second, &three);
        assert_same(&standing(&root), &standing(&whole));
        // The chain as well: what it says of sources that are silent is its own.
        let root = cut_off(dir.path(), &format!("e2e-{n}"), &nights, second, &["e2e"]);
        assert_eq!(issued(&root), issued(&whole), "{second:?}");
        assert_eq!(facts(&root), facts(&whole), "{second:?}");
    }
}

#[test]
fn a_pipeline_that_has_only_failed_makes_up_every_day_once_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    lake(&root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    for (n, day) in ["05", "06", "07"].into_iter().enumerate() {
        let at = format!("2026-01-{day}T01:00:00Z");
        let paid = order(&format!("PO{day}"), Some("PAID"), &at, &at);
        load(&root, dir.path(), n, &night(vec![("payment_orders", vec![paid])]));
        lake(&root, &words(&format!("run silver --now {}", now(n))));
        // The first nights have no salt.
        let root = root.to_string_lossy().into_owned();
        let line = format!("run c --now {}", now(n));
        ended(dir.path(), &line, &[("NSC_ROOT", &root)], 2);
    }
    lake(&root, &words(&format!("run c --now {}", now(2))));
    assert_eq!(rows(&root, "gold.fact_payment_anonymized", &[]).len(), 3);
}

#[test]
fn two_versions_of_one_order_in_one_night_leave_its_entries_once() {
    let day = "2026-01-05T01:00:00Z";
    let undated = json!({"order_id": "PO1", "user_id": "u1", "amount": "10.00", "status": "PAID",
                         "updated_at": "2026-01-06T01:00:00Z"});
    let nights = [
        pending_with_its_entry(day),
        night(vec![(
            "payment_orders",
            vec![
                undated,
                order("PO1", Some("REFUNDED"), day, "2026-01-06T02:00:00Z"),
            ],
        )]),
        Night::new(),
    ];
    let (_dir, grown) = assert_converges(&nights, &["silver", "b", "c"]);
    assert_eq!(issued(&grown)[2], "2026-01-07 10.00");
}

#[test]
fn an_entry_goes_back_to_its_own_status_once_although_its_position_is_not_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    lake(&root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    let day = "2026-01-05T01:00:00Z";
    // Two files of one name: both rows are `file:e.jsonl#1`.
    for (folder, tx, status) in [("a", "t1", "OWN"), ("b", "t2", "ELSE")] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
        let mut line = entry(tx, "u1", "CHARGE", "10.00", day, Some("PO1"));
        line["status"] = json!(status);
        let file = dir
            .path()
            .join(folder)
            .join("e.jsonl")
            .to_string_lossy()
            .into_owned();
        std::fs::write(&file, format!("{line}\n")).unwrap();
        let at = "2026-01-05T14:55:00Z";
        lake(
            &root,
            &["ingest", "transaction_ledger", &file, "--ingested-at", at],
        );
        lake(
            &root,
            &[
                "ingest",
                "transaction_ledger",
                &file,
                "--ingested-at",
                at,
                "--force",
            ],
        );
    }
    for (n, status) in [Some("PAID"), None].into_iter().enumerate() {
        let version = order("PO1", status, day, &format!("2026-01-0{}T02:00:00Z", 5 + n));
        load(
            &root,
            dir.path(),
            n,
            &night(vec![("payment_orders", vec![version])]),
        );
        lake(&root, &words(&format!("run silver --now {}", now(n))));
    }
    let mut found: Vec<(Value, Value)> = rows(&root, "silver.ledger_entries", &[])
        .iter()
        .map(|r| serde_json::from_str::<Value>(r).unwrap())
        .map(|r| (r["tx_id"].clone(), r["status"].clone()))
        .collect();
    found.sort_by_key(|(tx, _)| tx.to_string());
    assert_eq!(found, [(json!("t1"), json!("OWN")), (json!("t2"), json!("ELSE"))]);
}

#[test]
fn a_row_that_was_read_before_its_day_survives_a_night_that_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let first = [night(vec![(
        "transaction_ledger",
        vec![
            charge("t5", "1.00", "2026-01-05T01:00:00Z"),
            // Half past midnight of the sixth, in a file the night of the fifth reads.
            charge("t6", "10.00", "2026-01-05T15:30:00Z"),
        ],
    )])];
    night_by_night(&root, dir.path(), &first, &["silver", "b", "c"]);
    // The night of the sixth does not happen.
    let last = night(vec![(
        "transaction_ledger",
        vec![
            charge("t6b", "100.00", "2026-01-06T01:00:00Z"),
            charge("t7", "1000.00", "2026-01-07T01:00:00Z"),
        ],
    )]);
    load(&root, dir.path(), 2, &last);
    for pipeline in ["silver", "b", "c"] {
        lake(&root, &words(&format!("run {pipeline} --now {}", now(2))));
    }
    assert_eq!(
        issued(&root),
        ["2026-01-05 1.00", "2026-01-06 111.00", "2026-01-07 1111.00"]
    );
}

#[test]
fn an_explicit_day_repeats_the_later_days_that_were_judged() {
    let nights = [
        night(vec![(
            "transaction_ledger",
            vec![charge("t5", "1.00", "2026-01-05T01:00:00Z")],
        )]),
        night(vec![(
            "transaction_ledger",
            vec![charge("t6", "10.00", "2026-01-06T01:00:00Z")],
        )]),
    ];
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    night_by_night(&root, dir.path(), &nights, &["silver", "b", "c"]);
    let late = night(vec![(
        "transaction_ledger",
        vec![charge("late", "100.00", "2026-01-05T02:00:00Z")],
    )]);
    load(&root, dir.path(), 2, &late);
    lake(
        &root,
        &words("run e2e --date-kst 2026-01-05 --now 2026-01-07T01:00:00Z"),
    );
    assert_eq!(issued(&root), ["2026-01-05 101.00", "2026-01-06 111.00"]);
}

#[test]
fn an_order_without_a_day_reaches_its_entries_from_an_explicit_window_too() {
    let day = "2026-01-05T01:00:00Z";
    let nights = [
        pending_with_its_entry(day),
        night(vec![(
            "payment_orders",
            vec![order("PO1", Some("PAID"), "someday", "2026-01-06T01:00:00Z")],
        )]),
    ];
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    night_by_night(&root, dir.path(), &nights[..1], &["silver"]);
    load(&root, dir.path(), 1, &nights[1]);
    lake(
        &root,
        &words(&format!("run silver --date-kst 2026-01-06 --now {}", now(1))),
    );
    let row: Value = serde_json::from_str(&rows(&root, "silver.ledger_entries", &[])[0]).unwrap();
    assert_eq!(row["status"], "PAID");
}

#[test]
fn a_contradiction_names_all_copies_whichever_night_brought_them() {
    let at = "2026-01-05T01:00:00Z";
    let nights = [
        night(vec![("transaction_ledger", vec![charge("t1", "10.00", at)])]),
        night(vec![(
            "transaction_ledger",
            vec![charge("t1", "20.00", at), charge("t1", "30.00", at)],
        )]),
    ];
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    night_by_night(&root, dir.path(), &nights, &["silver"]);
    lake(
        &root,
        &words(&format!("run silver --date-kst 2026-01-05 --now {}", now(2))),
    );
    let found = rows(&root, "gold.exception_ledger", &[]);
    let [row] = found.as_slice() else {
        unreachable!("one contradiction, recorded once: {found:?}")
    };
    for copy in ["10.00", "20.00", "30.00"] {
        assert!(row.contains(copy), "{row}");
    }
}
