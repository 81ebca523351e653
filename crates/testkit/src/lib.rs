//! What tests need and the product must not have: real servers on loopback, and an object store that dies at a
//! chosen write.

mod azurite;
mod broker;
mod broker_client;
#[cfg(test)]
mod broker_tests;
mod fault_store;
mod issuer;
mod postgres;
mod proxy;
mod sasl;

pub use azurite::Azurite;
pub use broker::{Broker, BrokerError};
pub use broker_client::Record;
pub use fault_store::{FaultPlan, FaultStore};
pub use issuer::{AUDIENCE, Issuer, KeyKind, Mood, SigningKey, Token};
pub use postgres::{Database, Postgres, PostgresError, PostgresOptions, Server};
pub use proxy::FaultProxy;
pub use sasl::Credentials;
