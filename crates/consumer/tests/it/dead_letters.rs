//! Messages that can never succeed are put aside with all that is known of them; the rest of their batch lands.
//! Holds serving contract 4.

use std::fs;

use nsc_consumer::{Consumer, ConsumerError, DeadLetterBackend, DeadLetterFilter, DeadLetterQueue};
use nsc_contracts::event::EventKind;
use nsc_testkit::Record;
use serde_json::json;
use sqlx::Row;
use tokio_util::sync::CancellationToken;

use crate::world::{World, entry, order, record, records, until, with};

/// Payloads that break the contract, with their class.
fn poison() -> Vec<(Vec<u8>, &'static str)> {
    let changed = |changes| with(entry("bad"), changes).to_string().into_bytes();
    vec![
        (b"".to_vec(), "malformed_json"),
        (b"not json".to_vec(), "malformed_json"),
        (b"{\"tx_id\":NaN}".to_vec(), "malformed_json"),
        (b"[1]".to_vec(), "not_an_object"),
        (b"\xff\xfe".to_vec(), "invalid_utf8"),
        (b"{}".to_vec(), "missing_field"),
        (changed(json!({ "amount": "NaN" })), "invalid_value"),
        (changed(json!({ "amount": "1.005" })), "invalid_value"),
        (changed(json!({ "amount": "1_000" })), "invalid_value"),
        (changed(json!({ "amount": "１２" })), "invalid_value"),
        (changed(json!({ "amount": -5 })), "invalid_value"),
        (changed(json!({ "amount": 0 })), "invalid_value"),
        (changed(json!({ "wallet_id": ["w"] })), "wrong_type"),
        (changed(json!({ "wallet_id": { "id": "w" } })), "wrong_type"),
        (changed(json!({ "entry_type": "payment" })), "not_upper_case"),
        (changed(json!({ "wallet_id": "a\u{0}b" })), "nul_character"),
        (changed(json!({ "tx_id": "x".repeat(256) })), "too_long"),
        (changed(json!({ "type": "RECEIVE" })), "alias_disagreement"),
        (
            changed(json!({ "updated_at": "2099-01-01T00:00:00Z" })),
            "future_time",
        ),
        (
            changed(json!({ "event_time": "9999-12-31T14:59:59Z" })),
            "future_time",
        ),
        (changed(json!({ "pad": "x".repeat(100_000) })), "too_large"),
    ]
}

#[tokio::test]
async fn poison_in_a_batch_is_put_aside_and_the_rest_lands() {
    let world = World::new().await;
    let poison = poison();
    let mut sent = Vec::new();
    for (n, (payload, _)) in poison.iter().enumerate() {
        sent.push(record(&entry(&format!("tx-{n}"))).in_partition(1));
        let bad = Record::new(b"k\xff".to_vec(), payload.clone());
        sent.push(bad.header("X-Correlation-Id", format!("req-{n}")).in_partition(1));
    }
    let places = world.produce(EventKind::LedgerEntry, sent).await;
    let mut options = world.options();
    options.sink.max_message_bytes = 64 << 10;
    let running = world.consume_with(options).await;
    world.wait_for_entries(poison.len() as i64).await;
    world.wait_for_dead_letters(poison.len() as i64).await;
    running.stop().await;
    assert_eq!(
        world.committed(EventKind::LedgerEntry, 2),
        2 * poison.len() as i64
    );

    let rows = world
        .rows(
            r#"SELECT topic, partition, "offset", key, payload, error_class, error, correlation_id, replayed_at IS NULL
               FROM bo.consumer_dlq_events ORDER BY "offset""#,
        )
        .await;
    for (n, (row, (payload, class))) in rows.iter().zip(&poison).enumerate() {
        assert_eq!(row.get::<String, _>(0), "ledger.entry.upserted");
        assert_eq!((row.get::<i32, _>(1), row.get::<i64, _>(2)), places[2 * n + 1]);
        assert_eq!(row.get::<Vec<u8>, _>(3), b"k\xff");
        assert_eq!(&row.get::<Vec<u8>, _>(4), payload);
        assert_eq!(row.get::<String, _>(5), *class);
        assert!(!row.get::<String, _>(6).is_empty());
        assert_eq!(row.get::<String, _>(7), format!("req-{n}"));
        assert!(row.get::<bool, _>(8));
    }
}

#[tokio::test]
async fn a_row_that_the_database_refuses_is_found_and_put_aside() {
    let world = World::new().await;
    world
        .database
        .execute("ALTER TABLE bo.ledger_entries ADD CHECK (wallet_id <> 'forbidden')")
        .await
        .expect("altered");
    let events: Vec<_> = (0..300)
        .map(|n| match n {
            7 | 150 | 151 | 299 => with(entry(&format!("tx-{n}")), json!({ "wallet_id": "forbidden" })),
            _ => entry(&format!("tx-{n}")),
        })
        .collect();
    world.produce(EventKind::LedgerEntry, records(&events)).await;
    world
        .produce(EventKind::LedgerEntry, vec![Record::new("k", "poison too")])
        .await;
    let running = world.consume().await;
    world.wait_for_entries(296).await;
    world.wait_for_dead_letters(5).await;
    running.stop().await;
    let refused = "SELECT convert_from(payload, 'UTF8') FROM bo.consumer_dlq_events
                   WHERE error_class = 'refused_by_database' AND error <> '' AND correlation_id <> ''";
    let mut refused: Vec<String> = world.texts(refused).await;
    refused.sort();
    let mut wanted: Vec<String> = [7, 150, 151, 299].map(|n| events[n].to_string()).to_vec();
    wanted.sort();
    assert_eq!(refused, wanted);
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 301);
}

#[tokio::test]
async fn dead_letters_go_to_a_file_when_that_is_configured() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("dlq.jsonl");
    let mut options = world.options();
    options.sink.dead_letters.backend = DeadLetterBackend::File(file.clone());
    let running = world.consume_with(options).await;
    let sent = vec![
        record(&entry("tx-1")),
        Record::new("k", b"\xff".to_vec()),
        record(&entry("tx-2")),
    ];
    let places = world.produce(EventKind::LedgerEntry, sent).await;
    world.wait_for_entries(2).await;
    running.stop().await;
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), 3);
    world.wait_for_dead_letters(0).await;
    let queue = DeadLetterQueue::of(&DeadLetterBackend::File(file), &world.services().await.store);
    let letters = queue.list(&DeadLetterFilter::default()).await.expect("a list");
    let letter = &letters.first().expect("one").letter;
    assert_eq!(
        (letters.len(), letter.partition, letter.offset),
        (1, places[1].0, places[1].1)
    );
    assert_eq!(letter.payload.as_deref(), Some(&b"\xff"[..]));
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_written_holds_its_offset_back() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let (place, away) = (directory.path().join("mounted"), directory.path().join("away"));
    fs::create_dir(&place).expect("made");
    let mut options = world.options();
    options.sink.dead_letters.backend = DeadLetterBackend::File(place.join("dlq.jsonl"));
    let running = world.consume_with(options).await;
    running.wait_until_ready().await;
    fs::rename(&place, &away).expect("taken away");
    world
        .produce(
            EventKind::LedgerEntry,
            vec![Record::new("k", "poison").in_partition(0)],
        )
        .await;
    until("the failure is noticed", || !running.status.is_ready()).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(world.committed(EventKind::LedgerEntry, 1), 0);
    fs::rename(&away, &place).expect("given back");
    world.wait_until_committed(EventKind::LedgerEntry, 1, 1).await;
    running.stop().await;
    assert_eq!(
        fs::read_to_string(place.join("dlq.jsonl"))
            .expect("written")
            .lines()
            .count(),
        1
    );
}

#[tokio::test]
async fn a_consumer_whose_dead_letters_could_not_be_kept_does_not_begin() {
    let world = World::new().await;
    let directory = tempfile::tempdir().expect("a directory");
    let mut options = world.options();
    options.sink.dead_letters.backend =
        DeadLetterBackend::File(directory.path().join("no-such-directory/dlq.jsonl"));
    let consumer = Consumer::new(options, world.services().await);
    let refused = consumer.run(CancellationToken::new()).await;
    assert!(
        matches!(refused, Err(ConsumerError::DeadLetterFile { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn old_dead_letters_are_pruned_by_a_running_consumer() {
    let world = World::new().await;
    world
        .produce(
            EventKind::PaymentOrder,
            vec![Record::new("k", "old"), record(&order("o", "PAID"))],
        )
        .await;
    let running = world.consume().await;
    world.wait_for_dead_letters(1).await;
    running.stop().await;
    let age = "UPDATE bo.consumer_dlq_events SET ingested_at = now() - interval '14 days 1 minute'";
    world.database.execute(age).await.expect("aged");
    world
        .produce(EventKind::PaymentOrder, vec![Record::new("k", "new")])
        .await;
    let running = world.consume().await;
    world
        .wait_for(
            "SELECT count(*) FROM bo.consumer_dlq_events WHERE payload = 'old'",
            0,
        )
        .await;
    world.wait_for_dead_letters(1).await;
    running.stop().await;
}

/// What another release may have added, or a person.
const FAULTS: [(&str, &str); 4] = [
    (
        "ALTER TABLE bo.ledger_entries ALTER COLUMN wallet_id TYPE varchar(1)",
        "ALTER TABLE bo.ledger_entries ALTER COLUMN wallet_id TYPE varchar(255)",
    ),
    (
        "ALTER TABLE bo.ledger_entries ADD COLUMN region text NOT NULL DEFAULT 'x'; \
         ALTER TABLE bo.ledger_entries ALTER COLUMN region DROP DEFAULT",
        "ALTER TABLE bo.ledger_entries DROP COLUMN region",
    ),
    (
        "ALTER TABLE bo.ledger_entries ADD CONSTRAINT known CHECK (entry_type = 'NEVER') NOT VALID",
        "ALTER TABLE bo.ledger_entries DROP CONSTRAINT known",
    ),
    // As a database answers whose encoding does not hold a text.
    (
        "CREATE FUNCTION bo.narrow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'no equivalent' USING ERRCODE = '22P05'; END $$; \
         CREATE TRIGGER narrow BEFORE INSERT ON bo.ledger_entries FOR EACH ROW \
         WHEN (NEW.wallet_id ~ '[^[:ascii:]]') EXECUTE FUNCTION bo.narrow()",
        "DROP TRIGGER narrow ON bo.ledger_entries; DROP FUNCTION bo.narrow()",
    ),
];

#[tokio::test]
async fn a_database_that_refuses_every_row_is_waited_for_and_makes_no_dead_letter() {
    let world = World::new().await;
    let running = world.consume().await;
    running.wait_until_ready().await;
    let mut stored = 0;
    for (fault, mend) in FAULTS {
        world.database.execute(fault).await.expect("spoilt");
        let events: Vec<_> = (0..3)
            .map(|n| {
                with(
                    entry(&format!("tx-{}", stored + n)),
                    json!({ "wallet_id": "지갑" }),
                )
            })
            .collect();
        stored += 3;
        world.produce(EventKind::LedgerEntry, records(&events)).await;
        until("the fault is noticed", || !running.status.is_ready()).await;
        world.database.execute(mend).await.expect("mended");
        world.wait_for_entries(stored).await;
        running.wait_until_ready().await;
    }
    running.stop().await;
    world.wait_for_dead_letters(0).await;
    assert_eq!(world.committed(EventKind::LedgerEntry, 4), stored);
}

/// Refuses the first row it is asked for, and no other: what a sequence gives is not rolled back.
const ENDS_AT_ONCE: &str = "
    CREATE SEQUENCE bo.asked;
    GRANT USAGE ON SEQUENCE bo.asked TO PUBLIC;
    CREATE FUNCTION bo.refuse_first() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('bo.asked') = 1 THEN
            RAISE EXCEPTION 'not now' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse_first BEFORE INSERT ON bo.ledger_entries FOR EACH ROW EXECUTE FUNCTION bo.refuse_first()";

#[tokio::test]
async fn a_fault_that_ends_before_it_is_asked_after_makes_no_dead_letter() {
    let world = World::new().await;
    world.database.execute(ENDS_AT_ONCE).await.expect("spoilt");
    let running = world.consume().await;
    running.wait_until_ready().await;
    let event = with(entry("tx-1"), json!({ "wallet_id": "w-1" }));
    world.produce(EventKind::LedgerEntry, records(&[event])).await;
    world.wait_for_entries(1).await;
    running.stop().await;
    world.wait_for_dead_letters(0).await;
}
