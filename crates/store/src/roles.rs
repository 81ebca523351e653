//! The three database roles and what each may do (contract, section 5: least privilege).
//!
//! The roles carry privileges and are made without a login. Either let them log in (`ALTER ROLE nsc_api LOGIN PASSWORD
//! ...`) or give login roles of your own membership (`GRANT nsc_api TO my_login`). A role that exists is taken as it is.

use sqlx::PgConnection;

use crate::error::StoreError;
use crate::migrate::execute;

/// The names of the three roles. They belong to the whole server: two installations on one server that must not share
/// logins use different names.
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

impl RoleNames {
    /// Only plain identifiers, so that a name can stand in a statement.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        for name in [&self.migrator, &self.consumer, &self.api] {
            let plain = name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            let starts_well = !name.starts_with(|c: char| c.is_ascii_digit()) && !name.starts_with("pg_");
            if !plain || !starts_well || !(1..=63).contains(&name.len()) {
                return Err(StoreError::RoleName { name: name.clone() });
            }
        }
        Ok(())
    }
}

/// Makes the roles that do not exist and goes on as the migrator, who then owns what is made.
pub(crate) async fn prepare(connection: &mut PgConnection, roles: &RoleNames) -> Result<(), StoreError> {
    let RoleNames {
        migrator,
        consumer,
        api,
    } = roles;
    let run = async {
        for role in [migrator, consumer, api] {
            if !holds(
                connection,
                "SELECT count(*) > 0 FROM pg_roles WHERE rolname = $1",
                role,
            )
            .await?
            {
                // Another database of the server may be migrated at this moment.
                let create = format!(
                    "DO $$ BEGIN CREATE ROLE \"{role}\" NOLOGIN; \
                     EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
                );
                execute(connection, create).await?;
            }
        }
        if !holds(
            connection,
            "SELECT pg_has_role(current_user, $1, 'MEMBER')",
            migrator,
        )
        .await?
        {
            execute(connection, format!("GRANT \"{migrator}\" TO CURRENT_USER")).await?;
        }
        let creates = "SELECT has_database_privilege($1, current_database(), 'CREATE')";
        if !holds(connection, creates, migrator).await? {
            let database: String = sqlx::query_scalar("SELECT quote_ident(current_database())")
                .fetch_one(&mut *connection)
                .await?;
            execute(
                connection,
                format!("GRANT CREATE ON DATABASE {database} TO \"{migrator}\""),
            )
            .await?;
        }
        execute(connection, format!("SET ROLE \"{migrator}\"")).await
    };
    let outcome: Result<(), sqlx::Error> = run.await;
    outcome.map_err(|source| refused(source, roles))
}

/// Gives the roles their privileges, and takes any others away.
pub(crate) async fn grant(connection: &mut PgConnection, roles: &RoleNames) -> Result<(), StoreError> {
    let grants = include_str!("../sql/grants.sql")
        .replace("{consumer}", &format!("\"{}\"", roles.consumer))
        .replace("{api}", &format!("\"{}\"", roles.api));
    execute(connection, grants)
        .await
        .map_err(|source| refused(source, roles))
}

async fn holds(
    connection: &mut PgConnection,
    question: &'static str,
    role: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(question)
        .bind(role)
        .fetch_one(connection)
        .await
}

/// What the login may not do, it cannot be told how to by the database alone.
fn refused(source: sqlx::Error, roles: &RoleNames) -> StoreError {
    let code = source
        .as_database_error()
        .and_then(|e| e.code().map(|code| code.into_owned()));
    if code.as_deref() != Some("42501") {
        return StoreError::Statement {
            what: "roles",
            source,
        };
    }
    let RoleNames {
        migrator,
        consumer,
        api,
    } = roles;
    StoreError::Migration {
        reason: source.to_string(),
        hint: Some(format!(
            "run it once as a login that may create roles and owns the database, or let an administrator run: \
             CREATE ROLE {migrator}; CREATE ROLE {consumer}; CREATE ROLE {api}; GRANT {migrator} TO <this login>; \
             GRANT CREATE ON DATABASE <this database> TO {migrator}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::RoleNames;

    #[test]
    fn only_plain_names_are_taken() {
        assert!(RoleNames::default().check().is_ok());
        for bad in [
            "",
            "a b",
            "Nsc",
            "a\"b",
            "a;b",
            "1a",
            "pg_x",
            "가",
            &"x".repeat(64),
        ] {
            let names = RoleNames {
                api: bad.to_owned(),
                ..RoleNames::default()
            };
            assert!(names.check().is_err(), "{bad:?}");
        }
    }
}
