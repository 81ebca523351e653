//! What a process measures of its database: queries, connections, the replica's distance.

use std::fmt;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};

use super::level::Level;

/// Seconds: from a primary-key lookup to a large batch.
const QUERY_SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 30.0,
];
/// Seconds: a free connection is there at once, an exhausted pool waits until its limit.
const CHECKOUT_SECONDS: [f64; 12] = [
    0.000_05, 0.000_2, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

/// Queries, the pool, replication.
#[derive(Clone)]
pub struct DbMetrics {
    query: Histogram<f64>,
    pool_size: Level,
    pool_checked_out: Level,
    checkout: Histogram<f64>,
    replication_lag: Level,
}

impl DbMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            query: meter
                .f64_histogram("db_query_latency_seconds")
                .with_description("From the statement to its last row, without the wait for a connection")
                .with_boundaries(QUERY_SECONDS.to_vec())
                .build(),
            pool_size: Level::new(meter, "db_pool_size", "Connections the pool may open at most"),
            pool_checked_out: Level::new(meter, "db_pool_checked_out", "Connections in use"),
            checkout: meter
                .f64_histogram("db_pool_checkout_latency_seconds")
                .with_description("Wait for a connection from the pool")
                .with_boundaries(CHECKOUT_SECONDS.to_vec())
                .build(),
            replication_lag: Level::new(
                meter,
                "db_replication_lag_seconds",
                "How far the replica is behind; absent without a replica",
            ),
        }
    }

    /// Measures nothing.
    #[must_use]
    pub fn noop() -> Self {
        Self::new(&super::noop_meter())
    }

    /// A statement, by its name (`tx_lookup`, `apply_batch`; never its text), took `seconds`.
    pub fn query(&self, name: &'static str, seconds: f64) {
        self.query
            .record(seconds.max(0.0), &[KeyValue::new("query", name)]);
    }

    /// How many connections the pool may open. Its limit, not how many it has opened so far: a pool that grows
    /// on demand is always full by the latter.
    pub fn pool_size(&self, connections: u32) {
        self.pool_size.set([], f64::from(connections));
    }

    /// How many connections are in use.
    pub fn pool_checked_out(&self, connections: u32) {
        self.pool_checked_out.set([], f64::from(connections));
    }

    /// A connection was waited for, in vain or not.
    pub fn checkout(&self, seconds: f64) {
        self.checkout.record(seconds.max(0.0), &[]);
    }

    /// How far the replica is behind. Never called when there is none.
    pub fn replication_lag(&self, seconds: f64) {
        self.replication_lag.set([], seconds.max(0.0));
    }
}

impl Default for DbMetrics {
    fn default() -> Self {
        Self::noop()
    }
}

impl fmt::Debug for DbMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbMetrics").finish_non_exhaustive()
    }
}
