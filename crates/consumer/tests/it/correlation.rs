//! Log lines carry the correlation id of the message they are about, and never what is in it.
//! Holds serving contract 7.

use nsc_contracts::event::EventKind;
use nsc_testkit::Record;
use serde_json::json;

use crate::world::{World, entry, lines_with, record, with};

#[tokio::test]
async fn log_lines_carry_correlation_ids_and_no_payloads() {
    let world = World::new().await;
    let running = world.consume().await;
    let secret = "wallet-of-nobodys-business";
    let bad = |id: Option<&str>| {
        let event = with(
            entry("tx-bad"),
            json!({ "wallet_id": secret, "entry_type": format!("lower-{secret}") }),
        );
        match id {
            Some(id) => with(event, json!({ "correlation_id": id })),
            None => event,
        }
    };
    let good = with(entry("tx-good"), json!({ "wallet_id": secret }));
    world
        .produce(
            EventKind::LedgerEntry,
            vec![
                record(&bad(Some("payload-1"))).header("x-correlation-id", "header-1"),
                record(&bad(Some("payload-2"))),
                record(&bad(Some("not well formed"))).header("X-Correlation-ID", "no good either"),
                Record::new("k", format!("{secret} is not JSON")).header("X-CORRELATION-ID", "header-4"),
                record(&good).header("X-Correlation-ID", "header-5"),
                record(&with(
                    good,
                    json!({ "tx_id": "tx-2", "correlation_id": "payload-6" }),
                )),
            ],
        )
        .await;
    world.wait_for_entries(2).await;
    world.wait_for_dead_letters(4).await;
    running.stop().await;

    // The header comes first, then the payload.
    assert!(lines_with("payload-1").is_empty());
    for (id, class) in [
        ("header-1", "not_upper_case"),
        ("payload-2", "not_upper_case"),
        ("header-4", "malformed_json"),
    ] {
        let lines = lines_with(id);
        assert_eq!(lines.len(), 1, "{id}: {lines:?}");
        assert_eq!(lines[0]["correlation_id"], json!(id));
        assert_eq!(lines[0]["level"], json!("WARN"));
        assert_eq!(lines[0]["class"], json!(class));
        assert_eq!(lines[0]["topic"], json!("ledger.entry.upserted"));
    }
    for id in ["header-5", "payload-6"] {
        let lines = lines_with(id);
        assert_eq!((lines.len(), &lines[0]["correlation_id"]), (1, &json!(id)));
    }
    // One that came without a well-formed id has got one, the same in the log and among the dead letters.
    let ids = world
        .texts("SELECT correlation_id FROM bo.consumer_dlq_events")
        .await;
    let fresh = ids.iter().find(|id| id.len() == 36).expect("a fresh one");
    assert_eq!(lines_with(fresh).len(), 1);
    assert!(lines_with(secret).is_empty() && lines_with("no good either").is_empty());
}
