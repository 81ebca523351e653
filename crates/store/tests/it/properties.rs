//! Any permutation, duplication and splitting of events, over one to four writers at once, ends in one state: the
//! model's (serving contract 2).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use nsc_core::{Money, UtcMicros};
use nsc_store::{Batch, LedgerRow, OrderRow, Store};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::model::{Event, Pair, Tables, tables};
use crate::support::{at, consumer, migrated, superuser};

/// One runtime for all cases of a property, with threads, so that writers really run at once.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Whether events carry versions: the law for those that do not is a weaker one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    Always,
    Sometimes,
}

fn version(kind: Versions) -> BoxedStrategy<(Option<i64>, Option<i64>)> {
    // Few values, so that ties and zeros are common.
    let any = (prop::option::of(0..3_i64), prop::option::of(0..3_i64));
    match kind {
        Versions::Always => any.prop_filter("has a version", |v| *v != (None, None)).boxed(),
        Versions::Sometimes => prop_oneof![1 => any, 3 => Just((None, None))].boxed(),
    }
}

fn entry_event(kind: Versions) -> impl Strategy<Value = Event> {
    let what = (
        0..5_u8,
        select(vec!["PAYMENT", "PAYMENT", "RECEIVE", "RECEIVE", "REFUND_OUT"]),
        0..3_u8,
        1..4_i128,
    );
    let related = (
        prop::option::weighted(0.9, 0..3_u8),
        select(vec![
            None,
            None,
            Some("PAYMENT_ORDER"),
            Some("PAYMENT_ORDER"),
            Some("COUPON"),
        ]),
    );
    (what, related, 0..3_i64, version(kind)).prop_map(
        |((tx, entry_type, wallet, amount), (order, related_type), time, (updated, version))| {
            Event::Entry(LedgerRow {
                tx_id: format!("t{tx}"),
                wallet_id: format!("w{wallet}"),
                entry_type: entry_type.to_owned(),
                amount: Money::from_units(amount).unwrap(),
                amount_signed: (amount > 1).then(|| Money::from_units(-amount).unwrap()),
                related_id: order.map(|o| format!("o{o}")),
                related_type: related_type.map(str::to_owned),
                event_time: at(time),
                created_at: (time > 0).then(|| at(time)),
                updated_at: updated.map(at),
                source_version: version,
                place: None,
            })
        },
    )
}

fn order_event(kind: Versions) -> impl Strategy<Value = Event> {
    (
        0..3_u8,
        select(vec!["CREATED", "SETTLED", "FAILED"]),
        1..4_i128,
        version(kind),
    )
        .prop_map(|(order, status, amount, (updated, version))| {
            Event::Order(OrderRow {
                order_id: format!("o{order}"),
                user_id: None,
                merchant_name: Some("m".to_owned()),
                amount: Money::from_units(amount).unwrap(),
                status: status.to_owned(),
                created_at: at(0),
                updated_at: updated.map(at),
                source_version: version,
                place: None,
            })
        })
}

fn events(kind: Versions) -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(prop_oneof![4 => entry_event(kind), 1 => order_event(kind)], 1..24)
}

/// A few entries that are corrected again and again: from order to order, from side to side, out of all pairs and back.
fn corrections() -> impl Strategy<Value = Vec<Event>> {
    let side = select(vec!["PAYMENT", "PAYMENT", "RECEIVE", "RECEIVE", "CHARGE"]);
    let entry = (0..3_u8, side, 0..2_u8, 0..3_i64, 1..4_i128, 0..6_i64).prop_map(
        |(tx, entry_type, order, time, amount, version)| {
            Event::Entry(LedgerRow {
                tx_id: format!("t{tx}"),
                wallet_id: format!("w{version}"),
                entry_type: entry_type.to_owned(),
                amount: Money::from_units(amount).unwrap(),
                amount_signed: None,
                related_id: Some(format!("o{order}")),
                related_type: None,
                event_time: at(time),
                created_at: None,
                updated_at: None,
                source_version: Some(version),
                place: None,
            })
        },
    );
    prop::collection::vec(prop_oneof![9 => entry, 1 => order_event(Versions::Always)], 1..16)
}

/// How the events reach the store.
#[derive(Debug, Clone)]
struct Delivery {
    /// Puts the events in another order.
    shuffle: Vec<Index>,
    /// Events delivered once more.
    again: Vec<Index>,
    /// Events of a batch.
    batch: usize,
    writers: usize,
}

fn delivery() -> impl Strategy<Value = Delivery> {
    let index = any::<Index>;
    (
        prop::collection::vec(index(), 24),
        prop::collection::vec(index(), 0..10),
        1..8_usize,
        1..=4_usize,
    )
        .prop_map(|(shuffle, again, batch, writers)| Delivery {
            shuffle,
            again,
            batch,
            writers,
        })
}

/// Keys of one case: the cases of a property share their tables.
fn own(event: &Event, case: &str) -> Event {
    match event.clone() {
        Event::Entry(mut row) => {
            row.tx_id = format!("{case}-{}", row.tx_id);
            row.related_id = row.related_id.map(|id| format!("{case}-{id}"));
            Event::Entry(row)
        }
        Event::Order(mut row) => {
            row.order_id = format!("{case}-{}", row.order_id);
            Event::Order(row)
        }
    }
}

fn batch(events: &[Event]) -> Batch {
    let mut batch = Batch::default();
    for event in events {
        match event {
            Event::Entry(row) => batch.ledger.push(row.clone()),
            Event::Order(row) => batch.orders.push(row.clone()),
        }
    }
    batch
}

async fn rows_of(connection: &mut PgConnection, sql: &'static str, case: &str) -> Vec<PgRow> {
    let query = sqlx::query(sql).bind(case);
    query.fetch_all(connection).await.unwrap()
}

/// What the tables hold of one case.
async fn stored(eye: &Mutex<PgConnection>, case: &str) -> Tables {
    let mut connection = eye.lock().await;
    let mut held = Tables::default();
    let money = |text: Option<String>| text.map(|t| Money::parse(&t).unwrap());
    let time = |micros: Option<i64>| micros.map(UtcMicros::new);
    let sql = "SELECT tx_id, wallet_id, entry_type, amount::text, amount_signed::text, related_id, related_type,
        (extract(epoch FROM event_time) * 1000000)::bigint, (extract(epoch FROM created_at) * 1000000)::bigint,
        (extract(epoch FROM updated_at) * 1000000)::bigint, source_version
        FROM bo.ledger_entries WHERE tx_id LIKE $1 || '-%'";
    for row in rows_of(&mut connection, sql, case).await {
        let entry = LedgerRow {
            tx_id: row.get(0),
            wallet_id: row.get(1),
            entry_type: row.get(2),
            amount: money(row.get(3)).unwrap(),
            amount_signed: money(row.get(4)),
            related_id: row.get(5),
            related_type: row.get(6),
            event_time: time(row.get(7)).unwrap(),
            created_at: time(row.get(8)),
            updated_at: time(row.get(9)),
            source_version: row.get(10),
            place: None,
        };
        held.entries.insert(entry.tx_id.clone(), entry);
    }
    let sql = "SELECT order_id, user_id, merchant_name, amount::text, status,
        (extract(epoch FROM created_at) * 1000000)::bigint, (extract(epoch FROM updated_at) * 1000000)::bigint,
        source_version FROM bo.payment_orders WHERE order_id LIKE $1 || '-%'";
    for row in rows_of(&mut connection, sql, case).await {
        let order = OrderRow {
            order_id: row.get(0),
            user_id: row.get(1),
            merchant_name: row.get(2),
            amount: money(row.get(3)).unwrap(),
            status: row.get(4),
            created_at: time(row.get(5)).unwrap(),
            updated_at: time(row.get(6)),
            source_version: row.get(7),
            place: None,
        };
        held.orders.insert(order.order_id.clone(), order);
    }
    let sql = "SELECT payment_order_id, payment_tx_id, payer_wallet_id, receive_tx_id, payee_wallet_id, amount::text,
        status, (extract(epoch FROM event_time) * 1000000)::bigint, (extract(epoch FROM updated_at) * 1000000)::bigint
        FROM bo.payment_ledger_pairs WHERE payment_order_id LIKE $1 || '-%'";
    for row in rows_of(&mut connection, sql, case).await {
        let pair = Pair {
            payment: row.get::<Option<String>, _>(1).zip(row.get(2)),
            receive: row.get::<Option<String>, _>(3).zip(row.get(4)),
            amount: money(row.get(5)).unwrap(),
            status: row.get(6),
            event_time: time(row.get(7)).unwrap(),
            updated_at: time(row.get(8)),
        };
        held.pairs.insert(row.get(0), pair);
    }
    held
}

/// Runs a property over some cases, with one database for all of them.
fn check<S>(
    cases: u32,
    strategy: S,
    law: impl AsyncFn(&Mutex<PgConnection>, &Store, &str, S::Value) -> TestCaseResult,
) where
    S: Strategy,
{
    let (database, store, eye) = RUNTIME.block_on(async {
        let database = migrated().await;
        let (store, eye) = (consumer(&database).await, superuser(&database.url()).await);
        (database, store, Mutex::new(eye))
    });
    let number = std::cell::Cell::new(0);
    let config = Config {
        cases,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&strategy, |value| {
        number.set(number.get() + 1);
        RUNTIME.block_on(law(&eye, &store, &format!("c{}", number.get()), value))
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
    RUNTIME.block_on(store.close());
    drop(database);
}

/// Delivers events as told and compares what is stored with the model.
async fn ends_as_the_model(
    eye: &Mutex<PgConnection>,
    store: &Store,
    case: &str,
    (events, delivery): (Vec<Event>, Delivery),
) -> TestCaseResult {
    let events: Vec<Event> = events.iter().map(|e| own(e, case)).collect();
    let mut delivered = events.clone();
    delivered.extend(delivery.again.iter().map(|i| i.get(&events).clone()));
    for (at, swap) in delivery.shuffle.iter().enumerate().take(delivered.len()) {
        let other = swap.index(delivered.len());
        delivered.swap(at, other);
    }
    let batches: Vec<Batch> = delivered.chunks(delivery.batch).map(batch).collect();
    let writers = (0..delivery.writers).map(|writer| {
        let store = store.clone();
        let own: Vec<Batch> = batches
            .iter()
            .skip(writer)
            .step_by(delivery.writers)
            .cloned()
            .collect();
        tokio::spawn(async move {
            for batch in own {
                store.apply(&batch, at(9)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    prop_assert_eq!(stored(eye, case).await, tables(&events));
    Ok(())
}

#[test]
fn versioned_events_end_in_one_state_whatever_happens_on_the_way() {
    check(160, (events(Versions::Always), delivery()), ends_as_the_model);
}

#[test]
fn corrections_end_in_one_state_whatever_happens_on_the_way() {
    check(400, (corrections(), delivery()), ends_as_the_model);
}

#[test]
fn events_without_versions_follow_their_partition_whatever_is_delivered_again() {
    let rewinds = prop::collection::vec((any::<Index>(), any::<Index>()), 0..4);
    let strategy = (events(Versions::Sometimes), rewinds, 1..8_usize);
    check(
        100,
        strategy,
        async |eye, store, case, (events, rewinds, size)| {
            let events: Vec<Event> = events.iter().map(|e| own(e, case)).collect();
            // A consumer that dies somewhere and goes on from an offset it had passed before.
            let mut reached = 0;
            let mut stretches = Vec::new();
            for (end, start) in rewinds {
                let end = (reached + end.index(events.len() + 1 - reached)).min(events.len());
                stretches.push(reached..end);
                reached = start.index(end + 1);
            }
            stretches.push(reached..events.len());
            for stretch in stretches {
                for chunk in events[stretch].chunks(size) {
                    store.apply(&batch(chunk), at(9)).await.unwrap();
                }
            }
            prop_assert_eq!(stored(eye, case).await, tables(&events));
            Ok(())
        },
    );
}

#[test]
fn no_step_takes_a_complete_pair_back_or_makes_one_of_one_entry() {
    let events = prop_oneof![events(Versions::Always), corrections()];
    check(120, events, async |eye, store, case, events| {
        let mut before = BTreeSet::new();
        for event in &events {
            store.apply(&batch(&[own(event, case)]), at(9)).await.unwrap();
            let mut now = BTreeSet::new();
            for (id, pair) in stored(eye, case).await.pairs {
                if let (Some((payment, _)), Some((receive, _))) = (pair.payment, pair.receive) {
                    prop_assert_ne!(payment, receive);
                    now.insert(id);
                }
            }
            prop_assert!(before.is_subset(&now), "{before:?} then {now:?}");
            before = now;
        }
        Ok(())
    });
}
