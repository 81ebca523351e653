//! `nsc ingest kafka`: each message once, whatever happens to whoever takes them (sources contract 3.1).

use std::path::Path;
use std::time::Duration;

use nsc_testkit::{Broker, Record};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::serving::process::{Ended, Service, run};
use crate::world::as_json;

const TOPIC: &str = "ledger";
const PARTITIONS: i32 = 3;

struct World {
    directory: TempDir,
    broker: Broker,
}

impl World {
    async fn new() -> Self {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, PARTITIONS).await.unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            broker,
        }
    }

    fn root(&self) -> std::path::PathBuf {
        self.directory.path().join("lake")
    }

    fn with<T>(&self, more: &[&str], run: impl Fn(&Path, &[&str], &[(&str, &str)]) -> T) -> T {
        let (bootstrap, root) = (self.broker.bootstrap(), self.root());
        let environment = [
            ("KAFKA_BROKERS", bootstrap.as_str()),
            ("NSC_STREAM_TOPICS", "ledger=transaction_ledger"),
            ("NSC_ROOT", root.to_str().unwrap()),
            ("NSC_ENV", "local"),
            ("KAFKA_SESSION_TIMEOUT_MS", "3000"),
        ];
        let arguments = [&["--format", "json", "ingest", "kafka"], more].concat();
        run(self.directory.path(), &arguments, &environment)
    }

    /// Takes what is there, and what came of the topic.
    fn take(&self) -> Value {
        let ended = self.ended();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()[0].clone()
    }

    fn ended(&self) -> Ended {
        self.with(&["--max-idle-seconds", "4"], run)
    }

    fn start(&self) -> Service {
        self.with(&["--batch-seconds", "1"], Service::start)
    }

    fn one(&self, statement: &str) -> Value {
        as_json(&self.root(), &["sql", statement])[0].clone()
    }

    /// Rows, different references, different ids.
    fn counts(&self) -> [u64; 3] {
        let found = self.one(
            "SELECT count(*) AS n, count(DISTINCT source_ref) AS refs, count(DISTINCT tx_id) AS ids \
             FROM bronze.transaction_ledger_raw",
        );
        ["n", "refs", "ids"].map(|name| found[name].as_u64().unwrap())
    }
}

fn entry(n: usize) -> Record {
    let body = json!({"tx_id": format!("tx-{n}"), "wallet_id": "w", "type": "CHARGE", "amount": "1.00"});
    Record::new(format!("key-{n}"), body.to_string())
}

fn entries(range: std::ops::Range<usize>) -> Vec<Record> {
    range.map(entry).collect()
}

#[tokio::test]
async fn messages_are_rows_once_however_often_they_are_taken() {
    let world = World::new().await;
    world.broker.produce(TOPIC, entries(0..2_000)).await.unwrap();
    let first = world.take();
    assert_eq!(first["messages"], 2_000, "{first}");
    assert_eq!(world.counts(), [2_000; 3]);
    let again = world.take();
    assert_eq!(
        (&again["messages"], &again["commits"]),
        (&json!(0), &json!(0)),
        "{again}"
    );
    world.broker.produce(TOPIC, entries(2_000..2_500)).await.unwrap();
    assert_eq!(world.take()["messages"], 500);
    assert_eq!(world.counts(), [2_500; 3]);
    // Where each row is from, and when it was taken in, is said by us.
    let row = world.one(
        "SELECT source_ref, load_id, ingested_at, source_extracted_at, ingest_date FROM bronze.transaction_ledger_raw \
         WHERE tx_id = 'tx-7'",
    );
    let reference = row["source_ref"].as_str().unwrap();
    assert!(reference.starts_with("kafka:ledger/"), "{row}");
    assert!(
        row["load_id"].is_null() && row["source_extracted_at"].is_string() && row["ingested_at"].is_string(),
        "{row}"
    );
}

#[tokio::test]
async fn a_message_is_one_record_whatever_its_bytes() {
    let world = World::new().await;
    let of = |body: &[u8]| Record::new("one-partition", body);
    let records = vec![
        of(b"{\"tx_id\":\n\"pretty\",\n\"amount\": 1.50}\n"),
        of("\u{feff}{\"tx_id\":\"bom\"}".as_bytes()),
        of(b"{\"tx_id\":\"a\nb\"}"),
        of(b"{\"tx_id\":\"\xff\"}"),
        of(b""),
        Record::tombstone("one-partition"),
        of(b"{\"tx_id\":\"own\",\"ingested_at\":\"2020-01-01T00:00:00Z\",\"batch_id\":\"b\",\"_op\":1}"),
        of(b"{} {}"),
    ];
    world.broker.produce(TOPIC, records).await.unwrap();
    let taken = world.take();
    assert_eq!(
        json!({"messages": 8, "rows": 7, "malformed": 4, "tombstones": 1}),
        json!({"messages": taken["messages"], "rows": taken["rows"], "malformed": taken["malformed"],
               "tombstones": taken["tombstones"]}),
        "{taken}"
    );
    let rows = as_json(
        &world.root(),
        &[
            "sql",
            "SELECT tx_id, amount, left(_corrupt_record, 12) AS corrupt, ingested_at__2, batch_id, batch_id__2, _op \
             FROM bronze.transaction_ledger_raw ORDER BY source_ref",
        ],
    );
    let rows = rows.as_array().unwrap();
    let at = |n: usize, column: &str| rows[n][column].clone();
    assert_eq!(
        (at(0, "tx_id"), at(0, "amount")),
        (json!("pretty"), json!("1.50"))
    );
    assert_eq!(at(1, "tx_id"), "bom");
    assert_eq!(at(2, "corrupt"), "{\"tx_id\":\"a\n");
    assert_eq!(at(3, "corrupt"), "{\"tx_id\":\"\u{fffd}\"");
    assert_eq!(at(4, "corrupt"), "");
    assert_eq!(
        (
            at(5, "tx_id"),
            at(5, "ingested_at__2"),
            at(5, "batch_id"),
            at(5, "batch_id__2"),
            at(5, "_op")
        ),
        (
            json!("own"),
            json!("2020-01-01T00:00:00Z"),
            Value::Null,
            json!("b"),
            json!("1")
        )
    );
    assert_eq!(at(6, "corrupt"), "{} {}");
}

/// Kills at random moments, and two that take the same topic for a while.
#[tokio::test]
async fn a_stream_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let world = World::new().await;
    let mut produced = 0;
    let mut random = crate::world::Lcg(20_260_105);
    for round in 0..8 {
        let taker = world.start();
        let other = (round % 3 == 1).then(|| world.start());
        for _ in 0..3 {
            world
                .broker
                .produce(TOPIC, entries(produced..produced + 700))
                .await
                .unwrap();
            produced += 700;
            tokio::time::sleep(Duration::from_millis(random.below(900) as u64)).await;
        }
        taker.kill();
        drop(other);
    }
    world.take();
    let all = produced as u64;
    assert_eq!(world.counts(), [all; 3]);
    // The offsets of each partition have no gaps.
    let gaps = world.one(
        "SELECT count(*) AS n FROM (SELECT split_part(source_ref, '/', 2) AS p, \
         max(split_part(source_ref, '/', 3)::bigint) + 1 - count(*) AS lacking \
         FROM bronze.transaction_ledger_raw GROUP BY 1) WHERE lacking <> 0",
    );
    assert_eq!(gaps["n"], 0);
}

/// A frozen process wakes up with a full batch after another one has taken its partitions.
#[tokio::test]
async fn a_process_that_was_paused_does_not_write_what_another_has_taken() {
    use rustix::process::Signal;
    let world = World::new().await;
    let mut paused = world.with(&["--batch-seconds", "3"], Service::start);
    paused.wait_until_it_says("it takes messages");
    world.broker.produce(TOPIC, entries(0..900)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    paused.send(Signal::STOP);
    world.broker.produce(TOPIC, entries(900..1_000)).await.unwrap();
    let taken = world.with(&["--max-idle-seconds", "9"], run);
    assert_eq!(taken.code, Some(0), "{}", taken.stderr);
    assert_eq!(world.counts(), [1_000; 3]);
    paused.send(Signal::CONT);
    world.broker.produce(TOPIC, entries(1_000..1_100)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let ended = paused.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    world.take();
    assert_eq!(world.counts(), [1_100; 3]);
}

/// The broker begins anew with a topic of the same name, and what is in it has grown past the position.
#[tokio::test]
async fn a_topic_that_was_made_anew_is_told_from_the_one_that_was_taken() {
    let mut world = World::new().await;
    world.broker.produce(TOPIC, entries(0..300)).await.unwrap();
    world.take();
    world.broker.restart().unwrap();
    world.broker.create_topic(TOPIC, PARTITIONS).await.unwrap();
    world.broker.produce(TOPIC, entries(1_000..2_000)).await.unwrap();
    let ended = world.ended();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("INGEST_TOPIC_RECREATED"),
        "{}",
        ended.stderr
    );
    assert_eq!(world.counts(), [300; 3], "nothing of the other topic is taken");
}
