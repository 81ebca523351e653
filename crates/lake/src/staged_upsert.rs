//! An upsert that is complete and waits for its commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use nsc_core::DateKst;
use serde_json::Value;

use crate::fingerprint::FingerprintSet;
use crate::writer::{self, Staged};
use crate::{Commit, DataFile, Days, FilesTable, LakeError, Table, UpsertOutcome, changes, days_changed};

/// A complete change that waits for its commit.
#[derive(Debug)]
pub struct StagedUpsert {
    pub(crate) table: Table,
    pub(crate) staged: Staged,
    /// The files that hold all new rows and nothing else.
    pub(crate) new: Vec<DataFile>,
    /// Those of them whose rows stand in other staged files: never committed.
    pub(crate) taken_over: Staged,
    pub(crate) removed: Vec<DataFile>,
    pub(crate) outcome: UpsertOutcome,
    pub(crate) outside: OutsideScope,
    /// Days beyond its own that the change matters for.
    pub(crate) reach: Option<Days>,
    /// The only columns it changes.
    pub(crate) only: Option<&'static [&'static str]>,
}

/// What new rows met in files outside the scope.
#[derive(Debug, Default)]
pub(crate) struct OutsideScope {
    /// Files that lose rows to the new ones, with the keys of those rows.
    pub(crate) lost: Vec<(DataFile, FingerprintSet)>,
    /// Days of those files.
    pub(crate) days: BTreeSet<DateKst>,
    /// The rows they lose, and those that moved from one day of the scope to another.
    pub(crate) moved: u64,
    /// The key columns of all stored rows whose key came anew, whichever version is the newer one.
    pub(crate) met: Vec<RecordBatch>,
}

impl StagedUpsert {
    /// What the commit will do.
    #[must_use]
    pub fn outcome(&self) -> UpsertOutcome {
        self.outcome
    }

    /// The days outside the scope that lose rows to the new ones: whatever was computed from them is out of date.
    #[must_use]
    pub fn days_left(&self) -> &BTreeSet<DateKst> {
        &self.outside.days
    }

    /// The days whose rows the commit changes: those of the new rows, and those that lose rows to them.
    #[must_use]
    pub fn days_changed(&self) -> BTreeSet<DateKst> {
        let files = self.new.iter().chain(&self.removed);
        files.filter_map(DataFile::partition_date).collect()
    }

    /// The key columns of stored rows outside the scope whose key came anew, whichever version is the newer one.
    #[must_use]
    pub fn met_outside(&self) -> &[RecordBatch] {
        &self.outside.met
    }

    /// The new rows as a table, before they are committed; not those that are rewritten because of them.
    #[must_use]
    pub fn scan(&self) -> Arc<FilesTable> {
        self.table.scan(self.new.clone())
    }

    /// Says in the commit which days beyond those of its rows the change matters for.
    #[must_use]
    pub fn reaching(mut self, days: Days) -> Self {
        self.reach = Some(days);
        self
    }

    /// Says in the commit that no other column has another value.
    #[must_use]
    pub fn changing_only(mut self, columns: &'static [&'static str]) -> Self {
        self.only = Some(columns);
        self
    }

    /// Commits the change; a change of nothing that matters for no day writes nothing. Returns the table at its new version.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] when another writer changed the table since the upsert began.
    pub async fn commit(self, metadata: Vec<(String, Value)>) -> Result<(Table, UpsertOutcome), LakeError> {
        let mut table = self.table;
        let mut metadata = metadata;
        metadata.push(changes::metadata(self.outcome, self.outside.moved));
        metadata.extend(days_changed::metadata(self.reach.as_ref(), self.only));
        // A commit without files, when there is something to say all the same.
        let says = self.reach.is_some_and(|days| !days.is_empty());
        let is_bare = says && self.staged.is_empty() && self.removed.is_empty();
        let said = is_bare.then(|| (days_changed::REACH.to_owned(), writer::wall_clock_millis()));
        table
            .commit(Commit {
                staged: self.staged,
                removed: self.removed,
                transactions: said.into_iter().collect(),
                metadata,
                ..Commit::default()
            })
            .await?;
        // The change is made; a file that stays behind is vacuum's.
        if let Err(error) = self.taken_over.discard().await {
            tracing::debug!(table = table.name(), %error, "a staged file stays behind");
        }
        Ok((table, self.outcome))
    }

    /// Gives the change up and deletes its files.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn discard(self) -> Result<(), LakeError> {
        self.staged.merge(self.taken_over).discard().await
    }
}
