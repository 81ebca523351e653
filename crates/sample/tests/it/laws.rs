//! The two laws of a clean world, checked from the files alone.

use std::collections::{HashMap, HashSet};

use nsc_sample::Source;
use serde_json::Value;

use crate::support::{World, cents, text, world};

fn clean() -> World {
    world(|o| o.days = 3)
}

fn kind(entry: &Value) -> &str {
    entry["type"].as_str().or(entry["entry_type"].as_str()).unwrap()
}

fn time(entry: &Value) -> &str {
    entry["created_at"]
        .as_str()
        .or(entry["event_time"].as_str())
        .unwrap()
}

fn signed(entry: &Value) -> i64 {
    let sign = match kind(entry) {
        "CHARGE" | "RECEIVE" | "REFUND_IN" | "MINT" => 1,
        "PAYMENT" | "WITHDRAW" | "REFUND_OUT" | "BURN" => -1,
        "HOLD" | "RELEASE" => 0,
        other => panic!("unknown kind {other}"),
    };
    sign * cents(&entry["amount"])
}

fn moves_supply(entry: &Value) -> bool {
    matches!(kind(entry), "CHARGE" | "MINT" | "WITHDRAW" | "BURN")
}

fn total(snapshot: &Value) -> i64 {
    cents(&snapshot["balance"]) + cents(&snapshot["frozen_amount"])
}

#[test]
fn issued_money_is_the_sum_of_the_closing_balances_on_every_day() {
    let world = clean();
    let (ledger, wallets) = (
        world.rows(Source::TransactionLedger),
        world.rows(Source::UserWallets),
    );
    // KST days end at 15:00 UTC; the closing snapshot is a microsecond earlier.
    for (day, summary) in ["2026-01-05", "2026-01-06", "2026-01-07"]
        .iter()
        .zip(&world.summary.days)
    {
        let end = format!("{day}T15:00:00.000000Z");
        let closing = format!("{day}T14:59:59.999999Z");
        let issued: i64 = ledger
            .iter()
            .filter(|e| time(e) < end.as_str() && moves_supply(e))
            .map(signed)
            .sum();
        let held: i64 = wallets
            .iter()
            .filter(|s| text(s, "source_extracted_at") == closing)
            .map(total)
            .sum();
        assert_eq!(issued, held, "{day}");
        assert!(issued > 0);
        let as_text = format!("{}.{:02}", issued / 100, issued % 100);
        assert_eq!(summary.issued_supply_of_the_world, as_text);
        assert_eq!(summary.wallet_total_of_the_world, as_text);
    }
}

#[test]
fn a_wallets_change_between_any_two_snapshots_is_its_net_flow() {
    let world = clean();
    let mut entries: HashMap<String, Vec<(String, i64)>> = HashMap::new();
    for entry in world.rows(Source::TransactionLedger) {
        let of_wallet = entries.entry(text(&entry, "wallet_id").to_owned()).or_default();
        of_wallet.push((time(&entry).to_owned(), signed(&entry)));
    }
    let mut newest: HashMap<String, (String, i64)> = HashMap::new();
    let mut compared = 0;
    for snapshot in world.rows(Source::UserWallets) {
        let user = text(&snapshot, "user_id").to_owned();
        let at = text(&snapshot, "source_extracted_at").to_owned();
        if let Some((since, opening)) = newest.get(&user) {
            let flow: i64 = entries
                .get(&user)
                .into_iter()
                .flatten()
                .filter(|(time, _)| since <= time && *time < at)
                .map(|(_, amount)| amount)
                .sum();
            assert_eq!(total(&snapshot) - opening, flow, "{user} from {since} to {at}");
            compared += 1;
        }
        newest.insert(user, (at, total(&snapshot)));
    }
    assert!(compared > 1000);
}

#[test]
fn balances_never_go_negative_and_amounts_are_positive() {
    let world = clean();
    for snapshot in world.rows(Source::UserWallets) {
        assert!(cents(&snapshot["balance"]) >= 0 && cents(&snapshot["frozen_amount"]) >= 0);
    }
    for entry in world.rows(Source::TransactionLedger) {
        assert!(cents(&entry["amount"]) > 0);
    }
}

#[test]
fn payments_and_refunds_have_two_sides_and_an_order() {
    let world = clean();
    let orders: HashSet<String> = world
        .rows(Source::PaymentOrders)
        .iter()
        .map(|o| text(o, "order_id").to_owned())
        .collect();
    let mut groups: HashMap<String, Vec<Value>> = HashMap::new();
    for entry in world.rows(Source::TransactionLedger) {
        if entry["related_type"] == "PAYMENT_ORDER" {
            groups
                .entry(text(&entry, "related_id").to_owned())
                .or_default()
                .push(entry);
        }
    }
    for (order, entries) in &groups {
        assert!(orders.contains(order), "{order}");
        assert_eq!(entries.iter().map(signed).sum::<i64>(), 0, "{order}");
        let kinds: Vec<_> = entries.iter().map(kind).collect();
        assert!(
            kinds == ["PAYMENT", "RECEIVE"] || kinds == ["PAYMENT", "RECEIVE", "REFUND_OUT", "REFUND_IN"],
            "{order}: {kinds:?}"
        );
    }
    assert!(
        groups.values().any(|entries| entries.len() == 4),
        "no refund at all"
    );
}

#[test]
fn commerce_orders_are_paid_and_their_items_are_known() {
    let world = clean();
    let paid: HashSet<String> = world
        .rows(Source::PaymentOrders)
        .iter()
        .map(|o| text(o, "order_id").to_owned())
        .collect();
    let orders: HashSet<u64> = world
        .rows(Source::Orders)
        .iter()
        .map(|o| o["order_id"].as_u64().unwrap())
        .collect();
    let products: HashSet<u64> = world
        .rows(Source::Products)
        .iter()
        .map(|p| p["product_id"].as_u64().unwrap())
        .collect();
    assert!(!orders.is_empty());
    assert!(orders.iter().all(|order| paid.contains(&order.to_string())));
    for item in world.rows(Source::OrderItems) {
        assert!(orders.contains(&item["order_id"].as_u64().unwrap()));
        assert!(products.contains(&item["product_id"].as_u64().unwrap()));
    }
}

#[test]
fn the_counts_are_those_of_the_files() {
    let world = clean();
    let mut all = 0;
    for (source, &count) in world.summary.by_source.iter() {
        assert_eq!(world.lines(source).len() as u64, count, "{}", source.name());
        all += count;
    }
    assert_eq!(world.summary.lines, all);
    assert_eq!(
        world.summary.expected.silver_rows[Source::TransactionLedger],
        9000
    );
    assert!(
        world
            .summary
            .expected
            .bad_records
            .iter()
            .all(|(_, reasons)| reasons.is_empty())
    );
    assert!(!world.path().join("faults.json").exists());
}
