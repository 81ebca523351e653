//! Who holds a pipeline, as a lock file and a lease say it.

use serde::{Deserialize, Serialize};

use crate::writer::wall_clock_millis;

/// How long the lease of a holder that does not say lasts.
pub(crate) const LEASE_MILLIS: i64 = 60_000;

/// Who holds a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run_id: String,
    /// Its process.
    pub pid: u32,
    /// When the lease was last renewed, milliseconds since the epoch.
    pub renewed_millis: i64,
    /// How long it outlives that, in milliseconds.
    #[serde(default = "lease_millis")]
    pub lease_millis: i64,
    /// Tells this taking of the lease from any other.
    #[serde(default)]
    pub token: String,
}

fn lease_millis() -> i64 {
    LEASE_MILLIS
}

impl Holder {
    /// Whether the lease has not run out, by the clock of this machine.
    pub(crate) fn is_alive(&self) -> bool {
        wall_clock_millis() < self.renewed_millis.saturating_add(self.lease_millis)
    }
}
