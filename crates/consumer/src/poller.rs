//! The thread that polls Kafka: it fills the workers from the queues of their partitions, as far as each has room, stores
//! finished offsets, and lets the library call back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nsc_contracts::event::EventKind;
use nsc_core::{Clock, UtcMicros};
use nsc_kafka::Wakeup;
use nsc_store::Place;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Timestamp};
use rdkafka::types::RDKafkaErrorCode;
use tokio_util::sync::CancellationToken;

use crate::error::ConsumerError;
use crate::kafka::Client;
use crate::message::{Message, Partition};
use crate::options::{ConsumerOptions, StartAt};
use crate::retry::Backoff;
use crate::worker::PartitionWorker;

/// How long the thread waits for a message or for room before it lets the library call back again.
const POLL: Duration = Duration::from_millis(100);
/// How often finished offsets are stored. (The library commits them at its own interval.)
const STORE: Duration = Duration::from_millis(100);
/// Messages of one partition at a time, before others of its worker have their turn.
const SHARE: usize = 500;
/// How much longer than an attempt a batch under way is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same trouble is told at most this often.
const TELL: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Poller {
    client: Arc<Client>,
    /// Called when a queue is no longer empty, or a worker has room.
    wakeup: Arc<Wakeup>,
    options: ConsumerOptions,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    topics: [Arc<str>; 2],
    /// Counted, so that each partition of a worker goes first now and then.
    turns: usize,
    stored_at: Instant,
    /// Messages given to workers.
    taken: u64,
    /// When the last message came, or this member joined.
    quiet_since: Instant,
    told: Vec<(RDKafkaErrorCode, Instant)>,
}

impl Poller {
    pub(crate) fn new(
        client: Arc<Client>,
        wakeup: Arc<Wakeup>,
        options: ConsumerOptions,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Self {
        let topics = EventKind::ALL.map(|kind| Arc::from(options.profile.topic(kind)));
        Self {
            client,
            wakeup,
            options,
            clock,
            stop,
            topics,
            turns: 0,
            stored_at: Instant::now(),
            taken: 0,
            quiet_since: Instant::now(),
            told: Vec::new(),
        }
    }

    /// Polls until told to stop; then waits for the batches under way, commits, and leaves the group.
    pub(crate) fn run(mut self) -> Result<(), ConsumerError> {
        let mut outcome = self.join();
        while outcome.is_ok() && !self.stop.is_cancelled() && !self.is_done() {
            outcome = self.turn();
        }
        // A failure here ends the workers too.
        self.stop.cancel();
        let context = Arc::clone(self.client.context());
        let patience = self.options.sink.attempt_timeout + PATIENCE;
        for worker in context.workers.iter() {
            worker.wait_until_idle(patience);
        }
        context.store_finished(&self.client);
        context.queues.close_all();
        // Closing commits what is stored and leaves the group; it happens when the client is dropped.
        drop(self);
        tracing::info!("left the group");
        outcome
    }

    /// Asks where to begin, when that is behind what is there, and joins the group.
    fn join(&mut self) -> Result<(), ConsumerError> {
        let (initial, max) = (self.options.sink.retry_initial, self.options.sink.retry_max);
        let mut backoff = Backoff::new(initial, max);
        let begins_at_ends = self.options.start == StartAt::Latest && !self.options.from_beginning;
        while begins_at_ends && !self.stop.is_cancelled() {
            self.serve(POLL)?;
            let asked = self
                .client
                .context()
                .ends
                .ask(&self.client, &self.options.profile);
            let Err(error) = asked else { break };
            tracing::warn!(%error, "the brokers do not say yet where the topics end; waiting");
            self.serve(backoff.pause())?;
        }
        let topics = EventKind::ALL.map(|kind| self.options.profile.topic(kind));
        self.client
            .subscribe(&topics)
            .map_err(|e| ConsumerError::Broker {
                reason: e.to_string(),
            })?;
        tracing::info!(group = self.options.kafka.group_id, ?topics, "subscribed");
        Ok(())
    }

    /// Waits, and lets the library call back meanwhile: without a token it gets nowhere.
    fn serve(&mut self, pause: Duration) -> Result<(), ConsumerError> {
        let begun = Instant::now();
        while begun.elapsed() < pause && !self.stop.is_cancelled() {
            let failed = self.client.poll(POLL).and_then(Result::err);
            if let Some(error) = failed {
                self.tell_or_fail(&error)?;
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), ConsumerError> {
        if self.stored_at.elapsed() >= STORE {
            self.stored_at = Instant::now();
            self.client.context().store_finished(&self.client);
        }
        self.let_the_library_call_back()?;
        self.turns = self.turns.wrapping_add(1);
        let mut moved = false;
        for worker in 0..self.client.context().workers.len() {
            moved |= self.fill(worker)?;
        }
        if !moved {
            self.wakeup.wait(POLL);
        }
        Ok(())
    }

    /// Rebalances, errors, statistics. A message that came before its partition had a queue is older than all in it.
    fn let_the_library_call_back(&mut self) -> Result<(), ConsumerError> {
        let client = Arc::clone(&self.client);
        while let Some(polled) = client.poll(Duration::ZERO) {
            match polled {
                Ok(message) => {
                    if let Some(partition) = self.partition_of(&message).filter(|_| !self.has_all()) {
                        self.deliver(partition, &message);
                    }
                }
                Err(error) => self.tell_or_fail(&error)?,
            }
        }
        Ok(())
    }

    /// Gives a worker messages of its partitions for as long as it has room, each partition its share. Whether there
    /// were any.
    fn fill(&mut self, worker: usize) -> Result<bool, ConsumerError> {
        let client = Arc::clone(&self.client);
        let context = client.context();
        let mut partitions = context.assignment.partitions_of(worker);
        if partitions.is_empty() {
            return Ok(false);
        }
        let first = self.turns % partitions.len();
        partitions.rotate_left(first);
        let mut moved = false;
        for partition in partitions {
            for _ in 0..SHARE {
                // What comes behind the last one is not finished, and so not committed: it comes again.
                if self.has_all() || !context.workers.get(worker).is_some_and(PartitionWorker::has_room) {
                    return Ok(moved);
                }
                match context
                    .queues
                    .poll(&partition, |message| self.deliver(partition, message))
                {
                    None => break,
                    Some(Ok(())) => moved = true,
                    Some(Err(error)) => self.tell_or_fail(&error)?,
                }
            }
        }
        Ok(moved)
    }

    /// It has as many messages as were asked for.
    fn has_all(&self) -> bool {
        self.options.max_messages.is_some_and(|most| self.taken >= most)
    }

    /// All that was asked for is finished. Time counts from when this member has joined: before, nothing can come.
    fn is_done(&mut self) -> bool {
        let context = self.client.context();
        if !context.assignment.joined() {
            self.quiet_since = Instant::now();
        }
        let quiet = self.quiet_since.elapsed();
        let idle = self.options.max_idle.is_some_and(|longest| quiet >= longest);
        (idle || self.has_all()) && context.workers.iter().all(PartitionWorker::is_at_rest)
    }

    /// Hands a message to the worker of its partition, unless that is not ours any more: then it is its owner's.
    fn deliver(&mut self, partition: Partition, message: &BorrowedMessage<'_>) {
        let context = self.client.context();
        let Some(ownership) = context.assignment.ownership(partition) else {
            return;
        };
        let Some(worker) = context.workers.get(ownership.worker) else {
            return;
        };
        worker.push(self.owned(partition, message, ownership.epoch));
        self.taken += 1;
        self.quiet_since = Instant::now();
    }

    fn partition_of(&self, message: &BorrowedMessage<'_>) -> Option<Partition> {
        let kind = self.options.profile.kind_of(message.topic())?;
        Some(Partition {
            kind,
            number: message.partition(),
        })
    }

    fn owned(&self, partition: Partition, message: &BorrowedMessage<'_>, epoch: u64) -> Message {
        let topic = match partition.kind {
            EventKind::LedgerEntry => &self.topics[0],
            EventKind::PaymentOrder => &self.topics[1],
        };
        Message {
            kind: partition.kind,
            topic: Arc::clone(topic),
            partition: partition.number,
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            place: Some(Place {
                partition: partition.number,
                offset: message.offset(),
                taken_at: self.clock.now(),
            }),
            sent_at: sent_at(message.timestamp()),
            correlation: nsc_kafka::correlation_id(message),
            epoch,
        }
    }

    /// Everything but a fatal error is waited for and told: the library tries again by itself. A topic that is not there yet is such an
    /// error.
    fn tell_or_fail(&mut self, error: &KafkaError) -> Result<(), ConsumerError> {
        let code = match error {
            KafkaError::MessageConsumptionFatal(code) => {
                return Err(ConsumerError::Broker {
                    reason: code.to_string(),
                });
            }
            KafkaError::MessageConsumption(code) => *code,
            other => {
                tracing::warn!(error = %other, "unexpected word from the client");
                return Ok(());
            }
        };
        self.told.retain(|(_, at)| at.elapsed() < TELL);
        if !self.told.iter().any(|(told, _)| *told == code) {
            self.told.push((code, Instant::now()));
            tracing::warn!(%code, "waiting for the brokers");
        }
        Ok(())
    }
}

/// When a message was sent; zero is what is written where no time was known.
fn sent_at(timestamp: Timestamp) -> Option<UtcMicros> {
    let millis = timestamp.to_millis().filter(|ms| *ms > 0)?;
    Some(UtcMicros::new(millis.saturating_mul(1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_time_zero_has_no_time_of_its_own() {
        assert_eq!(sent_at(Timestamp::CreateTime(1)), Some(UtcMicros::new(1_000)));
        for none in [
            Timestamp::CreateTime(0),
            Timestamp::LogAppendTime(-1),
            Timestamp::NotAvailable,
        ] {
            assert_eq!(sent_at(none), None);
        }
    }
}
