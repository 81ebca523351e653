//! The thread that polls Kafka: it copies messages into workers, stores finished offsets, and slows Kafka down when the
//! workers are full.

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
use crate::kafka::Client;
use crate::message::{Message, Partition};
use crate::options::{ConsumerOptions, StartAt};
use crate::retry::Backoff;
use crate::worker::PartitionWorker;

/// How long a poll waits for a message.
const POLL: Duration = Duration::from_millis(100);
/// How long anything waits while a worker is full or paused: when it has room again must not be overslept.
const ROOM: Duration = Duration::from_millis(20);
/// How often finished offsets are stored. (The library commits them at its own interval.)
const STORE: Duration = Duration::from_millis(100);
/// A worker may be full this long before its partitions are paused although no other worker wants for messages. Pausing
/// throws away what was fetched ahead, so a short wait, the rule under load, does without; but polling must go on, or
/// the group thinks this member dead.
const PATIENCE: Duration = Duration::from_secs(1);
/// After a pause that brought the other workers nothing they are thought to have nothing to come.
const IN_VAIN: Duration = Duration::from_secs(10);
/// The same trouble is told at most this often.
const TELL: Duration = Duration::from_secs(30);

/// What is on its way into a worker.
#[derive(Debug, Default)]
struct Intake {
    /// Messages that the worker has no room for.
    held: VecDeque<Message>,
    full_since: Option<Instant>,
    /// Its partitions are paused.
    paused: bool,
    /// Others had messages meanwhile.
    others_polled: bool,
}

/// See the module.
pub(crate) struct Poller {
    client: Client,
    options: ConsumerOptions,
    stop: CancellationToken,
    topics: [Arc<str>; 2],
    /// By worker.
    intakes: Vec<Intake>,
    /// When a pause was last in vain.
    in_vain: Option<Instant>,
    stored_at: Instant,
    /// Messages given to workers.
    taken: u64,
    /// When the last message came, or this member joined.
    quiet_since: Instant,
    told: Vec<(RDKafkaErrorCode, Instant)>,
}

impl Poller {
    pub(crate) fn new(client: Client, options: ConsumerOptions, stop: CancellationToken) -> Self {
        let topics = EventKind::ALL.map(|kind| Arc::from(options.profile.topic(kind)));
        let intakes = client
            .context()
            .workers
            .iter()
            .map(|_| Intake::default())
            .collect();
        Self {
            client,
            options,
            stop,
            topics,
            intakes,
            in_vain: None,
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
        let patience = self.options.landing.attempt_timeout + PATIENCE;
        for worker in context.workers.iter() {
            worker.wait_until_idle(patience);
        }
        context.store_finished(&self.client);
        // Closing commits what is stored and leaves the group; it happens when the client is dropped.
        drop(self);
        tracing::info!("left the group");
        outcome
    }

    /// Asks where to begin, when that is behind what is there, and joins the group.
    fn join(&mut self) -> Result<(), ConsumerError> {
        let (initial, max) = (self.options.landing.retry_initial, self.options.landing.retry_max);
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
                self.trouble(&error)?;
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), ConsumerError> {
        if self.stored_at.elapsed() >= STORE {
            self.stored_at = Instant::now();
            self.client.context().store_finished(&self.client);
        }
        for worker in 0..self.intakes.len() {
            self.hand_over(worker);
        }
        let full = |intake: &Intake| !intake.held.is_empty() && !intake.paused;
        if let Some(worker) = self.intakes.iter().position(full) {
            if !self.is_worth_a_pause(worker) {
                if let Some(worker) = self.client.context().workers.get(worker) {
                    worker.wait_for_room(ROOM);
                }
                return Ok(());
            }
            self.pause(worker);
        }
        let paused = self.intakes.iter().any(|intake| intake.paused);
        let polled = match self.client.poll(if paused { ROOM } else { POLL }) {
            None => None,
            Some(Ok(message)) => self.received(&message),
            Some(Err(error)) => {
                self.trouble(&error)?;
                None
            }
        };
        // A partition may have left during the poll, and what is held of it with it.
        let assignment = &self.client.context().assignment;
        for intake in &mut self.intakes {
            intake.held.retain(|m| assignment.owns(m.in_partition(), m.epoch));
        }
        // What comes behind the last one is not finished, and so not committed: it comes again.
        if let Some(message) = polled.filter(|_| !self.has_all()) {
            self.taken += 1;
            self.quiet_since = Instant::now();
            self.deliver(message);
        }
        Ok(())
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
        (idle || self.has_all())
            && self.intakes.iter().all(|intake| intake.held.is_empty())
            && context.workers.iter().all(PartitionWorker::is_at_rest)
    }

    /// Gives a worker what is held for it, as far as there is room, and resumes it when it wants for more.
    fn hand_over(&mut self, at: usize) {
        let context = self.client.context();
        let (Some(intake), Some(worker)) = (self.intakes.get_mut(at), context.workers.get(at)) else {
            return;
        };
        while let Some(message) = intake.held.pop_front() {
            if let Some(message) = worker.push(message) {
                intake.held.push_front(message);
                intake.full_since.get_or_insert_with(Instant::now);
                return;
            }
        }
        intake.full_since = None;
        if intake.paused && !worker.holds_a_batch() {
            if !std::mem::take(&mut intake.others_polled) {
                self.in_vain = Some(Instant::now());
            }
            intake.paused = false;
            tracing::debug!(worker = at, "the worker has room; partitions resumed");
            if let Err(error) = self.client.resume(&self.partitions_of(at)) {
                tracing::warn!(%error, "partitions were not resumed");
            }
        }
    }

    /// Whether the partitions of a full worker are to be paused, so that polling goes on: when it has been full for long,
    /// or when another worker wants for messages that may be behind those of this one. (A broker may send long stretches
    /// of one partition.)
    fn is_worth_a_pause(&self, full: usize) -> bool {
        let since = self.intakes.get(full).and_then(|intake| intake.full_since);
        if since.is_some_and(|since| since.elapsed() >= PATIENCE) {
            return true;
        }
        let context = self.client.context();
        let wants = |at: usize| {
            context
                .workers
                .get(at)
                .is_some_and(|worker| !worker.holds_a_batch())
        };
        let feeds = |at: usize| !context.assignment.partitions_of(at).is_empty();
        self.in_vain.is_none_or(|at| at.elapsed() >= IN_VAIN)
            && (0..self.intakes.len()).any(|at| at != full && wants(at) && feeds(at))
    }

    fn deliver(&mut self, message: Message) {
        let Some(at) = self.worker(&message) else {
            return;
        };
        for (other, intake) in self.intakes.iter_mut().enumerate() {
            intake.others_polled |= other != at;
        }
        let context = self.client.context();
        let (Some(intake), Some(worker)) = (self.intakes.get_mut(at), context.workers.get(at)) else {
            return;
        };
        // Behind one that is held no other may overtake.
        let given_back = if intake.held.is_empty() {
            worker.push(message)
        } else {
            Some(message)
        };
        if let Some(message) = given_back {
            intake.held.push_back(message);
            if intake.paused {
                // A partition that came while the others are paused.
                self.pause(at);
            }
        }
    }

    /// The worker of a message; none when its partition is not ours (any more), and then it is its owner's.
    fn worker(&self, message: &Message) -> Option<usize> {
        let ownership = self
            .client
            .context()
            .assignment
            .ownership(message.in_partition())?;
        (ownership.epoch == message.epoch).then_some(ownership.worker)
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
            correlation: nsc_kafka::correlation_id(message),
            epoch: ownership.epoch,
        })
    }

    fn pause(&mut self, at: usize) {
        if let Some(intake) = self.intakes.get_mut(at) {
            intake.others_polled &= intake.paused;
            intake.paused = true;
        }
        tracing::debug!(worker = at, "the worker is full; partitions paused");
        if let Err(error) = self.client.pause(&self.partitions_of(at)) {
            tracing::warn!(%error, "partitions were not paused");
        }
    }

    fn partitions_of(&self, worker: usize) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in self.client.context().assignment.partitions_of(worker) {
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
