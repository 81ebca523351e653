//! A partition worker: the queue between the thread that polls Kafka and one task that writes to the database, one transaction
//! at a time. A partition belongs to one worker, so its order is kept; workers do not wait for each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nsc_contracts::event::EventKind;
use nsc_core::UtcMicros;
use nsc_kafka::Wakeup;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::message::{Message, Partition};
use crate::options::SinkOptions;

#[cfg(test)]
mod tests;

/// Where the batches of a worker go.
pub(crate) trait Sink: Send + Sync {
    /// Writes messages, in their order, and returns when none of them has to be read again.
    ///
    /// # Errors
    /// When `give_up` is cancelled while nothing is under way; some of the messages may have been written.
    fn write(
        &self,
        messages: &[Message],
        give_up: &CancellationToken,
    ) -> impl Future<Output = Result<(), GivenUp>> + Send;
}

/// A batch was given up between two attempts to write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GivenUp;

/// Up to where a partition is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) partition: Partition,
    pub(crate) epoch: u64,
    /// The offset to go on from.
    pub(crate) next_offset: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct PartitionWorker {
    limits: Limits,
    state: Mutex<State>,
    /// There is something to do for the task.
    arrived: Notify,
    /// A batch has ended, or what leaves is out of it.
    changed: Condvar,
    /// Of the thread that polls.
    wakeup: Arc<Wakeup>,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Of a batch.
    events: usize,
    bytes: usize,
    linger: Duration,
}

/// Batches that may wait in a worker while one is written: a full one is there when that one has ended, and another while
/// it is taken.
const BATCHES_AHEAD: usize = 2;

#[derive(Debug)]
struct State {
    queue: VecDeque<Message>,
    queued_bytes: usize,
    /// Since when the queue is not empty.
    waiting_since: Instant,
    under_way: UnderWay,
    /// Partitions that are being taken away.
    leaving: BTreeSet<Partition>,
    finished: BTreeMap<Partition, Finished>,
}

/// The batch that is being written.
#[derive(Debug, Default)]
struct UnderWay {
    partitions: BTreeSet<Partition>,
    oldest: Vec<(EventKind, UtcMicros)>,
    /// Cancelled to end its waiting between attempts.
    give_up: CancellationToken,
}

impl PartitionWorker {
    /// `wakeup` is called when there is room for more.
    pub(crate) fn new(options: &SinkOptions, wakeup: Arc<Wakeup>) -> Self {
        Self {
            limits: Limits {
                events: options.batch_events.max(1),
                bytes: options.batch_bytes.max(1),
                linger: options.batch_linger,
            },
            state: Mutex::new(State {
                queue: VecDeque::new(),
                queued_bytes: 0,
                waiting_since: Instant::now(),
                under_way: UnderWay::default(),
                leaving: BTreeSet::new(),
                finished: BTreeMap::new(),
            }),
            arrived: Notify::new(),
            changed: Condvar::new(),
            wakeup,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether more messages are wanted.
    pub(crate) fn has_room(&self) -> bool {
        !self.state().is_full(self.limits)
    }

    /// Queues a message.
    pub(crate) fn push(&self, message: Message) {
        let mut state = self.state();
        let was_empty = state.queue.is_empty();
        if was_empty {
            state.waiting_since = Instant::now();
        }
        state.queued_bytes += message.size_bytes();
        state.queue.push_back(message);
        // The task is woken for the first one and for a full batch, not for each in between.
        if was_empty || state.holds_a_batch(self.limits) {
            self.arrived.notify_one();
        }
    }

    /// Nothing is queued, nothing under way.
    pub(crate) fn is_at_rest(&self) -> bool {
        let state = self.state();
        state.queue.is_empty() && state.under_way.partitions.is_empty()
    }

    /// Waits until no batch is under way; false when one still is.
    pub(crate) fn wait_until_idle(&self, timeout: Duration) -> bool {
        let busy = |state: &mut State| !state.under_way.partitions.is_empty();
        let (mut state, _) = self
            .changed
            .wait_timeout_while(self.state(), timeout, busy)
            .unwrap_or_else(PoisonError::into_inner);
        !busy(&mut state)
    }

    /// Partitions are taken away: what is queued of them is dropped (their next owner reads it again), and a batch
    /// with them is waited for. One that waits for the database gives up what belongs to them. False when a batch
    /// is still under way after `timeout`.
    pub(crate) fn revoke(&self, partitions: &[Partition], timeout: Duration) -> bool {
        let mut state = self.state();
        state.drop_queued(partitions);
        state.leaving.extend(partitions);
        let concerned = |state: &State| partitions.iter().any(|p| state.under_way.partitions.contains(p));
        if concerned(&state) {
            state.under_way.give_up.cancel();
        }
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, timeout, |state| concerned(state))
            .unwrap_or_else(PoisonError::into_inner);
        state.leaving.retain(|p| !partitions.contains(p));
        !concerned(&state)
    }

    /// What was finished since the last time.
    pub(crate) fn take_finished(&self) -> Vec<Finished> {
        std::mem::take(&mut self.state().finished).into_values().collect()
    }

    /// When the oldest message of a kind was sent that is not finished.
    pub(crate) fn oldest(&self, kind: EventKind) -> Option<UtcMicros> {
        let state = self.state();
        let queued = state
            .queue
            .iter()
            .filter(|m| m.kind == kind)
            .filter_map(|m| m.sent_at);
        let under_way = state
            .under_way
            .oldest
            .iter()
            .filter(|(k, _)| *k == kind)
            .map(|(_, t)| *t);
        queued.chain(under_way).min()
    }

    /// Writes batches until told to stop; the batch under way is finished, unless it waits for the database.
    pub(crate) async fn work(&self, sink: &impl Sink, stop: &CancellationToken) {
        let _ended = Ended(self);
        while let Some(mut batch) = self.next_batch(stop).await {
            while !batch.is_empty() {
                let give_up = self.state().under_way.give_up.clone();
                match sink.write(&batch, &give_up).await {
                    Ok(()) => break,
                    Err(GivenUp) if stop.is_cancelled() => batch.clear(),
                    Err(GivenUp) => self.give_up_leaving(&mut batch, stop),
                }
            }
            self.finish(&batch);
        }
    }

    /// The next batch, or none when told to stop.
    async fn next_batch(&self, stop: &CancellationToken) -> Option<Vec<Message>> {
        loop {
            let due = {
                let mut state = self.state();
                if stop.is_cancelled() {
                    return None;
                }
                let due = state.waiting_since + self.limits.linger;
                if state.holds_a_batch(self.limits) || (!state.queue.is_empty() && due <= Instant::now()) {
                    let batch = state.take_batch(self.limits, stop);
                    self.wakeup.call();
                    return Some(batch);
                }
                (!state.queue.is_empty()).then_some(due)
            };
            let arrived = async {
                match due {
                    Some(due) => tokio::time::timeout_at(due.into(), self.arrived.notified())
                        .await
                        .unwrap_or(()),
                    None => self.arrived.notified().await,
                }
            };
            tokio::select! {
                () = arrived => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Leaves out of a batch what belongs to partitions that are being taken away.
    fn give_up_leaving(&self, batch: &mut Vec<Message>, stop: &CancellationToken) {
        let mut state = self.state();
        batch.retain(|m| !state.leaving.contains(&m.in_partition()));
        state.under_way = UnderWay::of(batch, stop);
        self.changed.notify_all();
    }

    /// A batch is in the database.
    fn finish(&self, batch: &[Message]) {
        let mut state = self.state();
        for message in batch {
            let partition = message.in_partition();
            state.finished.insert(
                partition,
                Finished {
                    partition,
                    epoch: message.epoch,
                    next_offset: message.offset + 1,
                },
            );
        }
        state.under_way = UnderWay::default();
        self.changed.notify_all();
    }
}

/// Dropped with the task, also in the middle of a batch: nobody is to wait for that batch any more. (Its transaction
/// is dropped too; whether it was committed or not, its messages come again.)
struct Ended<'a>(&'a PartitionWorker);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.finish(&[]);
    }
}

impl State {
    fn holds_a_batch(&self, limits: Limits) -> bool {
        self.queue.len() >= limits.events || self.queued_bytes >= limits.bytes
    }

    fn is_full(&self, limits: Limits) -> bool {
        self.queue.len() >= limits.events.saturating_mul(BATCHES_AHEAD) || self.queued_bytes >= limits.bytes
    }

    fn drop_queued(&mut self, partitions: &[Partition]) {
        self.queue.retain(|m| !partitions.contains(&m.in_partition()));
        self.queued_bytes = self.queue.iter().map(Message::size_bytes).sum();
    }

    /// The oldest that are queued. (Their bytes never exceed a batch's.)
    fn take_batch(&mut self, limits: Limits, stop: &CancellationToken) -> Vec<Message> {
        let events = self.queue.len().min(limits.events);
        let batch: Vec<Message> = self.queue.drain(..events).collect();
        self.queued_bytes = self.queue.iter().map(Message::size_bytes).sum();
        self.waiting_since = Instant::now();
        self.under_way = UnderWay::of(&batch, stop);
        batch
    }
}

impl UnderWay {
    fn of(batch: &[Message], stop: &CancellationToken) -> Self {
        let oldest = |kind| {
            let sent = batch.iter().filter(|m| m.kind == kind).filter_map(|m| m.sent_at);
            sent.min().map(|t| (kind, t))
        };
        Self {
            partitions: batch.iter().map(Message::in_partition).collect(),
            oldest: EventKind::ALL.into_iter().filter_map(oldest).collect(),
            give_up: stop.child_token(),
        }
    }
}
