//! What the Kafka consumer measures.

use std::fmt;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::level::Level;

/// Seconds. 5 is the alert's limit; a backfill may be days late.
const LAG_SECONDS: [f64; 15] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 86_400.0,
];

/// Messages, how far behind they are, and those that were put aside.
#[derive(Clone)]
pub struct ConsumerMetrics {
    messages: Counter<u64>,
    event_lag: Histogram<f64>,
    kafka_lag: Level,
    freshness: Level,
    dlq: Counter<u64>,
}

impl ConsumerMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            messages: meter
                .u64_counter("consumer_messages_total")
                .with_description("Messages dealt with, by what became of them")
                .build(),
            event_lag: meter
                .f64_histogram("consumer_event_lag_seconds")
                .with_description("From an event's own time to the commit that made it visible")
                .with_boundaries(LAG_SECONDS.to_vec())
                .build(),
            kafka_lag: Level::new(
                meter,
                "consumer_kafka_lag",
                "Messages of an assigned partition that are not committed yet",
            ),
            freshness: Level::new(
                meter,
                "consumer_freshness_seconds",
                "Age of the oldest message that waits to become visible; 0 when none does, absent while no partition \
                 of the topic is assigned",
            ),
            dlq: meter
                .u64_counter("consumer_dlq_total")
                .with_description("Messages put into the dead letter queue")
                .build(),
        }
    }

    /// Measures nothing.
    #[must_use]
    pub fn noop() -> Self {
        Self::new(&super::noop_meter())
    }

    /// `n` messages of a topic were dealt with; `outcome` says how (`written`, `stale`, `dlq`, `tombstone`).
    pub fn messages(&self, topic: &str, outcome: &str, n: u64) {
        self.messages
            .add(n, &[label("topic", topic), label("outcome", outcome)]);
    }

    /// An event became visible `seconds` after its own time. A clock that is ahead of ours counts as 0.
    pub fn event_lag(&self, topic: &str, seconds: f64) {
        self.event_lag.record(seconds.max(0.0), &[label("topic", topic)]);
    }

    /// `n` messages of an assigned partition are not committed yet.
    pub fn kafka_lag(&self, topic: &str, partition: i32, n: u64) {
        let partition = partition.to_string();
        // Exact up to 2^53 messages.
        self.kafka_lag
            .set([("topic", topic), ("partition", &partition)], n as f64);
    }

    /// A partition was taken away: its lag is another member's to tell from now on.
    pub fn forget_kafka_lag(&self, topic: &str, partition: i32) {
        let partition = partition.to_string();
        self.kafka_lag
            .forget([("topic", topic), ("partition", &partition)]);
    }

    /// How old the oldest message of a topic is that waits to become visible, 0 when none waits.
    ///
    /// Set it on a timer too, not only after a commit: while the database is away nothing commits, and the value
    /// must grow or `DataFreshnessHigh` sleeps through the outage.
    pub fn freshness(&self, topic: &str, seconds: f64) {
        self.freshness.set([("topic", topic)], seconds.max(0.0));
    }

    /// No partition of a topic is assigned: how fresh its data is, is not known here.
    pub fn forget_freshness(&self, topic: &str) {
        self.freshness.forget([("topic", topic)]);
    }

    /// `n` messages of a topic went to the dead letter queue for one class of error. Call it with 0 at the start
    /// for what may happen later: a counter that appears with its first event looks to Prometheus as if nothing
    /// had been added.
    pub fn dlq(&self, topic: &str, class: &str, n: u64) {
        self.dlq.add(n, &[label("topic", topic), label("class", class)]);
    }
}

impl Default for ConsumerMetrics {
    fn default() -> Self {
        Self::noop()
    }
}

impl fmt::Debug for ConsumerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerMetrics").finish_non_exhaustive()
    }
}

fn label(name: &'static str, value: &str) -> KeyValue {
    KeyValue::new(name, value.to_owned())
}
