//! The dead letters: listed, shown, purged, wherever they are kept (serving contract 4).

mod file;
mod import;

use nsc_core::UtcMicros;
use nsc_store::{DeadLetterFilter, DeadLetters, Store, StoredDeadLetter};

pub(crate) use file::FileQueue;
pub use import::{ImportSummary, import};

use crate::error::ConsumerError;
use crate::options::DeadLetterBackend;

/// The dead letters of a backend.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Database(DeadLetters),
    File(FileQueue),
}

impl DeadLetterQueue {
    /// Those of a backend; of a file nothing is opened yet.
    #[must_use]
    pub fn of(backend: &DeadLetterBackend, store: &Store) -> Self {
        Self {
            place: match backend {
                DeadLetterBackend::Database => Place::Database(store.dead_letters()),
                DeadLetterBackend::File(path) => Place::File(FileQueue::new(path.clone())),
            },
        }
    }

    /// Those that match, by id.
    ///
    /// # Errors
    /// When the database does not answer, or the file cannot be read.
    pub async fn list(&self, filter: &DeadLetterFilter) -> Result<Vec<StoredDeadLetter>, ConsumerError> {
        match &self.place {
            Place::Database(letters) => Ok(letters.list(filter).await?),
            Place::File(file) => file.list(filter.clone()).await,
        }
    }

    /// One of them.
    ///
    /// # Errors
    /// [`ConsumerError::NoDeadLetter`]; as [`DeadLetterQueue::list`].
    pub async fn show(&self, id: i64) -> Result<StoredDeadLetter, ConsumerError> {
        let found = match &self.place {
            Place::Database(letters) => letters.show(id).await?,
            Place::File(file) => file.show(id).await?,
        };
        found.ok_or(ConsumerError::NoDeadLetter { id })
    }

    /// Deletes those stored before an instant; gives how many.
    ///
    /// # Errors
    /// As [`DeadLetterQueue::list`].
    pub async fn purge(&self, before: UtcMicros) -> Result<u64, ConsumerError> {
        match &self.place {
            Place::Database(letters) => Ok(letters.purge(before).await?),
            Place::File(file) => file.purge(before).await,
        }
    }

    pub(crate) async fn mark_replayed(&self, ids: Vec<i64>, at: UtcMicros) -> Result<u64, ConsumerError> {
        match &self.place {
            Place::Database(letters) => Ok(letters.mark_replayed(&ids, at).await?),
            Place::File(file) => file.mark_replayed(ids, at).await,
        }
    }
}
