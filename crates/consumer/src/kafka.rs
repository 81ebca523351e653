//! The Kafka side of the consumer: what the library tells us, who owns which partition, where a group begins.

mod assignment;
mod context;
mod ends;

pub(crate) use assignment::Assignment;
pub(crate) use context::{Client, Context};
pub(crate) use ends::Ends;
