//! What a caller decides and provides.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nsc_contracts::event::EventProfile;
use nsc_core::Clock;
use nsc_kafka::KafkaOptions;
use nsc_store::Store;
use nsc_telemetry::Metrics;

/// What the caller has and this crate uses; clones share it.
#[derive(Clone)]
pub struct Services {
    /// Where events go.
    pub store: Store,
    /// What is measured.
    pub metrics: Metrics,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").finish_non_exhaustive()
    }
}

/// Options of a [`crate::Consumer`].
#[derive(Debug, Clone)]
pub struct ConsumerOptions {
    /// How to reach the brokers.
    pub kafka: KafkaOptions,
    /// Which topic carries which event.
    pub profile: EventProfile,
    /// How events are written.
    pub sink: SinkOptions,
    /// Transactions under way at once. A partition always belongs to one of them, so its order is kept. Of a
    /// store's connections one a worker is needed.
    pub workers: usize,
    /// Where a partition without a committed offset begins.
    pub start: StartAt,
    /// Begin every partition at its beginning, whatever is committed; once in the life of this process.
    pub from_beginning: bool,
    /// End after so many messages, all of them finished and committed.
    pub max_messages: Option<u64>,
    /// End when no message has come for so long since this member joined, and all are finished and committed.
    pub max_idle: Option<Duration>,
    /// Time for the batches under way, the last commit and the goodbye to the group when asked to stop.
    pub stop_timeout: Duration,
}

impl ConsumerOptions {
    /// Defaults for some brokers and a profile: two workers, from the earliest offset.
    #[must_use]
    pub fn new(kafka: KafkaOptions, profile: EventProfile) -> Self {
        Self {
            kafka,
            profile,
            sink: SinkOptions::default(),
            workers: 2,
            start: StartAt::Earliest,
            from_beginning: false,
            max_messages: None,
            max_idle: None,
            stop_timeout: Duration::from_secs(15),
        }
    }
}

/// Where a partition without a committed offset begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartAt {
    /// At its oldest message: nothing is missed.
    #[default]
    Earliest,
    /// Behind its newest message, when the group has committed nothing of its topic: at its first start, and never again.
    /// The position is committed before anything is read. A partition that comes later is read from its beginning.
    Latest,
}

/// How events get into the store, from whatever source.
#[derive(Debug, Clone)]
pub struct SinkOptions {
    /// Most events in one transaction.
    pub batch_events: usize,
    /// Most bytes of messages in one transaction, one message aside.
    pub batch_bytes: usize,
    /// How long a batch waits for company.
    pub batch_linger: Duration,
    /// A longer message is a violation.
    pub max_message_bytes: usize,
    /// An event with a time further ahead of its message is a violation; none takes any time.
    pub max_ahead: Option<Duration>,
    /// First pause after a failure; doubled with each further one.
    pub retry_initial: Duration,
    /// Longest pause.
    pub retry_max: Duration,
    /// A transaction without an answer is given up, and tried again, after this time.
    pub attempt_timeout: Duration,
    /// What can never succeed.
    pub dead_letters: DeadLetterOptions,
}

impl Default for SinkOptions {
    fn default() -> Self {
        Self {
            batch_events: 5_000,
            batch_bytes: 8 << 20,
            batch_linger: Duration::from_millis(50),
            max_message_bytes: 1 << 20,
            max_ahead: Some(Duration::from_hours(24)),
            retry_initial: Duration::from_millis(200),
            retry_max: Duration::from_secs(15),
            attempt_timeout: Duration::from_secs(30),
            dead_letters: DeadLetterOptions::default(),
        }
    }
}

/// Where dead letters are kept, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterOptions {
    /// Where.
    pub backend: DeadLetterBackend,
    /// For how long (contract: 14 days).
    pub retention: Duration,
    /// How often a running consumer removes those that are older.
    pub prune_interval: Duration,
}

impl Default for DeadLetterOptions {
    fn default() -> Self {
        Self {
            backend: DeadLetterBackend::Database,
            retention: Duration::from_hours(14 * 24),
            prune_interval: Duration::from_hours(1),
        }
    }
}

/// Where dead letters are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeadLetterBackend {
    /// `bo.consumer_dlq_events`, in the transaction of the batch.
    #[default]
    Database,
    /// A file of JSON lines, on the disk before the batch's transaction.
    File(PathBuf),
}
