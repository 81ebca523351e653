//! Audit rows as columns, everything a client chose cut to what its column and its index entries can hold.

use crate::audit_row::AuditRow;
use crate::columns::bounded;
use crate::statements::{self, Bound};
use crate::wire::Instant;

/// Columns of `insert_audit_rows.sql`.
#[derive(Default)]
pub(crate) struct AuditColumns {
    pub(crate) actor_id: Vec<Option<String>>,
    pub(crate) actor_roles: Vec<String>,
    pub(crate) action: Vec<String>,
    pub(crate) resource_type: Vec<Option<String>>,
    pub(crate) resource_id: Vec<Option<String>>,
    pub(crate) result: Vec<String>,
    pub(crate) status_code: Vec<i32>,
    pub(crate) request_method: Vec<String>,
    pub(crate) request_path: Vec<String>,
    pub(crate) request_query: Vec<Option<String>>,
    pub(crate) client_ip: Vec<Option<String>>,
    pub(crate) user_agent: Vec<Option<String>>,
    pub(crate) correlation_id: Vec<String>,
    pub(crate) duration_ms: Vec<i64>,
    pub(crate) result_count: Vec<Option<i32>>,
    pub(crate) requested_at: Vec<Instant>,
}

impl AuditColumns {
    pub(crate) fn of(rows: Vec<AuditRow>) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns.actor_id.push(cut(row.actor_id, 255));
            columns
                .actor_roles
                .push(bounded(&row.actor_roles.join(","), 1000));
            columns.action.push(bounded(&row.action, 64));
            columns.resource_type.push(cut(row.resource_type, 64));
            columns.resource_id.push(cut(row.resource_id, 255));
            columns.result.push(bounded(&row.result, 64));
            columns.status_code.push(i32::from(row.status_code));
            columns.request_method.push(bounded(&row.request_method, 16));
            columns.request_path.push(bounded(&row.request_path, 2000));
            columns.request_query.push(cut(row.request_query, 2000));
            columns.client_ip.push(cut(row.client_ip, 64));
            columns.user_agent.push(cut(row.user_agent, 500));
            columns.correlation_id.push(bounded(&row.correlation_id, 128));
            columns
                .duration_ms
                .push(i64::try_from(row.duration_ms).unwrap_or(i64::MAX));
            columns
                .result_count
                .push(row.result_count.map(|n| i32::try_from(n).unwrap_or(i32::MAX)));
            columns.requested_at.push(Instant(row.requested_at));
        }
        columns
    }

    /// The statement that adds them.
    pub(crate) fn bound(self) -> Bound<'static> {
        statements::INSERT_AUDIT_ROWS
            .bound()
            .bind(self.actor_id)
            .bind(self.actor_roles)
            .bind(self.action)
            .bind(self.resource_type)
            .bind(self.resource_id)
            .bind(self.result)
            .bind(self.status_code)
            .bind(self.request_method)
            .bind(self.request_path)
            .bind(self.request_query)
            .bind(self.client_ip)
            .bind(self.user_agent)
            .bind(self.correlation_id)
            .bind(self.duration_ms)
            .bind(self.result_count)
            .bind(self.requested_at)
    }
}

fn cut(text: Option<String>, max_chars: usize) -> Option<String> {
    text.map(|text| bounded(&text, max_chars))
}
