//! How this platform speaks to Kafka, whatever it reads there: the client's options, how a connection is protected and
//! who it is, tokens for it, and what of a message and of the library's statistics is of interest,
//! and a queue for every partition.

mod headers;
mod library_log;
mod oauth;
mod options;
mod partition_queues;
mod security;
mod statistics;

pub use headers::correlation_id;
pub use library_log::log;
pub use oauth::ClientCredentials;
pub use options::{KafkaOptions, PropertyError};
pub use partition_queues::{PartitionQueues, Wakeup};
pub use security::{OauthToken, Security, TokenError, TokenProvider};
pub use statistics::{Lag, lags};
