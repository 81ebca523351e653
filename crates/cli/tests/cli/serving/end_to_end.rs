//! The sample day from its files to an admin's answer. What is expected was read off the files by hand.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::http;
use super::process::{Ended, run};
use super::world::World;

const LEDGER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../config/sample/day/transaction_ledger.jsonl"
);
const ORDERS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../config/sample/day/payment_orders.jsonl"
);

fn publish(world: &World) -> Ended {
    let bootstrap = world.broker.bootstrap();
    let arguments = [
        "sample",
        "publish",
        "--ledger-file",
        LEDGER,
        "--payment-order-file",
        ORDERS,
    ];
    run(
        world.directory.path(),
        &arguments,
        &[("KAFKA_BROKERS", &bootstrap)],
    )
}

/// The body of a 200, without the one field that depends on the clock.
fn found(api: SocketAddr, target: &str) -> Value {
    let answer = http::get(api, target).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("cache-control: no-store"), "{answer:?}");
    let mut body = answer.json();
    if let Some(entry) = body.as_object_mut()
        && let Some(lag) = entry.remove("data_lag_sec")
    {
        let lag = lag.as_u64().unwrap();
        assert!(lag < 300, "stored just now, yet {lag} s old");
    }
    let entries = body.get_mut("ledger_entries").and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten() {
        let lag = entry.as_object_mut().and_then(|e| e.remove("data_lag_sec"));
        assert!(lag.as_ref().and_then(Value::as_u64).is_some(), "{lag:?}");
    }
    body
}

/// 327 lines, one of them twice and one with 10.005 for an amount; 156 lines, four orders in two versions.
async fn consume(world: &World) {
    let mut consumer = world.consume(&[]);
    let (entries, orders) = (
        "SELECT count(*) FROM bo.ledger_entries",
        "SELECT count(*) FROM bo.payment_orders",
    );
    world
        .wait_for(&mut consumer, "entries", entries, |seen| seen == 325)
        .await;
    world
        .wait_for(&mut consumer, "orders", orders, |seen| seen == 152)
        .await;
    let refunded = "SELECT count(*) FROM bo.payment_orders WHERE status = 'REFUNDED'";
    world
        .wait_for(&mut consumer, "refunds", refunded, |seen| seen == 3)
        .await;
    let ended = consumer.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// The one line that can never be stored: an operator finds it, with its reason.
async fn dead_letter(world: &World) {
    let id = world.number("SELECT dlq_id FROM bo.consumer_dlq_events").await;
    assert_eq!(
        world.number("SELECT count(*) FROM bo.consumer_dlq_events").await,
        1
    );
    let url = world.database.url_of("nsc_consumer").await.unwrap();
    let (directory, id) = (world.directory.path(), id.to_string());
    let shown = run(
        directory,
        &["dlq", "show", &id, "--format", "json"],
        &[("DATABASE_URL", &url)],
    );
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let told = ["topic", "key", "error_class"].map(|field| shown[field].as_str().unwrap_or_default());
    assert_eq!(
        told,
        ["ledger.entry.upserted", "tx-20260105-x902", "invalid_value"]
    );
    assert!(
        shown["payload"].as_str().unwrap().contains("\"10.005\""),
        "{shown}"
    );
}

#[tokio::test]
async fn the_sample_day_goes_from_its_files_to_an_admins_answer() {
    let world = World::new().await;
    let published = publish(&world);
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    assert_eq!(
        published.stdout,
        "ledger.entry.upserted: 327 events sent\npayment.order.upserted: 156 events sent\n"
    );
    consume(&world).await;
    dead_letter(&world).await;

    let mut service = world.serve_api().await;
    let api = service.address();
    assert_eq!(found(api, "/admin/tx/tx-20260105-0001"), charge());
    assert_eq!(found(api, "/admin/tx/tx-20260105-0009"), payment());
    assert_eq!(
        found(api, "/admin/payment-orders/PO-20260105-0059"),
        refunded_order()
    );
    wallet(api);
    let unknown = http::get(api, "/admin/tx/tx-20260105-9999").unwrap();
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.head.contains("content-type: application/problem+json"),
        "{unknown:?}"
    );
    let ended = service.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // Each of the five attempts, the one in vain included.
    assert_eq!(world.number("SELECT count(*) FROM bo.admin_audit_logs").await, 5);
}

/// Line 1: 00:01 of the fifth in Korea is 15:01 of the fourth in UTC.
fn charge() -> Value {
    json!({
        "tx_id": "tx-20260105-0001", "wallet_id": "user-1001", "event_time": "2026-01-04T15:01:00Z", "entry_type": "CHARGE",
        "amount": "250000.00", "amount_signed": "250000.00", "status": null, "status_group": "UNKNOWN",
        "sender_wallet_id": null, "receiver_wallet_id": "user-1001",
        "related": { "related_id": null, "related_type": "UNKNOWN" },
        "paired_tx_id": null, "merchant_name": null, "pairing_status": "UNKNOWN", "pairing_flags": [],
    })
}

/// Lines 9 and 10, and line 1 of the orders.
fn payment() -> Value {
    json!({
        "tx_id": "tx-20260105-0009", "wallet_id": "user-1001", "event_time": "2026-01-04T15:06:00Z", "entry_type": "PAYMENT",
        "amount": "4900.00", "amount_signed": "-4900.00", "status": "PAID", "status_group": "SUCCESS",
        "sender_wallet_id": "user-1001", "receiver_wallet_id": "shop-2003",
        "related": { "related_id": "PO-20260105-0001", "related_type": "PAYMENT_ORDER" },
        "paired_tx_id": "tx-20260105-0010", "merchant_name": "새벽마트 판교점", "pairing_status": "COMPLETE",
        "pairing_flags": [],
    })
}

/// Paid at 00:47:26 UTC, refunded at 01:53:07: the order's two lines, and four entries.
fn refunded_order() -> Value {
    let entry = |tx_id: &str, wallet_id: &str, entry_type: &str, event_time: &str| {
        let (signed, paired) = match entry_type {
            "PAYMENT" => ("-5400.00", json!("tx-20260105-0127")),
            "RECEIVE" => ("5400.00", json!("tx-20260105-0126")),
            "REFUND_OUT" => ("-5400.00", json!(null)),
            _ => ("5400.00", json!(null)),
        };
        json!({
            "tx_id": tx_id, "wallet_id": wallet_id, "entry_type": entry_type, "amount": "5400.00",
            "amount_signed": signed, "event_time": event_time, "status": "REFUNDED", "status_group": "REFUNDED",
            "paired_tx_id": paired, "pairing_status": "COMPLETE",
        })
    };
    let (paid, refunded) = ("2026-01-05T00:47:26Z", "2026-01-05T01:53:07Z");
    json!({
        "order": {
            "order_id": "PO-20260105-0059", "user_id": "user-1006", "merchant_name": "새벽마트 판교점",
            "amount": "5400.00", "status": "REFUNDED", "status_group": "REFUNDED", "created_at": paid,
        },
        "ledger_entries": [
            entry("tx-20260105-0141", "shop-2003", "REFUND_OUT", refunded),
            entry("tx-20260105-0142", "user-1006", "REFUND_IN", refunded),
            entry("tx-20260105-0126", "user-1006", "PAYMENT", paid),
            entry("tx-20260105-0127", "shop-2003", "RECEIVE", paid),
        ],
        "count": 4, "next_cursor": null, "pairing_status": "COMPLETE", "pairing_flags": [],
    })
}

/// The day of user-1001 has 21 entries, the first of them the charge of line 1.
fn wallet(api: SocketAddr) {
    let page = found(
        api,
        "/admin/wallets/user-1001/tx?from=2026-01-05T00:00:00%2B09:00&to=2026-01-05T02:00:00%2B09:00",
    );
    let ids: Vec<&str> = page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["tx_id"].as_str())
        .collect();
    assert_eq!(ids, ["tx-20260105-0009", "tx-20260105-0001"]);
    assert_eq!(
        (&page["wallet_id"], &page["count"], &page["next_cursor"]),
        (&json!("user-1001"), &json!(2), &Value::Null)
    );
}

#[tokio::test]
async fn a_backfill_of_the_same_files_says_what_became_of_every_line() {
    let world = World::new().await;
    let url = world.database.url_of("nsc_consumer").await.unwrap();
    let backfill = |directory: &Path| {
        let arguments = [
            "backfill",
            "--ledger-file",
            LEDGER,
            "--payment-order-file",
            ORDERS,
        ];
        run(directory, &arguments, &[("DATABASE_URL", &url)])
    };
    let first = backfill(world.directory.path());
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(
        first.stdout,
        "483 lines = 477 written + 5 stale or repeated + 1 dead letters + 0 outside of the time asked for + 0 blank\n"
    );
    let again = backfill(world.directory.path());
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(
        again.stdout,
        "483 lines = 0 written + 482 stale or repeated + 1 dead letters + 0 outside of the time asked for + 0 blank\n"
    );
}

#[tokio::test]
async fn sample_events_are_sent_in_the_local_environment_only() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["sample", "publish", "--ledger-file", LEDGER];
    for variables in [
        &[("NSC_ENV", "prod")][..],
        // Not said is not local, save for a broker on this machine.
        &[("KAFKA_BROKERS", "127.0.0.1:1,broker.example:9092")],
        // In the clear only.
        &[("NSC_ENV", "local"), ("KAFKA_SECURITY", "tls")],
    ] {
        let refused = run(directory.path(), &arguments, variables);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (Some(2), ""),
            "{variables:?}"
        );
        assert!(refused.stderr.contains("NSC0002"), "{}", refused.stderr);
    }
}
