//! Two `nsc consume` of one group: the halves of an order never meet in one process by design, and still become a pair.

use std::time::{Duration, Instant};

use nsc_testkit::Record;
use serde_json::json;

use super::process::{PATIENCE, Service};
use super::world::{LEDGER_TOPIC, World};

const ORDERS: i32 = 10_000;

/// One half of every order. PAYMENTs go to partitions 0 and 1, RECEIVEs to 2 and 3, in all four combinations: whoever owns
/// which partitions, half of the orders or more are split between the two consumers.
fn halves(entry_type: &str, partition: impl Fn(i32) -> i32) -> Vec<Record> {
    let half = |order: i32| {
        let event = json!({
            "tx_id": format!("{entry_type}-{order}"), "wallet_id": "w-1", "entry_type": entry_type, "amount": 1,
            "related_id": format!("po-{order}"), "event_time": "2026-01-05T00:00:00Z", "source_version": 1,
        });
        Record::new(event["tx_id"].to_string(), event.to_string()).in_partition(partition(order))
    };
    (0..ORDERS).map(half).collect()
}

fn wait_until_it_owns_some(consumer: &mut Service) {
    let begun = Instant::now();
    let owns = |log: &str| {
        log.lines()
            .any(|l| l.contains("partitions assigned") && l.contains("ledger_entry/"))
    };
    while !owns(&consumer.log()) {
        assert!(
            consumer.runs() && begun.elapsed() < PATIENCE,
            "{}",
            consumer.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn halves_of_ten_thousand_orders_landed_at_once_by_two_consumers_become_ten_thousand_pairs() {
    let world = World::new().await;
    let small = [("NSC_BATCH_ROWS", "50")];
    let mut consumers = [world.consume(&small), world.consume(&small)];
    consumers.iter_mut().for_each(wait_until_it_owns_some);
    let (payments, receives) = tokio::join!(
        world
            .broker
            .produce(LEDGER_TOPIC, halves("PAYMENT", |order| order % 2)),
        world
            .broker
            .produce(LEDGER_TOPIC, halves("RECEIVE", |order| 2 + order / 2 % 2)),
    );
    assert_eq!(payments.unwrap().len() + receives.unwrap().len(), 20_000);
    let [first, second] = &mut consumers;
    let entries = "SELECT count(*) FROM bo.ledger_entries";
    world
        .wait_for(first, "entries", entries, |seen| seen == 20_000)
        .await;
    assert!(second.runs(), "{}", second.log());
    for consumer in consumers {
        let ended = consumer.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    let whole = "SELECT count(*) FROM bo.payment_ledger_pairs
        WHERE payment_tx_id = replace(payment_order_id, 'po-', 'PAYMENT-') AND receive_tx_id = replace(payment_order_id, 'po-', 'RECEIVE-')";
    assert_eq!(world.number(whole).await, i64::from(ORDERS));
    let all = "SELECT count(*) FROM bo.payment_ledger_pairs";
    assert_eq!(world.number(all).await, i64::from(ORDERS));
    println!("{ORDERS} orders, 20000 halves, 2 consumers: {ORDERS} pairs complete and right, 0 incomplete");
}
