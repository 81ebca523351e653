//! `GET /admin/payment-orders/{order_id}`

use serde_json::{Value, json};

use crate::world::{World, entry, order};

async fn shown(world: &World, order_id: &str) -> Value {
    let answer = world.get(&format!("/admin/payment-orders/{order_id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
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
        json!({
            "tx_id": tx_id, "wallet_id": wallet_id, "entry_type": entry_type, "amount": "1000.00", "amount_signed": null,
            "event_time": event_time,
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
        "pairing_status": "COMPLETE",
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
