//! What a file of dead letters survives.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn letter(offset: i64, payload: &[u8]) -> DeadLetter {
    DeadLetter {
        topic: "t".into(),
        partition: 0,
        offset,
        key: Some(b"\xff\x00key".to_vec()),
        payload: Some(payload.to_vec()),
        error_class: "malformed_json".into(),
        error: "not JSON".into(),
        correlation_id: Some("c-1".into()),
    }
}

fn at(second: i64) -> UtcMicros {
    UtcMicros::new(second * 1_000_000 + 7)
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("dlq.jsonl")
    }

    fn queue(&self) -> FileQueue {
        FileQueue::new(self.path())
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).expect("the file")
    }
}

async fn all(queue: &FileQueue) -> Vec<StoredDeadLetter> {
    queue.list(DeadLetterFilter::default()).await.expect("a list")
}

#[tokio::test]
async fn letters_come_back_byte_for_byte() {
    let place = Place::new();
    let letters = vec![
        letter(1, b"{\"a\":1}\n\""),
        letter(2, b"\xfe\xff"),
        letter(3, b""),
    ];
    assert_eq!(place.queue().append(letters.clone(), at(1)).await.ok(), Some(3));
    let stored = all(&place.queue()).await;
    assert_eq!(stored.iter().map(|s| s.dlq_id).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        stored.iter().map(|s| s.letter.clone()).collect::<Vec<_>>(),
        letters
    );
    assert!(
        stored
            .iter()
            .all(|s| s.ingested_at == at(1) && s.replayed_at.is_none())
    );
}

#[tokio::test]
async fn what_is_there_is_not_appended_again_not_even_after_a_restart() {
    let place = Place::new();
    let first = place.queue();
    assert_eq!(
        first
            .append(vec![letter(1, b"a"), letter(1, b"a")], at(1))
            .await
            .ok(),
        Some(1)
    );
    assert_eq!(
        first
            .append(vec![letter(1, b"a"), letter(2, b"a")], at(2))
            .await
            .ok(),
        Some(1)
    );
    let second = place.queue();
    assert_eq!(
        second
            .append(vec![letter(2, b"a"), letter(3, b"a")], at(3))
            .await
            .ok(),
        Some(1)
    );
    // The topic was made anew: same place, another message.
    assert_eq!(first.append(vec![letter(1, b"b")], at(4)).await.ok(), Some(1));
    let ids: Vec<_> = all(&first)
        .await
        .iter()
        .map(|s| (s.dlq_id, s.letter.offset))
        .collect();
    assert_eq!(ids, [(1, 1), (2, 2), (3, 3), (4, 1)]);
}

#[tokio::test]
async fn a_line_cut_off_by_a_crash_is_cut_away_and_written_again() {
    let place = Place::new();
    place
        .queue()
        .append(vec![letter(1, b"a"), letter(2, b"b")], at(1))
        .await
        .expect("appended");
    let whole = place.text();
    for cut in [
        whole.len() - 1,
        whole.len() - 20,
        whole.find('\n').expect("a line") + 2,
    ] {
        fs::write(place.path(), &whole[..cut]).expect("cut");
        assert_eq!(
            place.queue().append(vec![letter(2, b"b")], at(1)).await.ok(),
            Some(1)
        );
        assert_eq!(place.text(), whole, "cut at {cut}");
    }
}

#[tokio::test]
async fn strange_lines_are_left_alone() {
    let place = Place::new();
    fs::write(place.path(), "# by hand\n").expect("written");
    let queue = place.queue();
    queue
        .append(vec![letter(1, b"a"), letter(2, b"b")], at(1))
        .await
        .expect("appended");
    assert_eq!(all(&queue).await.len(), 2);
    assert_eq!(queue.mark_replayed(vec![1], at(5)).await.ok(), Some(1));
    assert!(place.text().starts_with("# by hand\n"));
}

#[tokio::test]
async fn letters_are_found_marked_and_purged() {
    let place = Place::new();
    let queue = place.queue();
    assert!(all(&queue).await.is_empty(), "no file yet");
    assert_eq!(queue.purge(at(9)).await.ok(), Some(0));
    for n in 1..=3 {
        queue
            .append(vec![letter(n, b"a")], at(n))
            .await
            .expect("appended");
    }
    assert_eq!(
        queue.show(2).await.ok().flatten().map(|s| s.letter.offset),
        Some(2)
    );
    assert_eq!(queue.show(9).await.ok(), Some(None));
    assert_eq!(queue.mark_replayed(vec![2, 9], at(7)).await.ok(), Some(1));
    assert_eq!(queue.mark_replayed(vec![2], at(8)).await.ok(), Some(0));
    let ids = async |change: &dyn Fn(&mut DeadLetterFilter)| {
        let mut filter = DeadLetterFilter::default();
        change(&mut filter);
        let listed = queue.list(filter).await.expect("a list");
        listed.iter().map(|s| s.dlq_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&|f| f.replayed = Some(false)).await, [1, 3]);
    assert_eq!(ids(&|f| f.replayed = Some(true)).await, [2]);
    assert_eq!(ids(&|f| f.since = Some(at(2))).await, [2, 3]);
    assert_eq!(ids(&|f| (f.after, f.limit) = (Some(1), 1)).await, [2]);
    assert_eq!(ids(&|f| f.topic = Some("u".into())).await, Vec::<i64>::new());
    assert_eq!(queue.purge(at(3)).await.ok(), Some(2));
    assert_eq!(ids(&|_| {}).await, [3]);
    // Ids go on, and what was purged may come again.
    assert_eq!(queue.append(vec![letter(1, b"a")], at(9)).await.ok(), Some(1));
    assert_eq!(ids(&|_| {}).await, [3, 4]);
}

#[tokio::test]
async fn several_writers_lose_and_double_nothing() {
    let place = Place::new();
    let writers = (0..4).map(|writer| {
        let queue = place.queue();
        tokio::spawn(async move {
            for n in 0..25 {
                let own = letter(i64::from(writer) * 100 + n, b"a");
                queue
                    .append(vec![own, letter(1_000 + n, b"shared")], at(1))
                    .await
                    .expect("appended");
            }
        })
    });
    futures::future::join_all(writers).await;
    let filter = DeadLetterFilter {
        limit: 1_000,
        ..DeadLetterFilter::default()
    };
    let stored = place.queue().list(filter).await.expect("a list");
    assert_eq!(stored.len(), 4 * 25 + 25);
    assert!(stored.iter().enumerate().all(|(n, s)| s.dlq_id == n as i64 + 1));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    let queue = FileQueue::new(place.directory.path().join("no").join("dlq.jsonl"));
    let refused = queue.append(vec![letter(1, b"a")], at(1)).await;
    assert!(matches!(refused, Err(ConsumerError::DeadLetterFile { .. })));
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").mode() & 0o7777
}

/// Marks one and purges another: both write the file anew.
async fn rewrite(queue: &FileQueue) {
    for n in 1..=3 {
        queue
            .append(vec![letter(n, b"a")], at(n))
            .await
            .expect("appended");
    }
    assert_eq!(queue.mark_replayed(vec![2], at(7)).await.ok(), Some(1));
    assert_eq!(queue.purge(at(2)).await.ok(), Some(1));
}

#[tokio::test]
async fn a_new_file_is_for_its_owner_alone_and_stays_so() {
    let place = Place::new();
    let queue = place.queue();
    queue.append(Vec::new(), at(1)).await.expect("made");
    assert_eq!(mode(&place.path()), 0o600);
    rewrite(&queue).await;
    for entry in fs::read_dir(place.directory.path()).expect("a directory") {
        let path = entry.expect("an entry").path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_file_that_is_there_keeps_its_mode() {
    for kept in [0o640, 0o600, 0o664] {
        let place = Place::new();
        fs::write(place.path(), "# by hand\n").expect("written");
        fs::set_permissions(place.path(), fs::Permissions::from_mode(kept)).expect("set");
        rewrite(&place.queue()).await;
        assert_eq!(mode(&place.path()), kept, "{kept:o}");
    }
}

#[tokio::test]
async fn a_link_stays_a_link_and_what_it_leads_to_is_written() {
    let place = Place::new();
    let elsewhere = tempfile::tempdir().expect("a directory");
    let (target, second) = (
        elsewhere.path().join("real.jsonl"),
        elsewhere.path().join("second"),
    );
    // To a link that is relative, to a file that is not there yet.
    symlink("real.jsonl", &second).expect("linked");
    symlink(&second, place.path()).expect("linked");
    let queue = place.queue();
    rewrite(&queue).await;
    assert!(place.path().is_symlink() && second.is_symlink());
    assert!(!target.is_symlink());
    assert_eq!((mode(&target), all(&queue).await.len()), (0o600, 2));
    // A writer that knows it by its own name waits for the same lock, and sees the same letters.
    assert_eq!(all(&FileQueue::new(target)).await.len(), 2);
}

/// Only root can give files away; anybody else owns what it rewrites, or is told that it cannot.
#[tokio::test]
async fn a_file_of_somebody_else_keeps_its_owner() {
    let place = Place::new();
    let queue = place.queue();
    queue
        .append(vec![letter(1, b"a")], at(1))
        .await
        .expect("appended");
    let nobody = 65_534;
    if std::os::unix::fs::chown(place.path(), Some(nobody), Some(nobody)).is_ok() {
        rewrite(&queue).await;
        let owned = fs::metadata(place.path()).expect("a file");
        assert_eq!((owned.uid(), owned.gid()), (nobody, nobody));
    }
}

#[tokio::test]
async fn links_in_a_circle_are_an_error() {
    let place = Place::new();
    symlink(place.path(), place.directory.path().join("other")).expect("linked");
    symlink("other", place.path()).expect("linked");
    assert!(place.queue().append(vec![letter(1, b"a")], at(1)).await.is_err());
}
