//! The lake against plain-map models, on real Delta tables.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stand outside #[test] functions"
)]

mod calendar;
mod corrections;
mod damaged_log;
mod days_changed;
mod foreign_features;
mod log_growth;
mod many_dates;
mod opening;
mod rearranged;
mod root_names;
mod small;
mod upsert;
