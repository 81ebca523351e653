//! How to reach the database.

use std::time::Duration;

use secrecy::SecretString;

/// Options of a [`crate::Store`].
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `postgres://user:password@host:port/database?sslmode=...`, a secret as a whole.
    pub url: SecretString,
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
    pub fn new(url: SecretString) -> Self {
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
