//! Tests of the transforms: small tables in, whole outputs compared.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops where its own tables are wrong"
)]

mod analytics;
mod controls;
mod functions;
mod guardrail;
mod sql_files;
mod support;
