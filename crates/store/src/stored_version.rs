//! Correcting the version of a stored row (serving contract 2): what an event of the year 2099, or of a version that was
//! typed wrong, has shut is opened again. The row keeps what it says until the next event comes.
//!
//! One transaction holds the change, its pair, and the audit row that says who did it and why: whoever may not write the
//! one may not make the other.

use std::collections::BTreeMap;

use nsc_core::UtcMicros;
use sqlx::postgres::PgRow;
use sqlx::{Connection, Row};

use crate::apply::Writer;
use crate::audit_columns::AuditColumns;
use crate::audit_row::AuditRow;
use crate::error::StoreError;
use crate::fold::Legs;
use crate::statements;
use crate::store::Store;
use crate::wire::Instant;

/// SQLSTATE `insufficient_privilege`.
const DENIED: &str = "42501";

/// Which table a row is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredKind {
    /// `bo.ledger_entries`, by `tx_id`.
    LedgerEntry,
    /// `bo.payment_orders`, by `order_id`.
    PaymentOrder,
}

/// What decides which of two events of one row is the newer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredVersion {
    /// First level.
    pub updated_at: Option<UtcMicros>,
    /// Second level; 0 is a version.
    pub source_version: Option<i64>,
}

/// What came of a correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Correction {
    /// The row had this version; the audit row is committed with the change.
    Made(StoredVersion),
    /// There is no such row.
    NoSuchRow,
    /// The row has this version, and the new one is not below it: it would let nothing in.
    NotBelow(StoredVersion),
}

impl Store {
    /// Sets the version of a stored row to a lower one, and commits `audit` with it.
    ///
    /// # Errors
    /// [`StoreError::Privilege`] when the login may not change the row or not add the audit row; when the database does
    /// not answer. Nothing is changed then.
    pub async fn correct_version(
        &self,
        kind: StoredKind,
        key: &str,
        version: StoredVersion,
        now: UtcMicros,
        audit: impl FnOnce(StoredVersion) -> AuditRow,
    ) -> Result<Correction, StoreError> {
        let mut lease = self.writer(self.common_pool()).await?;
        let connection = lease.connection();
        let mut transaction = self.timed("begin", connection.begin()).await?;
        let mut writer = Writer::new(self, &mut transaction, now);
        let made = writer.correct_version(kind, key, version, audit).await;
        let correction = made.map_err(denied)?;
        if matches!(correction, Correction::Made(_)) {
            self.timed("commit", transaction.commit()).await?;
        } else {
            self.timed("rollback", transaction.rollback()).await?;
        }
        self.written(lease);
        Ok(correction)
    }
}

impl Writer<'_> {
    async fn correct_version(
        &mut self,
        kind: StoredKind,
        key: &str,
        version: StoredVersion,
        audit: impl FnOnce(StoredVersion) -> AuditRow,
    ) -> Result<Correction, StoreError> {
        let statement = match kind {
            StoredKind::LedgerEntry => statements::CORRECT_ENTRY_VERSION,
            StoredKind::PaymentOrder => statements::CORRECT_ORDER_VERSION,
        };
        let bound = statement
            .bound()
            .bind(key)
            .bind(version.updated_at.map(Instant))
            .bind(version.source_version);
        let rows = self.fetch(statement, bound).await?;
        let Some(row) = rows.first() else {
            return Ok(Correction::NoSuchRow);
        };
        let (former, order) = former(row).map_err(|e| statement.failed(e))?;
        if version >= former {
            return Ok(Correction::NotBelow(former));
        }
        self.follow(order.as_deref()).await?;
        self.audit(audit(former)).await?;
        Ok(Correction::Made(former))
    }

    /// The pair carries the latest time of its legs and its order.
    async fn follow(&mut self, order: Option<&str>) -> Result<(), StoreError> {
        let Some(order) = order else { return Ok(()) };
        if self.known(&[order]).await?.is_empty() {
            return Ok(());
        }
        let unsettled = Legs {
            unsettled: true,
            ..Legs::default()
        };
        self.pairs(&BTreeMap::from([(order, unsettled)]), false)
            .await
            .map(drop)
    }

    async fn audit(&mut self, row: AuditRow) -> Result<(), StoreError> {
        let bound = AuditColumns::of(vec![row]).bound();
        self.execute(statements::INSERT_AUDIT_ROWS, bound).await.map(drop)
    }
}

fn former(row: &PgRow) -> Result<(StoredVersion, Option<String>), sqlx::Error> {
    let updated_at: Option<Instant> = row.try_get(0)?;
    let version = StoredVersion {
        updated_at: updated_at.map(|t| t.0),
        source_version: row.try_get(1)?,
    };
    Ok((version, row.try_get(2)?))
}

fn denied(error: StoreError) -> StoreError {
    match &error {
        StoreError::Statement { what, source } if code_of(source).as_deref() == Some(DENIED) => {
            StoreError::Privilege {
                lacking: format!(
                    "the right to {what}: a correction takes a login that is a member of nsc_consumer, which may change the \
                 row, and of nsc_api, which may add the audit row"
                ),
            }
        }
        _ => error,
    }
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|e| e.code().map(Into::into))
}
