//! Files of events, loaded whole, in part, twice, and with lines that are none.
//! Holds serving contract 4.

use std::path::PathBuf;

use nsc_consumer::{BackfillOptions, BackfillSummary, ConsumerError, DeadLetterBackend, backfill};
use nsc_core::{OperatorError, UtcMicros};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::world::{World, entry, half, order, profile, sink, with};

fn options() -> BackfillOptions {
    BackfillOptions {
        profile: profile(),
        sink: sink(),
        ledger_file: None,
        payment_order_file: None,
        since: None,
        until: None,
    }
}

fn file(directory: &tempfile::TempDir, name: &str, lines: &[String]) -> Option<PathBuf> {
    let path = directory.path().join(name);
    std::fs::write(&path, lines.join("\n")).expect("written");
    Some(path)
}

fn texts(events: &[Value]) -> Vec<String> {
    events.iter().map(Value::to_string).collect()
}

async fn load(world: &World, options: &BackfillOptions) -> BackfillSummary {
    let services = world.services().await;
    let stop = CancellationToken::new();
    backfill(options, &services, &stop, |_| {}).await.expect("loaded")
}

#[tokio::test]
async fn files_are_loaded_with_their_bad_lines_put_aside_and_again_without_a_change() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let halves: Vec<_> = (0..500)
        .flat_map(|n| ["PAYMENT", "RECEIVE"].map(|t| half(&format!("o-{n}"), t)))
        .collect();
    let mut lines = texts(&halves);
    lines.insert(3, "not json".to_owned());
    lines.insert(5, String::new());
    lines.insert(700, json!({ "tx_id": 1 }).to_string());
    let orders: Vec<_> = (0..500).map(|n| order(&format!("o-{n}"), "PAID")).collect();
    let mut options = options();
    options.sink.batch_events = 64;
    options.ledger_file = file(&directory, "l.jsonl", &lines);
    options.payment_order_file = file(&directory, "o.jsonl", &texts(&orders));

    let services = world.services().await;
    let mut seen = Vec::new();
    let summary = backfill(&options, &services, &CancellationToken::new(), |p| {
        seen.push((p.kind.name(), p.lines, p.bytes, p.total_bytes));
    })
    .await
    .expect("loaded");
    let wanted = BackfillSummary {
        lines: 1_503,
        blank: 1,
        written: 1_500,
        dead_letters: 2,
        classes: [("malformed_json".to_owned(), 1), ("missing_field".to_owned(), 1)].into(),
        ..BackfillSummary::default()
    };
    assert_eq!(summary, wanted);
    let (kind, lines, bytes, total) = seen.last().copied().expect("progress");
    assert_eq!((kind, lines, Some(bytes)), ("payment_order", 500, total));
    let whole = "SELECT count(*) FROM bo.payment_ledger_pairs
                 WHERE payment_tx_id IS NOT NULL AND receive_tx_id IS NOT NULL AND status = 'PAID'";
    assert_eq!(world.number(whole).await, 500);
    let name = options.ledger_file.as_ref().expect("given").display().to_string();
    let letters = world
        .texts(r#"SELECT topic || '#' || partition || '#' || "offset" FROM bo.consumer_dlq_events ORDER BY "offset""#)
        .await;
    assert_eq!(
        letters,
        [format!("backfill:{name}#0#4"), format!("backfill:{name}#0#701")]
    );

    let again = load(&world, &options).await;
    assert_eq!((again.written, again.stale, again.dead_letters), (0, 1_500, 2));
    world.wait_for_dead_letters(2).await;
}

#[tokio::test]
async fn only_events_of_the_window_are_loaded() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let at = |tx: &str, event: &str, updated: Value| {
        with(entry(tx), json!({ "event_time": event, "updated_at": updated }))
    };
    let events = [
        at("before", "2026-01-04T23:59:59Z", Value::Null),
        at("first", "2026-01-05T00:00:00Z", Value::Null),
        at("last", "2026-01-05T23:59:59Z", Value::Null),
        at("after", "2026-01-06T00:00:00Z", Value::Null),
        at("changed", "2026-01-01T00:00:00Z", json!("2026-01-05T12:00:00Z")),
    ];
    let mut options = options();
    options.ledger_file = file(&directory, "l.jsonl", &texts(&events));
    options.since = UtcMicros::parse("2026-01-05T00:00:00Z");
    options.until = UtcMicros::parse("2026-01-06T00:00:00Z");
    let summary = load(&world, &options).await;
    assert_eq!((summary.lines, summary.outside, summary.written), (5, 2, 3));
    let loaded = world
        .texts("SELECT tx_id::text FROM bo.ledger_entries ORDER BY 1")
        .await;
    assert_eq!(loaded, ["changed", "first", "last"]);
}

#[tokio::test]
async fn a_backfill_can_be_interrupted_and_begun_again() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let events: Vec<_> = (0..400).map(|n| entry(&format!("tx-{n}"))).collect();
    let mut options = options();
    options.sink.batch_events = 50;
    options.ledger_file = file(&directory, "l.jsonl", &texts(&events));
    let services = world.services().await;
    let stop = CancellationToken::new();
    let summary = backfill(&options, &services, &stop, |p| {
        if p.lines >= 100 {
            stop.cancel();
        }
    })
    .await
    .expect("interrupted");
    assert!(summary.interrupted);
    assert_eq!((summary.written, world.entries().await), (100, 100));
    let summary = load(&world, &options).await;
    assert_eq!((summary.written, summary.stale), (300, 100));
}

/// Not one dead letter for each 64 KiB of it.
#[tokio::test]
async fn a_compressed_file_is_refused() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    for (start, format) in [
        (&b"\x1f\x8b\x08\0\n\n"[..], "gzip"),
        (b"\x28\xb5\x2f\xfd\n\n", "zstd"),
    ] {
        let path = directory.path().join(format);
        std::fs::write(&path, start).expect("written");
        let mut options = options();
        options.ledger_file = Some(path);
        let services = world.services().await;
        let refused = backfill(&options, &services, &CancellationToken::new(), |_| {}).await;
        let refused = refused.expect_err(format);
        assert_eq!(refused.code().to_string(), "NSC0202");
        assert!(
            refused.to_string().contains(&format!("compressed with {format}")),
            "{refused}"
        );
        assert!(refused.hint().is_some_and(|h| h.contains("zcat")));
    }
    let kept = world
        .texts("SELECT dlq_id::text FROM bo.consumer_dlq_events")
        .await;
    assert_eq!(kept, [] as [String; 0]);
}

#[tokio::test]
async fn a_file_in_which_nothing_is_an_event_is_a_failure_and_one_with_some_is_not() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let bad = || [json!({ "tx_id": 1 }).to_string(), "no".to_owned()];
    for (lines, failed) in [
        (bad().to_vec(), true),
        ([&bad()[..], &texts(&[entry("tx-1")])].concat(), false),
        // Stored before: nothing is written, and nothing has failed.
        ([&bad()[..], &texts(&[entry("tx-1")])].concat(), false),
        (Vec::new(), false),
        (vec![String::new()], false),
    ] {
        let mut options = options();
        options.ledger_file = file(&directory, "l.jsonl", &lines);
        let summary = load(&world, &options).await;
        assert_eq!(summary.failed(), failed, "{lines:?}: {summary:?}");
    }
}

/// Whatever the other file brings: rows, repeats, nothing, or as little.
#[tokio::test]
async fn each_file_is_judged_by_itself() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let bad = vec![json!({ "tx_id": 1 }).to_string(), "no".to_owned()];
    let entries = texts(&[entry("tx-1")]);
    let orders = texts(&[order("o-1", "PAID")]);
    let mixed = [&bad[..], &orders].concat();
    let blank = vec![String::new()];
    for (ledger, orders, failed) in [
        (&entries, &bad, &["o.jsonl"][..]),
        // Now the ledger's file is a repeat.
        (&entries, &bad, &["o.jsonl"]),
        (&bad, &orders, &["l.jsonl"]),
        (&bad, &orders, &["l.jsonl"]),
        (&bad, &bad, &["l.jsonl", "o.jsonl"]),
        (&blank, &bad, &["o.jsonl"]),
        (&bad, &blank, &["l.jsonl"]),
        (&entries, &mixed, &[]),
        (&bad, &mixed, &["l.jsonl"]),
        (&entries, &blank, &[]),
    ] {
        let mut options = options();
        options.ledger_file = file(&directory, "l.jsonl", ledger);
        options.payment_order_file = file(&directory, "o.jsonl", orders);
        let summary = load(&world, &options).await;
        let names: Vec<_> = summary
            .failed
            .iter()
            .map(|f| (f.file.file_name().and_then(|name| name.to_str()), f.dead_letters))
            .collect();
        let wanted: Vec<_> = failed.iter().map(|name| (Some(*name), 2)).collect();
        assert_eq!(names, wanted, "{ledger:?} and {orders:?}: {summary:?}");
        assert_eq!(summary.failed(), !failed.is_empty());
    }
}

/// A backfill that waited for it would wait for ever; one that put them aside would lose sound events.
#[tokio::test]
async fn a_database_that_refuses_every_row_ends_a_backfill_with_its_error() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let mut options = options();
    options.ledger_file = file(&directory, "l.jsonl", &texts(&[entry("tx-1"), entry("tx-2")]));
    for fault in [
        "ALTER TABLE bo.ledger_entries ADD CONSTRAINT known CHECK (entry_type = 'NEVER') NOT VALID",
        "REVOKE INSERT ON bo.ledger_entries FROM nsc_consumer",
    ] {
        world.database.execute(fault).await.expect("spoilt");
        let services = world.services().await;
        let refused = backfill(&options, &services, &CancellationToken::new(), |_| {}).await;
        assert!(
            matches!(refused, Err(ConsumerError::Store(_))),
            "{fault}: {refused:?}"
        );
    }
    world.wait_for_dead_letters(0).await;
    assert_eq!(world.entries().await, 0);
}

/// A backfill that waited for the disk would wait for ever, and say nothing.
#[tokio::test]
async fn dead_letters_that_could_not_be_kept_are_an_error_before_the_first_line() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let nowhere = directory.path().join("no-such-directory/dead-letters.jsonl");
    let mut options = options();
    options.sink.dead_letters.backend = DeadLetterBackend::File(nowhere);
    options.ledger_file = file(&directory, "l.jsonl", &texts(&[entry("tx-1")]));
    let services = world.services().await;
    let refused = backfill(&options, &services, &CancellationToken::new(), |_| {}).await;
    assert!(
        matches!(refused, Err(ConsumerError::DeadLetterFile { .. })),
        "{refused:?}"
    );
    assert_eq!(world.entries().await, 0);
}

#[tokio::test]
async fn what_cannot_be_read_or_reached_is_an_error_at_once() {
    let world = World::new().await;
    let mut options = options();
    options.ledger_file = Some("no-such-file.jsonl".into());
    let services = world.services().await;
    let stop = CancellationToken::new();
    let missing = backfill(&options, &services, &stop, |_| {}).await;
    assert!(matches!(missing, Err(ConsumerError::Input { .. })), "{missing:?}");
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let services = crate::world::services(nowhere, world.metrics.clone()).await;
    let unreachable = backfill(&options, &services, &stop, |_| {}).await;
    assert!(
        matches!(unreachable, Err(ConsumerError::Store(_))),
        "{unreachable:?}"
    );
}
