//! A log that cannot be written costs its lines and nothing else.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nsc_testkit::Record;
use serde_json::json;

use super::http::{self, Answer};
use super::process::{PATIENCE, Service};
use super::world::{LEDGER_TOPIC, World, nobody_listens_here};

/// A disk that is full, and a pipe whose reader has gone.
fn unwritable() -> [(&'static str, Stdio); 2] {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    [("a full disk", full.into()), ("no reader", writer.into())]
}

fn entry(tx_id: &str, amount: &str) -> Record {
    let event = json!({
        "tx_id": tx_id, "wallet_id": "w-1", "entry_type": "CHARGE", "amount": amount,
        "event_time": "2026-01-05T00:00:00Z",
    });
    Record::new(tx_id, event.to_string())
}

#[tokio::test]
async fn a_consumer_that_cannot_log_puts_poison_aside_and_goes_on() {
    let world = World::new().await;
    let bootstrap = world.broker.bootstrap();
    for (round, (what, stderr)) in (1..).zip(unwritable()) {
        let environment = world.consumer_environment(&bootstrap);
        let mut consumer =
            Service::start_with_stderr(world.directory.path(), &["consume"], &environment, stderr);
        let poison = entry(&format!("tx-{round}-poison"), "10.005");
        world.broker.produce(LEDGER_TOPIC, vec![poison]).await.unwrap();
        let letters = "SELECT count(*) FROM bo.consumer_dlq_events";
        world
            .wait_for(&mut consumer, what, letters, |seen| seen == round)
            .await;
        let good = entry(&format!("tx-{round}-good"), "10.00");
        world.broker.produce(LEDGER_TOPIC, vec![good]).await.unwrap();
        let stored = "SELECT count(*) FROM bo.ledger_entries";
        world
            .wait_for(&mut consumer, what, stored, |seen| seen == round)
            .await;
        assert_eq!(consumer.stop().code, Some(0), "{what}");
    }
}

#[test]
fn an_api_that_cannot_log_answers_every_attempt_and_stops_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    for (what, stderr) in unwritable() {
        let (mut api, address) = api(directory.path(), stderr);
        for (target, status) in [
            ("/healthz", 200),
            // Its database is away: each is a warning of its own.
            ("/readyz", 503),
            ("/admin/tx/tx-1", 503),
            ("/admin/tx/tx-1", 503),
            ("/nowhere", 404),
        ] {
            let answer = answered(&mut api, address, target);
            assert_eq!(answer.status, status, "{target} with {what}: {answer:?}");
        }
        assert!(api.runs(), "{what}");
        assert_eq!(api.stop().code, Some(0), "{what}");
    }
}

/// With a database that is away, at level debug.
fn api(directory: &Path, stderr: Stdio) -> (Service, SocketAddr) {
    let (address, away) = (nobody_listens_here(), nobody_listens_here());
    let url = format!("postgres://nsc_api@{away}/bo");
    let listen = address.to_string();
    let environment = [
        ("DATABASE_URL", url.as_str()),
        ("AUTH_MODE", "disabled"),
        ("NSC_LOG", "debug"),
    ];
    let arguments = ["serve", "api", "--listen", listen.as_str()];
    let api = Service::start_with_stderr(directory, &arguments, &environment, stderr);
    (api, address)
}

/// The answer; its start is waited for, a connection that is dropped is not forgiven.
fn answered(api: &mut Service, address: SocketAddr, target: &str) -> Answer {
    let begun = Instant::now();
    loop {
        match http::get(address, target) {
            Ok(answer) => return answer,
            Err(error) => {
                let may_be_starting = error.kind() == io::ErrorKind::ConnectionRefused
                    && api.runs()
                    && begun.elapsed() < PATIENCE;
                assert!(may_be_starting, "{target}: {error}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
