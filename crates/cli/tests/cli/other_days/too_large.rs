//! Amounts that are each exact and together over 38 digits: the rows are named, and what the error says to do works.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Night, entry, issued, load, night, now, words};
use crate::world::lake;
use crate::{nsc, stderr, stdout};

const HUGE: &str = "900000000000000000000000000000000000.00";

fn charges(amounts: [(&str, &str); 2]) -> Night {
    let lines = amounts.map(|(tx, amount)| entry(tx, "u9", "CHARGE", amount, "2026-01-06T01:00:00Z", None));
    night(vec![("transaction_ledger", lines.to_vec())])
}

/// A lake whose second night brings amounts that no sum holds; returns it, the load and what B said.
fn stopped(dir: &Path) -> (PathBuf, String, String) {
    let root = dir.join("lake");
    lake(&root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    let charge = |tx: &str, at: &str| entry(tx, "u1", "CHARGE", "10.00", at, None);
    let first = night(vec![(
        "transaction_ledger",
        vec![charge("t5", "2026-01-05T01:00:00Z")],
    )]);
    load(&root, dir, 0, &first);
    for pipeline in ["silver", "b", "c"] {
        lake(&root, &words(&format!("run {pipeline} --now {}", now(0))));
    }
    load(&root, dir, 1, &charges([("big-1", HUGE), ("big-2", HUGE)]));
    let loads = stdout(&lake(&root, &words("loads list --format json")));
    let loads: Vec<Value> = serde_json::from_str(&loads).unwrap();
    let huge = loads
        .iter()
        .find(|l| l["input"] == "transaction_ledger-1.jsonl")
        .unwrap();
    let id = huge["load_id"].as_str().unwrap().to_owned();
    lake(&root, &words(&format!("run silver --now {}", now(1))));
    let said = refused(&root, &format!("run b --now {}", now(1)));
    (root, id, said)
}

fn refused(root: &Path, line: &str) -> String {
    let root_text = root.to_string_lossy().into_owned();
    let line = words(&format!("--root {root_text} {line}"));
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let ended = nsc(root.parent().unwrap(), &line);
    assert_eq!(ended.status.code(), Some(4), "{}", stderr(&ended));
    stderr(&ended)
}

#[test]
fn amounts_over_38_digits_are_named_and_the_load_taken_back_sets_b_going_again() {
    let dir = tempfile::tempdir().unwrap();
    let (root, id, said) = stopped(dir.path());
    for part in [
        "NSC0405",
        "on 2026-01-06",
        "entry big-1 of wallet u9 on 2026-01-06: 900000000000000000000000000000000000.00",
        "entry big-2 of wallet u9",
        "transaction_ledger-1.jsonl#1",
        &format!("load {id}"),
        &format!("nsc loads retract {id} --reason WHY"),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("t5"), "an amount like any other: {said}");
    // A night later the rows are history, and stop the next day as well.
    lake(&root, &words(&format!("run silver --now {}", now(2))));
    let again = refused(&root, &format!("run b --now {}", now(2)));
    assert!(again.contains("entry big-1"), "{again}");

    lake(&root, &words(&format!("loads retract {id} --reason absurd")));
    lake(&root, &words(&format!("run e2e --now {}", now(3))));
    assert_eq!(
        issued(&root),
        ["2026-01-05 10.00", "2026-01-06 10.00", "2026-01-08 10.00"]
    );
}

#[test]
fn a_corrected_version_of_the_rows_sets_b_going_again_and_makes_up_the_day() {
    let dir = tempfile::tempdir().unwrap();
    let (root, _, _) = stopped(dir.path());
    load(
        &root,
        dir.path(),
        2,
        &charges([("big-1", "9.00"), ("big-2", "90.00")]),
    );
    lake(&root, &words(&format!("run e2e --now {}", now(2))));
    assert_eq!(
        issued(&root),
        ["2026-01-05 10.00", "2026-01-06 109.00", "2026-01-07 109.00"]
    );
}

#[test]
fn a_drift_past_128_bits_is_named_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let most = "999999999999999999999999999999999999.99";
    lake(&root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    let snapshot = |at: &str, balance: &str| json!({"user_id": "u1", "balance": balance, "frozen_amount": "0", "source_extracted_at": at});
    let lines = [
        (
            "user_wallets",
            vec![
                snapshot("2026-01-04T15:00:00Z", "0"),
                snapshot("2026-01-05T15:00:00Z", most),
            ],
        ),
        (
            "transaction_ledger",
            vec![entry("t1", "u1", "PAYMENT", most, "2026-01-05T01:00:00Z", None)],
        ),
    ];
    load(&root, dir.path(), 0, &lines.into());
    lake(&root, &words(&format!("run silver --now {}", now(0))));
    let said = refused(&root, &format!("run b --now {}", now(0)));
    assert!(
        said.contains("NSC0405") && said.contains("nsc loads retract"),
        "{said}"
    );
}
