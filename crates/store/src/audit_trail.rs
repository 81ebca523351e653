//! The audit log read back: who looked at what, and whether a row was removed or changed since (serving contract 7).

use nsc_core::UtcMicros;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::audit_row::AuditRow;
use crate::error::StoreError;
use crate::statements::{self, Bound, Statement};
use crate::store::Store;
use crate::wire::Instant;

/// Rows that are read at once.
const PAGE: i64 = 5_000;
/// What the first row of the chain has before it.
const BEGINNING: [u8; 32] = [0; 32];

/// Which rows to list. The default is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only of this person.
    pub actor: Option<String>,
    /// Only of this entry, order or wallet.
    pub resource: Option<String>,
    /// Only of this kind, such as `ADMIN_TX_LOOKUP`.
    pub action: Option<String>,
    /// Only at or after this instant.
    pub since: Option<UtcMicros>,
    /// Only before this instant.
    pub until: Option<UtcMicros>,
}

impl AuditFilter {
    fn bind<'q>(&'q self, bound: Bound<'q>) -> Result<Bound<'q>, StoreError> {
        for (what, text) in [
            ("actor", &self.actor),
            ("resource", &self.resource),
            ("action", &self.action),
        ] {
            if text.as_deref().is_some_and(|text| text.contains('\0')) {
                return Err(StoreError::Argument { what });
            }
        }
        Ok(bound
            .bind(&self.actor)
            .bind(&self.resource)
            .bind(&self.action)
            .bind(self.since.map_or(Instant::FIRST, Instant))
            .bind(self.until.map_or(Instant::LAST, Instant)))
    }
}

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAuditRow {
    /// Its id.
    pub audit_id: i64,
    /// What it says.
    pub row: AuditRow,
}

/// How the chain of hashes stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainCheck {
    /// Rows of before the chain, which nothing covers.
    pub uncovered: u64,
    /// Rows that were followed.
    pub checked: u64,
    /// The newest row and its hash, in hexadecimal digits: kept elsewhere, it shows later that no row was cut off the end.
    pub head: Option<(i64, String)>,
    /// The hash of the row that was asked for, when it is there.
    pub asked: Option<String>,
    /// The first row that does not fit, and why.
    pub broken: Option<(i64, &'static str)>,
}

/// Access to the audit log of a store; the login is a member of the auditor's role.
#[derive(Debug, Clone)]
pub struct AuditTrail {
    store: Store,
}

impl Store {
    /// The audit log, to be read.
    #[must_use]
    pub fn audit_trail(&self) -> AuditTrail {
        AuditTrail { store: self.clone() }
    }
}

impl AuditTrail {
    /// Rows that match and come after one (`after`; none is the first), by id, at most 5,000.
    ///
    /// # Errors
    /// When the database does not answer, or a text of the filter holds a NUL.
    pub async fn page(
        &self,
        filter: &AuditFilter,
        after: Option<i64>,
    ) -> Result<Vec<StoredAuditRow>, StoreError> {
        let statement = statements::LIST_AUDIT_ROWS;
        let bound = statement.bound().bind(after.unwrap_or(i64::MIN));
        self.listed(statement, filter.bind(bound)?.bind(PAGE)).await
    }

    /// The newest rows that match, newest first, at most so many.
    ///
    /// # Errors
    /// As [`AuditTrail::page`].
    pub async fn newest(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<StoredAuditRow>, StoreError> {
        let statement = statements::NEWEST_AUDIT_ROWS;
        let bound = filter
            .bind(statement.bound())?
            .bind(i64::from(limit))
            .bind(i64::MAX);
        self.listed(statement, bound).await
    }

    async fn listed(
        &self,
        statement: Statement,
        bound: Bound<'_>,
    ) -> Result<Vec<StoredAuditRow>, StoreError> {
        let rows = self.store.rows(statement, bound).await?;
        let stored = rows.iter().map(stored).collect::<Result<_, _>>();
        stored.map_err(|e| statement.failed(e))
    }

    /// Follows the chain from its first row to its last, and stops at a row that does not fit. `asked` is a row whose hash is wanted.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn verify(&self, asked: Option<i64>) -> Result<ChainCheck, StoreError> {
        let statement = statements::AUDIT_CHAIN;
        let mut check = ChainCheck::default();
        let mut before: Option<Vec<u8>> = None;
        let mut after = i64::MIN;
        loop {
            let bound = statement.bound().bind(after).bind(PAGE);
            let rows = self.store.rows(statement, bound).await?;
            for row in &rows {
                let link = link(row).map_err(|e| statement.failed(e))?;
                after = link.audit_id;
                if let Some(reason) = link.fault(before.as_deref()) {
                    check.broken = Some((link.audit_id, reason));
                    return Ok(check);
                }
                match link.row_hash {
                    None => check.uncovered += 1,
                    Some(hash) => {
                        check.checked += 1;
                        if asked == Some(link.audit_id) {
                            check.asked = Some(hex(&hash));
                        }
                        check.head = Some((link.audit_id, hex(&hash)));
                        before = Some(hash);
                    }
                }
            }
            if (rows.len() as i64) < PAGE {
                return Ok(check);
            }
        }
    }
}

struct Link {
    audit_id: i64,
    prev_hash: Option<Vec<u8>>,
    row_hash: Option<Vec<u8>>,
    is_whole: bool,
}

impl Link {
    /// What is wrong with a row that comes after one with some hash, or first in the chain.
    fn fault(&self, before: Option<&[u8]>) -> Option<&'static str> {
        match (&self.row_hash, &self.prev_hash, before) {
            (None, _, None) => None,
            (None, _, Some(_)) | (Some(_), None, _) => Some("its hash is gone"),
            (Some(_), Some(previous), before) if previous.as_slice() != before.unwrap_or(&BEGINNING) => {
                Some("the row before it is gone or is another one")
            }
            _ if !self.is_whole => Some("it does not say what it said when it was written"),
            _ => None,
        }
    }
}

fn link(row: &PgRow) -> Result<Link, sqlx::Error> {
    Ok(Link {
        audit_id: row.try_get("audit_id")?,
        prev_hash: row.try_get("prev_hash")?,
        row_hash: row.try_get("row_hash")?,
        is_whole: row.try_get::<Option<bool>, _>("is_whole")?.unwrap_or_default(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stored(row: &PgRow) -> Result<StoredAuditRow, sqlx::Error> {
    let roles: String = row.try_get("actor_roles")?;
    let roles = roles.split(',').filter(|role| !role.is_empty());
    let count: Option<i32> = row.try_get("result_count")?;
    Ok(StoredAuditRow {
        audit_id: row.try_get("audit_id")?,
        row: AuditRow {
            actor_id: row.try_get("actor_id")?,
            actor_roles: roles.map(str::to_owned).collect(),
            action: row.try_get("action")?,
            resource_type: row.try_get("resource_type")?,
            resource_id: row.try_get("resource_id")?,
            result: row.try_get("result")?,
            status_code: u16::try_from(row.try_get::<i32, _>("status_code")?).unwrap_or_default(),
            request_method: row.try_get("request_method")?,
            request_path: row.try_get("request_path")?,
            request_query: row.try_get("request_query")?,
            client_ip: row.try_get("client_ip")?,
            user_agent: row.try_get("user_agent")?,
            correlation_id: row.try_get("correlation_id")?,
            duration_ms: u64::try_from(row.try_get::<i64, _>("duration_ms")?).unwrap_or_default(),
            result_count: count.and_then(|count| u32::try_from(count).ok()),
            requested_at: row.try_get::<Instant, _>("requested_at")?.0,
        },
    })
}
