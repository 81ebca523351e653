//! The Kafka side: how to reach the brokers, what the library tells us, who owns which partition.

mod assignment;
mod context;
mod ends;
mod headers;
mod options;
mod statistics;

pub(crate) use assignment::Assignment;
pub(crate) use context::{Client, Context};
pub(crate) use ends::Ends;
pub(crate) use headers::correlation_id;
pub use options::{KafkaOptions, OauthToken, Security, TokenError, TokenProvider};
