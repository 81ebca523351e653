//! The ledger of faults agrees with the lines it speaks of.

use std::collections::{BTreeMap, HashSet};

use nsc_sample::{SampleOptions, Source};
use serde_json::Value;

use crate::support::{World, cents, text, world};

fn faulty(change: impl FnOnce(&mut SampleOptions)) -> World {
    world(|o| {
        o.faults = true;
        change(o);
    })
}

fn source_of(injection: &Value) -> Source {
    let name = text(injection, "source");
    Source::ALL
        .into_iter()
        .find(|source| source.name() == name)
        .unwrap()
}

fn parse(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok().filter(Value::is_object)
}

/// The listed lines of one fault, with the line before and after each.
fn lines_of(world: &World, name: &str) -> Vec<[Option<String>; 3]> {
    let injection = &world.faults()["injected"][name];
    let lines = world.lines(source_of(injection));
    let at = |number: u64| {
        usize::try_from(number)
            .ok()
            .and_then(|n| lines.get(n.wrapping_sub(1)).cloned())
    };
    let numbers = injection["lines"].as_array().unwrap();
    assert!(!numbers.is_empty(), "{name}");
    numbers
        .iter()
        .map(|number| {
            let number = number.as_u64().unwrap();
            [at(number - 1), at(number), at(number + 1)]
        })
        .collect()
}

fn each(world: &World, name: &str, check: impl Fn(&Value) -> bool) {
    for [_, line, _] in lines_of(world, name) {
        let row = parse(line.as_deref().unwrap()).unwrap();
        assert!(check(&row), "{name}: {row}");
    }
}

#[test]
fn every_line_is_a_row_a_duplicate_or_bad() {
    let world = faulty(|o| o.days = 3);
    let report = world.faults();
    for (source, &count) in world.summary.by_source.iter() {
        let name = source.name();
        assert_eq!(world.lines(source).len() as u64, count, "{name}");
        assert_eq!(report["lines"][name].as_u64(), Some(count), "{name}");
        let expected = &world.summary.expected;
        let bad: u64 = expected.bad_records[source].values().sum();
        let rows = expected.silver_rows[source];
        assert_eq!(
            rows + expected.duplicates_collapsed[source] + bad,
            count,
            "{name}"
        );
        assert_eq!(
            report["expected"]["silver_rows"][name].as_u64(),
            Some(rows),
            "{name}"
        );
    }
}

#[test]
fn ledger_rows_are_the_distinct_transactions() {
    let world = faulty(|o| o.days = 3);
    let mut keys = HashSet::new();
    for line in world.lines(Source::TransactionLedger) {
        let Some(row) = parse(&line) else { continue };
        match row["tx_id"].as_str() {
            // Bad lines have ids of their own.
            Some(tx_id) if !tx_id.starts_with("tx-bad") => {
                keys.insert((tx_id.to_owned(), text(&row, "wallet_id").to_owned()));
            }
            _ => {}
        }
    }
    assert_eq!(
        keys.len() as u64,
        world.summary.expected.silver_rows[Source::TransactionLedger]
    );
}

#[test]
fn every_injection_lists_its_lines() {
    let world = faulty(|_| {});
    let report = world.faults();
    let injected = report["injected"].as_object().unwrap();
    assert!(injected.len() > 40, "{}", injected.len());
    for (name, injection) in injected {
        let lines = injection["lines"].as_array().unwrap();
        let count = injection["count"].as_u64().unwrap();
        assert_eq!(lines.len() as u64, count.min(200), "{name}");
        let last = world.summary.by_source[source_of(injection)];
        assert!(
            lines
                .iter()
                .all(|line| (1..=last).contains(&line.as_u64().unwrap())),
            "{name}"
        );
    }
}

#[test]
fn lines_are_what_the_ledger_of_faults_says() {
    let world = faulty(|_| {});
    each(&world, "valid_number_amount", |row| row["amount"].is_number());
    each(&world, "valid_exponent_amount", |row| {
        text(row, "amount").ends_with("e-2")
    });
    each(&world, "valid_extra_fields", |row| row["geo"]["cc"] == "KR");
    each(&world, "valid_numeric_related_id", |row| {
        row["related_id"].is_number()
    });
    each(&world, "status_unknown_order", |row| row["status"] == "ON_HOLD");
    each(&world, "null_merchant", |row| {
        row["merchant_name"]
            .as_str()
            .is_none_or(|name| name.trim().is_empty())
    });
    each(&world, "amount_30_digits", |row| text(row, "amount").len() == 31);
    each(&world, "unknown_type", |row| row["type"] == "AIRDROP");
    each(&world, "unknown_wallet_entry", |row| {
        text(row, "wallet_id").starts_with("ghost-")
    });
    each(&world, "balance_negative", |row| row["balance"] == "-0.01");
    for [_, line, _] in lines_of(&world, "valid_escaped_unicode") {
        assert!(line.unwrap().is_ascii());
    }
    for name in [
        "malformed_cut",
        "malformed_array",
        "malformed_bare_nan",
        "wallet_malformed",
        "item_malformed",
    ] {
        for [_, line, _] in lines_of(&world, name) {
            assert!(parse(&line.unwrap()).is_none(), "{name}");
        }
    }
    for name in ["dup_identical", "dup_identical_order", "dup_identical_snapshot"] {
        for [_, line, after] in lines_of(&world, name) {
            assert_eq!(line, after, "{name}");
        }
    }
    for [before, line, _] in lines_of(&world, "conflict_amount_older") {
        let [before, line] = [before, line].map(|line| parse(&line.unwrap()).unwrap());
        assert_eq!(before["tx_id"], line["tx_id"]);
        assert_eq!(cents(&before["amount"]), cents(&line["amount"]) + 100);
    }
}

#[test]
fn malformed_lines_are_counted_and_no_others_are_malformed() {
    let world = faulty(|o| o.days = 3);
    for (source, reasons) in world.summary.expected.bad_records.iter() {
        let malformed = world
            .lines(source)
            .iter()
            .filter(|line| parse(line).is_none())
            .count();
        assert_eq!(
            malformed as u64,
            reasons.get("malformed_json").copied().unwrap_or(0),
            "{}",
            source.name()
        );
    }
}

#[test]
fn late_lines_are_loaded_in_the_next_nights_batch() {
    let world = faulty(|_| {});
    for name in ["late_entry", "late_order"] {
        each(&world, name, |row| {
            let (created, loaded) = (text(row, "created_at"), text(row, "ingested_at"));
            // 02:00 to 02:30 KST.
            created < loaded && loaded[11..].starts_with("17:")
        });
    }
    let without = faulty(|o| o.no_late_last = true);
    // The first day's late lines are still there, the last day's are not.
    each(&without, "late_entry", |row| {
        !text(row, "ingested_at").starts_with("2026-01-07")
    });
}

#[test]
fn nothing_is_loaded_in_a_gap() {
    let world = faulty(|_| {});
    let report = world.faults();
    let gaps = report["expected"]["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 3);
    for gap in gaps {
        let range = text(gap, "no_row_ingested_from")..text(gap, "to");
        let rows = world.lines(source_of(gap));
        let loaded = rows
            .iter()
            .filter_map(|line| parse(line))
            .filter(|row| row["ingested_at"].as_str().is_some_and(|at| range.contains(&at)));
        assert_eq!(loaded.count(), 0, "{gap}");
    }
    for change in [
        |o: &mut SampleOptions| o.no_gaps = true,
        |o: &mut SampleOptions| o.days = 1,
    ] {
        assert!(
            faulty(change).faults()["expected"]["gaps"]
                .as_array()
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn the_rate_of_bad_lines_is_the_one_asked_for() {
    for (asked, least, most) in [
        (None, 0.002, 0.01),
        (Some(0.05), 0.03, 0.06),
        (Some(0.0), 0.0, 0.0),
    ] {
        let world = faulty(|o| {
            o.bad_rate = asked;
            o.entries_per_day = 10_000;
        });
        let bad: u64 = world.summary.expected.bad_records[Source::TransactionLedger]
            .values()
            .sum();
        let rate = bad as f64 / world.summary.by_source[Source::TransactionLedger] as f64;
        assert!((least..=most).contains(&rate), "{asked:?}: {rate}");
    }
}

#[test]
fn the_supply_difference_explains_the_closing_balances() {
    let world = faulty(|_| {});
    let report = world.faults();
    let mut by_day: BTreeMap<&str, i64> = BTreeMap::new();
    for difference in report["expected"]["supply_difference"].as_array().unwrap() {
        assert!(difference["date_kst"].is_string() != difference["from_date_kst"].is_string());
        let day = difference["date_kst"]
            .as_str()
            .or(difference["from_date_kst"].as_str())
            .unwrap();
        *by_day.entry(day).or_default() += cents(&difference["issued_minus_total"]);
    }
    assert_eq!(
        by_day.keys().copied().collect::<Vec<_>>(),
        ["2026-01-05", "2026-01-06"]
    );
    // The orphan payment left the wallets and nothing else did: the world itself is short of it.
    for (day, summary) in world.summary.days.iter().enumerate() {
        let issued = cents(&Value::from(summary.issued_supply_of_the_world.clone()));
        let held = cents(&Value::from(summary.wallet_total_of_the_world.clone()));
        assert_eq!(issued - held, 4200, "day {day}");
    }
}
