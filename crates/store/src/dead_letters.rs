//! Dead letters in `bo.consumer_dlq_events`: listed, replayed, purged (contract, section 4).

use nsc_core::UtcMicros;

use crate::error::StoreError;
use crate::migrate::SCHEMA_VERSION;
use crate::rows::DeadLetter;
use crate::store::Store;

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
    #[expect(dead_code, reason = "read as soon as the statements are in")]
    store: Store,
}

impl DeadLetters {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Those that match, by id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self, _filter: &DeadLetterFilter) -> Result<Vec<StoredDeadLetter>, StoreError> {
        Err(nothing())
    }

    /// One of them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn show(&self, _dlq_id: i64) -> Result<Option<StoredDeadLetter>, StoreError> {
        Err(nothing())
    }

    /// Marks them as replayed; gives how many were not marked before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn mark_replayed(&self, _dlq_ids: &[i64], _at: UtcMicros) -> Result<u64, StoreError> {
        Err(nothing())
    }

    /// Deletes those stored before an instant; gives how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn purge(&self, _before: UtcMicros) -> Result<u64, StoreError> {
        Err(nothing())
    }
}

fn nothing() -> StoreError {
    StoreError::Schema {
        found: None,
        needed: SCHEMA_VERSION,
    }
}
