//! A few rows of a large day change on later nights: B computes what follows from them, and ends where all days at once do.

use serde_json::{Value, json};

use super::{DAYS, Night, assert_converges, entry, order};
use crate::stdout;
use crate::world::{Lcg, lake};

const ENTRIES: usize = 300;

fn instant(day: usize, n: usize) -> String {
    format!("2026-01-{:02}T{:02}:{:02}:00Z", 5 + day, n / 60 % 14, n % 60)
}

/// Two entries for each order of a day, by two wallets as a rule.
fn day_entry(random: &mut Lcg, day: usize, n: usize) -> Value {
    let kind = ["PAYMENT", "RECEIVE"][n % 2];
    let related = (n % 10 < 8).then(|| format!("PO{day}-{}", n / 2));
    let wallet = format!("u{}", (n + usize::from(random.below(9) == 0)) % 7);
    entry(
        &format!("t{day}-{n}"),
        &wallet,
        kind,
        "10.00",
        &instant(day, n),
        related.as_deref(),
    )
}

fn night(random: &mut Lcg, day: usize) -> Night {
    let known = (0..ENTRIES / 2).filter(|n| n % 3 > 0);
    let orders = known.map(|n| {
        let at = instant(day, 2 * n);
        order(&format!("PO{day}-{n}"), Some("PENDING"), &at, &at)
    });
    let entries = (0..ENTRIES).map(|n| day_entry(random, day, n)).collect();
    [
        ("payment_orders", orders.collect()),
        ("transaction_ledger", entries),
    ]
    .into()
}

/// Few corrections of the first day: of amounts, kinds, related ids and statuses; late entries, and orders that were unknown.
fn correct(random: &mut Lcg, on: usize, night: &mut Night) {
    let lines = night.entry("transaction_ledger").or_default();
    for _ in 0..5 {
        let n = random.below(ENTRIES);
        let mut line = day_entry(&mut Lcg(1), 0, n);
        match random.below(5) {
            0 => line["amount"] = json!(format!("{}.25", 11 + on)),
            1 => line["type"] = json!(["REFUND_IN", "PAYMENT", "RECEIVE"][random.below(3)]),
            2 => line["related_id"] = json!(format!("PO0-{}", random.below(ENTRIES / 2))),
            3 => line["related_id"] = Value::Null,
            _ => line["tx_id"] = json!(format!("late{on}-{n}")),
        }
        line["source_extracted_at"] = json!(format!("2026-01-{:02}T14:00:00Z", 5 + on));
        lines.push(line);
    }
    let orders = night.entry("payment_orders").or_default();
    for _ in 0..4 {
        let n = random.below(ENTRIES / 2);
        let status = [Some("PAID"), Some("REFUNDED"), None][random.below(3)];
        let updated = format!("2026-01-{:02}T14:00:{:02}Z", 5 + on, random.below(60));
        orders.push(order(&format!("PO0-{n}"), status, &instant(0, 2 * n), &updated));
    }
}

#[test]
fn corrections_of_a_large_day_end_where_all_days_at_once_do() {
    for seed in 1..=3 {
        let mut random = Lcg(seed);
        let mut nights: Vec<Night> = (0..DAYS.len()).map(|day| night(&mut random, day)).collect();
        for (on, night) in nights.iter_mut().enumerate().skip(1) {
            correct(&mut random, on, night);
        }
        eprintln!("seed {seed}");
        let (_dir, grown) = assert_converges(&nights, &["silver", "b", "c"]);
        // The first day was not computed as a whole again.
        let of_first_day = |run: &str| -> Vec<String> {
            let report = lake(&grown, &["--format", "json", "runs", "show", run]);
            let report: Value = serde_json::from_str(&stdout(&report)).unwrap();
            let steps = report["steps"].as_array().unwrap().iter();
            let steps = steps.map(|s| s["step"].as_str().unwrap().to_owned());
            steps
                .filter(|s| s.starts_with("B-5") && s.ends_with(DAYS[0]))
                .collect()
        };
        assert_eq!(of_first_day("b-0"), [format!("B-5 B-6 {}", DAYS[0])]);
        for run in ["b-1", "b-2"] {
            assert_eq!(
                of_first_day(run),
                [format!("B-5 B-6 of what changed {}", DAYS[0])],
                "{run}"
            );
        }
    }
}
