//! A load that is taken back, before or after Silver, B and C have gone over it: they end where they would without it, and
//! when it is restored where they would with it.
//! Holds lakehouse contract 2, "Loads".

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{DAYS, assert_nothing_is_due, entry, now, snapshot, standing, words};
use crate::world::{Lcg, allow_bad_records, assert_same, lake, rows};
use crate::{nsc, stderr, stdout};

/// One file of one night.
#[derive(Clone)]
struct Load {
    night: usize,
    source: &'static str,
    lines: Vec<Value>,
}

impl Load {
    fn file(&self, dir: &Path, number: usize) -> PathBuf {
        let file = dir.join(format!("{}-{number}.jsonl", self.source));
        let text: Vec<String> = self.lines.iter().map(Value::to_string).collect();
        std::fs::write(&file, text.join("\n") + "\n").unwrap();
        file
    }

    /// Loads it; returns its id.
    fn load(&self, root: &Path, dir: &Path, number: usize) -> String {
        let file = self.file(dir, number).to_string_lossy().into_owned();
        let output = lake(root, &["--format", "json", "ingest", self.source, &file]);
        let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
        summary["files"][0]["load_id"].as_str().unwrap().to_owned()
    }
}

/// When the load is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    BeforeSilver,
    NextNight,
    InTheEnd,
}

fn instant(random: &mut Lcg, night: usize) -> String {
    // Any day up to the night's own; sometimes midnight KST itself.
    let day = 4 + random.below(night + 1);
    let hour = [15, 15, 18, 23, 26, 38][random.below(6)];
    let minute = if hour == 15 { 0 } else { random.below(60) };
    format!("2026-01-{:02}T{:02}:{minute:02}:00Z", day + hour / 24, hour % 24)
}

fn payment(id: usize, status: Option<&str>, amount: &str, created: &str, updated: &str) -> Value {
    json!({"order_id": (101 + id).to_string(), "user_id": format!("u{}", id % 3), "merchant_name": format!("m{}", id % 2),
           "amount": amount, "status": status, "created_at": created, "updated_at": updated})
}

/// The catalogue, each product in a delivery of its own, on whatever night.
fn products(random: &mut Lcg) -> Vec<Load> {
    let product = |n| {
        let line =
            json!({"product_id": n, "product_name": "p", "category": format!("c{n}"), "price_krw": "1.00"});
        Load {
            night: random.below(3),
            source: "products",
            lines: vec![line],
        }
    };
    (1..5).map(product).collect()
}

fn ledger(random: &mut Lcg, night: usize) -> Vec<Value> {
    let kinds = [
        "CHARGE",
        "PAYMENT",
        "RECEIVE",
        "WITHDRAW",
        "REFUND_IN",
        "REFUND_OUT",
    ];
    let line = |random: &mut Lcg| {
        let wallet = format!("u{}", random.below(3));
        let related = (101 + random.below(5)).to_string();
        let related = (random.below(4) > 0).then_some(related.as_str());
        let amount = ["1.50", "2.50", "2.50", "-1.00"][random.below(4)];
        let tx = format!("t{}", random.below(14));
        entry(
            &tx,
            &wallet,
            kinds[random.below(6)],
            amount,
            &instant(random, night),
            related,
        )
    };
    (0..7).map(|_| line(random)).collect()
}

/// The loads of one night.
fn night_of(random: &mut Lcg, night: usize) -> Vec<Load> {
    let at = |n: usize| format!("2026-01-{:02}T15:01:{n:02}Z", 5 + night);
    let statuses = [
        Some("PAID"),
        Some("PENDING"),
        Some("FAILED"),
        Some("REFUNDED"),
        None,
    ];
    let payments = (0..4).map(|n| {
        let created = if random.below(8) == 0 {
            "someday".to_owned()
        } else {
            instant(random, night)
        };
        let amount = ["10.00", "10.00", "12.00", "10.005"][random.below(4)];
        payment(
            random.below(5),
            statuses[random.below(5)],
            amount,
            &created,
            &at(n),
        )
    });
    let payments: Vec<Value> = payments.collect();
    let wallets = (0..3).map(|n| {
        let user = format!("u{}", random.below(3));
        let mut line = snapshot(&user, &format!("{}.00", random.below(4)), &instant(random, night));
        line["updated_at"] = json!(at(n));
        line
    });
    let wallets: Vec<Value> = wallets.collect();
    let items = (0..3).map(|_| {
        // A number has more than one spelling.
        let id = ["1", "+1", "2", "3", "4"][random.below(5)];
        json!({"item_id": id, "order_id": 101 + random.below(5), "product_id": 1 + random.below(4),
               "quantity": 1 + random.below(3), "price_at_purchase": "3.00"})
    });
    let items: Vec<Value> = items.collect();
    let orders = (0..2).map(|_| {
        json!({"order_id": 1 + random.below(3), "user_id": "u1", "total_amount": format!("{}.00", random.below(9)),
               "status": "DONE", "created_at": instant(random, night)})
    });
    let orders: Vec<Value> = orders.collect();
    let (first, second) = (ledger(random, night), ledger(random, night));
    let loads = [
        ("transaction_ledger", first),
        ("transaction_ledger", second),
        ("payment_orders", payments),
        ("user_wallets", wallets),
        ("order_items", items),
        ("orders", orders),
    ];
    loads
        .into_iter()
        .map(|(source, lines)| Load { night, source, lines })
        .collect()
}

/// A world and the load that is taken back.
fn story(seed: u64, victim: usize) -> (Vec<Load>, usize) {
    let mut random = Lcg(seed);
    let mut loads = products(&mut random);
    for night in 0..3 {
        loads.extend(night_of(&mut random, night));
    }
    let mut victim = victim % loads.len();
    if seed.is_multiple_of(5) {
        // A catalogue with the wrong categories; only ever there to be taken back.
        let wrong = (1..4).map(|n| json!({"product_id": n, "category": "wrong", "price_krw": "1.00"}));
        let wrong = Load {
            night: 1,
            source: "products",
            lines: wrong.collect(),
        };
        victim = loads.iter().position(|l| l.night == 1).unwrap();
        loads.insert(victim, wrong);
    }
    for (number, load) in loads.iter_mut().enumerate() {
        let at = format!("2026-01-{:02}T14:55:00.{number:06}Z", 5 + load.night);
        load.lines
            .iter_mut()
            .for_each(|line| line["ingested_at"] = json!(at));
    }
    (loads, victim)
}

pub(super) fn rules(root: &Path) {
    lake(root, &words("rules sync --now 2026-01-01T00:00:00Z"));
    allow_bad_records(root);
}

/// The instants of the runs after a load was taken back, and after it was restored: still of the last night.
const WITHOUT: &str = "2026-01-07T15:40:00Z";
const WITH: &str = "2026-01-07T15:50:00Z";

pub(super) fn night_runs(root: &Path, at: &str, name: &str) {
    for pipeline in ["silver", "b", "c"] {
        let run = format!("run {pipeline} --now {at} --run-id {pipeline}-{name}");
        lake(root, &words(&run));
    }
}

/// A lake that is given some loads at once.
fn at_once(dir: &Path, name: &str, loads: &[Load], without: Option<usize>) -> PathBuf {
    let root = dir.join(name);
    rules(&root);
    for source in [
        "payment_orders",
        "products",
        "transaction_ledger",
        "user_wallets",
        "order_items",
        "orders",
    ] {
        let of_source = loads.iter().enumerate();
        let of_source = of_source.filter(|(n, l)| l.source == source && Some(*n) != without);
        let files = of_source.map(|(n, l)| l.file(dir, n).to_string_lossy().into_owned());
        let mut arguments = vec!["ingest".to_owned(), source.to_owned()];
        arguments.extend(files);
        lake(&root, &arguments);
    }
    for pipeline in ["silver", "b", "c"] {
        let run = format!(
            "run {pipeline} --date-kst-start {} --date-kst-end {} --now {}",
            DAYS[0],
            DAYS[2],
            now(3)
        );
        lake(&root, &words(&run));
    }
    root
}

fn without_evidence(root: &Path) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut tables = standing(root);
    tables.remove("silver.bad_records");
    tables
}

/// Source, reason and record of every quarantined row.
fn evidence(root: &Path) -> BTreeSet<String> {
    let rows = rows(root, "silver.bad_records", &[]);
    let rows = rows.iter().map(|r| serde_json::from_str::<Value>(r).unwrap());
    rows.map(|r| {
        ["source_table", "reason", "record_json"]
            .map(|c| r[c].to_string())
            .join(" ")
    })
    .collect()
}

pub(super) fn change(root: &Path, command: &str, load: &str) {
    lake(root, &["loads", command, load, "--reason", "a test"]);
}

fn assert_taken_back_and_restored(seed: u64, victim: usize, when: When, optimize: bool) {
    let (loads, victim) = story(seed, victim);
    let source = loads[victim].source;
    eprintln!(
        "seed {seed}: {source} of night {}, {when:?}, optimize {optimize}",
        loads[victim].night
    );
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("grown");
    rules(&root);
    let mut id = String::new();
    for night in 0..3 {
        if !id.is_empty() && when == When::NextNight && night == loads[victim].night + 1 {
            change(&root, "retract", &id);
        }
        for (number, load) in loads.iter().enumerate().filter(|(_, l)| l.night == night) {
            let loaded = load.load(&root, dir.path(), number);
            if number == victim {
                id = loaded;
            }
        }
        if optimize && night == 1 {
            lake(&root, &words(&format!("table optimize bronze.{source}_raw")));
        }
        if when == When::BeforeSilver && night == loads[victim].night {
            change(&root, "retract", &id);
        }
        night_runs(&root, &now(night), &night.to_string());
    }
    if when == When::InTheEnd || (when == When::NextNight && loads[victim].night == 2) {
        change(&root, "retract", &id);
        if seed % 2 == 1 {
            // A run of one day carries it out on every day that was processed.
            let day = DAYS[1];
            lake(
                &root,
                &words(&format!(
                    "run silver --date-kst {day} --now {WITHOUT} --run-id one-day"
                )),
            );
            for pipeline in ["b", "c"] {
                lake(
                    &root,
                    &words(&format!(
                        "run {pipeline} --now {WITHOUT} --run-id {pipeline}-without"
                    )),
                );
            }
        } else {
            night_runs(&root, WITHOUT, "without");
        }
    }
    let without = at_once(dir.path(), "without", &loads, Some(victim));
    assert_same(&without_evidence(&root), &without_evidence(&without));
    assert!(evidence(&root).is_superset(&evidence(&without)));
    assert_nothing_is_due(&root, WITHOUT);
    change(&root, "restore", &id);
    night_runs(&root, WITH, "with");
    let with = at_once(dir.path(), "with", &loads, None);
    assert_same(&without_evidence(&root), &without_evidence(&with));
    assert_eq!(evidence(&root), evidence(&with));
    assert_nothing_is_due(&root, WITH);
}

#[test]
fn a_load_taken_back_after_it_was_computed_leaves_nothing_behind() {
    for (seed, victim, optimize) in [(1, 7, false), (2, 14, true), (4, 10, true), (5, 0, false)] {
        assert_taken_back_and_restored(seed, victim, When::InTheEnd, optimize);
    }
}

#[test]
fn a_load_taken_back_between_two_nights_leaves_nothing_behind() {
    for (seed, victim, optimize) in [(8, 2, false), (9, 9, true)] {
        assert_taken_back_and_restored(seed, victim, When::NextNight, optimize);
    }
}

#[test]
fn a_load_taken_back_before_silver_saw_it_never_counts() {
    for (seed, victim, optimize) in [(12, 0, true), (14, 14, false)] {
        assert_taken_back_and_restored(seed, victim, When::BeforeSilver, optimize);
    }
}

/// Entries of the first day.
fn entries(prefix: &str, count: usize, amount: &str) -> Vec<Value> {
    let line = |n: usize| {
        entry(
            &format!("{prefix}{n}"),
            "u1",
            "CHARGE",
            amount,
            "2026-01-05T01:00:00Z",
            None,
        )
    };
    (0..count).map(line).collect()
}

pub(super) fn exit_of(root: &Path, arguments: &str) -> (Option<i32>, String) {
    let text = format!("--root {} {arguments}", root.to_string_lossy());
    let output = nsc(
        root.parent().unwrap(),
        &text.split_whitespace().collect::<Vec<_>>(),
    );
    (output.status.code(), stdout(&output) + &stderr(&output))
}

#[test]
fn a_wrong_file_stops_every_night_until_it_is_taken_back_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    lake(&root, &words("rules sync --now 2026-01-01T00:00:00Z"));
    let load = |night: usize, number: usize, lines: Vec<Value>| {
        let mut load = Load {
            night,
            source: "transaction_ledger",
            lines,
        };
        let at = format!("2026-01-{:02}T14:55:00.{number:06}Z", 5 + night);
        load.lines
            .iter_mut()
            .for_each(|line| line["ingested_at"] = json!(at));
        load.load(&root, dir.path(), number)
    };
    // Diluted among a hundred times as many good lines the wrong ones would pass.
    load(0, 0, entries("good", 1_000, "1.00"));
    let wrong = load(0, 1, entries("wrong", 9, "-1.00"));
    let (code, said) = exit_of(&root, &format!("run silver --now {}", now(0)));
    assert_eq!(code, Some(4), "{said}");
    for part in [
        "NSC0402",
        &wrong,
        "9 of 9",
        "transaction_ledger-1.jsonl",
        "non_positive_amount 9",
        "9 of 1009",
        "nsc loads retract",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(rows(&root, "silver.ledger_entries", &[]).len(), 0);
    // The corrected file alone does not help: the wrong lines are still there.
    load(1, 2, entries("wrong", 9, "1.00"));
    let (code, said) = exit_of(&root, &format!("run silver --now {}", now(1)));
    assert_eq!(code, Some(4), "{said}");
    let retract = format!("loads retract {wrong} --reason wrong-sign --now 2026-01-06T16:00:00Z");
    let (code, said) = exit_of(&root, &format!("{retract} --dry-run"));
    assert_eq!(code, Some(0), "{said}");
    for part in ["9 rows", "2026-01-05", "would be retracted", "next scheduled run"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(exit_of(&root, &format!("run silver --now {}", now(1))).0, Some(4));
    assert_eq!(exit_of(&root, &retract).0, Some(0));
    let (code, said) = exit_of(&root, &retract);
    assert!(code == Some(2) && said.contains("NSC0221"), "{said}");
    for pipeline in ["silver", "b", "c"] {
        let (code, said) = exit_of(&root, &format!("run {pipeline} --now {}", now(1)));
        assert_eq!(code, Some(0), "{said}");
    }
    assert_eq!(rows(&root, "silver.ledger_entries", &[]).len(), 1_009);
    // What was refused stays as evidence.
    assert_eq!(evidence(&root).len(), 9);
    let (_, listed) = exit_of(&root, "--format ndjson loads list --state retracted");
    let listed: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(
        (&listed["load_id"], &listed["reason"]),
        (&json!(wrong), &json!("wrong-sign"))
    );
    let (code, said) = exit_of(&root, "loads show ffff");
    assert!(code == Some(2) && said.contains("NSC0220"), "{said}");
    let (code, said) = exit_of(&root, &format!("--format json loads show {wrong}"));
    let shown: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, Some(0));
    let states: Vec<&Value> = shown["what_became_of_it"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["state"])
        .collect();
    assert_eq!(states, ["LOADED", "RETRACTED"]);
    assert_eq!(shown["its_rows_in_Bronze_by_business_day"][0]["rows"], json!(9));
}
