//! Dead letters, replayed once the reason is gone.
//! Holds serving contract 4.

use nsc_consumer::{
    ConsumerError, DeadLetterBackend, DeadLetterFilter, DeadLetterQueue, ReplayOptions, ReplaySummary,
    SinkOptions, import, replay,
};
use nsc_contracts::event::{EventKind, EventProfile, KindOverrides, ProfileOverrides};
use nsc_core::UtcMicros;
use nsc_testkit::Record;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::world::{World, entry, order, profile, record, sink, with};

fn options(sink: SinkOptions) -> ReplayOptions {
    ReplayOptions {
        profile: profile(),
        sink,
        id: None,
        since: None,
        topic: None,
        dry_run: false,
    }
}

async fn run(world: &World, options: &ReplayOptions) -> ReplaySummary {
    let services = world.services().await;
    replay(options, &services, &CancellationToken::new())
        .await
        .expect("replayed")
}

/// A profile that also knows `amt`.
fn wiser() -> EventProfile {
    let ledger_entry = KindOverrides {
        topic: None,
        aliases: [("amount".to_owned(), vec!["amt".to_owned()])].into(),
    };
    let overrides = ProfileOverrides {
        ledger_entry,
        ..ProfileOverrides::default()
    };
    EventProfile::named("canonical-v1", &overrides).expect("usable")
}

/// Two letters that a wiser profile understands, two that nobody does, one of a row the database refuses.
async fn with_letters(sink: &SinkOptions) -> World {
    let world = World::new().await;
    world
        .database
        .execute("ALTER TABLE bo.ledger_entries ADD CONSTRAINT no CHECK (wallet_id <> 'forbidden')")
        .await
        .expect("altered");
    let amt = |tx: &str| record(&with(entry(tx), json!({ "amount": null, "amt": "7.00" }))).in_partition(0);
    let mut options = world.options();
    options.sink = sink.clone();
    let running = world.consume_with(options).await;
    let refused = with(entry("tx-5"), json!({ "wallet_id": "forbidden" }));
    world
        .produce(
            EventKind::LedgerEntry,
            vec![
                amt("tx-1"),
                Record::new("k", "never").in_partition(0),
                amt("tx-3"),
                record(&refused).in_partition(0),
                record(&entry("tx-good")).in_partition(0),
            ],
        )
        .await;
    world
        .produce(
            EventKind::PaymentOrder,
            vec![Record::new("k", "{}"), record(&order("o-1", "PAID"))],
        )
        .await;
    world.wait_for_entries(1).await;
    world.wait_for("SELECT count(*) FROM bo.payment_orders", 1).await;
    running.stop().await;
    world
}

async fn ids(world: &World, sink: &SinkOptions, replayed: bool) -> Vec<i64> {
    let queue = DeadLetterQueue::of(&sink.dead_letters.backend, &world.services().await.store);
    let filter = DeadLetterFilter {
        replayed: Some(replayed),
        ..DeadLetterFilter::default()
    };
    let letters = queue.list(&filter).await.expect("a list");
    letters.iter().map(|l| l.dlq_id).collect()
}

async fn letters_are_replayed(sink: SinkOptions) {
    let world = with_letters(&sink).await;
    let queue = DeadLetterQueue::of(&sink.dead_letters.backend, &world.services().await.store);
    assert_eq!(ids(&world, &sink, false).await.len(), 5);

    // Nothing has changed: nothing lands, nothing is marked, every reason is told.
    let same = run(&world, &options(sink.clone())).await;
    assert_eq!((same.seen, same.replayed, same.still_bad.len()), (5, 0, 5));
    let mut classes: Vec<_> = same.still_bad.iter().map(|b| b.class.as_str()).collect();
    classes.sort_unstable();
    assert_eq!(
        classes,
        [
            "malformed_json",
            "missing_field",
            "missing_field",
            "missing_field",
            "refused_by_database"
        ]
    );
    assert!(ids(&world, &sink, true).await.is_empty());

    let mut wiser_now = options(sink.clone());
    wiser_now.profile = wiser();
    wiser_now.dry_run = true;
    let dry = run(&world, &wiser_now).await;
    // A dry run does not ask the database, so it does not know about the refused one.
    assert_eq!((dry.seen, dry.replayed, dry.written), (5, 3, 0));
    assert_eq!(world.entries().await, 1);

    wiser_now.dry_run = false;
    wiser_now.topic = Some("payment.order.upserted".to_owned());
    assert_eq!(run(&world, &wiser_now).await.seen, 1);
    wiser_now.topic = None;
    wiser_now.since = UtcMicros::parse("2999-01-01T00:00:00Z");
    assert_eq!(run(&world, &wiser_now).await.seen, 0);
    wiser_now.since = None;
    let some = ids(&world, &sink, false).await;
    let mut one = wiser_now.clone();
    for id in &some {
        let letter = queue.show(*id).await.expect("there").letter;
        if letter
            .payload
            .is_some_and(|p| String::from_utf8_lossy(&p).contains("tx-3"))
        {
            one.id = Some(*id);
        }
    }
    let summary = run(&world, &one).await;
    assert_eq!((summary.seen, summary.replayed, summary.written), (1, 1, 1));
    assert!(run(&world, &one).await.already_replayed);
    assert_eq!(ids(&world, &sink, true).await, [one.id.expect("found")]);

    world
        .database
        .execute("ALTER TABLE bo.ledger_entries DROP CONSTRAINT no")
        .await
        .expect("altered");
    let rest = run(&world, &wiser_now).await;
    assert_eq!(
        (rest.seen, rest.replayed, rest.written, rest.still_bad.len()),
        (4, 2, 2, 2)
    );
    assert_eq!(world.entries().await, 4);
    assert_eq!(ids(&world, &sink, true).await.len(), 3);
    world
        .wait_for("SELECT count(*) FROM bo.ledger_entries WHERE amount = 7", 2)
        .await;

    // Purged by age.
    let far = UtcMicros::parse("2999-01-01T00:00:00Z").expect("a time");
    assert_eq!(queue.purge(far).await.expect("purged"), 5);
    assert!(matches!(
        queue.show(some[0]).await,
        Err(ConsumerError::NoDeadLetter { .. })
    ));
}

#[tokio::test]
async fn letters_in_the_database_are_replayed() {
    letters_are_replayed(sink()).await;
}

#[tokio::test]
async fn letters_in_a_file_are_replayed() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut sink = sink();
    sink.dead_letters.backend = DeadLetterBackend::File(directory.path().join("dlq.jsonl"));
    letters_are_replayed(sink).await;
}

#[tokio::test]
async fn a_bad_line_of_a_backfill_is_replayed_as_what_it_was_meant_to_be() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let line = with(entry("tx-1"), json!({ "amount": null, "amt": "7.00" }));
    let file = directory.path().join("l.jsonl");
    std::fs::write(&file, line.to_string()).expect("written");
    let load = nsc_consumer::BackfillOptions {
        profile: profile(),
        sink: sink(),
        ledger_file: Some(file),
        payment_order_file: None,
        since: None,
        until: None,
    };
    let services = world.services().await;
    let stop = CancellationToken::new();
    let summary = nsc_consumer::backfill(&load, &services, &stop, |_| {})
        .await
        .expect("loaded");
    assert_eq!(summary.dead_letters, 1);
    let mut replayed = options(sink());
    replayed.profile = wiser();
    let summary = run(&world, &replayed).await;
    assert_eq!((summary.replayed, summary.written), (1, 1));
    // A topic that no profile has is not guessed at.
    world
        .database
        .execute("UPDATE bo.consumer_dlq_events SET topic = 'x', replayed_at = NULL")
        .await
        .expect("updated");
    let summary = run(&world, &replayed).await;
    assert_eq!(
        summary.still_bad.first().map(|b| b.class.as_str()),
        Some("unknown_topic")
    );
}

#[tokio::test]
async fn the_letters_of_the_first_implementation_are_taken_in_once_and_replayed() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("dlq.jsonl");
    let event = with(entry("tx-1"), json!({ "amount": null, "amt": "7.00" }));
    let of_kafka = json!({
        "topic": "ledger.entry.upserted", "partition": 1, "offset": 5, "key": "tx-1", "payload": event.to_string(),
        "error": "contract_core_violation", "error_detail": "amount", "profile_id": "canonical-v1",
        "correlation_id": "c-1", "ingested_at": "2026-01-05T00:00:00+00:00",
    });
    let of_backfill = json!({
        "topic": "backfill-payment-order", "payload": order("o-1", "PAID"), "error": "internal_error",
        "error_detail": "down", "profile_id": "canonical-v1", "ingested_at": "2026-01-05T00:00:00+00:00",
    });
    std::fs::write(&path, format!("{of_kafka}\n\n{of_backfill}\n")).expect("written");
    let services = world.services().await;
    for imported in [2, 0] {
        let done = import(&path, &DeadLetterBackend::Database, &services)
            .await
            .expect("imported");
        assert_eq!((done.letters, done.imported), (2, imported));
    }
    let mut options = options(sink());
    options.profile = wiser();
    let summary = run(&world, &options).await;
    assert_eq!((summary.replayed, summary.written), (2, 2), "{summary:?}");
    assert_eq!(world.entries().await, 1);

    std::fs::write(&path, format!("{of_kafka}\n{{\"topic\":\n")).expect("cut");
    let refused = import(&path, &DeadLetterBackend::Database, &services).await;
    assert!(
        matches!(refused, Err(ConsumerError::Import { line: 2, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_letter_that_is_older_than_what_is_stored_is_stale() {
    let world = World::new().await;
    let unversioned = |amount: &str| json!({ "amount": amount, "updated_at": null, "source_version": null });
    let unread = json!({ "amount": null, "amt": "1.00", "updated_at": null, "source_version": null });
    let running = world.consume().await;
    world
        .produce(
            EventKind::LedgerEntry,
            vec![
                record(&with(entry("tx-1"), unread)).in_partition(0),
                record(&with(entry("tx-1"), unversioned("2.00"))).in_partition(0),
            ],
        )
        .await;
    world.wait_for_entries(1).await;
    world.wait_for_dead_letters(1).await;
    running.stop().await;
    let replayed = run(
        &world,
        &ReplayOptions {
            profile: wiser(),
            ..options(sink())
        },
    )
    .await;
    assert_eq!((replayed.replayed, replayed.written, replayed.stale), (1, 0, 1));
    assert_eq!(
        world.texts("SELECT amount::text FROM bo.ledger_entries").await,
        ["2.00"]
    );
}
