//! The pipelines in process, over storage that fails on purpose.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stand outside #[test] functions"
)]

mod dying_night;
mod dying_retraction;
mod dying_store;
mod single_flight;
mod story;
