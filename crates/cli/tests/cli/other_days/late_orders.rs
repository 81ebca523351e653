//! Payment orders that are known only after their entries: every entry that names an order has what it takes from it,
//! on whatever day either stands (lakehouse contract 3, "status").

use serde_json::Value;

use super::super::world::{assert_same, lake, rows};
use super::{
    DAYS, Night, assert_converges, at_once, entry, load, night, night_by_night, now, order, standing, words,
};

/// Both legs of an order, on a day each.
fn legs(payment: &str, receive: &str) -> Vec<Value> {
    vec![
        entry("t1", "u1", "PAYMENT", "10.00", payment, Some("PO1")),
        entry("t2", "u2", "RECEIVE", "10.00", receive, Some("PO1")),
    ]
}

fn paid(created: &str) -> Vec<Value> {
    vec![order("PO1", Some("PAID"), created, created)]
}

fn statuses(root: &std::path::Path) -> Vec<String> {
    let rows = rows(root, "silver.ledger_entries", &[]);
    let rows = rows.iter().map(|r| serde_json::from_str::<Value>(r).unwrap());
    let mut found: Vec<String> = rows
        .map(|r| {
            format!(
                "{} {} {} {}",
                r["tx_id"], r["status"], r["has_order"], r["merchant_name"]
            )
        })
        .collect();
    found.sort();
    found
}

const WITH_THEIR_ORDER: [&str; 2] = [r#""t1" "PAID" true "가게""#, r#""t2" "PAID" true "가게""#];

#[test]
fn a_new_order_reaches_entries_that_are_days_older() {
    let nights = [
        night(vec![(
            "transaction_ledger",
            legs("2026-01-05T01:00:00Z", "2026-01-06T01:00:00Z"),
        )]),
        Night::new(),
        night(vec![("payment_orders", paid("2026-01-07T02:00:00Z"))]),
    ];
    let (_dir, grown) = assert_converges(&nights, &["silver", "b", "c"]);
    assert_eq!(statuses(&grown), WITH_THEIR_ORDER);
    // In a chain as well, with whatever A finds beside.
    let dir = tempfile::tempdir().unwrap();
    let chained = dir.path().join("chained");
    night_by_night(&chained, dir.path(), &nights, &["e2e"]);
    assert_eq!(statuses(&chained), WITH_THEIR_ORDER);
}

#[test]
fn days_that_are_run_one_by_one_end_alike_in_any_order() {
    let all = night(vec![
        (
            "transaction_ledger",
            legs("2026-01-05T01:00:00Z", "2026-01-07T01:00:00Z"),
        ),
        ("payment_orders", paid("2026-01-06T02:00:00Z")),
    ]);
    let nights = [all, Night::new(), Night::new()];
    let dir = tempfile::tempdir().unwrap();
    let fresh = dir.path().join("fresh");
    at_once(&fresh, dir.path(), &nights);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let root = dir.path().join(format!("{order:?}"));
        lake(&root, &words("run sync-rules --now 2026-01-01T00:00:00Z"));
        load(&root, dir.path(), 0, &nights[0]);
        for pipeline in ["silver", "b", "c"] {
            for day in order {
                let run = format!("run {pipeline} --date-kst {} --now {}", DAYS[day], now(3));
                // A day of B or C is refused until Silver has got there, never computed from less.
                lake(&root, &words(&run));
            }
        }
        assert_eq!(statuses(&root), WITH_THEIR_ORDER, "{order:?}");
        assert_same(&standing(&root), &standing(&fresh));
    }
}
