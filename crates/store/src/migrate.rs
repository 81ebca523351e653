//! Brings the schema `bo` to the version this program needs (serving contract 5).
//!
//! The files of `migrations/` are part of the program. Which of them were run, and what they said, stands in
//! `bo.schema_migrations`; a file that was changed after it was run is an error. Two runs at once wait for each other.

use secrecy::SecretString;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{ConnectOptions, Connection, PgConnection, Row, SqlSafeStr};

use crate::endpoint::Endpoint;
use crate::error::StoreError;
use crate::roles::{self, RoleNames};
use crate::schema_version::SCHEMA_VERSION;

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
    (
        4,
        "places of events",
        include_str!("../../../migrations/0004_places_of_events.sql"),
    ),
    (
        5,
        "audit chain",
        include_str!("../../../migrations/0005_audit_chain.sql"),
    ),
    (6, "legs", include_str!("../../../migrations/0006_legs.sql")),
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
    /// There is no role for auditors, and this login may not make it.
    pub lacks_auditor: bool,
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
    check_set_up(&mut connection).await?;
    // Held until the connection ends, whatever happens.
    let locked = sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(LOCK)
        .execute(&mut connection)
        .await;
    locked.map_err(statement("lock"))?;
    roles::prepare(&mut connection, roles).await?;
    let found = found_by(&mut connection).await?;
    let from = found.version;
    if let Some(newer) = from.filter(|from| *from > SCHEMA_VERSION) {
        found.fits()?;
        // A newer program was here first. What it granted may be more than this one knows: nothing is touched.
        connection.close().await.map_err(statement("close"))?;
        return Ok(Migrated {
            from,
            to: newer,
            ran: Vec::new(),
            lacks_auditor: false,
        });
    }
    migrator()
        .run_to(version, &mut connection)
        .await
        .map_err(failed)?;
    let mut lacks_auditor = false;
    if version == SCHEMA_VERSION {
        lacks_auditor = !roles::grant(&mut connection, roles).await?;
    }
    let to = found_by(&mut connection).await?.version.unwrap_or_default();
    let ran = MIGRATIONS
        .iter()
        .filter(|(v, ..)| from.is_none_or(|from| *v > from) && *v <= to);
    let ran = ran
        .map(|(version, name, _)| format!("{version:04} {name}"))
        .collect();
    connection.close().await.map_err(statement("close"))?;
    Ok(Migrated {
        from,
        to,
        ran,
        lacks_auditor,
    })
}

/// The version of the schema; none when there is none.
///
/// # Errors
/// When the database does not answer.
pub async fn schema_version(url: &SecretString) -> Result<Option<i64>, StoreError> {
    let mut connection = connected(url).await?;
    let version = found_by(&mut connection).await?.version;
    connection.close().await.map_err(statement("close"))?;
    Ok(version)
}

/// What must hold before anything is made.
async fn check_set_up(connection: &mut PgConnection) -> Result<(), StoreError> {
    let asked = "SELECT current_setting('server_encoding'), current_setting('plan_cache_mode') = 'force_generic_plan'";
    let row = sqlx::query(asked)
        .fetch_one(connection)
        .await
        .map_err(statement("set-up"))?;
    checked_encoding(row.try_get(0).map_err(statement("set-up"))?)?;
    checked_settings(row.try_get(1).map_err(statement("set-up"))?)
}

/// Whether the settings sent with a connection arrived. They do unless a pooler is between that drops them.
///
/// # Errors
/// [`StoreError::Pooler`].
pub(crate) fn checked_settings(arrived: bool) -> Result<(), StoreError> {
    if arrived {
        return Ok(());
    }
    Err(StoreError::Pooler {
        reason: "the settings sent when the connection was made did not arrive".to_owned(),
    })
}

/// How far a schema has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// The newest migration; none when there is no schema.
    pub(crate) version: Option<i64>,
    /// The newest one that took something away.
    pub(crate) contracted: Option<i64>,
}

impl Found {
    /// Whether this program can work with it.
    ///
    /// # Errors
    /// [`StoreError::Schema`].
    pub(crate) fn fits(self) -> Result<(), StoreError> {
        let has_all = self.version.is_some_and(|version| version >= SCHEMA_VERSION);
        let took_away = self.contracted.is_some_and(|version| version > SCHEMA_VERSION);
        if has_all && !took_away {
            return Ok(());
        }
        Err(StoreError::Schema {
            found: self.version,
            needed: SCHEMA_VERSION,
        })
    }
}

/// Any text must fit: in another encoding, or in bytes without one, sound events would be refused or counted wrongly.
///
/// # Errors
/// [`StoreError::Encoding`].
pub(crate) fn checked_encoding(found: String) -> Result<(), StoreError> {
    if found == "UTF8" {
        Ok(())
    } else {
        Err(StoreError::Encoding { found })
    }
}

async fn connected(url: &SecretString) -> Result<PgConnection, StoreError> {
    let endpoint = Endpoint::parse(url)?;
    crate::tls::choose_provider();
    let options = endpoint
        .options
        .clone()
        .application_name("nsc migrate")
        // An index of a large table takes its time, whatever the database sets for others.
        .options([("statement_timeout", "0"), ("plan_cache_mode", "force_generic_plan")])
        .disable_statement_logging();
    options.connect().await.map_err(|source| endpoint.failed(source))
}

async fn found_by(connection: &mut PgConnection) -> Result<Found, StoreError> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(TABLE)
        .fetch_one(&mut *connection)
        .await
        .map_err(statement("schema_version"))?;
    if !exists {
        return Ok(Found::default());
    }
    let row = sqlx::query(crate::statements::SCHEMA_VERSION.sql)
        .fetch_one(connection)
        .await
        .map_err(statement("schema_version"))?;
    let column = |index: usize| row.try_get(index).map_err(statement("schema_version"));
    Ok(Found {
        version: column(0)?,
        contracted: column(1)?,
    })
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

#[cfg(test)]
mod tests {
    use super::{Found, MIGRATIONS, SCHEMA_VERSION};

    #[test]
    fn versions_count_up_from_one_to_the_version_needed() {
        let versions: Vec<i64> = MIGRATIONS.iter().map(|(version, ..)| *version).collect();
        let expected: Vec<i64> = (1..=SCHEMA_VERSION).collect();
        assert_eq!(versions, expected);
    }

    #[test]
    fn every_later_version_fits_until_one_takes_something_away() {
        let fits = |version, contracted| Found { version, contracted }.fits().is_ok();
        let newest = SCHEMA_VERSION;
        assert!(fits(Some(newest), None) && fits(Some(newest + 7), None));
        assert!(fits(Some(newest + 7), Some(newest)));
        assert!(!fits(Some(newest + 7), Some(newest + 1)));
        assert!(!fits(Some(newest - 1), None) && !fits(None, None));
    }
}
