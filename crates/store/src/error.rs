//! What can go wrong between this program and its database, and what that means for whoever called.

use std::time::Duration;

use nsc_core::{ErrorCode, OperatorError};

use crate::schema_version::SCHEMA_VERSION;

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

/// What the driver or the server said of a connection, without what the URL says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(pub(crate) String);

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL cannot be understood.
    #[error("the database URL cannot be used")]
    Url {
        /// What the parser said; never the URL itself.
        reason: String,
    },
    /// A role name that is not a plain lower-case identifier.
    #[error("the role name {name:?} cannot be used")]
    RoleName {
        /// The name.
        name: String,
    },
    /// No connection could be made.
    #[error("no connection to the database")]
    Connect {
        /// What the driver or the server said.
        #[source]
        said: Said,
        /// For what follows from it; never shown.
        cause: sqlx::Error,
    },
    /// All connections are in use.
    #[error("no database connection became free within {} ms", waited.as_millis())]
    Busy {
        /// How long was waited.
        waited: Duration,
    },
    /// The store was closed.
    #[error("the connections to the database were closed")]
    Closed,
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
    /// The database keeps texts in another encoding than UTF-8.
    #[error("the database is not in UTF-8")]
    Encoding {
        /// The encoding it has, as PostgreSQL names it.
        found: String,
    },
    /// Something between this program and PostgreSQL does not give it a session of its own.
    #[error("the connection to the database is not a session of its own")]
    Pooler {
        /// What was seen.
        reason: String,
    },
    /// The login may not do what this program needs.
    #[error("the database login lacks {lacking}")]
    Privilege {
        /// What, in PostgreSQL's words.
        lacking: String,
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
        match self {
            Self::Busy { .. } | Self::Timeout { .. } => true,
            Self::Connect { cause: source, .. } | Self::Statement { source, .. } => match source {
                sqlx::Error::Database(e) => e.code().is_some_and(|code| passes(&code)),
                sqlx::Error::Configuration(_) => false,
                other => broken(other),
            },
            _ => false,
        }
    }

    /// A row of what was to be written cannot be held, or PostgreSQL refused it for a reason that does not pass by itself:
    /// one of the rows is at fault, or the set-up. That an [`Unstorable`] row is at fault is sure; of the rest
    /// [`crate::Store::takes_rows_of_the_contract`] tells which it is. What the server says of itself (a damaged page) is
    /// no refusal of a row.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Unstorable(_) => true,
            Self::Statement {
                source: sqlx::Error::Database(e),
                ..
            } => e
                .code()
                .is_some_and(|code| !passes(&code) && !code.starts_with(INTERNAL_ERROR)),
            _ => false,
        }
    }

    /// The server ended a statement because it took too long: it is there, and slow, or somebody holds what is needed.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        self.sqlstate().is_some_and(|code| code == "57014")
    }

    /// The server takes no changes: it is a standby, or was demoted to one.
    pub(crate) fn is_read_only(&self) -> bool {
        self.sqlstate().is_some_and(|code| code == READ_ONLY)
    }

    fn sqlstate(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Statement {
                source: sqlx::Error::Database(e),
                ..
            } => e.code(),
            _ => None,
        }
    }

    /// Waiting is in vain: an operator has to change the set-up.
    #[must_use]
    pub const fn is_fault_of_set_up(&self) -> bool {
        matches!(
            self,
            Self::Url { .. } | Self::Encoding { .. } | Self::Pooler { .. }
        )
    }

    /// The connection is not usable any more; a new one may be.
    pub(crate) fn is_broken_connection(&self) -> bool {
        match self {
            // The server ends what takes too long itself, a little earlier: it was not heard.
            Self::Timeout { .. } => true,
            Self::Statement {
                source: sqlx::Error::Database(e),
                ..
            } => e
                .code()
                .is_some_and(|code| code.starts_with("57P") || code.starts_with("08")),
            Self::Statement { source, .. } => broken(source),
            _ => false,
        }
    }

    /// The outcome of a statement. A missing schema, table or column says that migrations have not been run.
    pub(crate) fn of_statement(what: &'static str, source: sqlx::Error) -> Self {
        let code = source
            .as_database_error()
            .and_then(|e| e.code().map(std::borrow::Cow::into_owned));
        match code.as_deref() {
            Some("3F000" | "42P01" | "42703") => Self::Schema {
                found: None,
                needed: SCHEMA_VERSION,
            },
            // A statement that was prepared on this connection is not there, or is there already: it is another one.
            Some("26000" | "42P05") => Self::Pooler {
                reason: Self::said(&source),
            },
            _ => Self::Statement { what, source },
        }
    }

    /// What the driver or the server said, for logs and operators. Without the values of a row.
    pub(crate) fn said(source: &sqlx::Error) -> String {
        match source {
            sqlx::Error::Database(e) => {
                format!("{} (SQLSTATE {})", e.message(), e.code().unwrap_or_default())
            }
            other => other.to_string(),
        }
    }
}

/// The SQLSTATE of a change that a server does not take.
const READ_ONLY: &str = "25006";
/// The class of SQLSTATEs of a fault inside the server: corrupted data, a corrupted index.
const INTERNAL_ERROR: &str = "XX";

/// SQLSTATEs that say "not now".
fn passes(code: &str) -> bool {
    const CLASSES: [&str; 5] = [
        "08", // connection exception
        "40", // transaction rollback: serialisation, deadlock
        "53", // insufficient resources: connections, disk, memory
        "57", // operator intervention: shutdown, start-up, cancelled by the statement timeout
        "58", // system error
    ];
    // A lock not available; read only, as a server is that was demoted a moment ago.
    CLASSES.iter().any(|class| code.starts_with(class)) || ["55P03", READ_ONLY].contains(&code)
}

/// Errors of the driver that mean the connection broke.
const fn broken(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed
    )
}

impl OperatorError for StoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Schema { .. } | Self::Migration { .. } => ErrorCode::DatabaseSchema,
            Self::Encoding { .. } => ErrorCode::DatabaseEncoding,
            Self::Pooler { .. } => ErrorCode::DatabasePooler,
            Self::Url { .. } | Self::RoleName { .. } => ErrorCode::Configuration,
            _ => ErrorCode::Database,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Url { reason } | Self::Migration { reason, .. } | Self::Pooler { reason } => {
                Some(reason.clone())
            }
            Self::Encoding { found } => Some(format!(
                "its encoding is {found}, which cannot hold every name and id; none was stored"
            )),
            Self::Connect { said, .. } => Some(said.to_string()),
            Self::Statement { source, .. } => Some(Self::said(source)),
            Self::Schema { found: None, needed } => Some(format!(
                "there is no schema bo in the database; version {needed} is needed"
            )),
            Self::Schema {
                found: Some(found),
                needed,
            } => Some(format!(
                "the schema has version {found}; this program needs {needed}, or a later one that took nothing away"
            )),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Url { .. } => {
                Some("write it as postgres://user:password@host:5432/database?sslmode=require".to_owned())
            }
            Self::RoleName { .. } => Some("use 1 to 63 of a-z 0-9 _, not starting with a digit".to_owned()),
            Self::Connect { .. } => Some(
                "check the address, the login and that the server accepts connections from here".to_owned(),
            ),
            Self::Busy { .. } => Some("allow more connections, or look for slow statements".to_owned()),
            Self::Schema { found, needed } if found.is_none_or(|found| found < *needed) => {
                Some("run `nsc migrate`".to_owned())
            }
            Self::Schema { .. } => {
                Some("use the version of nsc that the schema was migrated with, or newer".to_owned())
            }
            Self::Privilege { .. } => Some(
                "log in as a member of the role for it, as `nsc migrate` made it (README, Serve)".to_owned(),
            ),
            Self::Migration { hint, .. } => hint.clone(),
            Self::Encoding { .. } => Some(
                "make the database anew: CREATE DATABASE bo ENCODING 'UTF8' TEMPLATE template0".to_owned(),
            ),
            Self::Pooler { .. } => Some(
                "connect to PostgreSQL itself (this program keeps its own pool, database.max_connections), not to a pooler \
                 in transaction mode"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
