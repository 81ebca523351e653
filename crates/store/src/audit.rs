//! The audit log: who asked for what and what they got, committed before they get it (contract, section 7).

use std::time::Duration;

use nsc_core::UtcMicros;

use crate::store::Store;

/// One attempt, whatever came of it. Texts longer than their column are cut, and NULs replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Who; none when that is not known (401).
    pub actor_id: Option<String>,
    /// Roles the token carried.
    pub actor_roles: Vec<String>,
    /// What was attempted, such as `TX_LOOKUP`.
    pub action: String,
    /// What kind of thing was asked for.
    pub resource_type: Option<String>,
    /// Which one.
    pub resource_id: Option<String>,
    /// What came of it, such as `FOUND`.
    pub result: String,
    /// HTTP status of the answer.
    pub status_code: u16,
    /// HTTP method.
    pub request_method: String,
    /// Path as asked for.
    pub request_path: String,
    /// Query string as asked for.
    pub request_query: Option<String>,
    /// Where the request came from.
    pub client_ip: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// Correlation id of the request.
    pub correlation_id: String,
    /// Time taken until the row was handed over, milliseconds.
    pub duration_ms: u64,
    /// Rows in the answer.
    pub result_count: Option<u32>,
    /// When the request came.
    pub requested_at: UtcMicros,
}

/// How rows are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditOptions {
    /// Most rows in one transaction.
    pub max_group: usize,
    /// Transactions that may be under way at once.
    pub in_flight: usize,
    /// Most rows waiting; one more is refused.
    pub queue: usize,
    /// Longest a row may wait for its commit.
    pub timeout: Duration,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            max_group: 256,
            in_flight: 2,
            queue: 4096,
            timeout: Duration::from_secs(5),
        }
    }
}

/// The row is not known to be committed: what it is about must not be given away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// Too many rows are waiting.
    #[error("the audit log is full")]
    Full,
    /// The log is shutting down.
    #[error("the audit log is closed")]
    Closed,
    /// The group's transaction failed.
    #[error("the audit row was not committed: {reason}")]
    NotCommitted {
        /// What the database said.
        reason: String,
    },
    /// No commit within the time allowed.
    #[error("the audit row was not committed in time")]
    Timeout,
}

/// Handle to the audit log; cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog {}

impl AuditLog {
    /// Starts the task that commits groups of rows. Must be called in a tokio runtime.
    #[must_use]
    pub fn start(_store: Store, _options: AuditOptions) -> Self {
        Self {}
    }

    /// Returns when the row is committed, and only then.
    ///
    /// # Errors
    /// When the row is not known to be committed.
    pub async fn record(&self, _row: AuditRow) -> Result<(), AuditError> {
        Err(AuditError::Closed)
    }

    /// Refuses new rows and returns when all that wait are committed or given up.
    pub async fn shutdown(&self) {}
}
