//! A message as it came, owned: everything a dead letter must hold is still there when it turns out to be one.

use std::sync::Arc;

use nsc_contracts::event::EventKind;
use nsc_core::UtcMicros;
use nsc_store::{DeadLetter, Place};
use nsc_telemetry::CorrelationId;

/// What the topic of a dead letter from a file begins with.
pub(crate) const BACKFILL_TOPIC: &str = "backfill:";

/// `error_class` of a row that the database refuses although it keeps the contract.
pub(crate) const REFUSED_BY_DATABASE: &str = "refused_by_database";

/// A partition of one of the two topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Partition {
    pub(crate) kind: EventKind,
    pub(crate) number: i32,
}

/// A message, from Kafka, from a file or from the dead letters.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) kind: EventKind,
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    /// None is a tombstone.
    pub(crate) payload: Option<Vec<u8>>,
    /// Where it stood in its topic; none for a line of a file.
    pub(crate) place: Option<Place>,
    /// When the broker or the producer says it was sent.
    pub(crate) sent_at: Option<UtcMicros>,
    /// From a header.
    pub(crate) correlation: Option<CorrelationId>,
    /// Which time of owning its partition it came in.
    pub(crate) epoch: u64,
}

impl Message {
    pub(crate) const fn in_partition(&self) -> Partition {
        Partition {
            kind: self.kind,
            number: self.partition,
        }
    }

    /// Bytes it takes, its own bookkeeping included.
    pub(crate) fn size_bytes(&self) -> usize {
        let bytes = |b: &Option<Vec<u8>>| b.as_ref().map_or(0, Vec::len);
        bytes(&self.key) + bytes(&self.payload) + size_of::<Self>()
    }

    /// The dead letter it becomes. It gets a correlation id if it has none, so that its line in the log is found.
    pub(crate) fn dead_letter(
        &self,
        class: &str,
        error: String,
        of_payload: Option<CorrelationId>,
    ) -> DeadLetter {
        let correlation = self.correlation.clone().or(of_payload);
        DeadLetter {
            topic: self.topic.to_string(),
            partition: self.partition,
            offset: self.offset,
            key: self.key.clone(),
            payload: self.payload.clone(),
            error_class: class.to_owned(),
            error,
            correlation_id: Some(correlation.unwrap_or_else(CorrelationId::fresh).into_string()),
        }
    }
}
