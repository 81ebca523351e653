//! Which stored rows a set of new rows stands for, and what happens where both have a key.

use datafusion::prelude::Expr;

use crate::DataFile;

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
    pub elsewhere: Vec<DataFile>,
    /// What happens where both have a row.
    pub conflict: Conflict,
}

impl Scope {
    /// A scope of all rows in some files.
    #[must_use]
    pub fn of(files: Vec<DataFile>, conflict: Conflict) -> Self {
        Self {
            files,
            rows: None,
            elsewhere: Vec::new(),
            conflict,
        }
    }
}
