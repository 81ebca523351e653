//! What becomes of messages: rows, pairs, order, tombstones.
//! Holds serving contract 1 and 2.

use std::time::Duration;

use nsc_contracts::event::EventKind;
use nsc_store::{Store, StoreOptions};
use nsc_testkit::Record;
use serde_json::json;
use sqlx::Row;

use crate::world::{World, entry, half, order, record, records, run, with};

#[tokio::test]
async fn events_of_both_topics_land_and_become_pairs() {
    let world = World::new().await;
    let running = world.consume().await;
    let halves: Vec<_> = (0..20)
        .flat_map(|n| ["PAYMENT", "RECEIVE"].map(|t| half(&format!("o-{n}"), t)))
        .collect();
    let orders: Vec<_> = (0..20).map(|n| order(&format!("o-{n}"), "SETTLED")).collect();
    world.produce(EventKind::LedgerEntry, records(&halves)).await;
    world.produce(EventKind::PaymentOrder, records(&orders)).await;
    world
        .wait_for(
            "SELECT count(*) FROM bo.payment_ledger_pairs
             WHERE payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL AND status = 'SETTLED' AND amount = 2000",
            20,
        )
        .await;
    running.stop().await;
    assert_eq!(world.entries().await, 40);
    assert_eq!(world.number("SELECT count(*) FROM bo.payment_orders").await, 20);
    world.wait_for_dead_letters(0).await;
    // Everything that is in the database is committed, and nothing else.
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 40);
    assert_eq!(world.committed(EventKind::PaymentOrder, 4), 20);
}

#[tokio::test]
async fn events_without_a_version_end_in_the_order_of_their_partition() {
    let world = World::new().await;
    let mut options = world.options();
    options.sink.batch_events = 37;
    let running = world.consume_with(options).await;
    let events: Vec<_> = (1..=1_500)
        .map(|n| {
            let unversioned = json!({ "amount": n, "updated_at": null, "source_version": null });
            with(entry(&format!("tx-{}", n % 12)), unversioned)
        })
        .collect();
    world.produce(EventKind::LedgerEntry, records(&events)).await;
    world
        .produce(EventKind::LedgerEntry, records(&[entry("last")]))
        .await;
    let last = "SELECT coalesce(sum(amount), 0)::bigint FROM bo.ledger_entries WHERE tx_id LIKE 'tx-%'";
    world.wait_for(last, (1_489..=1_500).sum()).await;
    world.wait_for_entries(13).await;
    running.stop().await;
}

#[tokio::test]
async fn the_newest_version_stays_whatever_comes_when() {
    let world = World::new().await;
    let version = |v: i64, amount: i64| {
        record(&with(
            entry("tx-1"),
            json!({ "source_version": v, "amount": amount }),
        ))
    };
    let running = world.consume().await;
    // Equal updated_at: the version decides, and 0 is one.
    world
        .produce(
            EventKind::LedgerEntry,
            vec![version(5, 5), version(0, 1), version(3, 3), version(5, 5)],
        )
        .await;
    world
        .produce(EventKind::LedgerEntry, records(&[entry("last")]))
        .await;
    world.wait_for_entries(2).await;
    running.stop().await;
    let amount = world
        .number("SELECT amount::bigint FROM bo.ledger_entries WHERE tx_id = 'tx-1'")
        .await;
    assert_eq!(amount, 5);
}

#[tokio::test]
async fn tombstones_strange_keys_and_headers_are_no_trouble() {
    let world = World::new().await;
    let running = world.consume().await;
    let same = |record: Record| record.in_partition(0);
    world
        .produce(
            EventKind::LedgerEntry,
            vec![
                same(Record::tombstone(b"tx-1".to_vec())),
                same(Record::new(b"\xff\xfe\x00".to_vec(), b"\xff not json".to_vec())),
                same(Record::new(b"\xff".to_vec(), entry("tx-1").to_string())),
                same(Record::without_key(entry("tx-2").to_string()).header("", b"\xff".to_vec())),
                same(Record::tombstone(Vec::new())),
                same(
                    Record::new(Vec::new(), entry("tx-3").to_string())
                        .header("X-Correlation-ID", b"\xff\n".to_vec()),
                ),
            ],
        )
        .await;
    world.wait_for_entries(3).await;
    running.stop().await;
    let letters = world
        .rows("SELECT key, payload, error_class FROM bo.consumer_dlq_events")
        .await;
    let letters: Vec<(Vec<u8>, Vec<u8>, String)> =
        letters.iter().map(|r| (r.get(0), r.get(1), r.get(2))).collect();
    assert_eq!(
        letters,
        [(
            b"\xff\xfe\x00".to_vec(),
            b"\xff not json".to_vec(),
            "invalid_utf8".to_owned()
        )]
    );
    assert_eq!(world.committed(EventKind::LedgerEntry, 1), 6);
}

#[tokio::test]
async fn a_group_can_begin_at_the_beginning_again() {
    let world = World::new().await;
    let events: Vec<_> = (0..100).map(|n| entry(&format!("tx-{n}"))).collect();
    world.produce(EventKind::LedgerEntry, records(&events)).await;
    let first = world.consume().await;
    world.wait_for_entries(100).await;
    first.stop().await;
    world
        .database
        .execute("TRUNCATE bo.ledger_entries")
        .await
        .expect("emptied");

    let second = world.consume().await;
    world
        .produce(EventKind::LedgerEntry, records(&[entry("new")]))
        .await;
    world.wait_for_entries(1).await;
    second.stop().await;
    assert_eq!(world.entries().await, 1, "what is committed is not read again");

    let mut options = world.options();
    options.from_beginning = true;
    let third = world.consume_with(options).await;
    world.wait_for_entries(101).await;
    third.stop().await;
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 101);
}

#[tokio::test]
async fn what_takes_longer_than_a_statement_may_lands_in_halves() {
    let world = World::new().await;
    world
        .database
        .execute(
            "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN PERFORM pg_sleep(0.004); RETURN NEW; END'; \
             CREATE TRIGGER slow BEFORE INSERT ON bo.ledger_entries FOR EACH ROW EXECUTE FUNCTION public.slow()",
        )
        .await
        .expect("slowed down");
    let events: Vec<_> = (0..600).map(|n| entry(&format!("tx-{n}"))).collect();
    world.produce(EventKind::LedgerEntry, records(&events)).await;
    let mut store = StoreOptions::new(
        world
            .database
            .url_of("nsc_consumer")
            .await
            .expect("a login")
            .into(),
    );
    store.statement_timeout = Duration::from_secs(1);
    let mut services = world.services().await;
    services.store = Store::connect(&store).await.expect("a store");
    let running = run(world.options(), services);
    world.wait_for_entries(600).await;
    running.stop().await;
    world.wait_for_dead_letters(0).await;
}
