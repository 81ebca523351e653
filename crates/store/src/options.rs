//! How to reach the database.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::error::StoreError;

/// Where the URL stands.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// Here.
    Given(SecretString),
    /// In a file, as a secret store mounts it: read again for every connection, so that a password may be replaced while
    /// this program runs.
    File(PathBuf),
}

impl From<SecretString> for DatabaseUrl {
    fn from(url: SecretString) -> Self {
        Self::Given(url)
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self::Given(url.into())
    }
}

impl From<&str> for DatabaseUrl {
    fn from(url: &str) -> Self {
        Self::Given(url.into())
    }
}

impl DatabaseUrl {
    /// The URL as it stands there now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(&self) -> Result<SecretString, StoreError> {
        match self {
            Self::Given(url) => Ok(url.clone()),
            Self::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(SecretString::from(text.trim_end_matches(['\r', '\n']))),
                Err(e) => Err(StoreError::Url {
                    reason: format!("{} cannot be read: {e}", path.display()),
                }),
            },
        }
    }
}

/// Options of a [`crate::Store`].
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `postgres://user:password@host:port/database?sslmode=...`, a secret as a whole.
    pub url: DatabaseUrl,
    /// Most connections open at once.
    pub max_connections: u32,
    /// How long to wait for a free connection, making one included.
    pub acquire_timeout: Duration,
    /// Longest a single statement may take, waiting for locks included.
    pub statement_timeout: Duration,
    /// What `pg_stat_activity` shows.
    pub application_name: String,
    /// A streaming replica whose lag is to be measured.
    pub replica_url: Option<SecretString>,
}

impl StoreOptions {
    /// Defaults for a URL: 8 connections, 5 s to get one, 10 s a statement.
    #[must_use]
    pub fn new(url: DatabaseUrl) -> Self {
        Self {
            url,
            max_connections: 8,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
            application_name: "nsc".to_owned(),
            replica_url: None,
        }
    }
}
