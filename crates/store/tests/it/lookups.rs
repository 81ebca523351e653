//! The three lookups: everything the API needs, in one round trip (serving contract 6).

use nsc_core::UtcMicros;
use nsc_store::{
    Batch, EntryCursor, LedgerRow, OrderQuery, PairFlags, PairView, PeerView, Store, StoreError, TxView,
    WalletQuery,
};
use nsc_testkit::Database;

use crate::support::{api, at, consumer, entry, ledger, migrated, order, won};

async fn stores() -> (Database, Store, Store) {
    let database = migrated().await;
    let (writer, reader) = (consumer(&database).await, api(&database).await);
    (database, writer, reader)
}

fn page(wallet: &str, limit: u32) -> WalletQuery {
    WalletQuery {
        wallet_id: wallet.to_owned(),
        from: None,
        to: None,
        limit,
        after: None,
    }
}

/// An order with as many entries as a test has.
fn whole(order_id: &str) -> OrderQuery {
    OrderQuery {
        order_id: order_id.to_owned(),
        limit: 100,
        after: None,
    }
}

#[tokio::test]
async fn a_transaction_comes_with_its_order_and_pair() {
    let (_database, writer, reader) = stores().await;
    let batch = Batch {
        ledger: vec![
            LedgerRow {
                amount_signed: Some(won("-1000")),
                ..entry("p", "PAYMENT", Some("o"))
            },
            entry("r", "RECEIVE", Some("o")),
        ],
        orders: vec![order("o", "SETTLED")],
        dead_letters: vec![],
    };
    writer.apply(&batch, at(7)).await.unwrap();
    let view = reader.tx("p").await.unwrap().unwrap();
    assert_eq!(
        (view.entry.amount, view.entry.amount_signed),
        (won("1000"), Some(won("-1000")))
    );
    assert_eq!((view.entry.event_time, view.entry.ingested_at), (at(0), at(7)));
    let known = view.order.unwrap();
    assert_eq!(
        (known.status.as_str(), known.merchant_name.as_deref()),
        ("SETTLED", Some("카페"))
    );
    let pair = PairView {
        payment_tx_id: Some("p".to_owned()),
        receive_tx_id: Some("r".to_owned()),
        payer_wallet_id: Some("wallet-of-p".to_owned()),
        payee_wallet_id: Some("wallet-of-r".to_owned()),
        amount: won("1000"),
        status: Some("SETTLED".to_owned()),
    };
    assert!(pair.is_complete());
    assert_eq!((view.pair, view.peer), (Some(pair), None));
    assert_eq!(reader.tx("unknown").await.unwrap(), None);
}

#[tokio::test]
async fn without_a_complete_pair_the_opposite_entry_is_looked_up() {
    let (database, writer, reader) = stores().await;
    let of = |tx: &str, side: &str, time: i64| LedgerRow {
        event_time: at(time),
        ..entry(tx, side, Some("o"))
    };
    let rows = [
        of("p", "PAYMENT", 1),
        of("late", "RECEIVE", 3),
        of("early", "RECEIVE", 2),
        of("x", "REFUND_OUT", 0),
    ];
    writer.apply(&ledger(rows), at(0)).await.unwrap();
    // As if pairing had not been done.
    database
        .execute("DELETE FROM bo.payment_ledger_pairs")
        .await
        .unwrap();
    let view = reader.tx("p").await.unwrap().unwrap();
    let early = PeerView {
        tx_id: "early".to_owned(),
        wallet_id: "wallet-of-early".to_owned(),
    };
    assert_eq!((view.pair, view.peer), (None, Some(early)));
    assert_eq!(reader.tx("late").await.unwrap().unwrap().peer.unwrap().tx_id, "p");
    assert_eq!(reader.tx("x").await.unwrap().unwrap().peer, None);
}

#[tokio::test]
async fn an_entry_is_not_its_own_other_leg() {
    let (_database, writer, reader) = stores().await;
    let version = |n: i64, side: &str| LedgerRow {
        updated_at: Some(at(n)),
        ..entry("t", side, Some("o"))
    };
    let rows = [
        version(1, "PAYMENT"),
        version(2, "RECEIVE"),
        entry("r", "RECEIVE", Some("o")),
    ];
    for row in rows {
        writer.apply(&ledger([row]), at(0)).await.unwrap();
    }
    // What `t` was completes the pair; what it is has no other leg.
    let pair = reader.tx("r").await.unwrap().unwrap().pair.unwrap();
    assert_eq!(
        (pair.payment_tx_id.as_deref(), pair.receive_tx_id.as_deref()),
        (Some("t"), Some("r"))
    );
    let view = reader.tx("t").await.unwrap().unwrap();
    assert_eq!(
        (view.entry.entry_type.as_str(), view.pair, view.peer),
        ("RECEIVE", None, None)
    );
    let listed = reader.wallet_entries(&page("wallet-of-t", 10)).await.unwrap();
    assert_eq!(listed[0].pair, None);
}

#[tokio::test]
async fn what_is_related_to_something_else_has_neither_order_nor_pair() {
    let (_database, writer, reader) = stores().await;
    let coupon = LedgerRow {
        related_type: Some("COUPON".to_owned()),
        ..entry("c", "PAYMENT", Some("o"))
    };
    let batch = Batch {
        ledger: vec![
            coupon,
            entry("p", "PAYMENT", Some("o")),
            entry("r", "RECEIVE", Some("o")),
        ],
        orders: vec![order("o", "SETTLED")],
        dead_letters: vec![],
    };
    writer.apply(&batch, at(0)).await.unwrap();
    let TxView {
        entry,
        order,
        pair,
        peer,
        flags,
    } = reader.tx("c").await.unwrap().unwrap();
    assert_eq!(entry.related_type.as_deref(), Some("COUPON"));
    assert_eq!((order, pair, peer), (None, None, None));
    assert_eq!(flags, PairFlags::default());
    let entries = reader.order(&whole("o")).await.unwrap().unwrap().entries;
    assert_eq!(
        entries.iter().map(|e| e.tx_id.as_str()).collect::<Vec<_>>(),
        ["p", "r"]
    );
}

#[tokio::test]
async fn an_order_comes_with_its_entries_newest_first() {
    let (_database, writer, reader) = stores().await;
    let of = |tx: &str, side: &str, time: i64| LedgerRow {
        event_time: at(time),
        ..entry(tx, side, Some("o"))
    };
    let batch = Batch {
        ledger: vec![
            of("b", "PAYMENT", 1),
            of("a", "RECEIVE", 1),
            of("c", "REFUND_OUT", 2),
            of("d", "PAYMENT", 0),
        ],
        orders: vec![order("o", "REFUNDED"), order("bare", "CREATED")],
        dead_letters: vec![],
    };
    writer.apply(&batch, at(3)).await.unwrap();
    let view = reader.order(&whole("o")).await.unwrap().unwrap();
    assert_eq!(
        view.entries.iter().map(|e| e.tx_id.as_str()).collect::<Vec<_>>(),
        ["c", "a", "b", "d"]
    );
    assert_eq!(view.pair.unwrap().payment_tx_id.as_deref(), Some("d"));
    assert_eq!(
        (view.order.status.as_str(), view.order.ingested_at),
        ("REFUNDED", at(3))
    );
    let bare = reader.order(&whole("bare")).await.unwrap().unwrap();
    assert_eq!((bare.entries.len(), bare.pair), (0, None));
    assert_eq!(reader.order(&whole("unknown")).await.unwrap(), None);
}

#[tokio::test]
async fn an_orders_pages_hold_every_entry_once_and_its_status_is_the_whole_orders() {
    let (_database, writer, reader) = stores().await;
    // Types that begin alike, a related type of another kind, and many at one instant.
    let types = [
        "HOLD",
        "PAYMENT",
        "PAYMENT_ADJUSTMENT_A",
        "PAYMENT_ADJUSTMENT_B",
        "RECEIVE",
        "보류",
    ];
    let row = |n: i64| LedgerRow {
        event_time: at(n / 17),
        ..entry(&format!("t{n:03}"), types[n as usize % types.len()], Some("o"))
    };
    let mut rows: Vec<LedgerRow> = (0..101).map(row).collect();
    rows.push(LedgerRow {
        related_type: Some("COUPON".to_owned()),
        ..entry("coupon", "HOLD", Some("o"))
    });
    let batch = Batch {
        ledger: rows,
        orders: vec![order("o", "SETTLED")],
        dead_letters: vec![],
    };
    writer.apply(&batch, at(0)).await.unwrap();
    let mut expected: Vec<(i64, String)> = (0..101).map(|n| (-(n / 17), format!("t{n:03}"))).collect();
    expected.sort();
    for limit in [1, 2, 16, 17, 18, 100, 101, 1_000] {
        let (mut query, mut seen) = (OrderQuery { limit, ..whole("o") }, Vec::new());
        loop {
            let view = reader.order(&query).await.unwrap().unwrap();
            let first = |leg: &Option<PeerView>| leg.as_ref().map(|h| h.tx_id.clone()).unwrap_or_default();
            let legs = (first(&view.payment), first(&view.receive));
            assert_eq!(legs, ("t001".to_owned(), "t004".to_owned()));
            assert!(view.pair.is_some());
            let Some(last) = view.entries.last() else { break };
            query.after = Some(EntryCursor {
                event_time: last.event_time,
                tx_id: last.tx_id.clone(),
            });
            seen.extend(view.entries.iter().map(|e| e.tx_id.clone()));
        }
        let all: Vec<String> = expected.iter().map(|(_, tx)| tx.clone()).collect();
        assert_eq!(seen, all, "{limit} a page");
    }
}

#[tokio::test]
async fn ids_as_long_and_as_hard_to_compress_as_can_be_are_stored_and_found() {
    let (_database, writer, reader) = stores().await;
    // Four bytes a character, and no repetition: an index entry holds at most 2,704 bytes.
    let long = |seed: u32| -> String {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_u32(0x2_0000 + (state >> 8) % 0xa000).unwrap()
        };
        (0..255).map(|_| next()).collect()
    };
    let row = LedgerRow {
        wallet_id: long(1),
        entry_type: long(2),
        ..entry(&long(3), "", Some(&long(4)))
    };
    let payment = LedgerRow {
        wallet_id: long(1),
        ..entry(&long(5), "PAYMENT", Some(&long(4)))
    };
    let batch = Batch {
        ledger: vec![row, payment],
        orders: vec![order(&long(4), "SETTLED")],
        dead_letters: vec![],
    };
    writer.apply(&batch, at(0)).await.unwrap();
    assert_eq!(
        reader
            .order(&whole(&long(4)))
            .await
            .unwrap()
            .unwrap()
            .entries
            .len(),
        2
    );
    assert_eq!(reader.wallet_entries(&page(&long(1), 10)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_wallets_list_says_of_each_entry_what_a_single_lookup_says() {
    let (_database, writer, reader) = stores().await;
    let mine = |tx: &str, side: &str, order: Option<&str>, time: i64| LedgerRow {
        wallet_id: "me".to_owned(),
        event_time: at(time),
        ..entry(tx, side, order)
    };
    let batch = Batch {
        ledger: vec![
            mine("1", "PAYMENT", Some("complete"), 4),
            entry("2", "RECEIVE", Some("complete")),
            mine("3", "RECEIVE", Some("half"), 3),
            mine("4", "CHARGE", None, 2),
            mine("5", "PAYMENT", Some("complete"), 5),
        ],
        orders: vec![order("complete", "SETTLED"), order("half", "CREATED")],
        dead_letters: vec![],
    };
    writer.apply(&batch, at(0)).await.unwrap();
    let list = reader.wallet_entries(&page("me", 10)).await.unwrap();
    assert_eq!(
        list.iter().map(|e| e.entry.tx_id.as_str()).collect::<Vec<_>>(),
        ["5", "1", "3", "4"]
    );
    for line in &list {
        assert_eq!(Some(line), reader.tx(&line.entry.tx_id).await.unwrap().as_ref());
    }
    let said: Vec<_> = list
        .iter()
        .map(|e| {
            (
                e.pair.as_ref().map(PairView::is_complete),
                e.order.as_ref().map(|o| o.status.as_str()),
            )
        })
        .collect();
    let complete = (Some(true), Some("SETTLED"));
    assert_eq!(
        said,
        [complete, complete, (Some(false), Some("CREATED")), (None, None)]
    );
    assert!(
        list.iter()
            .all(|e| e.order.is_none() || e.order.as_ref().unwrap().merchant_name.is_some())
    );
}

#[tokio::test]
async fn a_wallets_pages_hold_every_entry_once_while_others_are_inserted() {
    let (_database, writer, reader) = stores().await;
    let mine = |tx: String, time: i64| LedgerRow {
        wallet_id: "me".to_owned(),
        event_time: at(time),
        ..entry(&tx, "CHARGE", None)
    };
    // Many with one event_time, so that pages end among equals.
    let rows: Vec<_> = (0..57).map(|n| mine(format!("t{n:02}"), n / 20)).collect();
    writer.apply(&ledger(rows), at(0)).await.unwrap();
    let mut expected: Vec<(i64, String)> = (0..57).map(|n| (-(n / 20), format!("t{n:02}"))).collect();
    expected.sort();
    for limit in [1, 7, 20] {
        let (mut query, mut seen) = (page("me", limit), Vec::new());
        loop {
            let entries = reader.wallet_entries(&query).await.unwrap();
            let Some(last) = entries.last() else { break };
            query.after = Some(EntryCursor {
                event_time: last.entry.event_time,
                tx_id: last.entry.tx_id.clone(),
            });
            seen.extend(
                entries
                    .iter()
                    .map(|e| e.entry.tx_id.clone())
                    .filter(|tx| !tx.starts_with("new")),
            );
            let new = mine(format!("new-{limit}-{}", seen.len()), 100);
            writer.apply(&ledger([new]), at(0)).await.unwrap();
        }
        assert_eq!(
            seen,
            expected.iter().map(|(_, tx)| tx.clone()).collect::<Vec<_>>(),
            "{limit} a page"
        );
    }
}

#[tokio::test]
async fn a_wallets_window_is_half_open() {
    let (_database, writer, reader) = stores().await;
    let rows: Vec<_> = (0..5)
        .map(|n| LedgerRow {
            wallet_id: "me".to_owned(),
            event_time: at(n),
            ..entry(&format!("t{n}"), "CHARGE", None)
        })
        .collect();
    writer.apply(&ledger(rows), at(0)).await.unwrap();
    let ids = async |from: Option<UtcMicros>, to: Option<UtcMicros>| {
        let entries = reader
            .wallet_entries(&WalletQuery {
                from,
                to,
                ..page("me", 100)
            })
            .await
            .unwrap();
        entries.into_iter().map(|e| e.entry.tx_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(Some(at(1)), Some(at(3))).await, ["t2", "t1"]);
    assert_eq!(ids(Some(at(3)), None).await, ["t4", "t3"]);
    assert_eq!(ids(None, Some(at(1))).await, ["t0"]);
    assert_eq!(ids(Some(at(3)), Some(at(1))).await, Vec::<String>::new());
    // Whatever a caller makes of a bound, it is a bound.
    let (lowest, highest) = (UtcMicros::new(i64::MIN), UtcMicros::new(i64::MAX));
    assert_eq!(ids(Some(lowest), Some(highest)).await.len(), 5);
    assert_eq!(ids(Some(highest), None).await.len(), 0);
    assert_eq!(
        ids(
            Some(UtcMicros::new(i64::MIN + 1)),
            Some(UtcMicros::new(i64::MAX - 1))
        )
        .await
        .len(),
        5
    );
    assert_eq!(
        ids(None, Some(UtcMicros::new(-300_000_000_000_000_000)))
            .await
            .len(),
        0
    );
}

#[tokio::test]
async fn no_id_is_an_error_of_the_database() {
    let (_database, _, reader) = stores().await;
    for id in [
        "",
        "'; DROP TABLE bo.ledger_entries; --",
        "가나다",
        "../../etc/passwd",
        "%2F",
        "\\",
        "\u{feff}",
        "a\nb",
    ] {
        assert_eq!(reader.tx(id).await.unwrap(), None, "{id:?}");
        assert_eq!(reader.order(&whole(id)).await.unwrap(), None, "{id:?}");
        assert_eq!(reader.wallet_entries(&page(id, 10)).await.unwrap(), [], "{id:?}");
    }
    let long = "x".repeat(10 * 1024);
    assert_eq!(reader.tx(&long).await.unwrap(), None);
    assert_eq!(reader.order(&whole(&long)).await.unwrap(), None);
    assert_eq!(reader.wallet_entries(&page(&long, 10)).await.unwrap(), []);
    for nul in ["\0", "a\0b"] {
        assert!(matches!(
            reader.tx(nul).await,
            Err(StoreError::Argument { what: "tx_id" })
        ));
        assert!(matches!(
            reader.order(&whole(nul)).await,
            Err(StoreError::Argument { what: "order_id" })
        ));
        let error = reader.wallet_entries(&page(nul, 10)).await.unwrap_err();
        assert!(matches!(error, StoreError::Argument { what: "wallet_id" }));
        assert!(!error.is_transient() && !error.is_refusal());
    }
    let after = |tx_id: &str| WalletQuery {
        after: Some(EntryCursor {
            event_time: at(0),
            tx_id: tx_id.to_owned(),
        }),
        ..page("w", 10)
    };
    assert_eq!(reader.wallet_entries(&after(&long)).await.unwrap(), []);
    assert!(matches!(
        reader.wallet_entries(&after("\0")).await,
        Err(StoreError::Argument { what: "cursor" })
    ));
    assert_eq!(reader.wallet_entries(&page("w", 0)).await.unwrap(), []);
    assert_eq!(reader.wallet_entries(&page("w", u32::MAX)).await.unwrap(), []);
}
