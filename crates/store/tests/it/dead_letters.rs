//! Dead letters: stored with whatever bytes they hold, once, listed, replayed, purged (serving contract 4).

use nsc_store::{Batch, DeadLetter, DeadLetterFilter, Store, StoreError};

use crate::support::{at, consumer, entry, migrated, value};

fn letter(offset: i64) -> DeadLetter {
    DeadLetter {
        topic: "ledger.entry.upserted".to_owned(),
        partition: 3,
        offset,
        key: Some(vec![0xff, 0x00, 0xfe]),
        payload: Some(b"{\"tx_id\": \0 nonsense \xff".to_vec()),
        error_class: "invalid_json".to_owned(),
        error: "expected value at line 1".to_owned(),
        correlation_id: Some("c-1".to_owned()),
    }
}

fn letters(letters: Vec<DeadLetter>) -> Batch {
    Batch {
        dead_letters: letters,
        ..Batch::default()
    }
}

#[tokio::test]
async fn a_batch_lands_its_rows_and_its_dead_letters_together() {
    let database = migrated().await;
    let store = consumer(&database).await;
    let batch = Batch {
        ledger: vec![entry("t", "CHARGE", None)],
        ..letters(vec![letter(7), letter(8)])
    };
    let applied = store.apply(&batch, at(0)).await.unwrap();
    assert_eq!((applied.ledger_written, applied.dead_letters), (1, 2));
    let listed = store
        .dead_letters()
        .list(&DeadLetterFilter::default())
        .await
        .unwrap();
    assert_eq!(
        listed.iter().map(|l| l.letter.clone()).collect::<Vec<_>>(),
        [letter(7), letter(8)]
    );
    assert_eq!((listed[0].ingested_at, listed[0].replayed_at), (at(0), None));
}

#[tokio::test]
async fn a_message_delivered_again_is_kept_once_and_another_one_at_its_place_is_kept_too() {
    let database = migrated().await;
    let store = consumer(&database).await;
    store.apply(&letters(vec![letter(7)]), at(0)).await.unwrap();
    assert_eq!(
        store
            .apply(&letters(vec![letter(7), letter(7)]), at(1))
            .await
            .unwrap()
            .dead_letters,
        0
    );
    // The topic was made anew and counts its offsets from the start.
    let other = DeadLetter {
        payload: None,
        ..letter(7)
    };
    let empty = DeadLetter {
        payload: Some(vec![]),
        ..letter(7)
    };
    assert_eq!(
        store
            .apply(&letters(vec![other, empty]), at(2))
            .await
            .unwrap()
            .dead_letters,
        2
    );
}

#[tokio::test]
async fn texts_are_cut_to_what_fits_and_never_refused() {
    let database = migrated().await;
    let store = consumer(&database).await;
    let long = DeadLetter {
        topic: "토".repeat(1_000),
        key: None,
        payload: None,
        error_class: "c\0".repeat(100),
        error: "오류".repeat(5_000),
        correlation_id: Some("x".repeat(500)),
        ..letter(1)
    };
    store.apply(&letters(vec![long]), at(0)).await.unwrap();
    let kept = store
        .dead_letters()
        .list(&DeadLetterFilter::default())
        .await
        .unwrap()
        .remove(0)
        .letter;
    let lengths = [
        &kept.topic,
        &kept.error_class,
        &kept.error,
        kept.correlation_id.as_ref().unwrap(),
    ]
    .map(|text| text.chars().count());
    assert_eq!(lengths, [255, 64, 4_000, 128]);
    assert_eq!((kept.key, kept.payload), (None, None));
}

/// Ten letters of two topics, a second apart.
async fn ten_letters(store: &Store) {
    for n in 0..10 {
        let topic = if n % 2 == 0 { "even" } else { "odd" }.to_owned();
        let batch = letters(vec![DeadLetter { topic, ..letter(n) }]);
        store.apply(&batch, at(n)).await.unwrap();
    }
}

/// Which are listed, by their offsets.
async fn offsets(store: &Store, change: impl FnOnce(&mut DeadLetterFilter)) -> Vec<i64> {
    let mut filter = DeadLetterFilter::default();
    change(&mut filter);
    let listed = store.dead_letters().list(&filter).await.unwrap();
    listed.iter().map(|l| l.letter.offset).collect()
}

#[tokio::test]
async fn they_are_listed_by_topic_and_time_in_pages() {
    let database = migrated().await;
    let store = consumer(&database).await;
    ten_letters(&store).await;
    let odd = offsets(&store, |f| f.topic = Some("odd".to_owned())).await;
    assert_eq!(odd, [1, 3, 5, 7, 9]);
    assert_eq!(offsets(&store, |f| f.since = Some(at(8))).await, [8, 9]);
    let first = DeadLetterFilter {
        limit: 4,
        ..DeadLetterFilter::default()
    };
    let first = store.dead_letters().list(&first).await.unwrap();
    assert_eq!(first.len(), 4);
    let second = offsets(&store, |f| {
        f.after = Some(first[3].dlq_id);
        f.limit = 2;
    });
    assert_eq!(second.await, [4, 5]);
    let nul = DeadLetterFilter {
        topic: Some("\0".to_owned()),
        ..DeadLetterFilter::default()
    };
    assert!(matches!(
        store.dead_letters().list(&nul).await,
        Err(StoreError::Argument { what: "topic" })
    ));
}

#[tokio::test]
async fn they_are_marked_once_as_replayed_and_listed_by_that() {
    let database = migrated().await;
    let store = consumer(&database).await;
    ten_letters(&store).await;
    let dlq = store.dead_letters();
    let all = dlq.list(&DeadLetterFilter::default()).await.unwrap();
    let ids: Vec<i64> = all[..4].iter().map(|l| l.dlq_id).collect();
    assert_eq!(dlq.mark_replayed(&ids, at(100)).await.unwrap(), 4);
    assert_eq!(
        dlq.mark_replayed(&ids, at(200)).await.unwrap(),
        0,
        "the first time counts"
    );
    let shown = dlq.show(ids[0]).await.unwrap().unwrap();
    assert_eq!(shown.replayed_at, Some(at(100)));
    assert_eq!(dlq.show(i64::MAX).await.unwrap(), None);
    assert_eq!(offsets(&store, |f| f.replayed = Some(true)).await, [0, 1, 2, 3]);
    let open = offsets(&store, |f| {
        f.replayed = Some(false);
        f.limit = 1;
    });
    assert_eq!(open.await, [4]);
}

#[tokio::test]
async fn those_past_their_retention_are_purged_in_steps() {
    let database = migrated().await;
    let store = consumer(&database).await;
    let old: Vec<_> = (0..12_000)
        .map(|n| DeadLetter {
            payload: None,
            ..letter(n)
        })
        .collect();
    store.apply(&letters(old), at(0)).await.unwrap();
    store.apply(&letters(vec![letter(1)]), at(10)).await.unwrap();
    assert_eq!(store.dead_letters().purge(at(10)).await.unwrap(), 12_000);
    assert_eq!(store.dead_letters().purge(at(10)).await.unwrap(), 0);
    assert_eq!(
        value::<i64>(&database, "SELECT count(*) FROM bo.consumer_dlq_events").await,
        1
    );
}
