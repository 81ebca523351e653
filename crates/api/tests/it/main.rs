//! The admin API as its clients meet it: over HTTP, with a PostgreSQL and an issuer of its own.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod audit;
mod auth;
mod coverage;
mod forged_tokens;
mod headers;
mod http;
mod keys;
mod limits;
mod log;
mod openapi;
mod parameters;
mod routes;
mod shutdown;
mod start;
mod tls;
mod world;
