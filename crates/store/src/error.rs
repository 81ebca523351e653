//! What can go wrong between this program and its database, and what that means for whoever called.

use std::time::Duration;

use nsc_core::{ErrorCode, OperatorError};

/// Why PostgreSQL cannot hold a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{column} of {key:?} cannot be stored: {reason}")]
pub struct Unstorable {
    /// Key of the row, cut to something printable.
    pub key: String,
    /// The column.
    pub column: &'static str,
    /// What is wrong with its value.
    pub reason: &'static str,
}

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL cannot be understood.
    #[error("the database URL cannot be used")]
    Url {
        /// What the parser said; never the URL itself.
        reason: String,
    },
    /// No connection could be made.
    #[error("no connection to the database")]
    Connect {
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// All connections are in use.
    #[error("no database connection became free within {} ms", waited.as_millis())]
    Busy {
        /// How long was waited.
        waited: Duration,
    },
    /// The database did not answer in time.
    #[error("the database did not answer {what} within {} ms", after.as_millis())]
    Timeout {
        /// Which statement.
        what: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The database refused or failed a statement, or the connection broke.
    #[error("the database failed {what}")]
    Statement {
        /// Which statement.
        what: &'static str,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// The schema `bo` is not the one this program needs.
    #[error("the database schema is not the one this program needs")]
    Schema {
        /// Version found; none when there is no schema.
        found: Option<i64>,
        /// Version needed.
        needed: i64,
    },
    /// A migration could not be run, or does not match what was run before.
    #[error("the database schema could not be migrated")]
    Migration {
        /// What was seen.
        reason: String,
        /// What can be done, when that is known.
        hint: Option<String>,
    },
    /// A row that PostgreSQL cannot hold.
    #[error(transparent)]
    Unstorable(#[from] Unstorable),
    /// An argument that no stored row can match and PostgreSQL would refuse, such as a NUL in an id.
    #[error("{what} holds a character the database cannot hold")]
    Argument {
        /// Which argument.
        what: &'static str,
    },
}

impl StoreError {
    /// Trying again later can succeed: outage, deadlock, serialisation, shutdown, too many connections, timeouts.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        false
    }

    /// One of the rows can never be stored (and the others can).
    #[must_use]
    pub fn is_poison(&self) -> bool {
        matches!(self, Self::Unstorable(_))
    }
}

impl OperatorError for StoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Schema { .. } | Self::Migration { .. } => ErrorCode::DatabaseSchema,
            Self::Url { .. } => ErrorCode::Configuration,
            _ => ErrorCode::Database,
        }
    }
}
