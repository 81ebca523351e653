//! `GET /admin/payment-orders/{order_id}`

use serde_json::{Value, json};

use crate::world::{World, entry, order};

/// The body without the entries' lags, which are checked to be whole and small.
async fn shown(world: &World, order_id: &str) -> Value {
    let answer = world.get(&format!("/admin/payment-orders/{order_id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut body = answer.json();
    let entries = body["ledger_entries"].as_array_mut();
    for entry in entries.into_iter().flatten() {
        let lag = entry.as_object_mut().and_then(|e| e.remove("data_lag_sec"));
        assert!(
            lag.as_ref().and_then(Value::as_u64).is_some_and(|l| l < 30),
            "{lag:?}"
        );
    }
    body
}

#[tokio::test]
async fn the_order_and_its_entries_are_told_newest_first() {
    let world = World::start().await;
    let rows = vec![
        entry("tx-b", "payee", "RECEIVE", Some("po/1"), "2026-01-05T01:00:01Z"),
        entry("tx-c", "payer", "PAYMENT", Some("po/1"), "2026-01-05T01:00:00Z"),
        entry("tx-a", "payee", "HOLD", Some("po/1"), "2026-01-05T01:00:01Z"),
        entry("tx-x", "payee", "RECEIVE", Some("po/2"), "2026-01-05T01:00:01Z"),
    ];
    world.apply(rows, vec![order("po/1", "DECLINED")]).await;
    let entry = |tx_id: &str, wallet_id: &str, entry_type: &str, event_time: &str| {
        let (signed, paired) = match entry_type {
            "PAYMENT" => ("-1000.00", json!("tx-b")),
            "RECEIVE" => ("1000.00", json!("tx-c")),
            _ => ("0.00", json!(null)),
        };
        json!({
            "tx_id": tx_id, "wallet_id": wallet_id, "entry_type": entry_type, "amount": "1000.00", "amount_signed": signed,
            "event_time": event_time, "status": "DECLINED", "status_group": "FAIL", "paired_tx_id": paired,
            "pairing_status": "COMPLETE",
        })
    };
    let want = json!({
        "order": {
            "order_id": "po/1", "user_id": "user-1", "merchant_name": "Coffee", "amount": "1000.00",
            "status": "DECLINED", "status_group": "FAIL", "created_at": "2026-01-05T00:59:58Z",
        },
        "ledger_entries": [
            entry("tx-a", "payee", "HOLD", "2026-01-05T01:00:01Z"),
            entry("tx-b", "payee", "RECEIVE", "2026-01-05T01:00:01Z"),
            entry("tx-c", "payer", "PAYMENT", "2026-01-05T01:00:00Z"),
        ],
        "count": 3, "next_cursor": null, "pairing_status": "COMPLETE", "pairing_flags": [],
    });
    assert_eq!(shown(&world, "po%2F1").await, want);
}

#[tokio::test]
async fn an_order_is_as_complete_as_its_halves() {
    let world = World::start().await;
    let rows = vec![
        entry("tx-1", "payer", "PAYMENT", Some("half"), "2026-01-05T01:00:00Z"),
        entry(
            "tx-2",
            "payer",
            "REFUND_IN",
            Some("other"),
            "2026-01-05T01:00:00Z",
        ),
    ];
    let mut bare = order("bare", "ON_HOLD");
    (bare.user_id, bare.merchant_name) = (None, None);
    world
        .apply(rows, vec![order("half", "PAID"), order("other", "PAID"), bare])
        .await;
    assert_eq!(shown(&world, "half").await["pairing_status"], "INCOMPLETE");
    assert_eq!(shown(&world, "other").await["pairing_status"], "UNKNOWN");
    let bare = shown(&world, "bare").await;
    assert_eq!(
        (&bare["pairing_status"], &bare["ledger_entries"]),
        (&json!("UNKNOWN"), &json!([]))
    );
    assert_eq!(bare["order"]["user_id"], json!(null));
    assert_eq!(bare["order"]["status_group"], "UNKNOWN");
}

#[tokio::test]
async fn an_unknown_order_is_a_404_even_when_entries_name_it() {
    let world = World::start().await;
    let lone = entry("tx-1", "payer", "PAYMENT", Some("po-1"), "2026-01-05T01:00:00Z");
    world.apply(vec![lone], vec![]).await;
    for id in ["po-1", "none"] {
        let answer = world.get(&format!("/admin/payment-orders/{id}")).await;
        assert_eq!((answer.status, answer.problem().as_str()), (404, "not-found"));
    }
}

#[tokio::test]
async fn an_order_with_many_entries_is_given_in_pages_that_hold_each_once() {
    let world = World::start().await;
    let rows: Vec<_> = (0..205)
        .map(|n| {
            let kind = if n == 0 { "PAYMENT" } else { "HOLD" };
            let time = format!("2026-01-05T01:00:{:02}Z", n / 9);
            entry(&format!("tx-{n:03}"), "payer", kind, Some("po-1"), &time)
        })
        .collect();
    world.apply(rows, vec![order("po-1", "PAID")]).await;
    let mut seen = Vec::new();
    let mut target = "po-1".to_owned();
    for (count, last) in [(100, false), (100, false), (5, true)] {
        let page = shown(&world, &target).await;
        // The payment is on the last page, and counts on each.
        assert_eq!(
            (&page["count"], &page["pairing_status"]),
            (&json!(count), &json!("INCOMPLETE"))
        );
        let ids = page["ledger_entries"].as_array().unwrap();
        seen.extend(ids.iter().map(|e| e["tx_id"].as_str().unwrap().to_owned()));
        let cursor = &page["next_cursor"];
        assert_eq!(cursor.is_null(), last);
        target = format!("po-1?cursor={}", cursor.as_str().unwrap_or_default());
    }
    let mut every = seen.clone();
    every.sort();
    every.dedup();
    assert_eq!((every.len(), seen.len()), (205, 205));
    assert_eq!((seen[0].as_str(), seen[204].as_str()), ("tx-198", "tx-008"));
    for (query, status) in [
        ("limit=0", 422),
        ("limit=101", 422),
        ("cursor=AAAA", 422),
        ("from=x", 400),
    ] {
        let answer = world.get(&format!("/admin/payment-orders/po-1?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
    }
}

#[tokio::test]
async fn a_pair_that_is_hardly_one_payment_says_so() {
    let world = World::start().await;
    let mut receive = entry("tx-2", "payee", "RECEIVE", Some("po-1"), "2026-01-05T01:00:00Z");
    receive.amount = crate::world::won("900");
    let payment = entry("tx-1", "payer", "PAYMENT", Some("po-1"), "2025-01-05T01:00:00Z");
    world
        .apply(vec![payment, receive], vec![order("po-1", "PAID")])
        .await;
    let flags = json!(["amount_differs", "order_reused"]);
    let order = shown(&world, "po-1").await;
    assert_eq!(
        (&order["pairing_status"], &order["pairing_flags"]),
        (&json!("COMPLETE"), &flags)
    );
    for id in ["tx-1", "tx-2"] {
        let tx = world.get(&format!("/admin/tx/{id}")).await.json();
        assert_eq!(tx["pairing_flags"], flags, "{id}");
    }
    let page = world.get("/admin/wallets/payee/tx").await.json();
    assert_eq!(page["entries"][0]["pairing_flags"], flags);
}

#[tokio::test]
async fn an_entry_says_what_a_single_lookup_says() {
    let world = World::start().await;
    let rows = vec![
        entry("tx-1", "payer", "PAYMENT", Some("po-1"), "2026-01-05T01:00:00Z"),
        entry("tx-2", "payee", "RECEIVE", Some("po-1"), "2026-01-05T01:00:01Z"),
        entry("tx-3", "payer", "PAYMENT", Some("po-1"), "2026-01-05T01:00:02Z"),
        entry("tx-4", "payer", "REFUND_IN", Some("po-1"), "2026-01-05T01:00:03Z"),
        entry("tx-5", "payee", "RECEIVE", Some("po-2"), "2026-01-05T01:00:01Z"),
    ];
    world
        .apply(rows, vec![order("po-1", "PAID"), order("po-2", "PAID")])
        .await;
    for order_id in ["po-1", "po-2"] {
        let order = shown(&world, order_id).await;
        for line in order["ledger_entries"].as_array().into_iter().flatten() {
            let tx_id = line["tx_id"].as_str().unwrap_or_default();
            let single = world.get(&format!("/admin/tx/{tx_id}")).await.json();
            for (name, value) in line.as_object().into_iter().flatten() {
                assert_eq!(*value, single[name], "{tx_id} {name}");
            }
        }
    }
}
