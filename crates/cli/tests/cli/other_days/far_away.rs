//! Corrections that move a row by many days: what the day it was on says is taken back.

use std::path::Path;

use serde_json::{Value, json};

use super::super::world::{lake, rows};
use super::{Night, assert_converges, entry, load, night, night_by_night, now, order, words};

/// `total_cnt` and the count of one table on one day.
fn counted(root: &Path, table: &str, count: &str, day: &str) -> Vec<(i64, i64)> {
    rows(root, table, &[])
        .iter()
        .map(|r| serde_json::from_str::<Value>(r).unwrap())
        .filter(|r| r["date_kst"] == day && r["merchant_name"] == "가게")
        .map(|r| (r["total_cnt"].as_i64().unwrap(), r[count].as_i64().unwrap()))
        .collect()
}

fn payments(root: &Path, day: &str) -> [Vec<(i64, i64)>; 2] {
    [
        counted(root, "gold.ops_payment_failure_daily", "failed_cnt", day),
        counted(root, "gold.ops_payment_refund_daily", "refunded_cnt", day),
    ]
}

#[test]
fn an_order_that_moves_by_a_week_is_counted_on_its_new_day_only() {
    let first = "2026-01-05T01:00:00Z";
    let then = "2026-01-12T01:00:00Z";
    let mut refused = order("PO4", Some("FAILED"), first, first);
    refused["amount"] = json!("10.005");
    let mut early = vec![
        order("PO1", Some("FAILED"), first, first),
        order("PO2", Some("PAID"), first, first),
        order("PO3", Some("FAILED"), first, first),
        // Not in Silver, and counted all the same.
        refused,
        order("PO5", Some("FAILED"), first, first),
    ];
    // So many that one refused record is not too many.
    early.extend((0..120).map(|n| {
        let mut other = order(&format!("other-{n}"), Some("PAID"), first, first);
        other["merchant_name"] = json!("다른 가게");
        other
    }));
    let corrections = vec![
        order("PO1", Some("REFUNDED"), then, then),
        // A version without a usable day stands on no day at all.
        order("PO3", Some("FAILED"), "someday", then),
        // An older version, wherever it says it belongs, changes nothing.
        order("PO5", Some("PAID"), then, "2026-01-05T00:00:00Z"),
    ];
    // The corrections come with the day they name, or stand in the very file of the first versions.
    for apart in [true, false] {
        let mut nights = vec![Night::new(); 8];
        let mut lines = early.clone();
        if apart {
            nights[7] = night(vec![("payment_orders", corrections.clone())]);
        } else {
            lines.extend(corrections.clone());
        }
        nights[0] = night(vec![("payment_orders", lines)]);
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("lake");
        night_by_night(&root, dir.path(), &nights, &["silver", "b", "c"]);
        let expected = [vec![(3, 2)], vec![(3, 0)]];
        assert_eq!(payments(&root, "2026-01-05"), expected, "apart: {apart}");
        let expected = [vec![(1, 0)], vec![(1, 1)]];
        assert_eq!(payments(&root, "2026-01-12"), expected, "apart: {apart}");
        // The day alone says the same, whatever was computed before.
        std::fs::remove_dir_all(root.join("_nsc/derivations")).unwrap();
        for day in ["2026-01-05", "2026-01-12"] {
            let now = now(8);
            for pipeline in ["silver", "b"] {
                lake(
                    &root,
                    &words(&format!("run {pipeline} --date-kst {day} --now {now}")),
                );
            }
        }
        assert_eq!(payments(&root, "2026-01-05"), [vec![(3, 2)], vec![(3, 0)]]);
        assert_eq!(payments(&root, "2026-01-12"), [vec![(1, 0)], vec![(1, 1)]]);
    }
}

#[test]
fn an_order_that_a_refused_version_moves_is_counted_on_its_new_day_only() {
    let (first, then) = ("2026-01-05T01:00:00Z", "2026-01-12T01:00:00Z");
    let refused = |id: &str, status: &str, at: &str| {
        let mut order = order(id, Some(status), at, at);
        order["amount"] = json!("10.005");
        order
    };
    let others = |name: &str, at: &str| -> Vec<Value> {
        let other = |n| {
            let mut other = order(&format!("{name}-{n}"), Some("PAID"), at, at);
            other["merchant_name"] = json!("다른 가게");
            other
        };
        (0..300).map(other).collect()
    };
    let mut early = others("early", first);
    // One that Silver has, and one it never had.
    early.extend([
        order("PO1", Some("PAID"), first, first),
        refused("PO2", "PAID", first),
    ]);
    let mut late = others("late", then);
    late.extend([refused("PO1", "REFUNDED", then), refused("PO2", "FAILED", then)]);
    for apart in [true, false] {
        let mut nights = vec![Night::new(); 8];
        if apart {
            nights[0] = night(vec![("payment_orders", early.clone())]);
            nights[7] = night(vec![("payment_orders", late.clone())]);
        } else {
            nights[0] = night(vec![("payment_orders", [early.clone(), late.clone()].concat())]);
        }
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("lake");
        night_by_night(&root, dir.path(), &nights, &["silver", "b"]);
        assert_eq!(payments(&root, "2026-01-05"), [vec![], vec![]], "apart: {apart}");
        let there = [vec![(2, 1)], vec![(2, 1)]];
        assert_eq!(payments(&root, "2026-01-12"), there, "apart: {apart}");
    }
}

/// Day and state of everything that was recorded of one tx_id, oldest first.
fn recorded(root: &Path) -> Vec<String> {
    let mut found: Vec<Value> = rows(root, "gold.exception_ledger", &[])
        .iter()
        .map(|r| serde_json::from_str(r).unwrap())
        .collect();
    found.sort_by_key(|r| (r["generated_at"].to_string(), r["state"].to_string()));
    let text = |r: &Value, k: &str| r[k].as_str().unwrap().to_owned();
    found
        .iter()
        .map(|r| format!("{} {}", text(r, "date_kst"), text(r, "state")))
        .collect()
}

#[test]
fn a_contradiction_is_open_on_the_day_of_its_newest_copy_only() {
    let charge = |at: &str| entry("t1", "u1", "CHARGE", "1.00", at, None);
    let mut nights = vec![Night::new(); 8];
    nights[0] = night(vec![(
        "transaction_ledger",
        vec![charge("2026-01-05T01:00:00Z"), charge("2026-01-05T02:00:00Z")],
    )]);
    nights[7] = night(vec![("transaction_ledger", vec![charge("2026-01-12T01:00:00Z")])]);
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    night_by_night(&root, dir.path(), &nights, &["silver"]);
    let moved = ["2026-01-05 OPEN", "2026-01-05 CLEARED", "2026-01-12 OPEN"];
    assert_eq!(recorded(&root), moved);
    // Looking again, at either day, changes nothing.
    for day in ["2026-01-05", "2026-01-12"] {
        lake(
            &root,
            &words(&format!("run silver --date-kst {day} --now {}", now(8))),
        );
    }
    assert_eq!(recorded(&root), moved);
}

#[test]
fn a_contradiction_whose_other_copy_is_taken_out_of_bronze_is_closed() {
    let day = "2026-01-05";
    let charge = |amount: &str| entry("t1", "u1", "CHARGE", amount, "2026-01-05T01:00:00Z", None);
    let both = night(vec![("transaction_ledger", vec![charge("1.00"), charge("2.00")])]);
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    night_by_night(&root, dir.path(), &[both], &["silver"]);
    assert_eq!(recorded(&root), ["2026-01-05 OPEN"]);
    std::fs::remove_dir_all(root.join("bronze/transaction_ledger_raw")).unwrap();
    let one = night(vec![("transaction_ledger", vec![charge("2.00")])]);
    load(&root, dir.path(), 0, &one);
    lake(
        &root,
        &words(&format!("run silver --date-kst {day} --now {}", now(1))),
    );
    assert_eq!(recorded(&root), ["2026-01-05 OPEN", "2026-01-05 CLEARED"]);
}

#[test]
fn items_that_arrive_or_leave_after_the_day_of_their_order_reach_its_fact() {
    let at = "2026-01-05T14:59:00Z";
    let item = |id: i64, order: i64, product: i64, price: &str| json!({"item_id": id, "order_id": order, "product_id": product, "quantity": 1, "price_at_purchase": price});
    let product = |id: i64, category: &str| json!({"product_id": id, "product_name": "상품", "category": category, "price_krw": "5.00"});
    let nights = [
        night(vec![
            ("payment_orders", vec![order("1001", Some("PAID"), at, at)]),
            ("products", vec![product(1, "식품"), product(2, "도서")]),
            ("order_items", vec![item(1, 1001, 1, "5.00")]),
        ]),
        night(vec![("order_items", vec![item(2, 1001, 2, "9.00")])]),
        // The item turns out to be another order's.
        night(vec![("order_items", vec![item(2, 1002, 2, "9.00")])]),
    ];
    for (so_far, category) in [(1, "식품"), (2, "도서"), (3, "식품")] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("lake");
        night_by_night(&root, dir.path(), &nights[..so_far], &["silver", "b", "c"]);
        let facts = rows(&root, "gold.fact_payment_anonymized", &[]);
        let [fact] = facts.as_slice() else {
            unreachable!("one order, one fact: {facts:?}")
        };
        let fact: Value = serde_json::from_str(fact).unwrap();
        assert_eq!(
            (&fact["date_kst"], &fact["category"]),
            (&json!("2026-01-05"), &json!(category)),
            "after {so_far} nights"
        );
    }
}

#[test]
fn the_category_of_a_product_reaches_every_day_that_sold_it() {
    let at = |day: &str| format!("2026-01-{day}T01:00:00Z");
    let paid = |id: &str, day: &str| order(id, Some("PAID"), &at(day), &at(day));
    let item = |id: i64, order: i64, product: i64| json!({"item_id": id, "order_id": order, "product_id": product, "quantity": 1, "price_at_purchase": "5.00"});
    let product = |id: i64, category: &str| json!({"product_id": id, "product_name": "상품", "category": category, "price_krw": "5.00"});
    let nights = [
        night(vec![
            ("payment_orders", vec![paid("1001", "05"), paid("1002", "05")]),
            ("products", vec![product(2, "도서")]),
            // The first product is not known yet.
            ("order_items", vec![item(1, 1001, 1), item(2, 1002, 2)]),
        ]),
        night(vec![
            ("payment_orders", vec![paid("1003", "06")]),
            ("order_items", vec![item(3, 1003, 2)]),
        ]),
        night(vec![("products", vec![product(1, "식품"), product(2, "음반")])]),
    ];
    let (_dir, grown) = assert_converges(&nights, &["silver", "b", "c"]);
    let mut categories: Vec<String> = rows(&grown, "gold.fact_payment_anonymized", &[])
        .iter()
        .map(|r| serde_json::from_str::<Value>(r).unwrap())
        .map(|r| format!("{} {}", r["date_kst"], r["category"]))
        .collect();
    categories.sort();
    assert_eq!(
        categories,
        [
            r#""2026-01-05" "식품""#,
            r#""2026-01-05" "음반""#,
            r#""2026-01-06" "음반""#
        ]
    );
}
