//! Kafka to the backoffice database (serving contract 1, 4 and 7).
//!
//! [`Consumer`] reads the two topics and writes what they hold, at least once and with the same end however often.
//! [`backfill()`] does the same with files, [`replay`] with dead letters. All three go through one reading
//! ([`parse_event`]) and one way into the store.

mod backfill;
mod consumer;
mod dlq;
mod error;
mod form;
mod housekeeping;
mod json;
mod kafka;
mod message;
mod options;
mod parse;
mod poller;
mod replay;
mod retry;
mod sink;
mod worker;

pub use backfill::{BackfillOptions, BackfillProgress, BackfillSummary, FailedFile, backfill};
pub use consumer::{Consumed, Consumer, ConsumerStatus};
pub use dlq::{DeadLetterQueue, ImportSummary, import};
pub use error::ConsumerError;
pub use form::OtherForm;
pub use nsc_kafka::{KafkaOptions, Security};
pub use nsc_store::{DeadLetterFilter, StoredDeadLetter};
pub use options::{ConsumerOptions, DeadLetterBackend, DeadLetterOptions, Services, SinkOptions, StartAt};
pub use parse::parse_event;
pub use replay::{ReplayOptions, ReplaySummary, StillBad, replay};
