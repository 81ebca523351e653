//! The queue by itself; what the task does with it is tested against real servers.

use std::sync::Arc;
use std::thread;

use super::*;

const LONG: Duration = Duration::from_secs(20);

fn message(partition: i32, offset: i64) -> Message {
    Message {
        kind: EventKind::LedgerEntry,
        topic: "t".into(),
        partition,
        offset,
        key: None,
        payload: Some(b"{}".to_vec()),
        place: None,
        sent_at: Some(UtcMicros::new(offset)),
        correlation: None,
        epoch: 1,
    }
}

fn partition(number: i32) -> Partition {
    Partition {
        kind: EventKind::LedgerEntry,
        number,
    }
}

fn worker(events: usize, linger: Duration) -> Arc<PartitionWorker> {
    let options = SinkOptions {
        batch_events: events,
        batch_linger: linger,
        ..SinkOptions::default()
    };
    Arc::new(PartitionWorker::new(&options, Arc::default()))
}

fn offsets(batch: &[Message]) -> Vec<i64> {
    batch.iter().map(|m| m.offset).collect()
}

#[tokio::test]
async fn a_batch_is_full_or_has_waited_long_enough() {
    let stop = CancellationToken::new();
    let patient = worker(3, LONG);
    for offset in 0..6 {
        assert!(patient.has_room());
        patient.push(message(0, offset));
    }
    assert!(!patient.has_room(), "two batches are waiting");
    let batch = patient.next_batch(&stop).await.expect("full");
    assert_eq!(offsets(&batch), [0, 1, 2]);
    assert!(patient.has_room(), "there is room while a batch is under way");
    for offset in 6..9 {
        patient.push(message(0, offset));
    }
    assert_eq!(patient.oldest(EventKind::LedgerEntry), Some(UtcMicros::new(0)));
    patient.finish(&batch);
    assert_eq!(patient.oldest(EventKind::LedgerEntry), Some(UtcMicros::new(3)));
    for expected in [[3, 4, 5], [6, 7, 8]] {
        assert_eq!(offsets(&patient.next_batch(&stop).await.expect("full")), expected);
    }
    assert_eq!(patient.oldest(EventKind::PaymentOrder), None);

    let hasty = worker(3, Duration::from_millis(5));
    let pushing = Arc::clone(&hasty);
    let pushed = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        pushing.push(message(0, 7));
    });
    assert_eq!(offsets(&hasty.next_batch(&stop).await.expect("lingered")), [7]);
    assert!(pushed.await.is_ok());
}

#[tokio::test]
async fn a_batch_is_bounded_in_bytes_too() {
    let stop = CancellationToken::new();
    let options = SinkOptions {
        batch_bytes: 1_000,
        batch_linger: LONG,
        ..SinkOptions::default()
    };
    let worker = PartitionWorker::new(&options, Arc::default());
    let mut big = message(0, 0);
    big.payload = Some(vec![b' '; 5_000]);
    assert!(worker.has_room(), "one message may be longer");
    worker.push(big);
    assert!(!worker.has_room());
    assert_eq!(offsets(&worker.next_batch(&stop).await.expect("full")), [0]);
}

#[tokio::test]
async fn a_stopped_worker_begins_no_batch() {
    let stop = CancellationToken::new();
    let worker = worker(1, LONG);
    let waiting = Arc::clone(&worker);
    let token = stop.clone();
    let next = tokio::spawn(async move { waiting.next_batch(&token).await });
    tokio::task::yield_now().await;
    stop.cancel();
    assert!(next.await.is_ok_and(|batch| batch.is_none()));
    worker.push(message(0, 1));
    assert!(worker.next_batch(&stop).await.is_none());
    assert!(worker.take_finished().is_empty());
}

#[tokio::test]
async fn only_finished_messages_move_the_offset() {
    let stop = CancellationToken::new();
    let worker = worker(4, LONG);
    for (p, offset) in [(0, 10), (1, 5), (0, 11), (1, 6)] {
        worker.push(message(p, offset));
    }
    let batch = worker.next_batch(&stop).await.expect("full");
    assert!(worker.take_finished().is_empty());
    worker.finish(&batch);
    let next: Vec<_> = worker
        .take_finished()
        .iter()
        .map(|f| (f.partition.number, f.next_offset))
        .collect();
    assert_eq!(next, [(0, 12), (1, 7)]);
    assert!(worker.take_finished().is_empty(), "told once");
}

#[tokio::test]
async fn a_partition_that_leaves_takes_its_messages_along_and_waits_for_its_batch() {
    let stop = CancellationToken::new();
    let worker = worker(2, LONG);
    for (p, offset) in [(0, 1), (1, 1)] {
        worker.push(message(p, offset));
    }
    let mut batch = worker.next_batch(&stop).await.expect("full");
    worker.push(message(0, 2));
    worker.push(message(1, 2));
    let give_up = worker.state().under_way.give_up.clone();

    let leaving = Arc::clone(&worker);
    let revoked = thread::spawn(move || leaving.revoke(&[partition(0)], LONG));
    give_up.cancelled().await;
    assert!(!revoked.is_finished(), "a batch is under way");
    worker.give_up_leaving(&mut batch, &stop);
    assert!(revoked.join().unwrap_or(false));
    assert_eq!(batch.iter().map(|m| m.partition).collect::<Vec<_>>(), [1]);
    assert!(
        !worker.state().under_way.give_up.is_cancelled(),
        "the rest goes on"
    );
    worker.finish(&batch);
    let finished: Vec<_> = worker
        .take_finished()
        .iter()
        .map(|f| f.partition.number)
        .collect();
    assert_eq!(finished, [1]);

    worker.push(message(1, 3));
    let next = worker.next_batch(&stop).await.expect("full");
    assert_eq!(
        next.iter().map(|m| (m.partition, m.offset)).collect::<Vec<_>>(),
        [(1, 2), (1, 3)]
    );
    // Time is up: said so.
    assert!(!worker.revoke(&[partition(1)], Duration::from_millis(10)));
    worker.finish(&next);
    assert!(worker.revoke(&[partition(1)], Duration::from_millis(10)));
}

#[tokio::test]
async fn nobody_waits_for_a_task_that_was_dropped() {
    let stop = CancellationToken::new();
    let worker = worker(1, LONG);
    worker.push(message(0, 1));
    {
        let _ended = Ended(&worker);
        assert!(worker.next_batch(&stop).await.is_some());
        assert!(!worker.wait_until_idle(Duration::ZERO));
    }
    assert!(worker.wait_until_idle(LONG));
    assert!(worker.take_finished().is_empty());
}

/// Keeps what it is given, once it may.
#[derive(Default)]
struct Kept {
    may: CancellationToken,
    offsets: Mutex<Vec<(i32, i64)>>,
}

impl Kept {
    fn offsets(&self) -> Vec<(i32, i64)> {
        self.offsets.lock().expect("no panic").clone()
    }
}

impl Sink for Kept {
    async fn write(&self, messages: &[Message], give_up: &CancellationToken) -> Result<(), GivenUp> {
        tokio::select! {
            biased;
            () = self.may.cancelled() => {
                let offsets = messages.iter().map(|m| (m.partition, m.offset));
                self.offsets.lock().expect("no panic").extend(offsets);
                Ok(())
            }
            () = give_up.cancelled() => Err(GivenUp),
        }
    }
}

#[tokio::test]
async fn what_leaves_while_its_batch_waits_is_given_up_and_the_rest_is_written_in_order() {
    let (stop, sink) = (CancellationToken::new(), Arc::new(Kept::default()));
    let worker = worker(3, Duration::from_millis(1));
    let (working, written, until) = (Arc::clone(&worker), Arc::clone(&sink), stop.clone());
    let task = tokio::spawn(async move { working.work(&*written, &until).await });
    for (p, offset) in [(0, 1), (1, 1), (0, 2), (1, 2)] {
        worker.push(message(p, offset));
    }
    while worker.state().under_way.partitions.is_empty() {
        tokio::task::yield_now().await;
    }
    let leaving = Arc::clone(&worker);
    let revoked = tokio::task::spawn_blocking(move || leaving.revoke(&[partition(0)], LONG));
    assert!(revoked.await.unwrap_or(false));
    assert_eq!(sink.offsets(), []);
    sink.may.cancel();
    while !worker.is_at_rest() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(sink.offsets(), [(1, 1), (1, 2)]);
    let finished: Vec<_> = worker
        .take_finished()
        .iter()
        .map(|f| (f.partition.number, f.next_offset))
        .collect();
    assert_eq!(finished, [(1, 3)]);
    stop.cancel();
    assert!(task.await.is_ok());
}
