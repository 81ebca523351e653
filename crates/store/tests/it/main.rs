//! The store against a real PostgreSQL: one cluster for the process, one database a test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails, also in the functions that set it up"
)]

mod audit;
mod audit_chain;
mod dead_letters;
mod flags;
mod logins;
mod lookups;
mod measured;
mod migrations;
mod model;
mod outage;
mod pairing;
mod probe;
mod properties;
mod roles;
mod statements;
mod stored_version;
mod support;
mod upsert;
mod ways;
