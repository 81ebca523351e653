//! A database, a broker or a topic that is away is waited for: nothing is lost, nothing becomes a dead letter.
//! Holds serving contract 4 and 9.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nsc_consumer::{ConsumerError, KafkaOptions, Security};
use nsc_contracts::event::EventKind;
use nsc_core::{ErrorCode, OperatorError};
use nsc_kafka::TokenError;
use nsc_testkit::{Broker, FaultProxy, Postgres, PostgresOptions, Record};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::world::{World, entry, lines_with, records, topic, until};

fn entries(from: usize, to: usize) -> Vec<Value> {
    (from..to).map(|n| entry(&format!("tx-{n}"))).collect()
}

/// A world whose database is reached through a proxy.
async fn behind_proxy() -> (World, FaultProxy) {
    let mut world = World::new().await;
    let port = world.database.postgres().port();
    let proxy = FaultProxy::start(SocketAddr::from(([127, 0, 0, 1], port))).expect("a proxy");
    let through = format!(":{}/", proxy.address().port());
    world.database_url = world.database_url.replace(&format!(":{port}/"), &through);
    (world, proxy)
}

#[tokio::test]
async fn a_database_that_is_down_at_the_start_is_waited_for() {
    let postgres = Postgres::start().await.expect("PostgreSQL");
    let world = World::with(Broker::start().expect("a broker"), postgres, 4).await;
    let postgres = world.database.postgres();
    postgres.stop().await.expect("stopped");
    world
        .produce(EventKind::LedgerEntry, records(&entries(0, 150)))
        .await;
    let running = world.consume().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!running.status.is_ready());
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 0);
    postgres.restart().await.expect("started");
    world.wait_for_entries(150).await;
    running.stop().await;
    world.wait_for_dead_letters(0).await;
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 150);
}

#[tokio::test]
async fn a_database_that_is_killed_again_and_again_loses_nothing() {
    let durable = PostgresOptions {
        durable: true,
        ..PostgresOptions::default()
    };
    let postgres = Postgres::start_with(durable).await.expect("PostgreSQL");
    let world = World::with(Broker::start().expect("a broker"), postgres, 4).await;
    let postgres = world.database.postgres();
    let mut options = world.options();
    options.sink.batch_events = 50;
    let running = world.consume_with(options).await;
    running.wait_until_ready().await;
    for round in 0..2 {
        let events = entries(round * 500, (round + 1) * 500);
        let poison = Record::new("k", format!("poison {round}"));
        world.produce(EventKind::LedgerEntry, records(&events)).await;
        world.produce(EventKind::LedgerEntry, vec![poison]).await;
        postgres.kill().await.expect("killed");
        tokio::time::sleep(Duration::from_millis(300)).await;
        postgres.restart().await.expect("started");
    }
    world.wait_for_entries(1_000).await;
    world.wait_for_dead_letters(2).await;
    world.wait_until_committed(EventKind::LedgerEntry, 4, 1_002).await;
    assert!(running.status.is_ready());
    running.stop().await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_repeated_and_doubles_nothing() {
    let (world, proxy) = behind_proxy().await;
    let mut options = world.options();
    options.sink.attempt_timeout = Duration::from_secs(1);
    let running = world.consume_with(options).await;
    running.wait_until_ready().await;
    for round in 0..3 {
        let mut events = records(&entries(round * 50, (round + 1) * 50));
        events.push(Record::new("k", format!("poison {round}")));
        proxy.lose_answers();
        world.produce(EventKind::LedgerEntry, events).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        proxy.cut();
        tokio::time::sleep(Duration::from_millis(100)).await;
        proxy.restore();
        world.wait_for_entries((round as i64 + 1) * 50).await;
    }
    world.wait_for_dead_letters(3).await;
    world.wait_until_committed(EventKind::LedgerEntry, 4, 153).await;
    running.stop().await;
    world.wait_for_dead_letters(3).await;
}

#[tokio::test]
async fn a_database_that_hangs_is_given_up_and_tried_again() {
    let (world, proxy) = behind_proxy().await;
    let mut options = world.options();
    options.sink.attempt_timeout = Duration::from_millis(500);
    let running = world.consume_with(options).await;
    running.wait_until_ready().await;
    proxy.stall();
    world
        .produce(EventKind::LedgerEntry, records(&entries(0, 50)))
        .await;
    until("it waits", || !running.status.is_ready()).await;
    assert_eq!(world.entries().await, 0);
    proxy.restore();
    world.wait_for_entries(50).await;
    running.stop().await;
}

#[tokio::test]
async fn a_consumer_can_be_stopped_while_the_database_is_away() {
    let (world, proxy) = behind_proxy().await;
    let running = world.consume().await;
    running.wait_until_ready().await;
    proxy.cut();
    world
        .produce(EventKind::LedgerEntry, records(&entries(0, 50)))
        .await;
    until("it waits", || !running.status.is_ready()).await;
    let asked = Instant::now();
    running.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 0);
    // Not even begun: a consumer that waits for its first connection can be stopped too.
    let waiting = world.consume().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    waiting.stop().await;
    proxy.restore();
    let running = world.consume().await;
    world.wait_for_entries(50).await;
    running.stop().await;
}

#[tokio::test]
async fn a_full_queue_pauses_and_goes_on_after_the_outage() {
    let (world, proxy) = behind_proxy().await;
    let mut options = world.options();
    options.sink.batch_events = 50;
    // The group must not think a member dead that only waits for its database.
    let most_between_polls = Duration::from_secs(2);
    options.kafka.max_poll_interval = most_between_polls;
    let running = world.consume_with(options).await;
    running.wait_until_ready().await;
    proxy.cut();
    world
        .produce(EventKind::LedgerEntry, records(&entries(0, 2_000)))
        .await;
    until("it waits", || !running.status.is_ready()).await;
    let waits_since = Instant::now();
    until("it waits for longer than it may go without polling", || {
        assert_eq!(running.status.partitions(), 8, "still a member");
        waits_since.elapsed() > most_between_polls + Duration::from_millis(300)
    })
    .await;
    proxy.restore();
    world.wait_for_entries(2_000).await;
    running.stop().await;
    world.wait_for_dead_letters(0).await;
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 2_000);
}

#[tokio::test]
async fn a_worker_that_stands_still_does_not_hold_up_the_others() {
    let world = World::new().await;
    let mut options = world.options();
    options.sink.batch_events = 50;
    options.sink.attempt_timeout = Duration::from_secs(120);
    let running = world.consume_with(options).await;
    let in_partition = |number: i32, from: usize, to: usize| -> Vec<Record> {
        let records = records(&entries(from, to));
        records.into_iter().map(|r| r.in_partition(number)).collect()
    };
    world.produce(EventKind::LedgerEntry, in_partition(0, 0, 1)).await;
    world.wait_for_entries(1).await;
    // Somebody else has the row, and the worker of its partition waits for it.
    let mut other = PgConnection::connect(&world.database.url())
        .await
        .expect("a connection");
    let mut holding = other.begin().await.expect("a transaction");
    sqlx::query("SELECT FROM bo.ledger_entries WHERE tx_id = 'tx-0' FOR UPDATE")
        .execute(&mut *holding)
        .await
        .expect("the row");
    // More than that worker holds, and before all that comes for others.
    world
        .produce(EventKind::LedgerEntry, in_partition(0, 0, 2_000))
        .await;
    for (number, from) in [(1, 2_000), (2, 2_400), (3, 2_800)] {
        world
            .produce(EventKind::LedgerEntry, in_partition(number, from, from + 400))
            .await;
    }
    // Whichever partitions share the worker, one has another.
    let others = "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM bo.ledger_entries
                  WHERE substr(tx_id, 4)::integer >= 2000 GROUP BY (substr(tx_id, 4)::integer - 2000) / 400) AS landed";
    world.wait_for(others, 400).await;
    let behind = "SELECT count(*) FROM bo.ledger_entries WHERE substr(tx_id, 4)::integer BETWEEN 1 AND 1999";
    assert_eq!(world.number(behind).await, 0, "that worker still waits");
    holding.rollback().await.expect("given up");
    world.wait_for_entries(3_200).await;
    world.wait_until_committed(EventKind::LedgerEntry, 4, 3_201).await;
    running.stop().await;
    world.wait_for_dead_letters(0).await;
}

#[tokio::test]
async fn a_broker_that_is_cut_off_again_and_again_loses_nothing() {
    let broker = Broker::start_behind_proxy().expect("a broker");
    let world = World::with(broker, Postgres::shared().await.expect("PostgreSQL"), 4).await;
    let running = world.consume().await;
    for round in 0..3 {
        world
            .produce(
                EventKind::LedgerEntry,
                records(&entries(round * 300, (round + 1) * 300)),
            )
            .await;
        let proxy = world.broker.proxy().expect("a proxy");
        proxy.cut();
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.restore();
    }
    world.wait_for_entries(900).await;
    world.wait_until_committed(EventKind::LedgerEntry, 4, 900).await;
    running.stop().await;
    world.wait_for_dead_letters(0).await;
}

#[tokio::test]
async fn a_consumer_can_be_stopped_while_the_broker_is_away() {
    let broker = Broker::start_behind_proxy().expect("a broker");
    let world = World::with(broker, Postgres::shared().await.expect("PostgreSQL"), 4).await;
    let mut options = world.options();
    options.stop_timeout = Duration::from_secs(10);
    let running = world.consume_with(options).await;
    world
        .produce(EventKind::LedgerEntry, records(&entries(0, 10)))
        .await;
    world.wait_for_entries(10).await;
    world.broker.proxy().expect("a proxy").cut();
    let asked = Instant::now();
    running.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn topics_that_are_not_there_yet_are_waited_for() {
    let postgres = Postgres::shared().await.expect("PostgreSQL");
    let world = World::with(Broker::start().expect("a broker"), postgres, 0).await;
    let running = world.consume().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(running.status.partitions(), 0);
    world
        .broker
        .create_topic(&topic(EventKind::LedgerEntry), 2)
        .await
        .expect("made");
    world
        .produce(EventKind::LedgerEntry, records(&entries(0, 20)))
        .await;
    world.wait_for_entries(20).await;
    world
        .broker
        .create_topic(&topic(EventKind::PaymentOrder), 1)
        .await
        .expect("made");
    until("the other topic is taken", || running.status.partitions() == 3).await;
    running.stop().await;
}

#[tokio::test]
async fn topics_that_appear_are_read_within_seconds_and_said_to_be_unread_before() {
    let postgres = Postgres::shared().await.expect("PostgreSQL");
    let world = World::with(Broker::start().expect("a broker"), postgres, 0).await;
    let mut options = world.options();
    options.kafka.metadata_refresh = KafkaOptions::new("", "").metadata_refresh;
    let running = world.consume_with(options).await;
    let freshness = |kind| {
        let series = format!("consumer_freshness_seconds{{topic=\"{}\"}}", topic(kind));
        world.metrics.render().contains(&series)
    };
    // Told in the same rounds as how fresh the topics are, after it.
    until("its first round of telling", || {
        world.metrics.render().contains("pairing_incomplete_age_seconds")
    })
    .await;
    assert!(
        EventKind::ALL.into_iter().all(|kind| !freshness(kind)),
        "nothing is read yet"
    );
    let make = async |kind, partitions| {
        world
            .broker
            .create_topic(&topic(kind), partitions)
            .await
            .expect("made")
    };
    make(EventKind::LedgerEntry, 2).await;
    world
        .produce(EventKind::LedgerEntry, records(&entries(0, 20)))
        .await;
    world.wait_for_entries(20).await;
    until("it is said how fresh it is", || freshness(EventKind::LedgerEntry)).await;
    assert!(
        !freshness(EventKind::PaymentOrder),
        "the other topic is not there"
    );

    // While nothing at all is there the library asks all the time; once it reads something, only now and then.
    tokio::time::sleep(Duration::from_secs(1)).await;
    make(EventKind::PaymentOrder, 1).await;
    let made = Instant::now();
    until("the other topic is taken", || running.status.partitions() == 3).await;
    let took = made.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    until("it is said how fresh it is", || {
        freshness(EventKind::PaymentOrder)
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_database_with_another_schema_is_an_error_at_the_start() {
    let world = World::new().await;
    world
        .database
        .execute("DROP SCHEMA bo CASCADE")
        .await
        .expect("dropped");
    let ended = world.consume().await.ended().await;
    let error = ended.expect_err("no schema");
    assert!(matches!(error, ConsumerError::Store(_)), "{error:?}");
    assert_eq!(error.code(), ErrorCode::DatabaseSchema);
}

#[tokio::test]
async fn a_token_that_is_refused_is_waited_for_like_a_broker() {
    let world = World::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut options = world.options();
    options.kafka.security = Security::OauthBearer(Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Err(TokenError("the identity provider is away".to_owned()))
    }));
    let running = world.consume_with(options).await;
    until("a token is asked for", || asked.load(Ordering::Relaxed) > 0).await;
    assert!(!running.status.is_ready());
    running.stop().await;
    assert!(!lines_with("the identity provider is away").is_empty());
}
