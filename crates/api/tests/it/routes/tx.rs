//! `GET /admin/tx/{tx_id}`

use nsc_core::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::world::{World, entry, order, won};

/// The body without the lag, which is checked to be small.
async fn shown(world: &World, target: &str) -> Value {
    let answer = world.get(target).await;
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let mut body = answer.json();
    let lag = body.as_object_mut().and_then(|b| b.remove("data_lag_sec"));
    assert!(
        lag.as_ref().and_then(Value::as_u64).is_some_and(|l| l < 30),
        "{lag:?}"
    );
    body
}

#[tokio::test]
async fn both_halves_and_the_order_are_told() {
    let world = World::start().await;
    let mut payment = entry(
        "tx-901",
        "payer",
        "PAYMENT",
        Some("po-1"),
        "2026-01-05T01:00:00.250Z",
    );
    payment.amount = won("1234.50");
    payment.amount_signed = Some(won("-1234.50"));
    payment.related_type = Some("PAYMENT_ORDER".to_owned());
    let receive = entry("tx-902", "payee", "RECEIVE", Some("po-1"), "2026-01-05T01:00:01Z");
    world
        .apply(vec![payment, receive], vec![order("po-1", "SETTLED")])
        .await;
    let payment = json!({
        "tx_id": "tx-901", "wallet_id": "payer", "event_time": "2026-01-05T01:00:00.250000Z", "entry_type": "PAYMENT",
        "amount": "1234.50", "amount_signed": "-1234.50", "status": "SETTLED", "status_group": "SUCCESS",
        "sender_wallet_id": "payer", "receiver_wallet_id": "payee",
        "related": {"related_id": "po-1", "related_type": "PAYMENT_ORDER"},
        "paired_tx_id": "tx-902", "merchant_name": "Coffee", "pairing_status": "COMPLETE",
        "pairing_flags": ["amount_differs"],
    });
    assert_eq!(shown(&world, "/admin/tx/tx-901").await, payment);
    let receive = json!({
        "tx_id": "tx-902", "wallet_id": "payee", "event_time": "2026-01-05T01:00:01Z", "entry_type": "RECEIVE",
        "amount": "1000.00", "amount_signed": "1000.00", "status": "SETTLED", "status_group": "SUCCESS",
        "sender_wallet_id": "payer", "receiver_wallet_id": "payee",
        "related": {"related_id": "po-1", "related_type": "PAYMENT_ORDER"},
        "paired_tx_id": "tx-901", "merchant_name": "Coffee", "pairing_status": "COMPLETE",
        "pairing_flags": ["amount_differs"],
    });
    assert_eq!(shown(&world, "/admin/tx/tx-902").await, receive);
}

#[tokio::test]
async fn an_entry_of_an_unknown_order_is_paired_once_the_order_is_known() {
    let world = World::start().await;
    let payment = entry("tx-1", "payer", "PAYMENT", Some("po-1"), "2026-01-05T01:00:00Z");
    let receive = entry("tx-2", "payee", "RECEIVE", Some("po-1"), "2026-01-05T01:00:00Z");
    world.apply(vec![payment, receive], vec![]).await;
    let unknown = shown(&world, "/admin/tx/tx-1").await;
    assert_eq!(
        [
            &unknown["pairing_status"],
            &unknown["paired_tx_id"],
            &unknown["receiver_wallet_id"]
        ],
        [&json!("UNKNOWN"), &json!(null), &json!(null)]
    );
    assert_eq!(unknown["related"]["related_type"], "UNKNOWN");
    world.apply(vec![], vec![order("po-1", "PAID")]).await;
    let known = shown(&world, "/admin/tx/tx-1").await;
    assert_eq!(
        [
            &known["pairing_status"],
            &known["paired_tx_id"],
            &known["receiver_wallet_id"]
        ],
        [&json!("COMPLETE"), &json!("tx-2"), &json!("payee")]
    );
}

#[tokio::test]
async fn one_half_whose_kind_is_named_is_incomplete_without_an_order() {
    let world = World::start().await;
    let mut half = entry("tx-1", "payer", "PAYMENT", Some("po-1"), "2026-01-05T01:00:00Z");
    half.related_type = Some("PAYMENT_ORDER".to_owned());
    world.apply(vec![half], vec![]).await;
    let body = shown(&world, "/admin/tx/tx-1").await;
    assert_eq!(body["pairing_status"], "INCOMPLETE");
    assert_eq!(
        body["related"],
        json!({"related_id": "po-1", "related_type": "PAYMENT_ORDER"})
    );
    assert_eq!(
        (&body["status"], &body["status_group"]),
        (&json!(null), &json!("UNKNOWN"))
    );
    assert_eq!(
        (&body["paired_tx_id"], &body["receiver_wallet_id"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn the_order_is_followed_when_it_comes_later_and_when_it_changes() {
    let world = World::start().await;
    let half = entry("tx-1", "payer", "PAYMENT", Some("po-1"), "2026-01-05T01:00:00Z");
    world.apply(vec![half], vec![]).await;
    world.apply(vec![], vec![order("po-1", "PENDING")]).await;
    let body = shown(&world, "/admin/tx/tx-1").await;
    assert_eq!(
        (&body["status"], &body["status_group"]),
        (&json!("PENDING"), &json!("IN_PROGRESS"))
    );
    assert_eq!(body["related"]["related_type"], "PAYMENT_ORDER");
    world.apply(vec![], vec![order("po-1", "REFUNDED")]).await;
    let body = shown(&world, "/admin/tx/tx-1").await;
    assert_eq!(
        body["status_group"],
        if body["status"] == "REFUNDED" {
            "REFUNDED"
        } else {
            "IN_PROGRESS"
        }
    );
}

#[tokio::test]
async fn outside_a_payment_order_nothing_is_paired() {
    let world = World::start().await;
    let mut coupon = entry("tx-2", "w-1", "PAYMENT", Some("po-1"), "2026-01-05T01:00:00Z");
    coupon.related_type = Some("COUPON".to_owned());
    let charge = entry("tx-1", "w-1", "CHARGE", None, "2026-01-05T01:00:00Z");
    let receive = entry("tx-3", "w-2", "RECEIVE", Some("po-1"), "2026-01-05T01:00:00Z");
    world
        .apply(vec![charge, coupon, receive], vec![order("po-1", "PAID")])
        .await;
    let body = shown(&world, "/admin/tx/tx-1").await;
    assert_eq!(body["pairing_status"], "UNKNOWN");
    assert_eq!(
        body["related"],
        json!({"related_id": null, "related_type": "UNKNOWN"})
    );
    assert_eq!(
        (&body["sender_wallet_id"], &body["receiver_wallet_id"]),
        (&json!(null), &json!("w-1"))
    );
    let body = shown(&world, "/admin/tx/tx-2").await;
    assert_eq!(
        (&body["pairing_status"], &body["paired_tx_id"]),
        (&json!("UNKNOWN"), &json!(null))
    );
    assert_eq!(body["related"]["related_type"], "COUPON");
}

#[tokio::test]
async fn an_id_may_hold_anything_that_can_be_encoded() {
    let world = World::start().await;
    let ids = [
        ("a/b/c", "a%2Fb%2Fc"),
        ("..", "%2E%2E"),
        ("50% off?#&=+", "50%25%20off%3F%23&=+"),
        ("\u{ac00}\u{1f4b8}", "%EA%B0%80%F0%9F%92%B8"),
        (
            "'; DROP TABLE bo.ledger_entries; --",
            "%27;%20DROP%20TABLE%20bo.ledger_entries;%20--",
        ),
        ("%2F", "%252F"),
    ];
    let rows = ids
        .map(|(id, _)| entry(id, "w/1", "CHARGE", None, "2026-01-05T01:00:00Z"))
        .to_vec();
    world.apply(rows, vec![]).await;
    for (id, encoded) in ids {
        assert_eq!(shown(&world, &format!("/admin/tx/{encoded}")).await["tx_id"], id);
    }
    let answer = world.get("/admin/wallets/w%2F1/tx").await;
    assert_eq!(answer.json()["count"], ids.len());
}

#[tokio::test]
async fn an_unknown_id_is_a_404() {
    let world = World::start().await;
    let longest = "x".repeat(255);
    for id in ["none", "%20", "none%2F..", &longest] {
        let answer = world.get(&format!("/admin/tx/{id}")).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (404, "not-found"),
            "{id}"
        );
    }
}

#[tokio::test]
async fn lag_counts_from_the_later_of_event_and_storage() {
    let world = World::start().await;
    let ahead = SystemClock.now().plus(3_600 * 1_000_000).to_string();
    let rows = vec![
        entry("old", "w", "CHARGE", None, "2020-01-05T01:00:00Z"),
        entry("future", "w", "CHARGE", None, &ahead),
    ];
    world.apply(rows, vec![]).await;
    assert!(
        world.get("/admin/tx/old").await.json()["data_lag_sec"]
            .as_u64()
            .is_some_and(|l| l < 30)
    );
    assert_eq!(world.get("/admin/tx/future").await.json()["data_lag_sec"], 0);
}
