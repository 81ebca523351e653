//! Dead letters in `bo.consumer_dlq_events`: listed, replayed, purged (serving contract 4).

use nsc_core::UtcMicros;
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::error::StoreError;
use crate::rows::DeadLetter;
use crate::statements;
use crate::store::Store;
use crate::wire::Instant;

/// How many a list gives when nothing else is asked for.
const DEFAULT_LIMIT: u32 = 100;
/// How many are deleted in one statement.
const PURGE_STEP: i64 = 5_000;

/// Which dead letters to list. The default is all, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only stored at or after this instant.
    pub since: Option<UtcMicros>,
    /// Only replayed ones, or only those not replayed.
    pub replayed: Option<bool>,
    /// Only with a greater id: the last one of the page before.
    pub after: Option<i64>,
    /// Most to list; 0 is 100.
    pub limit: u32,
}

/// A dead letter as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Its id.
    pub dlq_id: i64,
    /// What came, and what was wrong with it.
    pub letter: DeadLetter,
    /// When it was stored.
    pub ingested_at: UtcMicros,
    /// When it was replayed.
    pub replayed_at: Option<UtcMicros>,
}

/// Access to the dead letters of a store.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    store: Store,
}

impl Store {
    /// The dead letters kept in the database.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters { store: self.clone() }
    }
}

impl DeadLetters {
    /// Those that match, by id.
    ///
    /// # Errors
    /// When the database does not answer, or the topic holds a NUL.
    pub async fn list(&self, filter: &DeadLetterFilter) -> Result<Vec<StoredDeadLetter>, StoreError> {
        if filter.topic.as_deref().is_some_and(|topic| topic.contains('\0')) {
            return Err(StoreError::Argument { what: "topic" });
        }
        let limit = if filter.limit == 0 {
            DEFAULT_LIMIT
        } else {
            filter.limit
        };
        let statement = statements::LIST_DEAD_LETTERS;
        let bound = statement
            .bound()
            .bind(filter.after.unwrap_or(i64::MIN))
            .bind(&filter.topic)
            .bind(filter.since.map_or(Instant::FIRST, Instant))
            .bind(filter.replayed)
            .bind(i64::from(limit));
        let rows = self.store.rows(statement, bound).await?;
        let letters = rows.iter().map(stored).collect::<Result<_, _>>();
        letters.map_err(|e| statement.failed(e))
    }

    /// One of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn show(&self, dlq_id: i64) -> Result<Option<StoredDeadLetter>, StoreError> {
        let statement = statements::SHOW_DEAD_LETTER;
        let rows = self.store.rows(statement, statement.bound().bind(dlq_id)).await?;
        rows.first()
            .map(stored)
            .transpose()
            .map_err(|e| statement.failed(e))
    }

    /// Marks them as replayed; gives how many were not marked before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn mark_replayed(&self, dlq_ids: &[i64], at: UtcMicros) -> Result<u64, StoreError> {
        let statement = statements::MARK_REPLAYED;
        self.store
            .changed(statement, statement.bound().bind(dlq_ids).bind(Instant(at)))
            .await
    }

    /// Deletes those stored before an instant; gives how many. In steps: what was deleted stays deleted when a later
    /// step fails.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge(&self, before: UtcMicros) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let statement = statements::PURGE_DEAD_LETTERS;
            let bound = statement.bound().bind(Instant(before)).bind(PURGE_STEP);
            let step = self.store.changed(statement, bound).await?;
            purged += step;
            if step < PURGE_STEP.unsigned_abs() {
                return Ok(purged);
            }
        }
    }
}

fn stored(row: &PgRow) -> Result<StoredDeadLetter, sqlx::Error> {
    let replayed_at: Option<Instant> = row.try_get("replayed_at")?;
    Ok(StoredDeadLetter {
        dlq_id: row.try_get("dlq_id")?,
        letter: DeadLetter {
            topic: row.try_get("topic")?,
            partition: row.try_get("partition")?,
            offset: row.try_get("offset")?,
            key: row.try_get("key")?,
            payload: row.try_get("payload")?,
            error_class: row.try_get("error_class")?,
            error: row.try_get("error")?,
            correlation_id: row.try_get("correlation_id")?,
        },
        ingested_at: row.try_get::<Instant, _>("ingested_at")?.0,
        replayed_at: replayed_at.map(|t| t.0),
    })
}
