//! `kill -9` of `nsc consume` at random moments under load: nothing is lost, doubled, or taken back.

use std::time::Duration;

use super::process::Service;
use super::story::{self, Dice, LEDGER_EVENTS, ORDER_EVENTS, ORDERS, POISON, UNVERSIONED};
use super::world::{LEDGER_TOPIC, ORDER_TOPIC, World};

const KILLS: i64 = 6;
/// What is there and how new it is: what a life adds to, and never takes away from.
const VERSIONS: &str = "SELECT coalesce(sum(v), 0)::bigint FROM (
    SELECT source_version AS v FROM bo.ledger_entries UNION ALL SELECT source_version FROM bo.payment_orders) AS all_of_them";
const PAIRS: &str = "SELECT count(*) FROM bo.payment_ledger_pairs
    WHERE payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL";
const PLAIN: &str =
    "SELECT coalesce(sum(amount), 0)::bigint FROM bo.ledger_entries WHERE tx_id LIKE 'plain-%'";
const LETTERS: &str = "SELECT count(*) FROM bo.consumer_dlq_events";

/// A name of its own, so that the group does not wait for the member that was killed.
const NAME: (&str, &str) = ("KAFKA_INSTANCE_ID", "the-one");
/// Small transactions, so that a kill always finds one under way.
const SMALL: (&str, &str) = ("NSC_BATCH_ROWS", "25");

/// What must never become less. (An entry without a version goes by arrival: read again after a kill it may step back,
/// until its partition has been read to the end.)
async fn progress(world: &World) -> [i64; 3] {
    let mut seen = [0; 3];
    for (value, sql) in seen.iter_mut().zip([VERSIONS, PAIRS, LETTERS]) {
        *value = world.number(sql).await;
    }
    seen
}

#[tokio::test]
async fn a_consumer_killed_under_load_loses_doubles_and_takes_back_nothing() {
    let world = World::new().await;
    let mut dice = Dice::new(7);
    let (mut ledger, mut orders) = (story::ledger(&mut dice), story::orders(&mut dice));
    // Half of it waits from the beginning; the rest comes while the consumer lives and dies.
    let part = |of: i64| usize::try_from(of / 2 / KILLS + 1).unwrap();
    let (later_ledger, later_orders) = (
        ledger.split_off(ledger.len() / 2),
        orders.split_off(orders.len() / 2),
    );
    world.broker.produce(LEDGER_TOPIC, ledger).await.unwrap();
    world.broker.produce(ORDER_TOPIC, orders).await.unwrap();
    let (mut later_ledger, mut later_orders) = (
        later_ledger.chunks(part(LEDGER_EVENTS)),
        later_orders.chunks(part(ORDER_EVENTS)),
    );
    let (mut last, mut unfinished) = ([0; 3], 0);
    for _ in 0..KILLS {
        let mut consumer = world.consume(&[NAME, SMALL]);
        let more = |seen: i64| seen > last[0];
        world
            .wait_for(&mut consumer, "this life adds nothing", VERSIONS, more)
            .await;
        let rest = [
            (LEDGER_TOPIC, later_ledger.next()),
            (ORDER_TOPIC, later_orders.next()),
        ];
        for (topic, records) in rest {
            world
                .broker
                .produce(topic, records.unwrap_or_default().to_vec())
                .await
                .unwrap();
        }
        tokio::time::sleep(Duration::from_millis(dice.below(120))).await;
        consumer.kill();
        let now = progress(&world).await;
        assert!(
            now.iter().zip(last).all(|(now, last)| *now >= last),
            "{last:?} became {now:?}"
        );
        unfinished += i64::from(now[0] < 2 * 3 * ORDERS);
        last = now;
    }
    assert!(
        later_ledger.next().is_none() && later_orders.next().is_none(),
        "all is produced"
    );
    assert!(
        unfinished > KILLS / 2,
        "only {unfinished} kills hit a consumer that had work to do"
    );

    let mut consumer = world.consume(&[NAME]);
    // 35 is the last amount of each entry without a version.
    let wanted = [2 * 3 * ORDERS, ORDERS, 35 * UNVERSIONED, POISON];
    for (sql, wanted) in [VERSIONS, PAIRS, PLAIN, LETTERS].into_iter().zip(wanted) {
        world
            .wait_for(&mut consumer, "not all of it comes", sql, |seen| seen == wanted)
            .await;
    }
    wait_until_committed(&world, &mut consumer).await;
    let ended = consumer.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    check(&world).await;
    println!(
        "{} messages, {KILLS} kills, {unfinished} of them with work left to do: {} entries + {ORDERS} orders in their newest version, \
         {ORDERS} of {ORDERS} pairs complete and right, {POISON} of {POISON} dead letters, all offsets committed",
        LEDGER_EVENTS + ORDER_EVENTS,
        2 * ORDERS + UNVERSIONED,
    );
}

/// What came again and changed nothing has to be read, too.
async fn wait_until_committed(world: &World, consumer: &mut Service) {
    let begun = std::time::Instant::now();
    while (world.committed(LEDGER_TOPIC), world.committed(ORDER_TOPIC)) != (LEDGER_EVENTS, ORDER_EVENTS) {
        let waited = begun.elapsed();
        assert!(
            consumer.runs() && waited < super::process::PATIENCE,
            "{}",
            consumer.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn check(world: &World) {
    let wrong = [
        ("entries", story::WRONG_ENTRIES),
        ("entries without a version", story::WRONG_PLAIN),
        ("orders", story::WRONG_ORDERS),
        ("pairs", story::WRONG_PAIRS),
    ];
    for (what, sql) in wrong {
        assert_eq!(world.number(sql).await, 0, "{what} that are wrong");
    }
    let counts = [
        ("bo.ledger_entries", 2 * ORDERS + UNVERSIONED),
        ("bo.payment_orders", ORDERS),
        ("bo.payment_ledger_pairs", ORDERS),
        ("bo.consumer_dlq_events", POISON),
    ];
    for (table, wanted) in counts {
        let found = world.number(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(found, wanted, "{table}");
    }
    let each_once = "SELECT count(DISTINCT key) FROM bo.consumer_dlq_events";
    assert_eq!(world.number(each_once).await, POISON);
}
