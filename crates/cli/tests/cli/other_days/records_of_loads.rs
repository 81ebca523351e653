//! Loads that are restored beside others, whose records are lost, and what is said of them.

use serde_json::Value;

use super::taken_back::{change, exit_of, night_runs, rules};
use super::{now, words};
use crate::world::{lake, rows};
use crate::{nsc, stderr, stdout};

/// Two rows of a source, of two days.
const OF_TWO_DAYS: [(&str, &str, [&str; 2]); 6] = [
    (
        "user_wallets",
        "wallet_snapshot",
        [
            r#"{"user_id":"u1","balance":"1","frozen_amount":"0"}"#,
            r#"{"user_id":"u2","balance":"1","frozen_amount":"0"}"#,
        ],
    ),
    (
        "payment_orders",
        "order_events",
        [
            r#"{"order_id":"o1","user_id":"u","amount":"1","status":"PAID","created_at":"2026-01-05T01:00:00Z"}"#,
            r#"{"order_id":"o2","user_id":"u","amount":"1","status":"PAID","created_at":"2026-01-06T01:00:00Z"}"#,
        ],
    ),
    (
        "orders",
        "order_events",
        [
            r#"{"order_id":1,"user_id":"u","total_amount":"1","status":"PAID","created_at":"2026-01-05T01:00:00Z"}"#,
            r#"{"order_id":2,"user_id":"u","total_amount":"1","status":"PAID","created_at":"2026-01-06T01:00:00Z"}"#,
        ],
    ),
    (
        "order_items",
        "order_items",
        [
            r#"{"item_id":31,"order_id":1,"product_id":1,"quantity":1,"price_at_purchase":"1"}"#,
            r#"{"item_id":32,"order_id":1,"product_id":1,"quantity":1,"price_at_purchase":"1"}"#,
        ],
    ),
    (
        "products",
        "products",
        [
            r#"{"product_id":1,"product_name":"p","price_krw":"1","category":"A","is_display":true}"#,
            r#"{"product_id":2,"product_name":"p","price_krw":"1","category":"A","is_display":true}"#,
        ],
    ),
    (
        "transaction_ledger",
        "ledger_entries",
        [
            r#"{"tx_id":"t1","wallet_id":"w","type":"CHARGE","amount":"1","created_at":"2026-01-05T01:00:00Z"}"#,
            r#"{"tx_id":"t2","wallet_id":"w","type":"CHARGE","amount":"1","created_at":"2026-01-06T01:00:00Z"}"#,
        ],
    ),
];

#[test]
fn a_load_restored_on_the_night_that_brings_a_new_one_counts_beside_it() {
    for (source, silver, lines) in OF_TWO_DAYS {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("lake");
        rules(&root);
        let load = |number: usize| {
            let file = dir.path().join(format!("{number}.jsonl"));
            std::fs::write(&file, format!("{}\n", lines[number])).unwrap();
            let at = format!("2026-01-{:02}T10:00:00Z", 5 + number);
            lake(
                &root,
                &["ingest", source, &file.to_string_lossy(), "--ingested-at", &at],
            );
        };
        load(0);
        night_runs(&root, &now(0), "first");
        let loads = rows(&root, "ops.load", &[]);
        let id: Value = serde_json::from_str(&loads[0]).unwrap();
        let id = id["load_id"].as_str().unwrap();
        change(&root, "retract", id);
        change(&root, "restore", id);
        load(1);
        night_runs(&root, &now(1), "second");
        assert_eq!(rows(&root, &format!("silver.{silver}"), &[]).len(), 2, "{source}");
    }
}

#[test]
fn records_of_loads_that_are_gone_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    rules(&root);
    for number in 0..2 {
        let file = dir.path().join(format!("{number}.jsonl"));
        std::fs::write(&file, format!("{}\n", OF_TWO_DAYS[5].2[number])).unwrap();
        lake(&root, &["ingest", "transaction_ledger", &file.to_string_lossy()]);
    }
    let loads = rows(&root, "ops.load", &[]);
    let id: Value = serde_json::from_str(&loads[0]).unwrap();
    change(&root, "retract", id["load_id"].as_str().unwrap());
    let run = "run silver --date-kst 2026-01-05 --now 2026-01-09T00:00:00Z";
    let told = |output: &str| output.contains("records of loads are gone");
    assert!(!told(&exit_of(&root, run).1) && !told(&exit_of(&root, "doctor").1));
    std::fs::remove_dir_all(root.join("ops")).unwrap();
    assert!(told(&exit_of(&root, run).1) && told(&exit_of(&root, "doctor").1));
}

#[test]
fn a_load_whose_record_is_lost_is_listed_and_taken_back_anew() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    rules(&root);
    for number in 0..2 {
        let file = dir.path().join(format!("part {number} # of 2.jsonl"));
        std::fs::write(&file, format!("{}\n", OF_TWO_DAYS[5].2[number])).unwrap();
        lake(&root, &["ingest", "transaction_ledger", &file.to_string_lossy()]);
    }
    let ids: Vec<String> = rows(&root, "ops.load", &[])
        .iter()
        .map(|row| {
            serde_json::from_str::<Value>(row).unwrap()["load_id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let entries = || rows(&root, "silver.ledger_entries", &[]).len();
    let silver =
        "run silver --date-kst-start 2026-01-05 --date-kst-end 2026-01-06 --now 2026-01-09T00:00:00Z";
    // What is left of a variable that was never set names no load.
    for given in ["", "0", &ids[0][..7]] {
        let refused = nsc(
            &root,
            &[
                "--root",
                &root.to_string_lossy(),
                "loads",
                "retract",
                given,
                "--reason",
                "x",
            ],
        );
        assert_eq!(refused.status.code(), Some(2), "{given:?}");
    }
    change(&root, "retract", &ids[0]);
    lake(&root, &words(silver));
    assert_eq!(entries(), 1);
    // Whoever loads both files again is told which of the two does not count.
    let parts = [0, 1].map(|n| {
        dir.path()
            .join(format!("part {n} # of 2.jsonl"))
            .to_string_lossy()
            .into_owned()
    });
    let again = stderr(&lake(
        &root,
        &["ingest", "transaction_ledger", &parts[0], &parts[1]],
    ));
    assert_eq!(again.matches("was taken back").count(), 1, "{again}");

    std::fs::remove_dir_all(root.join("ops")).unwrap();
    let unrecorded = || {
        let listed = stdout(&lake(
            &root,
            &words("loads list --state unrecorded --format json"),
        ));
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        listed
    };
    let listed = unrecorded();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed[0]["input"], "part 1 # of 2.jsonl");
    assert_eq!(listed[0]["rows"], 1);
    assert!(stdout(&lake(&root, &["loads", "show", &ids[0]])).contains("UNRECORDED"));
    lake(&root, &words(silver));
    assert_eq!(entries(), 2, "without its record the load counts again");

    change(&root, "retract", &ids[0]);
    assert_eq!(unrecorded().len(), 1);
    lake(&root, &words(silver));
    assert_eq!(entries(), 1);
}

#[test]
fn loads_are_looked_for_by_their_table_or_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let file = dir.path().join("orders.jsonl");
    std::fs::write(&file, r#"{"order_id":1}"#).unwrap();
    lake(&root, &["ingest", "orders", &file.to_string_lossy()]);
    let of = |table: &str| {
        let listed = stdout(&lake(
            &root,
            &words(&format!("loads list --table {table} --format csv")),
        ));
        listed.lines().count() - 1
    };
    assert_eq!(["orders", "orders_raw", "bronze.orders_raw"].map(of), [1, 1, 1]);
    // The source of that name is meant, and not the table of Silver.
    assert_eq!(of("products"), 0);
    let root_text = root.to_string_lossy();
    let refused = nsc(
        dir.path(),
        &[
            "--root",
            &root_text,
            "loads",
            "list",
            "--table",
            "silver.products",
        ],
    );
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
}
