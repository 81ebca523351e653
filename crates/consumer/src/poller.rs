//! The thread that polls Kafka: it copies messages into lanes, stores finished offsets, and slows Kafka down when the
//! lanes are full.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nsc_contracts::event::EventKind;
use nsc_core::UtcMicros;
use rdkafka::Message as _;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaErrorCode;
use tokio_util::sync::CancellationToken;

use crate::error::ConsumerError;
use crate::kafka::{self, Client};
use crate::message::{Message, Partition};
use crate::options::ConsumerOptions;

/// How long a poll waits for a message.
const POLL: Duration = Duration::from_millis(100);
/// How often finished offsets are stored. (The library commits them at its own interval.)
const STORE: Duration = Duration::from_millis(100);
/// Lanes may be full this long before partitions are paused. Pausing throws away what was fetched ahead, so a short
/// wait, the rule under load, does without; but polling must go on, or the group thinks this member dead.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same trouble is told at most this often.
const TELL: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Poller {
    client: Client,
    options: ConsumerOptions,
    stop: CancellationToken,
    topics: [Arc<str>; 2],
    /// Messages that no lane has room for.
    held: VecDeque<Message>,
    full_since: Option<Instant>,
    paused: bool,
    stored_at: Instant,
    told: Vec<(RDKafkaErrorCode, Instant)>,
}

impl Poller {
    pub(crate) fn new(client: Client, options: ConsumerOptions, stop: CancellationToken) -> Self {
        let topics = EventKind::ALL.map(|kind| Arc::from(options.profile.topic(kind)));
        Self {
            client,
            options,
            stop,
            topics,
            held: VecDeque::new(),
            full_since: None,
            paused: false,
            stored_at: Instant::now(),
            told: Vec::new(),
        }
    }

    /// Polls until told to stop; then waits for the batches under way, commits, and leaves the group.
    pub(crate) fn run(mut self) -> Result<(), ConsumerError> {
        let mut outcome = Ok(());
        while outcome.is_ok() && !self.stop.is_cancelled() {
            outcome = self.turn();
        }
        // A failure here ends the lanes too.
        self.stop.cancel();
        let context = Arc::clone(self.client.context());
        let patience = self.options.landing.attempt_timeout + PATIENCE;
        for lane in context.lanes.iter() {
            lane.wait_until_idle(patience);
        }
        context.store_finished(&self.client);
        // Closing commits what is stored and leaves the group; it happens when the client is dropped.
        drop(self);
        tracing::info!("left the group");
        outcome
    }

    fn turn(&mut self) -> Result<(), ConsumerError> {
        if self.stored_at.elapsed() >= STORE {
            self.stored_at = Instant::now();
            self.client.context().store_finished(&self.client);
        }
        if !self.held.is_empty() && !self.hand_over() && !self.paused {
            return Ok(());
        }
        let polled = match self.client.poll(POLL) {
            None => None,
            Some(Ok(message)) => self.received(&message),
            Some(Err(error)) => {
                self.trouble(&error)?;
                None
            }
        };
        // A partition may have left during the poll, and what is held of it with it.
        let assignment = &self.client.context().assignment;
        self.held.retain(|m| assignment.owns(m.in_partition(), m.epoch));
        if let Some(message) = polled {
            self.deliver(message);
        }
        Ok(())
    }

    /// Gives held messages to their lanes; false when some are still held.
    fn hand_over(&mut self) -> bool {
        let context = Arc::clone(self.client.context());
        while let Some(message) = self.held.pop_front() {
            let Some(lane) = self.lane(&message) else {
                continue;
            };
            // While paused, the poll does the waiting.
            let wait = if self.paused { Duration::ZERO } else { POLL };
            let Some(lane) = context.lanes.get(lane) else {
                continue;
            };
            lane.wait_for_room(wait);
            if let Some(message) = lane.push(message) {
                self.held.push_front(message);
                self.still_full();
                return false;
            }
        }
        self.full_since = None;
        self.resume();
        true
    }

    fn deliver(&mut self, message: Message) {
        let Some(lane) = self.lane(&message) else {
            return;
        };
        let lanes = Arc::clone(&self.client.context().lanes);
        // Behind one that is held no other may overtake.
        let given_back = if self.held.is_empty() {
            lanes.get(lane).and_then(|lane| lane.push(message))
        } else {
            Some(message)
        };
        if let Some(message) = given_back {
            self.held.push_back(message);
            if self.paused {
                // A partition that came while the others are paused.
                self.pause();
            }
        }
    }

    /// The lane of a message; none when its partition is not ours (any more), and then it is its owner's.
    fn lane(&self, message: &Message) -> Option<usize> {
        let ownership = self
            .client
            .context()
            .assignment
            .ownership(message.in_partition())?;
        (ownership.epoch == message.epoch).then_some(ownership.lane)
    }

    fn received(&self, message: &BorrowedMessage<'_>) -> Option<Message> {
        let kind = self.options.profile.kind_of(message.topic())?;
        let partition = Partition {
            kind,
            number: message.partition(),
        };
        let ownership = self.client.context().assignment.ownership(partition)?;
        let topic = match kind {
            EventKind::LedgerEntry => &self.topics[0],
            EventKind::PaymentOrder => &self.topics[1],
        };
        Some(Message {
            kind,
            topic: Arc::clone(topic),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            sent_at: message
                .timestamp()
                .to_millis()
                .map(|ms| UtcMicros::new(ms.saturating_mul(1_000))),
            correlation: kafka::correlation_id(message),
            epoch: ownership.epoch,
        })
    }

    fn still_full(&mut self) {
        let since = *self.full_since.get_or_insert_with(Instant::now);
        if !self.paused && since.elapsed() >= PATIENCE {
            tracing::info!("the lanes are full; partitions paused");
            self.paused = true;
            self.pause();
        }
    }

    fn pause(&self) {
        if let Err(error) = self.client.pause(&self.assigned()) {
            tracing::warn!(%error, "partitions were not paused");
        }
    }

    fn resume(&mut self) {
        if self.paused {
            self.paused = false;
            tracing::info!("the lanes have room; partitions resumed");
            if let Err(error) = self.client.resume(&self.assigned()) {
                tracing::warn!(%error, "partitions were not resumed");
            }
        }
    }

    fn assigned(&self) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in self.client.context().assignment.partitions() {
            list.add_partition(self.options.profile.topic(partition.kind), partition.number);
        }
        list
    }

    /// Whatever is wrong with brokers or topics is waited for; the library tries again by itself.
    fn trouble(&mut self, error: &KafkaError) -> Result<(), ConsumerError> {
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
