//! `SIGTERM` and Ctrl-C: what has begun is finished, then the process ends with 0.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use nsc_testkit::Record;
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::http;
use super::process::{PATIENCE, Service, run};
use super::world::{LEDGER_TOPIC, World, nobody_listens_here};

const EVENTS: i64 = 12_000;
const STORED: &str = "SELECT count(*) FROM bo.ledger_entries";

/// Each is an entry of its own, so that the rows that are stored and the offsets that are committed can be compared.
fn charge(n: i64) -> Value {
    json!({
        "tx_id": format!("tx-{n}"), "wallet_id": "w-1", "entry_type": "CHARGE", "amount": 1,
        "event_time": "2026-01-05T00:00:00Z",
    })
}

fn charges() -> Vec<Record> {
    let record = |event: Value| Record::new(event["tx_id"].to_string(), event.to_string());
    (0..EVENTS).map(charge).map(record).collect()
}

#[tokio::test]
async fn a_consumer_asked_to_stop_finishes_its_batches_commits_and_leaves() {
    let world = World::new().await;
    world.broker.produce(LEDGER_TOPIC, charges()).await.unwrap();
    let small = [("NSC_BATCH_ROWS", "20")];
    let mut first = world.consume(&small);
    world
        .wait_for(&mut first, "nothing is stored", STORED, |seen| seen > 0)
        .await;
    let ended = first.stop();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), ""),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("left the group"), "{}", ended.stderr);
    let stored = world.number(STORED).await;
    assert!(stored < EVENTS, "it was stopped in the middle");
    assert_eq!(
        world.committed(LEDGER_TOPIC),
        stored,
        "what is stored is committed, and nothing else"
    );

    // It has left: the next one need not wait for it to be declared dead.
    let mut second = world.consume(&[]);
    world
        .wait_for(&mut second, "the rest does not come", STORED, |seen| {
            seen == EVENTS
        })
        .await;
    second.send(Signal::INT);
    let ended = second.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(world.committed(LEDGER_TOPIC), EVENTS);
}

/// A service that says nothing looks like one that hangs.
#[tokio::test]
async fn a_service_says_that_it_starts_and_ends_at_every_level_of_the_log() {
    let world = World::new().await;
    let mut consumer = world.consume(&[("NSC_LOG", "error")]);
    until(|| consumer.log().contains("it reads events"), &consumer);
    world.broker.produce(LEDGER_TOPIC, charges()).await.unwrap();
    world
        .wait_for(&mut consumer, "nothing is stored", STORED, |seen| seen > 0)
        .await;
    let said = consumer.stop().stderr;
    for word in [
        "nsc-consumer starts",
        LEDGER_TOPIC,
        "asked to stop",
        "the consumer has stopped",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
}

/// Whoever scrapes may be cut off at any byte; Kubernetes waits half a minute for the process.
#[tokio::test]
async fn half_a_request_on_the_side_port_keeps_no_consumer_from_stopping() {
    let world = World::new().await;
    let address = nobody_listens_here();
    let consumer = world.consume(&[("NSC_METRICS_LISTEN", &address.to_string())]);
    until(|| http::get(address, "/healthz").is_ok(), &consumer);
    let mut half = TcpStream::connect(address).unwrap();
    half.write_all(b"GET /metrics HTTP/1.1\r\nHo").unwrap();
    let ended = consumer.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    drop(half);
}

#[tokio::test]
async fn a_consumer_that_waits_for_its_database_stops_when_asked() {
    let world = World::new().await;
    let nobody = format!("postgres://nsc_consumer@{}/bo", nobody_listens_here());
    let consumer = world.consume(&[("DATABASE_URL", &nobody)]);
    until(|| consumer.log().contains("waiting"), &consumer);
    let ended = consumer.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

/// Whoever started it must not take it for done.
#[tokio::test]
async fn a_backfill_asked_to_stop_says_how_far_it_came_and_that_it_was_not_all() {
    let world = World::new().await;
    let lines: String = (0..EVENTS).map(|n| format!("{}\n", charge(n))).collect();
    std::fs::write(world.directory.path().join("ledger.jsonl"), lines).unwrap();
    let url = world.database.url_of("nsc_consumer").await.unwrap();
    let environment = [("DATABASE_URL", url.as_str()), ("NSC_BATCH_ROWS", "20")];
    let arguments = ["backfill", "--ledger-file", "ledger.jsonl", "--format", "json"];
    let mut backfill = Service::start(world.directory.path(), &arguments, &environment);
    world
        .wait_for(&mut backfill, "nothing is stored", STORED, |seen| seen > 0)
        .await;
    let ended = backfill.stop();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let said: Value = serde_json::from_str(&ended.stdout).unwrap();
    let stored = world.number(STORED).await;
    assert!(stored < EVENTS, "it was stopped in the middle");
    assert_eq!(
        (&said["interrupted"], &said["written"]),
        (&json!(true), &json!(stored))
    );

    let again = run(world.directory.path(), &arguments, &environment);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(world.number(STORED).await, EVENTS);
}

#[tokio::test]
async fn an_api_asked_to_stop_answers_what_it_was_asked_before() {
    let world = World::new().await;
    let mut locker = PgConnection::connect(&world.database.url()).await.unwrap();
    let mut api = world.serve_api().await;
    let address = api.address();
    assert_eq!(http::get(address, "/readyz").unwrap().status, 200);

    let mut lock = locker.begin().await.unwrap();
    sqlx::query("LOCK TABLE bo.ledger_entries IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let asked = std::thread::spawn(move || http::get(address, "/admin/tx/tx-1").unwrap());
    let waits =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'bo.ledger_entries'::regclass";
    let begun = Instant::now();
    while world.number(waits).await == 0 {
        assert!(begun.elapsed() < PATIENCE, "the lookup does not wait");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    api.send(Signal::TERM);
    until(|| TcpStream::connect(address).is_err(), &api);
    assert!(api.runs(), "it does not end before it has answered");
    lock.rollback().await.unwrap();
    let answer = asked.join().unwrap();
    assert_eq!(answer.status, 404, "{answer:?}");
    let ended = api.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let audited = "SELECT count(*) FROM bo.admin_audit_logs WHERE resource_id = 'tx-1' AND status_code = 404";
    assert_eq!(world.number(audited).await, 1);
}

fn until(holds: impl Fn() -> bool, service: &Service) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{}", service.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}
