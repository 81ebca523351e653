//! Pairs: complete whenever both legs exist, following their order, never falling back (serving contract 3).

use std::sync::Arc;

use nsc_store::{Batch, LedgerRow, OrderRow, PairingHealth, Store};
use nsc_testkit::Database;
use tokio::sync::Barrier;

use crate::support::{
    at, consumer, entry, ledger, lines, migrated, order, orders, superuser, value, value_on, won,
};

const INCOMPLETE: &str =
    "SELECT count(*) FROM bo.payment_ledger_pairs WHERE payment_tx_id IS NULL OR receive_tx_id IS NULL";

async fn pairs(database: &Database) -> Vec<String> {
    let columns =
        "payment_order_id, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id, amount, status";
    lines(database, columns, "bo.payment_ledger_pairs ORDER BY 1").await
}

pub(crate) async fn fresh() -> (Database, Store) {
    let database = migrated().await;
    let store = consumer(&database).await;
    (database, store)
}

/// Batches number 0 to `rounds` of several writers, those of one number at the same instant.
async fn in_step(store: &Store, rounds: usize, writers: &[fn(usize) -> Batch]) {
    let barrier = Arc::new(Barrier::new(writers.len()));
    let work = |batch: fn(usize) -> Batch| {
        let (store, barrier) = (store.clone(), Arc::clone(&barrier));
        tokio::spawn(async move {
            for n in 0..rounds {
                let batch = batch(n);
                barrier.wait().await;
                store.apply(&batch, at(0)).await.unwrap();
            }
        })
    };
    let workers: Vec<_> = writers.iter().map(|batch| work(*batch)).collect();
    for worker in workers {
        worker.await.unwrap();
    }
}

#[tokio::test]
async fn legs_processed_at_the_same_instant_always_find_each_other() {
    const ORDERS: usize = 500;
    let (database, store) = fresh().await;
    let writers: [fn(usize) -> Batch; 3] = [
        |n| ledger([entry(&format!("p{n}"), "PAYMENT", Some(&format!("o{n}")))]),
        |n| ledger([entry(&format!("r{n}"), "RECEIVE", Some(&format!("o{n}")))]),
        |n| orders([order(&format!("o{n}"), "SETTLED")]),
    ];
    in_step(&store, ORDERS, &writers).await;
    assert_eq!(
        value::<i64>(&database, "SELECT count(*) FROM bo.payment_ledger_pairs").await,
        ORDERS as i64
    );
    assert_eq!(value::<i64>(&database, INCOMPLETE).await, 0);
    let without_status =
        "SELECT count(*) FROM bo.payment_ledger_pairs WHERE status IS DISTINCT FROM 'SETTLED'";
    assert_eq!(value::<i64>(&database, without_status).await, 0);
}

#[tokio::test]
async fn amount_and_status_come_from_the_order_and_follow_it() {
    let (database, store) = fresh().await;
    let payment = LedgerRow {
        amount: won("900"),
        ..entry("p", "PAYMENT", Some("o"))
    };
    let receive = LedgerRow {
        amount: won("800"),
        ..entry("r", "RECEIVE", Some("o"))
    };
    let applied = store.apply(&ledger([receive]), at(0)).await.unwrap();
    assert_eq!((applied.pairs_incomplete, applied.pairs_complete), (1, 0));
    assert_eq!(pairs(&database).await, ["o|-|r|-|wallet-of-r|800.00|-"]);
    let applied = store.apply(&ledger([payment]), at(0)).await.unwrap();
    assert_eq!((applied.pairs_incomplete, applied.pairs_complete), (0, 1));
    assert_eq!(pairs(&database).await, ["o|p|r|wallet-of-p|wallet-of-r|900.00|-"]);
    // The order comes last, and changes later.
    let applied = store
        .apply(&orders([order("o", "CREATED")]), at(0))
        .await
        .unwrap();
    assert_eq!((applied.pairs_incomplete, applied.pairs_complete), (0, 0));
    assert_eq!(
        pairs(&database).await,
        ["o|p|r|wallet-of-p|wallet-of-r|1000.00|CREATED"]
    );
    let settled = OrderRow {
        amount: won("1234.50"),
        updated_at: Some(at(1)),
        ..order("o", "SETTLED")
    };
    store.apply(&orders([settled]), at(0)).await.unwrap();
    assert_eq!(
        pairs(&database).await,
        ["o|p|r|wallet-of-p|wallet-of-r|1234.50|SETTLED"]
    );
    // An older version of the order does not take it back.
    store
        .apply(&orders([order("o", "CREATED")]), at(0))
        .await
        .unwrap();
    assert_eq!(
        pairs(&database).await,
        ["o|p|r|wallet-of-p|wallet-of-r|1234.50|SETTLED"]
    );
}

#[tokio::test]
async fn an_order_without_entries_has_no_pair() {
    let (database, store) = fresh().await;
    store
        .apply(&orders([order("o", "CREATED"), order("other", "CREATED")]), at(0))
        .await
        .unwrap();
    store
        .apply(&ledger([entry("x", "REFUND_OUT", Some("o"))]), at(0))
        .await
        .unwrap();
    assert_eq!(pairs(&database).await, Vec::<String>::new());
    store
        .apply(&ledger([entry("p", "PAYMENT", Some("o"))]), at(0))
        .await
        .unwrap();
    assert_eq!(pairs(&database).await, ["o|p|-|wallet-of-p|-|1000.00|CREATED"]);
}

#[tokio::test]
async fn only_payment_orders_are_paired_and_the_rest_is_counted() {
    let (database, store) = fresh().await;
    let of = |tx: &str, kind: Option<&str>| LedgerRow {
        related_type: kind.map(str::to_owned),
        ..entry(tx, "PAYMENT", Some("o"))
    };
    let rows = [
        of("a", Some("COUPON")),
        of("b", Some("payment_order")),
        entry("c", "CHARGE", None),
    ];
    let applied = store.apply(&ledger(rows), at(0)).await.unwrap();
    assert_eq!((applied.skipped_related, applied.ledger_written), (2, 3));
    assert_eq!(pairs(&database).await, Vec::<String>::new());
    let applied = store
        .apply(&ledger([of("d", Some("PAYMENT_ORDER"))]), at(0))
        .await
        .unwrap();
    assert_eq!((applied.skipped_related, applied.pairs_incomplete), (0, 1));
}

#[tokio::test]
async fn of_several_legs_the_earliest_counts_and_then_the_lowest_tx_id() {
    let (database, store) = fresh().await;
    let leg = |tx: &str, side: &str, time: i64| LedgerRow {
        event_time: at(time),
        ..entry(tx, side, Some("o"))
    };
    for rows in [
        [leg("p3", "PAYMENT", 5), leg("r2", "RECEIVE", 7)],
        [leg("p1", "PAYMENT", 6), leg("r1", "RECEIVE", 7)],
        [leg("p2", "PAYMENT", 5), leg("r0", "RECEIVE", 8)],
    ] {
        store.apply(&ledger(rows), at(0)).await.unwrap();
    }
    assert_eq!(
        pairs(&database).await,
        ["o|p2|r1|wallet-of-p2|wallet-of-r1|1000.00|-"]
    );
}

#[tokio::test]
async fn a_correction_that_moves_a_leg_away_leaves_the_pair_complete_in_any_order() {
    let (database, store) = fresh().await;
    let mut eye = superuser(&database.url()).await;
    for (case, order) in permutations(5).iter().enumerate() {
        let (own, elsewhere, p, r) = (
            format!("o{case}"),
            format!("elsewhere{case}"),
            format!("p{case}"),
            format!("r{case}"),
        );
        let version = |n: i64, entry: LedgerRow| LedgerRow {
            updated_at: Some(at(n)),
            ..entry
        };
        let coupon = LedgerRow {
            related_type: Some("COUPON".to_owned()),
            ..entry(&p, "PAYMENT", Some(&own))
        };
        let events = [
            version(1, entry(&p, "PAYMENT", Some(&own))),
            version(2, entry(&p, "PAYMENT", Some(&elsewhere))),
            version(3, entry(&p, "CHARGE", None)),
            version(4, coupon),
            entry(&r, "RECEIVE", Some(&own)),
        ];
        let mut was_complete = false;
        for index in order {
            store
                .apply(&ledger([events[*index].clone()]), at(0))
                .await
                .unwrap();
            let sql = format!(
                "SELECT count(*) = 1 FROM bo.payment_ledger_pairs
                 WHERE payment_order_id = '{own}' AND payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL"
            );
            let complete: bool = value_on(&mut eye, &sql).await;
            assert!(complete || !was_complete, "fell back at {index} of {order:?}");
            was_complete = complete;
        }
        assert!(was_complete, "{order:?}");
        let sql = format!(
            "SELECT payment_tx_id = '{p}' AND receive_tx_id IS NULL
             FROM bo.payment_ledger_pairs WHERE payment_order_id = '{elsewhere}'"
        );
        assert!(value_on::<bool>(&mut eye, &sql).await, "{order:?}");
    }
}

/// A leg of an order in some version, and when it happened.
fn leg(tx_id: &str, side: &str, order: &str, version: i64, time: i64) -> LedgerRow {
    LedgerRow {
        event_time: at(time),
        source_version: Some(version),
        ..entry(tx_id, side, Some(order))
    }
}

/// Events of the order `o` in every order, one by one, some at once and all at once: the pairs there are in the end.
async fn whatever_comes_first(events: &[LedgerRow], expected: &[&str]) {
    let (database, store) = fresh().await;
    for order in permutations(events.len()) {
        for size in 1..=events.len() {
            for indices in order.chunks(size) {
                let rows: Vec<LedgerRow> = indices.iter().map(|i| events[*i].clone()).collect();
                store.apply(&ledger(rows), at(0)).await.unwrap();
            }
            assert_eq!(pairs(&database).await, expected, "{order:?}, {size} a batch");
            let clean = "DELETE FROM bo.payment_ledger_pairs; DELETE FROM bo.ledger_entries; DELETE FROM bo.moved_halves";
            database.execute(clean).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_entry_corrected_to_the_other_side_is_not_both_legs() {
    let (was, is) = (leg("t", "PAYMENT", "o", 1, 0), leg("t", "RECEIVE", "o", 2, 0));
    whatever_comes_first(&[was.clone(), is.clone()], &["o|-|t|-|wallet-of-t|1000.00|-"]).await;
    let payment = leg("p", "PAYMENT", "o", 1, 5);
    let expected = ["o|p|t|wallet-of-p|wallet-of-t|1000.00|-"];
    whatever_comes_first(&[was, is, payment], &expected).await;
}

#[tokio::test]
async fn an_entry_that_comes_back_to_the_other_side_is_not_both_legs() {
    let events = [
        leg("t", "RECEIVE", "o", 1, 0),
        leg("t", "REFUND_OUT", "o", 2, 0),
        leg("t", "PAYMENT", "o", 3, 0),
    ];
    whatever_comes_first(&events, &["o|t|-|wallet-of-t|-|1000.00|-"]).await;
}

#[tokio::test]
async fn an_entry_that_was_both_sides_and_is_none_stays_one_of_them() {
    let events = [
        leg("t", "PAYMENT", "o", 1, 0),
        leg("t", "RECEIVE", "o", 2, 0),
        leg("t", "REFUND_OUT", "o", 3, 0),
    ];
    whatever_comes_first(&events, &["o|t|-|wallet-of-t|-|1000.00|-"]).await;
}

#[tokio::test]
async fn a_current_leg_comes_before_a_former_one() {
    let events = [
        LedgerRow {
            amount: won("1"),
            ..leg("t", "PAYMENT", "o", 1, 0)
        },
        leg("t", "PAYMENT", "x", 2, 0),
        LedgerRow {
            amount: won("2"),
            ..leg("p", "PAYMENT", "o", 1, 5)
        },
        leg("r", "RECEIVE", "o", 1, 5),
    ];
    let expected = [
        "o|p|r|wallet-of-p|wallet-of-r|2.00|-",
        "x|t|-|wallet-of-t|-|1000.00|-",
    ];
    whatever_comes_first(&events, &expected).await;
}

#[tokio::test]
async fn a_pair_that_only_a_former_leg_completes_stays_complete() {
    // Without the former leg there is no payment; with `t` as receipt, as it is now, it would be both.
    let events = [
        leg("t", "PAYMENT", "o", 1, 0),
        leg("t", "RECEIVE", "o", 2, 0),
        leg("r", "RECEIVE", "o", 1, 5),
    ];
    whatever_comes_first(&events, &["o|t|r|wallet-of-t|wallet-of-r|1000.00|-"]).await;
}

#[tokio::test]
async fn a_correction_is_counted_as_what_it_makes_of_its_pairs() {
    let (_database, store) = fresh().await;
    let counts = async |rows: Vec<LedgerRow>| {
        let applied = store.apply(&ledger(rows), at(0)).await.unwrap();
        (
            applied.ledger_written,
            applied.ledger_stale,
            applied.pairs_incomplete,
            applied.pairs_complete,
        )
    };
    let (was, is) = (leg("t", "PAYMENT", "o", 1, 0), leg("t", "RECEIVE", "o", 2, 0));
    assert_eq!(counts(vec![was.clone()]).await, (1, 0, 1, 0));
    assert_eq!(counts(vec![is.clone()]).await, (1, 0, 0, 0));
    assert_eq!(counts(vec![was, is]).await, (0, 2, 0, 0));
    assert_eq!(counts(vec![leg("p", "PAYMENT", "o", 1, 0)]).await, (1, 0, 0, 1));
    // It opens one pair and leaves another, which stays complete.
    assert_eq!(
        counts(vec![leg("t", "RECEIVE", "other", 3, 0)]).await,
        (1, 0, 1, 0)
    );
    // Of an order that nobody has heard of.
    let (was, is) = (leg("u", "PAYMENT", "new", 1, 0), leg("u", "RECEIVE", "new", 2, 0));
    assert_eq!(counts(vec![is.clone(), was.clone()]).await, (1, 1, 1, 0));
    let rows = vec![
        leg("v", "PAYMENT", "newer", 1, 0),
        leg("v", "RECEIVE", "newer", 2, 0),
        leg("w", "RECEIVE", "newer", 1, 0),
    ];
    assert_eq!(counts(rows).await, (2, 1, 0, 1));
}

#[tokio::test]
async fn corrections_and_legs_processed_at_the_same_instant_end_alike() {
    const ORDERS: usize = 200;
    let (database, store) = fresh().await;
    let right = async |sql: &str| {
        let sql = format!("SELECT count(*) FROM bo.payment_ledger_pairs WHERE {sql}");
        assert_eq!(value::<i64>(&database, &sql).await, ORDERS as i64, "{sql}");
    };
    // A side that only a former leg holds.
    for n in 0..ORDERS {
        for (order, version) in [("a", 1), ("elsewhere", 2)] {
            let row = leg(&format!("t{n}"), "PAYMENT", &format!("{order}{n}"), version, 0);
            store.apply(&ledger([row]), at(0)).await.unwrap();
        }
    }
    let writers: [fn(usize) -> Batch; 4] = [
        |n| ledger([leg(&format!("p{n}"), "PAYMENT", &format!("a{n}"), 1, 5)]),
        |n| ledger([leg(&format!("r{n}"), "RECEIVE", &format!("a{n}"), 1, 5)]),
        |n| ledger([leg(&format!("t{n}"), "PAYMENT", &format!("a{n}"), 1, 0)]),
        |n| orders([order(&format!("a{n}"), "SETTLED")]),
    ];
    in_step(&store, ORDERS, &writers).await;
    right("payment_order_id LIKE 'a%' AND payment_tx_id LIKE 'p%' AND receive_tx_id LIKE 'r%' AND status = 'SETTLED'")
        .await;

    // A leg that leaves while the one that takes its place comes.
    for n in 0..ORDERS {
        let row = leg(&format!("u{n}"), "PAYMENT", &format!("b{n}"), 1, 0);
        store.apply(&ledger([row]), at(0)).await.unwrap();
    }
    let writers: [fn(usize) -> Batch; 4] = [
        |n| ledger([leg(&format!("u{n}"), "PAYMENT", &format!("c{n}"), 2, 0)]),
        |n| ledger([leg(&format!("q{n}"), "PAYMENT", &format!("b{n}"), 1, 5)]),
        |n| ledger([leg(&format!("s{n}"), "RECEIVE", &format!("b{n}"), 1, 5)]),
        |n| ledger([leg(&format!("x{n}"), "RECEIVE", &format!("c{n}"), 1, 5)]),
    ];
    in_step(&store, ORDERS, &writers).await;
    right("payment_order_id LIKE 'b%' AND payment_tx_id LIKE 'q%' AND receive_tx_id LIKE 's%'").await;
    right("payment_order_id LIKE 'c%' AND payment_tx_id LIKE 'u%' AND receive_tx_id LIKE 'x%'").await;

    // A leg that changes sides while the one that takes its place comes.
    for n in 0..ORDERS {
        let row = leg(&format!("v{n}"), "PAYMENT", &format!("d{n}"), 1, 0);
        store.apply(&ledger([row]), at(0)).await.unwrap();
    }
    let writers: [fn(usize) -> Batch; 3] = [
        |n| ledger([leg(&format!("v{n}"), "RECEIVE", &format!("d{n}"), 2, 0)]),
        |n| ledger([leg(&format!("y{n}"), "PAYMENT", &format!("d{n}"), 1, 5)]),
        |n| ledger([leg(&format!("z{n}"), "RECEIVE", &format!("d{n}"), 1, 5)]),
    ];
    in_step(&store, ORDERS, &writers).await;
    right("payment_order_id LIKE 'd%' AND payment_tx_id LIKE 'y%' AND receive_tx_id LIKE 'v%'").await;
}

pub(crate) fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(n - 1);
    shorter
        .iter()
        .flat_map(|p| {
            (0..n).map(|at| {
                let mut longer = p.clone();
                longer.insert(at, n - 1);
                longer
            })
        })
        .collect()
}

#[tokio::test]
async fn health_counts_the_pairs_that_wait_and_knows_the_oldest() {
    let (_database, store) = fresh().await;
    assert_eq!(store.pairing_health().await.unwrap(), PairingHealth::default());
    let leg = |tx: &str, side: &str, order: &str, time: i64| LedgerRow {
        event_time: at(time),
        ..entry(tx, side, Some(order))
    };
    let rows = [
        leg("a", "PAYMENT", "o1", 3),
        leg("b", "RECEIVE", "o2", 2),
        leg("c", "PAYMENT", "o3", 1),
    ];
    store.apply(&ledger(rows), at(0)).await.unwrap();
    store
        .apply(&ledger([leg("d", "RECEIVE", "o3", 9)]), at(0))
        .await
        .unwrap();
    let health = store.pairing_health().await.unwrap();
    assert_eq!(
        health,
        PairingHealth {
            incomplete: 2,
            oldest: Some(at(2))
        }
    );
}

#[tokio::test]
async fn a_leg_that_joins_while_the_order_changes_does_not_take_the_order_back() {
    const ORDERS: usize = 300;
    let (database, store) = fresh().await;
    for n in 0..ORDERS {
        let batch = Batch {
            ledger: vec![entry(&format!("p{n}"), "PAYMENT", Some(&format!("o{n}")))],
            orders: vec![order(&format!("o{n}"), "CREATED")],
            ..Batch::default()
        };
        store.apply(&batch, at(0)).await.unwrap();
    }
    let writers: [fn(usize) -> Batch; 2] = [
        |n| ledger([entry(&format!("r{n}"), "RECEIVE", Some(&format!("o{n}")))]),
        |n| {
            orders([OrderRow {
                amount: won("1234.50"),
                updated_at: Some(at(1)),
                ..order(&format!("o{n}"), "SETTLED")
            }])
        },
    ];
    in_step(&store, ORDERS, &writers).await;
    let right = "SELECT count(*) FROM bo.payment_ledger_pairs WHERE payment_tx_id = replace(payment_order_id, 'o', 'p')
        AND receive_tx_id = replace(payment_order_id, 'o', 'r') AND amount = 1234.50 AND status = 'SETTLED'";
    assert_eq!(value::<i64>(&database, right).await, ORDERS as i64);
}

#[tokio::test]
async fn a_leg_that_joins_together_with_a_newer_order_brings_the_order_along() {
    let (database, store) = fresh().await;
    let first = Batch {
        ledger: vec![entry("p", "PAYMENT", Some("o"))],
        orders: vec![order("o", "CREATED")],
        ..Batch::default()
    };
    store.apply(&first, at(0)).await.unwrap();
    let second = Batch {
        ledger: vec![entry("r", "RECEIVE", Some("o"))],
        orders: vec![OrderRow {
            amount: won("1234.50"),
            updated_at: Some(at(1)),
            ..order("o", "SETTLED")
        }],
        ..Batch::default()
    };
    let applied = store.apply(&second, at(0)).await.unwrap();
    assert_eq!((applied.pairs_incomplete, applied.pairs_complete), (0, 1));
    assert_eq!(
        pairs(&database).await,
        ["o|p|r|wallet-of-p|wallet-of-r|1234.50|SETTLED"]
    );
}
