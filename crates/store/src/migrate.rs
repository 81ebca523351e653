//! Brings the schema `bo` to the version this program needs (contract, section 5).
//!
//! The files of `migrations/` are part of the program. Which of them were run, and what they said, stands in
//! `bo.schema_migrations`; a file that was changed after it was run is an error. Two runs at once wait for each other.

use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqlSafeStr};

use crate::error::StoreError;
use crate::roles::{self, RoleNames};

/// The schema version this program needs.
pub const SCHEMA_VERSION: i64 = 3;

/// Every migration: version, name, text.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "backoffice",
        include_str!("../../../migrations/0001_backoffice.sql"),
    ),
    (
        2,
        "moved halves",
        include_str!("../../../migrations/0002_moved_halves.sql"),
    ),
    (
        3,
        "lookup indexes",
        include_str!("../../../migrations/0003_lookup_indexes.sql"),
    ),
];
/// Where it is written which were run.
const TABLE: &str = "bo.schema_migrations";
/// Taken by whoever migrates; any number that nobody else takes.
const LOCK: i64 = 0x6e73_635f_626f;

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

/// Brings the schema to [`SCHEMA_VERSION`]. Running it again changes nothing.
///
/// # Errors
/// When the database does not answer, the login may not do it, or what was run before is not what this program has.
pub async fn migrate(url: &SecretString, roles: &RoleNames) -> Result<Migrated, StoreError> {
    migrate_to(url, roles, SCHEMA_VERSION).await
}

/// The same up to an earlier version, for the tests that upgrade from it.
///
/// # Errors
/// As [`migrate`].
#[doc(hidden)]
pub async fn migrate_to(url: &SecretString, roles: &RoleNames, version: i64) -> Result<Migrated, StoreError> {
    roles.check()?;
    let mut connection = connected(url).await?;
    // Held until the connection ends, whatever happens.
    let locked = sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut connection)
        .await;
    locked.map_err(statement("lock"))?;
    roles::prepare(&mut connection, roles).await?;
    let from = version_of(&mut connection).await?;
    if from.is_some_and(|from| from > SCHEMA_VERSION) {
        return Err(StoreError::Schema {
            found: from,
            needed: SCHEMA_VERSION,
        });
    }
    migrator()
        .run_to(version, &mut connection)
        .await
        .map_err(failed)?;
    if version == SCHEMA_VERSION {
        roles::grant(&mut connection, roles).await?;
    }
    let to = version_of(&mut connection).await?.unwrap_or_default();
    let ran = MIGRATIONS
        .iter()
        .filter(|(v, ..)| from.is_none_or(|from| *v > from) && *v <= to);
    let ran = ran
        .map(|(version, name, _)| format!("{version:04} {name}"))
        .collect();
    connection.close().await.map_err(statement("close"))?;
    Ok(Migrated { from, to, ran })
}

/// The version of the schema; none when there is none.
///
/// # Errors
/// When the database does not answer.
pub async fn schema_version(url: &SecretString) -> Result<Option<i64>, StoreError> {
    let mut connection = connected(url).await?;
    let version = version_of(&mut connection).await?;
    connection.close().await.map_err(statement("close"))?;
    Ok(version)
}

async fn connected(url: &SecretString) -> Result<PgConnection, StoreError> {
    let options = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|e| StoreError::Url {
            reason: e.to_string(),
        })?
        .application_name("nsc migrate")
        .disable_statement_logging();
    options
        .connect()
        .await
        .map_err(|source| StoreError::Connect { source })
}

async fn version_of(connection: &mut PgConnection) -> Result<Option<i64>, StoreError> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(TABLE)
        .fetch_one(&mut *connection)
        .await
        .map_err(statement("schema_version"))?;
    if !exists {
        return Ok(None);
    }
    sqlx::query_scalar(crate::statements::SCHEMA_VERSION.sql)
        .fetch_one(connection)
        .await
        .map_err(statement("schema_version"))
}

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        Migration::new(
            *version,
            (*name).into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator.create_schema("bo");
    migrator
}

fn failed(error: MigrateError) -> StoreError {
    let hint = match &error {
        MigrateError::VersionMismatch(_) => Some(
            "the file was changed after it had been run: undo the change and add a new migration".to_owned(),
        ),
        MigrateError::Dirty(_) => Some("a migration was cut off half way: restore the database".to_owned()),
        _ => None,
    };
    StoreError::Migration {
        reason: error.to_string(),
        hint,
    }
}

fn statement(what: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Statement { what, source }
}

/// Runs text that holds no value from outside but checked role names.
pub(crate) async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, SCHEMA_VERSION};

    #[test]
    fn versions_count_up_from_one_to_the_version_needed() {
        let versions: Vec<i64> = MIGRATIONS.iter().map(|(version, ..)| *version).collect();
        let expected: Vec<i64> = (1..=SCHEMA_VERSION).collect();
        assert_eq!(versions, expected);
    }
}
