//! The consumer against a real PostgreSQL and a real broker.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up fails, also in the functions that set it up"
)]

mod backfill;
mod beginning;
mod correlation;
mod dead_letters;
mod group;
mod killed;
mod metrics;
mod outage;
mod replay;
mod sink;
mod world;
