//! What the audit log records of an attempt.

use nsc_core::UtcMicros;

/// One attempt, whatever came of it. Texts longer than their column are cut, and NULs replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Who; none when that is not known (401).
    pub actor_id: Option<String>,
    /// Roles the token carried.
    pub actor_roles: Vec<String>,
    /// What was attempted, such as `ADMIN_TX_LOOKUP`.
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
