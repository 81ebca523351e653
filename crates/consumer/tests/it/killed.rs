//! `kill -9` at any moment: nothing is lost, nothing doubled, nothing goes back.
//! Holds serving contract 4.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nsc_consumer::Consumer;
use nsc_contracts::event::EventKind;
use nsc_telemetry::Metrics;
use nsc_testkit::Record;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::world::{World, entry, half, options, records, services, told, with};

const BROKER: &str = "NSC_TEST_CHILD_BROKER";
const DATABASE: &str = "NSC_TEST_CHILD_DATABASE";

/// This test binary again, running nothing but the consumer below.
fn spawn(world: &World) -> Child {
    let program = std::env::current_exe().expect("this binary");
    Command::new(program)
        .args(["--exact", "killed::the_process_that_is_killed"])
        .args(["--ignored", "--nocapture"])
        .env(BROKER, world.broker.bootstrap())
        .env(DATABASE, &world.database_url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

/// No test but a process: a consumer that runs until somebody kills it.
#[tokio::test]
#[ignore = "started by a_consumer_killed_at_any_moment_loses_and_doubles_nothing"]
async fn the_process_that_is_killed() {
    let told = |name| told(name).expect("the test that starts this process tells it where to consume");
    let (broker, database) = (told(BROKER), told(DATABASE));
    let mut options = options(&broker);
    options.sink.batch_events = 200;
    // With a name of its own a member takes its partitions back; this broker lets it wait for twice the time it takes
    // a silent one for dead.
    options.kafka.session_timeout = Duration::from_millis(1_500);
    options.kafka.instance_id = Some("the-one".to_owned());
    let consumer = Consumer::new(options, services(&database, Metrics::noop()).await);
    consumer
        .run(CancellationToken::new())
        .await
        .expect("killed before it ends");
}

#[tokio::test]
async fn a_consumer_killed_at_any_moment_loses_and_doubles_nothing() {
    let world = World::new().await;
    let mut child = spawn(&world);
    let (orders, rounds) = (1_500, 3);
    for round in 0..rounds {
        let each = orders / rounds;
        let range = round * each..(round + 1) * each;
        let halves: Vec<_> = range
            .clone()
            .flat_map(|n| ["PAYMENT", "RECEIVE"].map(|t| half(&format!("o-{n}"), t)))
            .collect();
        world.produce(EventKind::LedgerEntry, records(&halves)).await;
        let updates: Vec<_> = range
            .map(|n| {
                let unversioned = json!({ "amount": n + 1, "updated_at": null, "source_version": null });
                with(entry(&format!("tx-{}", n % 10)), unversioned)
            })
            .collect();
        world.produce(EventKind::LedgerEntry, records(&updates)).await;
        world
            .produce(
                EventKind::LedgerEntry,
                vec![Record::new("k", format!("poison {round}"))],
            )
            .await;
        // Somewhere in the middle of things.
        let some = world.entries().await;
        world
            .wait_until_number("SELECT count(*) FROM bo.ledger_entries", |n| n > some)
            .await;
        tokio::time::sleep(Duration::from_millis(37 * round as u64)).await;
        child.kill().expect("killed");
        child.wait().expect("gone");
        child = spawn(&world);
    }
    world.wait_for_entries(2 * orders as i64 + 10).await;
    world.wait_for_dead_letters(rounds as i64).await;
    let total = 3 * orders as i64 + rounds as i64;
    world.wait_until_committed(EventKind::LedgerEntry, 4, total).await;
    child.kill().expect("killed");
    child.wait().expect("gone");
    let whole = "SELECT count(*) FROM bo.payment_ledger_pairs
                 WHERE payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL";
    assert_eq!(world.number(whole).await, orders as i64);
    let last = "SELECT coalesce(sum(amount), 0)::bigint FROM bo.ledger_entries WHERE tx_id LIKE 'tx-%'";
    let wanted: i64 = (orders as i64 - 9..=orders as i64).sum();
    assert_eq!(world.number(last).await, wanted);
}
