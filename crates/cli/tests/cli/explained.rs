//! Findings and entries explained: a sentence that is true, its equation, the rows behind it.

use std::process::Command;

use serde_json::{Value, json};

use crate::world::{allow_bad_records_from, as_json, at, demo, entry, lake, late};
use crate::{stderr, stdout};

const DAY: &str = "2026-01-05";

#[test]
fn a_wallets_day_is_explained_in_a_sentence_and_an_equation() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let recon = |wallet: &str| {
        as_json(
            &root,
            &["explain", "recon", "--date-kst", DAY, "--wallet", wallet],
        )
    };
    let short = recon("user-1003");
    assert_eq!(
        short["verdict"][0]["verdict"],
        "user-1003 holds 100.00 less than its entries say."
    );
    assert_eq!(
        short["verdict"][0]["equation"],
        "opening 0.00 + entries 166647.50 = expected 166647.50; closing 166547.50; difference -100.00"
    );
    let entries = short["entries_between_them"].as_array().unwrap();
    assert_eq!(entries.last().unwrap()["leads_to"], "166647.50");
    assert_eq!(
        short["findings_of_the_wallet"][0]["exception_type"],
        "RECON_DRIFT_HIGH"
    );
    let unknown = recon("user-9999");
    assert!(
        unknown["verdict"][0]["verdict"]
            .as_str()
            .unwrap()
            .starts_with("No two snapshots of user-9999")
    );
    let findings = unknown["findings_of_the_wallet"].to_string();
    assert!(findings.contains("RECON_WALLET_UNKNOWN"), "{findings}");
}

#[test]
fn the_difference_of_the_supply_is_that_of_its_wallets() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let supply = as_json(
        &root,
        &[
            "explain",
            "exception",
            "--date-kst",
            DAY,
            "--type",
            "SUPPLY_MISMATCH",
        ],
    );
    let split: Vec<(&str, &str)> = supply["difference_by_wallet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["user_id"].as_str().unwrap(), r["difference"].as_str().unwrap()))
        .collect();
    assert_eq!(split, [("user-9999", "5000.00"), ("user-1003", "100.00")]);
    assert!(
        supply["equation"][0]["equation"]
            .as_str()
            .unwrap()
            .ends_with("= difference 5100.00")
    );
}

#[test]
fn a_person_reads_an_explanation_in_one_language() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let korean = Command::new(env!("CARGO_BIN_EXE_nsc"))
        .args([
            "--root",
            root.to_str().unwrap(),
            "explain",
            "recon",
            "--date-kst",
            DAY,
            "--wallet",
            "user-1003",
        ])
        .env_clear()
        .env("HOME", dir.path())
        .env("NSC_ENV", "local")
        .env("NSC_LANG", "ko")
        .output()
        .unwrap();
    let text = stdout(&korean);
    assert!(
        text.contains("100.00만큼 적습니다") && !text.contains("verdict_ko") && !text.contains("holds"),
        "{text}"
    );
}

#[test]
fn an_entry_is_followed_to_its_lines_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let said = |tx: &str| {
        let explained = as_json(&root, &["explain", "tx", tx]);
        (
            explained["verdict"][0]["verdict"].as_str().unwrap().to_owned(),
            explained,
        )
    };
    let (paid, all) = said("tx-20260105-0313");
    assert!(
        paid.contains("It is a PAYMENT of 9000.00 of wallet user-1001 on 2026-01-05")
            && paid.contains("tx-20260105-0314"),
        "{paid}"
    );
    assert_eq!(
        all["lines_it_came_in"][0]["source_ref"],
        "file:transaction_ledger.jsonl#316"
    );
    assert_eq!(all["their_loads"][0]["input"], "transaction_ledger.jsonl");
    late(
        &root,
        "transaction_ledger",
        "new.jsonl",
        &[entry("tx-new", "user-1003", "PAYMENT", "1.00")],
    );
    assert!(said("tx-new").0.contains("No run of Silver has taken it yet"));
    let file = late(
        &root,
        "transaction_ledger",
        "bad.jsonl",
        &[entry("tx-bad", "user-1003", "PAYMENT", "1.005")],
    );
    lake(&root, &["rules", "sync"]);
    let loads = as_json(&root, &["loads", "list", "--table", "transaction_ledger"]);
    let load = loads
        .as_array()
        .unwrap()
        .iter()
        .find(|l| file.ends_with(l["input"].as_str().unwrap()))
        .unwrap();
    let load = load["load_id"].as_str().unwrap().to_owned();
    lake(&root, &["loads", "retract", &load, "--reason", "wrong file"]);
    assert!(said("tx-bad").0.contains("A load of it was taken back"));
    let unknown = at(&root, &["explain", "tx", "tx-nowhere"]);
    assert_eq!(unknown.status.code(), Some(2), "{}", stderr(&unknown));
    let bad = as_json(
        &root,
        &[
            "sql",
            "SELECT source_ref FROM silver.bad_records WHERE source_table = 'transaction_ledger_raw' LIMIT 1",
        ],
    );
    let line = bad[0]["source_ref"].as_str().unwrap();
    let id = as_json(
        &root,
        &[
            "sql",
            &format!("SELECT tx_id FROM bronze.transaction_ledger_raw WHERE source_ref = '{line}'"),
        ],
    );
    if let Some(id) = id[0]["tx_id"].as_str() {
        assert!(said(id).0.contains("In quarantine: "));
    }
}

/// Sentences that would mislead: one name of several entries, a copy in quarantine, a day that nobody has judged.
#[test]
fn a_sentence_about_an_entry_says_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let said = |tx: &str| {
        let explained = as_json(&root, &["explain", "tx", tx]);
        explained["verdict"][0]["verdict"].as_str().unwrap().to_owned()
    };
    let shared: Vec<Value> = ["user-1001", "user-1002"]
        .map(|w| entry("tx-shared", w, "CHARGE", "5.00"))
        .into();
    late(&root, "transaction_ledger", "shared.jsonl", &shared);
    let copies = [
        entry("tx-twice", "user-1003", "CHARGE", "5.00"),
        entry("tx-twice", "user-1003", "CHARGE", "5.005"),
    ];
    late(&root, "transaction_ledger", "copies.jsonl", &copies);
    let mut next_day = entry("tx-next", "user-1003", "CHARGE", "5.00");
    next_day["created_at"] = json!("2026-01-06T03:00:00Z");
    late(&root, "transaction_ledger", "next.jsonl", &[next_day]);
    allow_bad_records_from(&root, "2026-01-06T00:00:00Z");
    lake(&root, &["run", "silver", "--now", "2026-01-07T15:30:00Z"]);
    let shared = said("tx-shared");
    assert!(
        shared.contains("2 entries of that name, of wallets user-1001, user-1002"),
        "{shared}"
    );
    let twice = said("tx-twice");
    assert!(
        twice.contains("It is a CHARGE of 5.00") && twice.contains("In quarantine: 1 (invalid_amount)"),
        "{twice}"
    );
    let next = said("tx-next");
    assert!(
        next.contains("on 2026-01-06") && next.contains("The controls have not judged its day."),
        "{next}"
    );
}
