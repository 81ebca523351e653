//! Several members: partitions move, members vanish, and every message still lands, in its partition's order.
//! Holds serving contract 4.

use std::net::SocketAddr;

use nsc_contracts::event::EventKind;
use nsc_testkit::{FaultProxy, Record};
use serde_json::json;

use crate::world::{World, entry, half, records, told, until, with};

/// Version-less updates of a few keys: whoever writes last wins, so an overtaken write would be seen.
fn updates(from: i64, to: i64) -> Vec<Record> {
    let events: Vec<_> = (from..to)
        .map(|n| {
            let unversioned = json!({ "amount": n + 1, "updated_at": null, "source_version": null });
            with(entry(&format!("tx-{}", n % 40)), unversioned)
        })
        .collect();
    records(&events)
}

#[tokio::test]
async fn members_that_come_and_go_lose_nothing_and_keep_the_order() {
    let world = World::new().await;
    let mut options = world.options();
    options.sink.batch_events = 100;
    let first = world.consume_with(options.clone()).await;
    let total = 8_000;
    let mut sent = 0;
    let mut second = None;
    for round in 0..8 {
        world
            .produce(EventKind::LedgerEntry, updates(sent, sent + total / 8))
            .await;
        sent += total / 8;
        match round {
            1 => second = Some(world.consume_with(options.clone()).await),
            4 => {
                let second = second.take().expect("it runs");
                until("partitions are shared", || {
                    second.status.partitions() == 4 && first.status.partitions() == 4
                })
                .await;
                second.stop().await;
            }
            5 => second = Some(world.consume_with(options.clone()).await),
            _ => {}
        }
    }
    let last = "SELECT coalesce(sum(amount), 0)::bigint FROM bo.ledger_entries";
    world.wait_for(last, (total - 39..=total).sum()).await;
    world.wait_until_committed(EventKind::LedgerEntry, 4, total).await;
    first.stop().await;
    if let Some(second) = second {
        second.stop().await;
    }
    assert_eq!(world.number(last).await, (total - 39..=total).sum::<i64>());
    world.wait_for_dead_letters(0).await;
}

#[tokio::test]
async fn a_member_that_is_dropped_leaves_its_work_to_the_others() {
    let world = World::new().await;
    let mut options = world.options();
    options.sink.batch_events = 50;
    let landed = "SELECT coalesce(sum(amount), 0)::bigint FROM bo.ledger_entries";
    let mut sent = 0;
    for _ in 0..3 {
        let before = world.number(landed).await;
        let running = world.consume_with(options.clone()).await;
        world
            .produce(EventKind::LedgerEntry, updates(sent, sent + 1_000))
            .await;
        sent += 1_000;
        world.wait_until_number(landed, |sum| sum > before).await;
        running.abort().await;
    }
    let running = world.consume_with(options).await;
    world.wait_for(landed, (sent - 39..=sent).sum()).await;
    // The newest of every key has landed; older versions may still be on their way.
    world.wait_until_committed(EventKind::LedgerEntry, 4, sent).await;
    running.stop().await;
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), sent);
}

#[tokio::test]
async fn halves_that_two_consumers_land_at_the_same_instant_become_whole_pairs() {
    let world = World::new().await;
    let mut options = world.options();
    options.sink.batch_events = 25;
    let first = world.consume_with(options.clone()).await;
    let second = world.consume_with(options).await;
    until("partitions are shared", || {
        first.status.partitions() == 4 && second.status.partitions() == 4
    })
    .await;
    let orders: usize = told("NSC_TEST_ORDERS").map_or(1_500, |n| n.parse().expect("a number"));
    let half_of = |entry_type: &str, partition: i32| -> Vec<Record> {
        let events: Vec<_> = (0..orders).map(|n| half(&format!("o-{n}"), entry_type)).collect();
        let spread = |(n, record): (usize, Record)| record.in_partition(partition + (n % 2) as i32);
        records(&events).into_iter().enumerate().map(spread).collect()
    };
    // The halves of an order never share a partition.
    tokio::join!(
        world.produce(EventKind::LedgerEntry, half_of("PAYMENT", 0)),
        world.produce(EventKind::LedgerEntry, half_of("RECEIVE", 2)),
    );
    world.wait_for_entries(2 * orders as i64).await;
    first.stop().await;
    second.stop().await;
    let whole = "SELECT count(*) FROM bo.payment_ledger_pairs
                 WHERE payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL";
    assert_eq!(world.number(whole).await, orders as i64);
    assert_eq!(
        world.number("SELECT count(*) FROM bo.payment_ledger_pairs").await,
        orders as i64
    );
}

#[tokio::test]
async fn a_partition_leaves_a_member_whose_database_is_away() {
    let world = World::new().await;
    let port = world.database.postgres().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let proxy = FaultProxy::start(address).expect("a proxy");
    let through = world
        .database_url
        .replace(&format!(":{port}/"), &format!(":{}/", proxy.address().port()));
    let unlucky = world.consume_from(&through).await;
    unlucky.wait_until_ready().await;
    proxy.cut();
    world.produce(EventKind::LedgerEntry, updates(0, 400)).await;
    until("it waits", || !unlucky.status.is_ready()).await;
    let lucky = world.consume().await;
    until("partitions are shared", || lucky.status.partitions() == 4).await;
    unlucky.stop().await;
    world
        .wait_for(
            "SELECT coalesce(sum(amount), 0)::bigint FROM bo.ledger_entries",
            (361..=400).sum(),
        )
        .await;
    lucky.stop().await;
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 400);
}
