//! Every metric of the consumer has a value that means something.
//! Holds serving contract 8.

use nsc_contracts::event::EventKind;
use nsc_testkit::Record;
use serde_json::json;

use crate::world::{World, entry, half, order, record, records, until, with};

/// The value of a series, if it is there.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text
        .lines()
        .find(|l| l.starts_with(series) && l.as_bytes().get(series.len()) == Some(&b' '))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Five entries that are written, an older one, a tombstone, two that are no events, and an order.
async fn produce_of_every_kind(world: &World) {
    let other = with(
        entry("tx-other"),
        json!({ "related_id": "c-1", "related_type": "COUPON" }),
    );
    let entries = [
        half("o-1", "PAYMENT"),
        half("o-1", "RECEIVE"),
        half("o-2", "PAYMENT"),
        other,
        entry("tx-1"),
    ];
    world.produce(EventKind::LedgerEntry, records(&entries)).await;
    world.wait_for_entries(5).await;
    let older = with(entry("tx-1"), json!({ "source_version": 0 }));
    world
        .produce(
            EventKind::LedgerEntry,
            vec![
                record(&older),
                Record::tombstone("k"),
                Record::new("k", "{}"),
                Record::new("k", "x"),
            ],
        )
        .await;
    world
        .produce(EventKind::PaymentOrder, records(&[order("o-1", "PAID")]))
        .await;
    world.wait_for_dead_letters(2).await;
    world.wait_for("SELECT count(*) FROM bo.payment_orders", 1).await;
}

#[tokio::test]
async fn what_happens_is_measured() {
    let world = World::new().await;
    let running = world.consume().await;
    running.wait_until_ready().await;
    let series = |name: &str, labels: &str| value(&world.metrics.render(), &format!("{name}{labels}"));
    let ledger = r#"topic="ledger.entry.upserted""#;
    let messages = |outcome: &str| {
        series(
            "consumer_messages_total",
            &format!(r#"{{outcome="{outcome}",{ledger}}}"#),
        )
    };
    assert_eq!(messages("written"), Some(0.0), "there before the first");
    produce_of_every_kind(&world).await;
    until("all is counted", || {
        let done = ["written", "stale", "tombstone", "dlq"].map(messages);
        done == [Some(5.0), Some(1.0), Some(1.0), Some(2.0)]
    })
    .await;
    let dlq = |class: &str| series("consumer_dlq_total", &format!(r#"{{class="{class}",{ledger}}}"#));
    assert_eq!(
        (dlq("missing_field"), dlq("malformed_json")),
        (Some(1.0), Some(1.0))
    );
    assert_eq!(dlq("too_long"), Some(0.0));
    let lag_count = series("consumer_event_lag_seconds_count", &format!("{{{ledger}}}"));
    assert_eq!(lag_count, Some(6.0));
    let skipped = || series("pairing_skipped_non_payment_order_total", "");
    assert_eq!(skipped(), Some(1.0));
    assert!(series("pairing_total", r#"{outcome="complete"}"#) >= Some(1.0));
    assert!(series("pairing_incomplete_total", "") >= Some(1.0));
    let partition = |n: usize| series("consumer_kafka_lag", &format!(r#"{{partition="{n}",{ledger}}}"#));
    until("the lag is told and nothing waits", || {
        (0..4).all(|n| partition(n) == Some(0.0))
    })
    .await;
    let freshness = || series("consumer_freshness_seconds", &format!("{{{ledger}}}"));
    until("nothing is old", || freshness() == Some(0.0)).await;

    // While the database is away the age grows, the lag too, and nothing is called ready.
    world
        .database
        .execute("ALTER TABLE bo.ledger_entries RENAME TO gone")
        .await
        .expect("renamed");
    world
        .produce(EventKind::LedgerEntry, records(&[entry("tx-9")]))
        .await;
    until("the age grows", || freshness() > Some(1.0)).await;
    until("the lag is seen", || (0..4).any(|n| partition(n) == Some(1.0))).await;
    assert!(!running.status.is_ready());
    world
        .database
        .execute("ALTER TABLE bo.gone RENAME TO ledger_entries")
        .await
        .expect("renamed");
    world.wait_for_entries(6).await;
    until("nothing is old", || freshness() == Some(0.0)).await;
    running.stop().await;
    // A partition that is gone has no lag to tell.
    assert_eq!(partition(0), None);
}
