//! What a stream is told.

use std::time::Duration;

use nsc_contracts::Source;
use nsc_kafka::KafkaOptions;

/// A topic, and the source whose records it carries.
#[derive(Debug, Clone)]
pub struct TopicSource {
    /// Name of the topic.
    pub topic: String,
    /// The source; its Bronze table takes the messages.
    pub source: &'static Source,
}

/// How messages become rows of Bronze.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// How to reach the brokers.
    pub kafka: KafkaOptions,
    /// What the cluster is called in the positions that are kept: another cluster has offsets of its own.
    pub cluster: String,
    /// The topics.
    pub topics: Vec<TopicSource>,
    /// A batch is committed when it has so many rows,
    pub batch_rows: usize,
    /// so many bytes of messages,
    pub batch_bytes: usize,
    /// or when its first message has waited so long.
    pub batch_wait: Duration,
    /// End after so many messages, all of them committed.
    pub max_messages: Option<u64>,
    /// End when no message has come for so long, and all are committed.
    pub max_idle: Option<Duration>,
}

impl StreamOptions {
    /// Defaults for some brokers and topics (sources contract 3.1): 50,000 rows, 32 MiB or 5 s, whichever is first.
    #[must_use]
    pub fn new(kafka: KafkaOptions, cluster: impl Into<String>, topics: Vec<TopicSource>) -> Self {
        Self {
            kafka,
            cluster: cluster.into(),
            topics,
            batch_rows: 50_000,
            batch_bytes: 32 << 20,
            batch_wait: Duration::from_secs(5),
            max_messages: None,
            max_idle: None,
        }
    }
}
