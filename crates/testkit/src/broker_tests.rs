//! The broker does what other tests build upon.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{BorrowedMessage, Headers};

use crate::{Broker, Record};

const LONG_ENOUGH: Duration = Duration::from_secs(60);

/// Reads `wanted` messages and commits the last of each partition.
fn read(broker: &Broker, group: &str, topic: &str, wanted: usize) -> Vec<(i32, i64, String)> {
    let consumer: BaseConsumer = broker.consumer_config(group).create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let begun = Instant::now();
    let mut got = Vec::new();
    while got.len() < wanted {
        assert!(
            begun.elapsed() < LONG_ENOUGH,
            "{} of {wanted} messages",
            got.len()
        );
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            got.push((message.partition(), message.offset(), text(&message)));
        }
    }
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
    got
}

fn text(message: &BorrowedMessage<'_>) -> String {
    let shown =
        |bytes: Option<&[u8]>| bytes.map_or("-".to_owned(), |b| String::from_utf8_lossy(b).into_owned());
    let headers: Vec<String> = message
        .headers()
        .map(|all| {
            all.iter()
                .map(|h| format!("{}={}", h.key, shown(h.value)))
                .collect()
        })
        .unwrap_or_default();
    format!(
        "{} {} {}",
        shown(message.key()),
        shown(message.payload()),
        headers.join(",")
    )
    .trim_end()
    .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_produced_is_read_where_it_was_said_to_be() {
    let broker = Broker::start().unwrap();
    broker.create_topic("t", 3).await.unwrap();
    let records = vec![
        Record::new("k1", "one").in_partition(2),
        Record::new("k2", "two")
            .in_partition(2)
            .header("x-correlation-id", "c-1")
            .header("empty", ""),
        Record::tombstone("k3").in_partition(0),
        Record::without_key("four").in_partition(1),
        Record::new(vec![0xff], vec![0, 0xfe]).in_partition(1),
    ];
    let places = broker.produce("t", records).await.unwrap();
    assert_eq!(places, [(2, 0), (2, 1), (0, 0), (1, 0), (1, 1)]);

    let mut read = read(&broker, "g", "t", 5);
    read.sort();
    let wanted = [
        (0, 0, "k3 -"),
        (1, 0, "- four"),
        (1, 1, "\u{fffd} \0\u{fffd}"),
        (2, 0, "k1 one"),
        (2, 1, "k2 two x-correlation-id=c-1,empty="),
    ];
    assert_eq!(read, wanted.map(|(p, o, t)| (p, o, t.to_owned())));
    assert_eq!(
        broker.committed("g", "t", 3).unwrap(),
        [Some(1), Some(2), Some(2)]
    );
    assert_eq!(broker.committed("nobody", "t", 3).unwrap(), [None, None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_keep_their_order_within_a_partition() {
    let broker = Broker::start().unwrap();
    broker.create_topic("t", 4).await.unwrap();
    let records = (0..10_000)
        .map(|i| Record::new(format!("key-{}", i % 97), i.to_string()))
        .collect();
    broker.produce("t", records).await.unwrap();
    let mut last: BTreeMap<String, u32> = BTreeMap::new();
    for (_, _, text) in read(&broker, "g", "t", 10_000) {
        let (key, number) = text.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        let before = last.insert(key.to_owned(), number);
        assert!(
            before.is_none_or(|b| b < number),
            "{key}: {before:?} then {number}"
        );
    }
    assert_eq!(last.len(), 97);
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_beside_each_other_know_nothing_of_each_other() {
    let (one, other) = (Broker::start().unwrap(), Broker::start().unwrap());
    assert_ne!(one.bootstrap(), other.bootstrap());
    one.create_topic("t", 1).await.unwrap();
    other.create_topic("t", 1).await.unwrap();
    one.produce("t", vec![Record::new("k", "of one")]).await.unwrap();
    other
        .produce("t", vec![Record::new("k", "of the other")])
        .await
        .unwrap();
    assert_eq!(read(&one, "g", "t", 1), [(0, 0, "k of one".to_owned())]);
    assert_eq!(read(&other, "g", "t", 1), [(0, 0, "k of the other".to_owned())]);
    let twice = one.create_topic("t", 1).await.unwrap_err().to_string();
    assert!(twice.starts_with("topic t was not made: "), "{twice}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_broker_comes_back_on_its_port_and_empty() {
    let mut broker = Broker::start().unwrap();
    let bootstrap = broker.bootstrap();
    broker.create_topic("t", 1).await.unwrap();
    broker.produce("t", vec![Record::new("k", "lost")]).await.unwrap();
    broker.kill();
    assert!(std::net::TcpStream::connect(&bootstrap).is_err());
    broker.restart().unwrap();
    assert_eq!(broker.bootstrap(), bootstrap);
    broker.create_topic("t", 1).await.unwrap();
    let places = broker
        .produce("t", vec![Record::new("k", "first again")])
        .await
        .unwrap();
    assert_eq!(places, [(0, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_an_outage_loses_nothing() {
    let broker = Broker::start_behind_proxy().unwrap();
    let proxy = broker.proxy().unwrap();
    assert_eq!(broker.bootstrap(), proxy.address().to_string());
    broker.create_topic("t", 1).await.unwrap();
    broker
        .produce("t", vec![Record::new("k", "before")])
        .await
        .unwrap();

    proxy.cut();
    let during = broker.produce("t", vec![Record::new("k", "during")]);
    let restored = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        proxy.restore();
    };
    let (places, ()) = tokio::join!(during, restored);
    assert_eq!(places.unwrap(), [(0, 1)]);
    let texts: Vec<String> = read(&broker, "g", "t", 2)
        .into_iter()
        .map(|(_, _, t)| t)
        .collect();
    assert_eq!(texts, ["k before", "k during"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_broker_is_gone() {
    let broker = Broker::start().unwrap();
    let address = broker.bootstrap();
    drop(broker);
    assert!(std::net::TcpStream::connect(address).is_err());
}
