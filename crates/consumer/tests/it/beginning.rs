//! Where a group begins: nothing is skipped but what was there at its first start, and that only when asked for.
//! Holds serving contract 4.

use nsc_consumer::{ConsumerOptions, StartAt};
use nsc_contracts::event::EventKind;
use nsc_testkit::{Broker, Postgres};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::world::{GROUP, World, entry, lines_with, record, topic, until};

const OLD: &str = "SELECT count(*) FROM bo.ledger_entries WHERE tx_id LIKE 'old-%'";
const NEW: &str = "SELECT count(*) FROM bo.ledger_entries WHERE tx_id LIKE 'new-%'";

fn latest(world: &World) -> ConsumerOptions {
    let mut options = world.options();
    options.start = StartAt::Latest;
    options
}

/// One batch each: what this broker says of the end is right then.
async fn produce(world: &World, name: &str, numbers: std::ops::Range<i32>) {
    for n in numbers {
        let record = record(&entry(&format!("{name}-{n}"))).in_partition(n % 4);
        world.produce(EventKind::LedgerEntry, vec![record]).await;
    }
}

#[tokio::test]
async fn a_group_that_leaves_out_what_is_there_skips_nothing_from_then_on() {
    let world = World::new().await;
    produce(&world, "old", 0..4).await;
    let first = world.consume_with(latest(&world)).await;
    first.wait_until_ready().await;
    // The position is known to the brokers before the first message is.
    world.wait_until_committed(EventKind::LedgerEntry, 4, 4).await;
    first.stop().await;
    produce(&world, "new", 0..6).await;
    let second = world.consume_with(latest(&world)).await;
    produce(&world, "new", 6..8).await;
    world.wait_for(NEW, 8).await;
    world.wait_until_committed(EventKind::LedgerEntry, 4, 12).await;
    let lag = r#"topic="ledger.entry.upserted"} 0"#;
    until("nothing is left", || {
        let shown = world.metrics.render();
        shown
            .lines()
            .filter(|l| l.starts_with("consumer_kafka_lag") && l.ends_with(lag))
            .count()
            == 4
    })
    .await;
    second.stop().await;
    assert_eq!(world.number(OLD).await, 0);
}

#[tokio::test]
async fn members_that_start_at_the_same_time_leave_out_the_same() {
    let world = World::new().await;
    produce(&world, "old", 0..8).await;
    let first = world.consume_with(latest(&world)).await;
    let second = world.consume_with(latest(&world)).await;
    until("partitions are shared", || {
        first.status.partitions() == 4 && second.status.partitions() == 4
    })
    .await;
    produce(&world, "new", 0..8).await;
    world.wait_for(NEW, 8).await;
    first.stop().await;
    second.stop().await;
    assert_eq!(world.number(OLD).await, 0);
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 16);
}

#[tokio::test]
async fn a_topic_that_is_made_later_is_read_from_its_beginning() {
    let (broker, postgres) = (
        Broker::start().expect("a broker"),
        Postgres::shared().await.expect("PostgreSQL"),
    );
    let world = World::with(broker, postgres, 0).await;
    let mut options = latest(&world);
    options.kafka.group_id = "made-later".to_owned();
    let running = world.consume_with(options).await;
    until("it has looked for the topics", || {
        lines_with("subscribed")
            .iter()
            .any(|line| line.to_string().contains("made-later"))
    })
    .await;
    world
        .broker
        .create_topic(&topic(EventKind::LedgerEntry), 4)
        .await
        .expect("a topic");
    produce(&world, "new", 0..4).await;
    world.wait_for(NEW, 4).await;
    running.stop().await;
}

/// As when partitions were added while nobody ran.
#[tokio::test]
async fn a_partition_that_came_later_is_read_from_its_beginning() {
    let world = World::new().await;
    produce(&world, "old", 0..1).await;
    let mut client = world.broker.client_config();
    client.set("group.id", GROUP);
    let client: BaseConsumer = client.create().expect("a client");
    let mut known = TopicPartitionList::new();
    known
        .add_partition_offset(&topic(EventKind::LedgerEntry), 0, Offset::Offset(1))
        .expect("an offset");
    client.commit(&known, CommitMode::Sync).expect("committed");
    drop(client);
    produce(&world, "new", 1..8).await;
    let running = world.consume_with(latest(&world)).await;
    world.wait_for(NEW, 7).await;
    running.stop().await;
    assert_eq!(world.number(OLD).await, 0);
}

#[tokio::test]
async fn a_consumer_ends_by_itself_after_so_many_messages_and_leaves_the_rest() {
    let world = World::new().await;
    let events: Vec<_> = (0..10)
        .map(|n| record(&entry(&format!("new-{n}"))).in_partition(0))
        .collect();
    world.produce(EventKind::LedgerEntry, events).await;
    let mut options = world.options();
    options.max_messages = Some(4);
    let limited = world.consume_with(options.clone()).await;
    let status = limited.status.clone();
    limited.ended().await.expect("by itself");
    assert_eq!(
        (
            world.number(NEW).await,
            world.committed(EventKind::LedgerEntry, 4)
        ),
        (4, 4)
    );
    assert_eq!((status.consumed().messages, status.consumed().written), (4, 4));
    // More than there are: it ends when no more come.
    options.max_messages = Some(100);
    options.max_idle = Some(std::time::Duration::from_secs(1));
    let idle = world.consume_with(options).await;
    idle.ended().await.expect("by itself");
    assert_eq!(
        (
            world.number(NEW).await,
            world.committed(EventKind::LedgerEntry, 4)
        ),
        (10, 10)
    );
}
