//! What is said of a pair that is hardly one payment (serving contract 3), in the answers and in what a batch counts.

use nsc_store::{FlaggedPairs, LedgerRow, OrderQuery, OrderRow, PairFlags, Store};

use crate::pairing::{fresh, permutations};
use crate::support::{api, at, entry, ledger, order, orders, won};

const DAY: i64 = 24 * 3_600;

fn leg(tx_id: &str, side: &str, order: &str, amount: &str, seconds: i64) -> LedgerRow {
    LedgerRow {
        amount: won(amount),
        event_time: at(seconds),
        updated_at: Some(at(seconds)),
        ..entry(tx_id, side, Some(order))
    }
}

/// What the lookups say of the pair of an order and of one of its entries.
async fn flags(reader: &Store, order_id: &str, tx_id: &str) -> (PairFlags, PairFlags) {
    let query = OrderQuery {
        order_id: order_id.to_owned(),
        limit: 10,
        after: None,
    };
    let order = reader.order(&query).await.unwrap().unwrap();
    (order.flags, reader.tx(tx_id).await.unwrap().unwrap().flags)
}

#[tokio::test]
async fn legs_of_different_amounts_are_complete_and_marked_in_any_order() {
    let (database, store) = fresh().await;
    let reader = api(&database).await;
    let amount_differs = PairFlags {
        amount_differs: true,
        ..PairFlags::default()
    };
    for (case, order_of_events) in permutations(3).iter().enumerate() {
        let (o, p, r) = (format!("o{case}"), format!("p{case}"), format!("r{case}"));
        let events = [
            ledger([leg(&p, "PAYMENT", &o, "10.00", 0)]),
            ledger([leg(&r, "RECEIVE", &o, "9.00", 1)]),
            orders([order(&o, "SETTLED")]),
        ];
        let mut counted = FlaggedPairs::default();
        for event in order_of_events {
            let applied = store.apply(&events[*event], at(0)).await.unwrap();
            counted.amount_differs += applied.flagged.amount_differs;
            counted.order_reused += applied.flagged.order_reused;
        }
        assert_eq!(
            (counted.amount_differs, counted.order_reused),
            (1, 0),
            "{order_of_events:?}"
        );
        assert_eq!(flags(&reader, &o, &p).await, (amount_differs, amount_differs));
        assert_eq!(flags(&reader, &o, &r).await, (amount_differs, amount_differs));
        // A delivery repeated tells nothing new.
        let again = store.apply(&events[0], at(0)).await.unwrap();
        assert_eq!(again.flagged, FlaggedPairs::default());
    }
    // Both in one batch are seen too, and a correction takes the mark away.
    let both = [
        leg("p", "PAYMENT", "both", "10.00", 0),
        leg("r", "RECEIVE", "both", "9.00", 0),
    ];
    let applied = store.apply(&ledger(both), at(0)).await.unwrap();
    assert_eq!(applied.flagged.amount_differs, 1);
    let corrected = LedgerRow {
        updated_at: Some(at(5)),
        ..leg("r", "RECEIVE", "both", "10.00", 0)
    };
    store.apply(&ledger([corrected]), at(0)).await.unwrap();
    store
        .apply(&orders([order("both", "SETTLED")]), at(0))
        .await
        .unwrap();
    assert_eq!(
        flags(&reader, "both", "p").await,
        (PairFlags::default(), PairFlags::default())
    );
}

#[tokio::test]
async fn an_order_id_used_again_is_marked_where_the_other_leg_is_of_another_time() {
    let (database, store) = fresh().await;
    let reader = api(&database).await;
    let year = 365 * DAY;
    let last_year = [
        leg("p1", "PAYMENT", "o", "10.00", -year),
        leg("r1", "RECEIVE", "o", "10.00", -year),
    ];
    let applied = store.apply(&ledger(last_year), at(0)).await.unwrap();
    assert_eq!(applied.flagged, FlaggedPairs::default());
    let applied = store
        .apply(&ledger([leg("p2", "PAYMENT", "o", "10.00", 0)]), at(0))
        .await
        .unwrap();
    assert_eq!(applied.flagged.order_reused, 1);
    let this_year = OrderRow {
        created_at: at(0),
        ..order("o", "SETTLED")
    };
    store.apply(&orders([this_year]), at(0)).await.unwrap();
    let reused = PairFlags {
        order_reused: true,
        ..PairFlags::default()
    };
    // The new payment is shown with last year's other leg; and last year's pair with this year's order.
    assert_eq!(flags(&reader, "o", "p2").await, (reused, reused));
    assert_eq!(flags(&reader, "o", "p1").await, (reused, reused));
    // A payment that comes late after its order is nothing to wonder at, nor are legs of one day.
    let late = [
        leg("p3", "PAYMENT", "late", "10.00", 40 * DAY),
        leg("r3", "RECEIVE", "late", "10.00", 41 * DAY),
    ];
    let applied = store.apply(&ledger(late), at(0)).await.unwrap();
    store
        .apply(&orders([order("late", "SETTLED")]), at(0))
        .await
        .unwrap();
    assert_eq!(applied.flagged, FlaggedPairs::default());
    assert_eq!(
        flags(&reader, "late", "p3").await,
        (PairFlags::default(), PairFlags::default())
    );
}

#[tokio::test]
async fn one_tx_id_for_both_legs_is_marked_and_not_silently_leg() {
    let (database, store) = fresh().await;
    let reader = api(&database).await;
    let (one, other) = (
        leg("t", "PAYMENT", "o", "10.00", 0),
        leg("t", "RECEIVE", "o", "10.00", 1),
    );
    let same_tx = PairFlags {
        same_tx: true,
        ..PairFlags::default()
    };
    let renamed = |row: &LedgerRow, case: &str| LedgerRow {
        tx_id: format!("t{case}"),
        related_id: Some(format!("o{case}")),
        ..row.clone()
    };
    for (case, batches) in [
        ("together", vec![vec![&one, &other]]),
        ("later", vec![vec![&one], vec![&other]]),
        ("earlier", vec![vec![&other], vec![&one]]),
    ] {
        let mut counted = 0;
        for batch in batches {
            let rows: Vec<LedgerRow> = batch.into_iter().map(|row| renamed(row, case)).collect();
            counted += store.apply(&ledger(rows), at(0)).await.unwrap().flagged.same_tx;
        }
        assert_eq!(counted, 1, "{case}");
        let (order_id, tx_id) = (format!("o{case}"), format!("t{case}"));
        store
            .apply(&orders([order(&order_id, "SETTLED")]), at(0))
            .await
            .unwrap();
        assert_eq!(
            flags(&reader, &order_id, &tx_id).await,
            (same_tx, same_tx),
            "{case}"
        );
    }
    // One tx_id for two different orders is no such thing.
    let rows = [
        leg("moved", "PAYMENT", "a", "1", 0),
        leg("moved", "RECEIVE", "b", "1", 1),
    ];
    assert_eq!(
        store.apply(&ledger(rows), at(0)).await.unwrap().flagged.same_tx,
        0
    );
    assert_eq!(
        reader.tx("moved").await.unwrap().unwrap().flags,
        PairFlags::default()
    );
}
