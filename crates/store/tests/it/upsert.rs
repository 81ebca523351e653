//! The latest version wins, whatever the order of arrival (serving contract 2 and 9).

use std::sync::Arc;

use nsc_core::{Money, UtcMicros};
use nsc_store::{Applied, Batch, LedgerRow, OrderRow, Place, Store};
use nsc_testkit::Database;

use crate::support::{at, consumer, entry, ledger, lines, migrated, order, orders, value, won};

/// What a version of entry `t` looks like; `mark` tells which one is stored.
fn version(mark: &str, updated_at: Option<i64>, source_version: Option<i64>) -> LedgerRow {
    LedgerRow {
        wallet_id: mark.to_owned(),
        updated_at: updated_at.map(at),
        source_version,
        ..entry("t", "CHARGE", None)
    }
}

async fn stored(database: &Database) -> String {
    value(
        database,
        "SELECT wallet_id FROM bo.ledger_entries WHERE tx_id = 't'",
    )
    .await
}

/// Applies the rows one batch each, in both orders, and all in one batch; gives what is stored each time.
async fn outcomes(rows: [LedgerRow; 2]) -> Vec<String> {
    let database = migrated().await;
    let store = consumer(&database).await;
    let mut outcomes = Vec::new();
    let [a, b] = rows;
    for order in [[&a, &b], [&b, &a]] {
        for batches in [vec![vec![order[0]], vec![order[1]]], vec![order.to_vec()]] {
            database.execute("TRUNCATE bo.ledger_entries").await.unwrap();
            for batch in batches {
                store
                    .apply(&ledger(batch.into_iter().cloned().collect::<Vec<_>>()), at(9))
                    .await
                    .unwrap();
            }
            outcomes.push(stored(&database).await);
        }
    }
    outcomes
}

#[tokio::test]
async fn equal_updated_at_is_decided_by_the_version() {
    let rows = [version("v5", Some(1), Some(5)), version("v3", Some(1), Some(3))];
    assert_eq!(outcomes(rows).await, ["v5"; 4]);
}

#[tokio::test]
async fn a_later_updated_at_beats_any_version() {
    let rows = [
        version("later", Some(2), None),
        version("earlier", Some(1), Some(99)),
    ];
    assert_eq!(outcomes(rows).await, ["later"; 4]);
}

#[tokio::test]
async fn version_zero_is_a_version() {
    let rows = [version("zero", Some(1), Some(0)), version("none", Some(1), None)];
    assert_eq!(outcomes(rows).await, ["zero"; 4]);
    let rows = [version("zero", None, Some(0)), version("none", None, None)];
    assert_eq!(outcomes(rows).await, ["zero"; 4]);
}

#[tokio::test]
async fn a_version_alone_never_goes_over_a_row_that_has_an_updated_at() {
    let rows = [
        version("dated", Some(1), None),
        version("numbered", None, Some(1_000)),
    ];
    assert_eq!(outcomes(rows).await, ["dated"; 4]);
}

#[tokio::test]
async fn equal_versions_are_decided_by_what_they_say_and_not_by_arrival() {
    let rows = [version("one", Some(1), Some(1)), version("two", Some(1), Some(1))];
    let outcomes = outcomes(rows).await;
    assert_eq!(outcomes, vec![outcomes[0].clone(); 4]);
}

#[tokio::test]
async fn without_any_version_the_last_to_arrive_stays() {
    let rows = [version("one", None, None), version("two", None, None)];
    assert_eq!(outcomes(rows).await, ["two", "two", "one", "one"]);
}

#[tokio::test]
async fn the_lowest_version_there_is_still_stands_above_none() {
    let rows = [
        version("lowest", None, Some(i64::MIN)),
        version("none", None, None),
    ];
    assert_eq!(outcomes(rows).await, ["lowest"; 4]);
}

#[tokio::test]
async fn what_is_delivered_again_is_not_written_again() {
    let database = migrated().await;
    let store = consumer(&database).await;
    let batch = Batch {
        ledger: vec![
            entry("t", "PAYMENT", Some("o")),
            version("versionless", None, None),
            entry("r", "RECEIVE", Some("o")),
        ],
        orders: vec![order("o", "SETTLED")],
        dead_letters: vec![],
    };
    let first = store.apply(&batch, at(1)).await.unwrap();
    let counts = Applied {
        ledger_written: 2,
        ledger_stale: 1,
        orders_written: 1,
        pairs_complete: 1,
        ..Applied::default()
    };
    assert_eq!(first, counts);
    let state = async || {
        let mut state = lines(
            &database,
            "tx_id, xmin, ingested_at",
            "bo.ledger_entries ORDER BY 1",
        )
        .await;
        state.extend(lines(&database, "order_id, xmin, ingested_at", "bo.payment_orders").await);
        state.extend(
            lines(
                &database,
                "payment_order_id, xmin, ingested_at",
                "bo.payment_ledger_pairs",
            )
            .await,
        );
        state
    };
    let before = state().await;
    let again = store.apply(&batch, at(2)).await.unwrap();
    assert_eq!(
        again,
        Applied {
            ledger_stale: 3,
            orders_stale: 1,
            ..Applied::default()
        }
    );
    assert_eq!(state().await, before);
}

#[tokio::test]
async fn the_extremes_of_what_a_row_may_hold_come_back_as_they_went_in() {
    let database = migrated().await;
    let store = consumer(&database).await;
    let long = "가".repeat(255);
    let (first, last) = (
        UtcMicros::parse("0001-01-01T00:00:00Z"),
        UtcMicros::parse("9999-12-31T14:59:59.999999Z"),
    );
    for (amount, signed) in [
        ("0.01", "-0.01"),
        ("9999999999999999.99", "-9999999999999999.99"),
        ("10000", "0"),
        ("100000000.10", "9999.99"),
        ("1234567890123456.78", "-10000.00"),
    ] {
        let row = LedgerRow {
            tx_id: long.clone(),
            wallet_id: "'; DROP TABLE bo.ledger_entries; --\t\\N\n{},\"".to_owned(),
            amount: won(amount),
            amount_signed: Some(won(signed)),
            related_id: Some(long.clone()),
            event_time: first.unwrap(),
            created_at: last,
            updated_at: Some(store_clock(&database).await),
            source_version: Some(i64::MAX),
            ..entry("", "PAYMENT", None)
        };
        assert_eq!(
            store
                .apply(&ledger([row.clone()]), last.unwrap())
                .await
                .unwrap()
                .ledger_written,
            1
        );
        let view = store.tx(&long).await.unwrap().unwrap().entry;
        assert_eq!((view.tx_id, view.wallet_id), (row.tx_id, row.wallet_id));
        assert_eq!((view.amount, view.amount_signed), (row.amount, row.amount_signed));
        assert_eq!(
            (view.event_time, view.ingested_at),
            (row.event_time, last.unwrap())
        );
    }
}

/// Some instant later than the one before.
async fn store_clock(database: &Database) -> UtcMicros {
    let micros: i64 = value(
        database,
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    )
    .await;
    UtcMicros::new(micros)
}

#[tokio::test]
async fn a_row_the_database_cannot_hold_is_named_and_nothing_of_its_batch_is_written() {
    let database = migrated().await;
    let store = consumer(&database).await;
    let good = entry("good", "CHARGE", None);
    let bad = |change: &dyn Fn(&mut LedgerRow)| {
        let mut row = entry("bad", "PAYMENT", Some("o"));
        change(&mut row);
        row
    };
    let cases: Vec<(&str, LedgerRow)> = vec![
        ("wallet_id", bad(&|r| r.wallet_id = "a\0b".to_owned())),
        ("tx_id", bad(&|r| r.tx_id = "x".repeat(256))),
        ("related_id", bad(&|r| r.related_id = Some("가".repeat(256)))),
        ("entry_type", bad(&|r| r.entry_type = "x".repeat(300))),
        ("amount", bad(&|r| r.amount = won("10000000000000000"))),
        ("amount", bad(&|r| r.amount = won("-1"))),
        ("amount", bad(&|r| r.amount = Money::ZERO)),
        ("amount_signed", bad(&|r| r.amount_signed = Some(won("-1e30")))),
        ("event_time", bad(&|r| r.event_time = UtcMicros::new(i64::MAX))),
        (
            "updated_at",
            bad(&|r| r.updated_at = Some(UtcMicros::new(i64::MIN))),
        ),
    ];
    for (column, row) in cases {
        let refused = row.check().unwrap_err();
        assert_eq!(refused.column, column, "{refused}");
        assert!(refused.key.chars().count() <= 64);
        let error = store
            .apply(&ledger([good.clone(), row]), at(0))
            .await
            .unwrap_err();
        assert!(error.is_refusal() && !error.is_transient(), "{error:?}");
    }
    let bad_order = OrderRow {
        status: "\0".to_owned(),
        ..order("o", "")
    };
    assert_eq!(bad_order.check().unwrap_err().column, "status");
    assert!(
        store
            .apply(&orders([bad_order]), at(0))
            .await
            .unwrap_err()
            .is_refusal()
    );
    assert_eq!(
        value::<i64>(&database, "SELECT count(*) FROM bo.ledger_entries").await,
        0
    );
}

#[tokio::test]
async fn the_database_itself_refuses_nan_infinity_and_what_is_not_positive() {
    let database = migrated().await;
    for (amount, time) in [
        ("'NaN'", "now()"),
        ("0", "now()"),
        ("-1", "now()"),
        ("1", "'infinity'"),
        ("1e16", "now()"),
    ] {
        let insert = format!(
            "INSERT INTO bo.ledger_entries (tx_id, wallet_id, entry_type, amount, event_time, ingested_at, payload_hash)
             VALUES ('t', 'w', 'CHARGE', {amount}, {time}, now(), decode(repeat('00', 16), 'hex'))"
        );
        assert!(database.execute(&insert).await.is_err(), "{amount} {time}");
    }
}

#[tokio::test]
async fn writers_with_opposite_key_orders_never_lock_each_other_out() {
    let database = migrated().await;
    let store = Arc::new(consumer(&database).await);
    let write = |reversed: bool, wallet: &'static str| {
        let store: Arc<Store> = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 0..20 {
                let mut batch = Batch::default();
                for n in 0..50 {
                    let side = if n % 2 == 0 { "PAYMENT" } else { "RECEIVE" };
                    batch.ledger.push(LedgerRow {
                        wallet_id: wallet.to_owned(),
                        updated_at: Some(at(round)),
                        ..entry(&format!("t{n}"), side, Some(&format!("o{}", n / 2)))
                    });
                    batch.orders.push(OrderRow {
                        updated_at: Some(at(round)),
                        ..order(&format!("o{}", n / 2), wallet)
                    });
                }
                if reversed {
                    batch.ledger.reverse();
                    batch.orders.reverse();
                }
                store.apply(&batch, at(round)).await.unwrap();
            }
        })
    };
    let writers = [
        write(false, "a"),
        write(true, "b"),
        write(true, "c"),
        write(false, "d"),
    ];
    for writer in writers {
        writer.await.unwrap();
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(value::<i64>(&database, deadlocks).await, 0);
    let incomplete =
        "SELECT count(*) FROM bo.payment_ledger_pairs WHERE payment_tx_id IS NULL OR receive_tx_id IS NULL";
    assert_eq!(value::<i64>(&database, incomplete).await, 0);
}

/// An event of entry `t` without a version, from a place of partition 0.
fn placed(mark: &str, partition: i32, offset: i64, taken_at: i64) -> LedgerRow {
    LedgerRow {
        place: Some(Place {
            partition,
            offset,
            taken_at: at(taken_at),
        }),
        ..version(mark, None, None)
    }
}

#[tokio::test]
async fn without_a_version_an_earlier_place_does_not_replace_a_later_one_whoever_brings_it_when() {
    let database = migrated().await;
    let store = consumer(&database).await;
    let apply =
        async |row: LedgerRow, now: i64| store.apply(&ledger([row]), at(now)).await.unwrap().ledger_written;
    assert_eq!(apply(placed("second", 0, 8, 20), 21).await, 1);
    // Taken before that was stored, by a consumer that was frozen since; or given up then, and replayed.
    assert_eq!(apply(placed("first", 0, 7, 10), 30).await, 0);
    assert_eq!(apply(placed("first", 0, 7, 21), 30).await, 0);
    assert_eq!(stored(&database).await, "second");
    // Another partition, a line of a file: they go by arrival, as what stands behind does.
    assert_eq!(apply(placed("elsewhere", 1, 3, 10), 31).await, 1);
    assert_eq!(apply(version("of a file", None, None), 32).await, 1);
    assert_eq!(apply(placed("third", 0, 9, 33), 34).await, 1);
    // The topic was made anew: its offsets begin again.
    assert_eq!(apply(placed("anew", 0, 0, 40), 41).await, 1);
    assert_eq!(stored(&database).await, "anew");
    // A version is above all places.
    assert_eq!(apply(version("versioned", Some(1), None), 42).await, 1);
    assert_eq!(apply(placed("late", 0, 50, 60), 61).await, 0);
    assert_eq!(stored(&database).await, "versioned");

    let order = |status: &str, offset: i64, taken_at: i64| OrderRow {
        updated_at: None,
        place: placed("", 0, offset, taken_at).place,
        ..order("o", status)
    };
    for (row, now, written) in [(order("PAID", 5, 1), 2, 1), (order("PENDING", 4, 1), 3, 0)] {
        assert_eq!(
            store.apply(&orders([row]), at(now)).await.unwrap().orders_written,
            written
        );
    }
}
