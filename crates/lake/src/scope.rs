//! Which stored rows a set of new rows stands for, and what happens where both have a key.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::prelude::Expr;

use crate::fingerprint::{self, FingerprintSet};
use crate::key_range::KeyRange;
use crate::{DataFile, LakeError, Table};

/// What happens to stored rows of the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The new rows are the whole truth: stored rows of the scope without a new row are deleted.
    Replace,
    /// The newer version of a key wins; nothing is deleted.
    Newest,
    /// Stored rows stay. A new row is added unless the newest stored row of its identity says the same.
    Append,
}

/// The stored rows new rows are compared with.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Files that may hold them.
    pub files: Vec<DataFile>,
    /// Which of the rows in those files; all when absent.
    pub rows: Option<Expr>,
    /// Files outside the scope that may hold a row of the same key (an entry whose day was corrected).
    /// Looked into only when the log's bounds of the first key column overlap the new rows'.
    pub outside: Vec<DataFile>,
    /// What happens where both have a row.
    pub conflict: Conflict,
    /// The keys of the new rows when they are known beforehand, so that only their stored rows are compared.
    pub(crate) keys: Option<Arc<FingerprintSet>>,
}

impl Scope {
    /// A scope of all rows in some files.
    #[must_use]
    pub fn of(files: Vec<DataFile>, conflict: Conflict) -> Self {
        Self {
            files,
            rows: None,
            outside: Vec::new(),
            conflict,
            keys: None,
        }
    }

    /// The stored rows of some keys, on whatever day, for new rows that are the whole truth about these keys: a key without
    /// a new row is deleted.
    ///
    /// # Errors
    /// When a key column is not in `keys`.
    pub fn of_keys(table: &Table, keys: &[RecordBatch]) -> Result<Self, LakeError> {
        let mut range = KeyRange::default();
        let first = table.contract().key.first().copied().unwrap_or_default();
        for column in keys.iter().filter_map(|b| b.column_by_name(first)) {
            range.include(column)?;
        }
        let mut files = table.files()?;
        files.retain(|f| range.overlaps(f, first));
        Self::of(files, Conflict::Replace).for_rows(table, keys)
    }

    /// Only some of the rows in the files.
    #[must_use]
    pub fn filtered(mut self, rows: Expr) -> Self {
        self.rows = Some(rows);
        self
    }

    /// With files outside the scope that may hold a row of the same key.
    #[must_use]
    pub fn or_outside(mut self, files: Vec<DataFile>) -> Self {
        self.outside = files;
        self
    }

    /// The same scope for new rows that are few and known: of the stored rows only those with their keys are
    /// fingerprinted. With [`Conflict::Replace`] the other stored rows stay as well.
    ///
    /// # Errors
    /// When a key column is not in the rows.
    pub fn for_rows(mut self, table: &Table, rows: &[RecordBatch]) -> Result<Self, LakeError> {
        let mut keys = FingerprintSet::default();
        for batch in rows {
            keys.extend(fingerprint::rows(batch, table.contract().key)?);
        }
        self.keys = Some(Arc::new(keys));
        Ok(self)
    }
}
