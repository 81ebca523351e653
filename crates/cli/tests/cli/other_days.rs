//! Rows that change what was said of other days: corrections that move a row, late rows, late statuses, contradictions.
//! Holds lakehouse contract 1, "Convergent".
//!
//! The oracle is always the same: a lake that is given everything at once and computes all days in one run.

mod every_way;
mod far_apart;
mod far_away;
mod few_of_many;
mod late_orders;
mod records_of_loads;
mod taken_back;
mod too_large;
mod unusual_nights;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::world::{Lcg, assert_same, dump, lake, rows};
use super::{nsc, stdout};

const DAYS: [&str; 3] = ["2026-01-05", "2026-01-06", "2026-01-07"];
/// Columns that name a run, a load or how far one got.
const LINEAGE: [&str; 6] = [
    "source_ref",
    "load_id",
    "batch_id",
    "run_id",
    "ingested_at",
    "rule_id",
];

/// The lines that arrive during one night, by source.
type Night = BTreeMap<&'static str, Vec<Value>>;

/// The instant of a night's runs: half an hour after the day's end (15:00Z).
fn now(night: usize) -> String {
    format!("2026-01-{:02}T15:30:00Z", 5 + night)
}

fn load(root: &Path, dir: &Path, night: usize, lines: &Night) {
    for (source, lines) in lines {
        let file: PathBuf = dir.join(format!("{source}-{night}.jsonl"));
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        std::fs::write(&file, text.join("\n") + "\n").unwrap();
        let file = file.to_string_lossy().into_owned();
        let at = format!("2026-01-{:02}T14:55:00Z", 5 + night);
        lake(root, &["ingest", source, &file, "--ingested-at", &at]);
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Every night what has arrived is loaded and the scheduled pipelines run.
fn night_by_night(root: &Path, dir: &Path, nights: &[Night], pipelines: &[&str]) {
    lake(root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    for (night, lines) in nights.iter().enumerate() {
        load(root, dir, night, lines);
        for pipeline in pipelines {
            let line = format!("run {pipeline} --now {} --run-id {pipeline}-{night}", now(night));
            lake(root, &words(&line));
        }
    }
}

/// The date before that of an instant of the first nine days of January 2026.
fn day_before(now: &str) -> String {
    let day: u32 = now[8..10].parse().unwrap();
    format!("{}{:02}", &now[..8], day - 1)
}

/// One more run of B and C takes nothing along: it is about the day that ends on the date of `now`, in UTC from the date before.
fn assert_nothing_is_due(root: &Path, now: &str) {
    for pipeline in ["b", "c"] {
        let output = lake(root, &words(&format!("--format json run {pipeline} --now {now}")));
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let windows = report["windows"].as_array().unwrap();
        let start = windows[0]["start"].as_str().unwrap();
        assert!(
            windows.len() == 1 && start.starts_with(day_before(now).as_str()),
            "{pipeline}: {windows:?}"
        );
    }
}

/// Everything is there from the start, and each pipeline runs once over all days.
fn at_once(root: &Path, dir: &Path, nights: &[Night]) {
    lake(root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    for (night, lines) in nights.iter().enumerate() {
        load(root, dir, night, lines);
    }
    for pipeline in ["silver", "b", "c"] {
        lake(
            root,
            &words(&format!(
                "run {pipeline} --date-kst-start {} --date-kst-end {} --now {}",
                DAYS[0],
                DAYS[2],
                now(nights.len())
            )),
        );
    }
}

/// Silver and Gold as they stand, and of the exception ledger what is open.
fn standing(root: &Path) -> BTreeMap<String, Vec<String>> {
    let mut tables = dump(root, &LINEAGE);
    for table in ["gold.pipeline_state", "gold.dim_rule_scd2", "silver.dq_status"] {
        tables.remove(table);
    }
    let mut newest: BTreeMap<String, (String, String)> = BTreeMap::new();
    for row in rows(root, "gold.exception_ledger", &["run_id"]) {
        let row: Value = serde_json::from_str(&row).unwrap();
        let text = |k: &str| row[k].to_string();
        let identity = ["date_kst", "exception_type", "source_table", "subject"].map(text);
        let seen = (text("generated_at") + &text("state"), text("message"));
        let known = newest.entry(identity.join(" ")).or_default();
        if seen.0 >= known.0 {
            *known = seen;
        }
    }
    let open = newest
        .into_iter()
        .filter(|(_, (seen, _))| seen.contains("OPEN"))
        .map(|(identity, (_, message))| format!("{identity} {message}"));
    tables.insert("gold.exception_ledger".to_owned(), open.collect());
    tables
}

fn assert_converges(nights: &[Night], pipelines: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (grown, fresh) = (dir.path().join("grown"), dir.path().join("fresh"));
    night_by_night(&grown, dir.path(), nights, pipelines);
    at_once(&fresh, dir.path(), nights);
    assert_same(&standing(&grown), &standing(&fresh));
    if pipelines == ["silver", "b", "c"] {
        assert_nothing_is_due(&grown, &now(nights.len() - 1));
    }
    (dir, grown)
}

fn entry(tx: &str, wallet: &str, kind: &str, amount: &str, at: &str, order: Option<&str>) -> Value {
    json!({"tx_id": tx, "wallet_id": wallet, "type": kind, "amount": amount, "created_at": at,
           "related_id": order, "status": "POSTED"})
}

fn snapshot(user: &str, balance: &str, at: &str) -> Value {
    json!({"user_id": user, "balance": balance, "frozen_amount": "0", "source_extracted_at": at})
}

fn order(id: &str, status: Option<&str>, created: &str, updated: &str) -> Value {
    json!({"order_id": id, "user_id": "u1", "merchant_name": "가게", "amount": "10.00", "status": status,
           "created_at": created, "updated_at": updated})
}

fn night(lines: Vec<(&'static str, Vec<Value>)>) -> Night {
    lines.into_iter().collect()
}

/// Midnight snapshots of one wallet, so that there is something to reconcile on every day.
fn midnights(balances: [&str; 4]) -> Vec<Value> {
    let at = |day: usize| format!("2026-01-{:02}T15:00:00Z", 4 + day);
    balances
        .iter()
        .enumerate()
        .map(|(day, b)| snapshot("u1", b, &at(day)))
        .collect()
}

fn issued(root: &Path) -> Vec<String> {
    let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
    let mut days: Vec<String> = rows(root, "gold.ledger_supply_balance_daily", &[])
        .iter()
        .map(|r| serde_json::from_str(r).unwrap())
        .map(|r| text(&r, "date_kst") + " " + &text(&r, "issued_supply"))
        .collect();
    days.sort();
    days
}

#[test]
fn an_entry_that_moves_to_the_next_day_leaves_the_day_it_was_on() {
    for pipelines in [&["silver", "b", "c"][..], &["e2e"]] {
        // The correction arrives with its new day, or a night later.
        for arrives in [1, 2] {
            let mut nights = vec![
                night(vec![
                    ("user_wallets", midnights(["0.00", "0.00", "10.00", "10.00"])),
                    (
                        "transaction_ledger",
                        vec![entry("t1", "u1", "CHARGE", "10.00", "2026-01-05T01:00:00Z", None)],
                    ),
                ]),
                Night::new(),
                Night::new(),
            ];
            nights[arrives].insert(
                "transaction_ledger",
                vec![entry("t1", "u1", "CHARGE", "10.00", "2026-01-06T01:00:00Z", None)],
            );
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("lake");
            night_by_night(&root, dir.path(), &nights, pipelines);
            assert_eq!(
                issued(&root),
                ["2026-01-05 0.00", "2026-01-06 10.00", "2026-01-07 10.00"],
                "{pipelines:?}, arriving on night {arrives}"
            );
            if pipelines.len() > 1 {
                assert_converges(&nights, pipelines);
            }
        }
    }
}

#[test]
fn an_order_that_moves_leaves_its_day_and_takes_its_facts_along() {
    let nights = [
        night(vec![(
            "payment_orders",
            vec![
                order(
                    "PO1",
                    Some("PAID"),
                    "2026-01-05T01:00:00Z",
                    "2026-01-05T01:00:00Z",
                ),
                order(
                    "PO2",
                    Some("PAID"),
                    "2026-01-05T02:00:00Z",
                    "2026-01-05T02:00:00Z",
                ),
            ],
        )]),
        night(vec![(
            "payment_orders",
            vec![order(
                "PO1",
                Some("PAID"),
                "2026-01-06T01:00:00Z",
                "2026-01-06T01:00:00Z",
            )],
        )]),
        // A version without a usable day stands on no day at all.
        night(vec![(
            "payment_orders",
            vec![order("PO2", Some("PAID"), "someday", "2026-01-07T01:00:00Z")],
        )]),
    ];
    let (_dir, grown) = assert_converges(&nights, &["silver", "b", "c"]);
    let days: Vec<Value> = rows(&grown, "gold.fact_payment_anonymized", &[])
        .iter()
        .map(|r| serde_json::from_str::<Value>(r).unwrap()["date_kst"].clone())
        .collect();
    assert_eq!(days, ["2026-01-06"]);
}

/// A column of each transaction's row.
fn by_transaction(root: &Path, table: &str, column: &str) -> Vec<(String, Value)> {
    let of = |row: &String| {
        let row: Value = serde_json::from_str(row).unwrap();
        (row["tx_id"].as_str().unwrap().to_owned(), row[column].clone())
    };
    let found: BTreeMap<_, _> = rows(root, table, &[]).iter().map(of).collect();
    found.into_iter().collect()
}

#[test]
fn a_late_status_of_an_order_reaches_its_entries_on_every_day() {
    let (first, late) = ("2026-01-05T01:00:00Z", "2026-01-07T01:00:00Z");
    let orders = vec![
        order("PO1", Some("PENDING"), first, first),
        order("PO2", Some("PAID"), first, first),
    ];
    let entries = vec![
        entry("t1", "u1", "PAYMENT", "10.00", first, Some("PO1")),
        entry("t2", "u2", "PAYMENT", "10.00", first, Some("PO2")),
    ];
    let refund = entry(
        "t3",
        "u1",
        "REFUND_IN",
        "10.00",
        "2026-01-06T01:00:00Z",
        Some("PO1"),
    );
    let later = vec![
        order("PO1", Some("REFUNDED"), first, late),
        order("PO2", None, first, late),
    ];
    let nights = [
        night(vec![("payment_orders", orders), ("transaction_ledger", entries)]),
        night(vec![("transaction_ledger", vec![refund])]),
        night(vec![("payment_orders", later)]),
    ];
    let (_dir, grown) = assert_converges(&nights, &["silver", "b", "c"]);
    let entries = by_transaction(&grown, "silver.ledger_entries", "status");
    // An order without a status leaves its entry the one it came with.
    assert_eq!(
        entries,
        [
            ("t1".to_owned(), json!("REFUNDED")),
            ("t2".to_owned(), json!("POSTED")),
            ("t3".to_owned(), json!("REFUNDED"))
        ]
    );
    let searched = by_transaction(&grown, "gold.admin_tx_search", "payment_status");
    assert_eq!(searched[0].1, json!("REFUNDED"));
    assert_eq!(searched[2].1, json!("REFUNDED"));
}

/// Subjects of open contradictions.
fn contradicted(root: &Path) -> BTreeSet<String> {
    rows(root, "gold.exception_ledger", &[])
        .iter()
        .map(|r| serde_json::from_str::<Value>(r).unwrap())
        .filter(|r| r["exception_type"] == "LEDGER_ENTRY_CONFLICT" && r["state"] == "OPEN")
        .map(|r| r["subject"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn copies_that_disagree_are_reported_wherever_they_meet() {
    let charge =
        |tx: &str, wallet: &str, amount: &str, at: &str| entry(tx, wallet, "CHARGE", amount, at, None);
    let nights = [
        night(vec![(
            "transaction_ledger",
            vec![
                charge("moved", "u1", "1.00", "2026-01-05T01:00:00Z"),
                charge("other-wallet", "u1", "1.00", "2026-01-05T01:00:00Z"),
                charge("same", "u1", "1.00", "2026-01-05T01:00:00Z"),
                charge("late-stored", "u1", "1.00", "2026-01-05T01:00:00Z"),
            ],
        )]),
        night(vec![(
            "transaction_ledger",
            vec![
                charge("moved", "u1", "1.00", "2026-01-06T01:00:00Z"),
                charge("other-wallet", "u2", "1.00", "2026-01-06T01:00:00Z"),
                charge("same", "u1", "1.00", "2026-01-05T01:00:00Z"),
            ],
        )]),
        night(vec![(
            "transaction_ledger",
            vec![
                // Both arrive late, together; the newest agrees with nothing that is stored.
                charge("late-both", "u1", "1.00", "2026-01-05T02:00:00Z"),
                charge("late-both", "u1", "2.00", "2026-01-05T02:00:00Z"),
                charge("late-stored", "u1", "2.00", "2026-01-05T01:00:00Z"),
            ],
        )]),
    ];
    let (dir, grown) = assert_converges(&nights, &["silver", "b", "c"]);
    let wanted: BTreeSet<String> = ["late-both", "late-stored", "moved", "other-wallet"]
        .map(str::to_owned)
        .into();
    assert_eq!(contradicted(&grown), wanted);
    // The windows one by one find the same, and looking again adds nothing.
    let count = |root: &Path| rows(root, "gold.exception_ledger", &[]).len();
    let before = count(&grown);
    let apart = dir.path().join("apart");
    lake(&apart, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
    for (night, lines) in nights.iter().enumerate() {
        load(&apart, dir.path(), night, lines);
    }
    for root in [&apart, &grown] {
        for day in DAYS {
            lake(
                root,
                &words(&format!("run silver --date-kst {day} --now 2026-01-09T00:00:00Z")),
            );
        }
    }
    assert_eq!(contradicted(&apart), wanted);
    assert_eq!(count(&grown), before);
}

#[test]
fn days_that_silver_changed_wait_for_b_and_c_however_often_silver_runs() {
    let nights = [
        night(vec![(
            "transaction_ledger",
            vec![entry("t1", "u1", "CHARGE", "10.00", "2026-01-05T01:00:00Z", None)],
        )]),
        night(vec![(
            "transaction_ledger",
            vec![entry("t2", "u1", "CHARGE", "5.00", "2026-01-05T02:00:00Z", None)],
        )]),
    ];
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    night_by_night(&root, dir.path(), &nights[..1], &["silver", "b", "c"]);
    load(&root, dir.path(), 1, &nights[1]);
    for run in ["first", "again"] {
        lake(
            &root,
            &words(&format!("run silver --now {} --run-id {run}", now(1))),
        );
    }
    // An explicit day leaves the others waiting; the scheduled run takes them along.
    lake(
        &root,
        &words(&format!("run b --date-kst 2026-01-06 --now {}", now(1))),
    );
    assert!(issued(&root)[0].contains("10.00"), "{:?}", issued(&root));
    lake(&root, &words(&format!("run b --now {}", now(1))));
    assert!(issued(&root)[0].contains("15.00"), "{:?}", issued(&root));
}

#[test]
fn a_refusal_is_closed_by_a_run_that_has_nothing_else_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let mut lines: Vec<Value> = (0..99)
        .map(|n| {
            entry(
                &format!("t{n}"),
                "u1",
                "HOLD",
                "1.00",
                "2026-01-05T01:00:00Z",
                None,
            )
        })
        .collect();
    lines.push(entry("bad", "u1", "HOLD", "-1.00", "2026-01-05T01:00:00Z", None));
    let nights = [night(vec![("transaction_ledger", lines)])];
    night_by_night(&root, dir.path(), &nights, &["silver"]);
    let strict = "
version: 1
rules:
- rule_id: silver_bad_records_strict
  domain: silver
  metric: bad_records_rate
  threshold: 0.001
  severity_map: {fail: 0.001}
";
    std::fs::write(dir.path().join("strict.yaml"), strict).unwrap();
    lake(&root, &words("rules sync strict.yaml --now 2026-01-06T01:00:00Z"));
    let again = |arguments: &str| {
        let root = root.to_string_lossy();
        let text = format!("--root {root} run silver --date-kst 2026-01-05 {arguments}");
        nsc(dir.path(), &text.split_whitespace().collect::<Vec<_>>())
            .status
            .code()
    };
    let states = || -> Vec<Value> {
        let rows = rows(&root, "gold.exception_ledger", &[]);
        let all = rows.iter().map(|r| serde_json::from_str::<Value>(r).unwrap());
        let refusals = all.filter(|r| r["exception_type"] == "BAD_RECORDS_RATE_EXCEEDED");
        refusals.map(|r| r["state"].clone()).collect()
    };
    assert_eq!(again("--now 2026-01-06T02:00:00Z"), Some(4));
    assert_eq!(states(), ["OPEN"]);
    let overcome = "--now 2026-01-06T03:00:00Z --rules-as-of 2026-01-05T00:00:00Z";
    assert_eq!(again(overcome), Some(0));
    let mut after = states();
    after.sort_by_key(ToString::to_string);
    assert_eq!(after, ["CLEARED", "OPEN"]);
}

/// What a night of the random story brings.
fn random_night(random: &mut Lcg, night: usize) -> Night {
    let mut lines = Night::new();
    let instant = |random: &mut Lcg| {
        // Any day up to the night's own; sometimes midnight KST itself.
        let day = 4 + random.below(night + 1);
        let hour = [15, 15, 18, 23, 26, 38][random.below(6)];
        let minute = if hour == 15 { 0 } else { random.below(60) };
        format!("2026-01-{:02}T{:02}:{minute:02}:00Z", day + hour / 24, hour % 24)
    };
    let at = |night: usize, n: usize| format!("2026-01-{:02}T15:01:{n:02}Z", 5 + night);
    for n in 0..12 {
        let wallet = format!("u{}", random.below(3));
        let kind = [
            "CHARGE",
            "PAYMENT",
            "RECEIVE",
            "WITHDRAW",
            "REFUND_IN",
            "REFUND_OUT",
        ][random.below(6)];
        let related = format!("PO{}", random.below(5));
        let related = (random.below(4) > 0).then_some(related.as_str());
        let amount = format!("{}.50", 1 + random.below(2));
        let tx = format!("t{}", random.below(14));
        let mut line = entry(&tx, &wallet, kind, &amount, &instant(random), related);
        line["source_extracted_at"] = json!(at(night, n));
        lines.entry("transaction_ledger").or_default().push(line);
    }
    for n in 0..4 {
        let status = [
            Some("PAID"),
            Some("PENDING"),
            Some("FAILED"),
            Some("REFUNDED"),
            None,
        ][random.below(5)];
        let id = format!("PO{}", random.below(5));
        let created = instant(random);
        let line = order(&id, status, &created, &at(night, n));
        lines.entry("payment_orders").or_default().push(line);
    }
    for n in 0..3 {
        let user = format!("u{}", random.below(3));
        let mut line = snapshot(&user, &format!("{}.00", random.below(4)), &instant(random));
        line["updated_at"] = json!(at(night, n));
        lines.entry("user_wallets").or_default().push(line);
    }
    lines
}

#[test]
fn random_nights_end_where_all_days_at_once_do() {
    for seed in 1..=6 {
        let mut random = Lcg(seed);
        let nights: Vec<Night> = (0..3).map(|n| random_night(&mut random, n)).collect();
        eprintln!("seed {seed}");
        assert_converges(&nights, &["silver", "b", "c"]);
    }
}
