//! The four database roles and what each may do (serving contract 5: least privilege).
//!
//! The roles carry privileges and are made without a login. Either let them log in (`ALTER ROLE nsc_api LOGIN PASSWORD
//! ...`) or give login roles of your own membership (`GRANT nsc_api TO my_login`). A role that exists is taken as it is.

use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::StoreError;

/// The names of the four roles. They belong to the whole server: two installations on one server that must not share
/// logins use different names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleNames {
    /// Owns the schema and runs migrations.
    pub migrator: String,
    /// Writes ledger entries, orders, pairs and dead letters.
    pub consumer: String,
    /// Reads what the consumer wrote; adds audit rows, and cannot change them.
    pub api: String,
    /// Reads the audit log, and nothing else.
    pub auditor: String,
}

impl Default for RoleNames {
    fn default() -> Self {
        Self {
            migrator: "nsc_migrator".to_owned(),
            consumer: "nsc_consumer".to_owned(),
            api: "nsc_api".to_owned(),
            auditor: "nsc_auditor".to_owned(),
        }
    }
}

impl RoleNames {
    /// Only plain identifiers, so that a name can stand in a statement.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        for name in [&self.migrator, &self.consumer, &self.api, &self.auditor] {
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

/// First server version (`server_version_num`) whose memberships can lack `SET ROLE`: a login that makes a role is given
/// the right to grant it there, and no more.
const MEMBERSHIP_OPTIONS: i32 = 160_000;

/// Makes the roles that do not exist and goes on as the migrator, who then owns what is made.
pub(crate) async fn prepare(connection: &mut PgConnection, roles: &RoleNames) -> Result<(), StoreError> {
    let run = async {
        for role in [&roles.migrator, &roles.consumer, &roles.api] {
            create(connection, role).await?;
        }
        // It came later than the others: where it may not be made, an upgrade goes on without it.
        match create(connection, &roles.auditor).await {
            Err(error) if is_forbidden(&error) => {}
            made => made?,
        }
        become_possible(connection, &roles.migrator).await?;
        if !may_create(connection, &roles.migrator).await? {
            let database: String = sqlx::query_scalar("SELECT quote_ident(current_database())")
                .fetch_one(&mut *connection)
                .await?;
            let grant = format!("GRANT CREATE ON DATABASE {database} TO \"{}\"", roles.migrator);
            execute(connection, grant).await?;
            // Who may not give it is only warned by the server.
            if !may_create(connection, &roles.migrator).await? {
                return Ok(false);
            }
        }
        let take_over = include_str!("../sql/take_over.sql").replace("{migrator}", &roles.migrator);
        execute(connection, take_over).await?;
        execute(connection, format!("SET ROLE \"{}\"", roles.migrator)).await?;
        Ok(true)
    };
    let outcome: Result<bool, sqlx::Error> = run.await;
    match outcome {
        Ok(true) => Ok(()),
        Ok(false) => Err(StoreError::Migration {
            reason: format!("{} may not create a schema in this database", roles.migrator),
            hint: Some(for_an_administrator(roles)),
        }),
        Err(source) => Err(refused(source, roles)),
    }
}

async fn create(connection: &mut PgConnection, role: &str) -> Result<(), sqlx::Error> {
    if exists(connection, role).await? {
        return Ok(());
    }
    // Another database of the server may be migrated at this moment.
    let create = format!(
        "DO $$ BEGIN CREATE ROLE \"{role}\" NOLOGIN; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    );
    execute(connection, create).await
}

/// Lets the login go on as the migrator, where it may not yet.
async fn become_possible(connection: &mut PgConnection, migrator: &str) -> Result<(), sqlx::Error> {
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::integer")
        .fetch_one(&mut *connection)
        .await?;
    // Being a member says nothing there: a membership may be there for the sake of ADMIN or INHERIT alone. For the same
    // reason the grant names what it is for: one that is there already would stay as it is.
    let (may, grant) = if version >= MEMBERSHIP_OPTIONS {
        (
            "SELECT pg_has_role(current_user, $1, 'SET')",
            format!("GRANT \"{migrator}\" TO CURRENT_USER WITH SET TRUE"),
        )
    } else {
        (
            "SELECT pg_has_role(current_user, $1, 'MEMBER')",
            format!("GRANT \"{migrator}\" TO CURRENT_USER"),
        )
    };
    if holds(connection, may, migrator).await? {
        return Ok(());
    }
    execute(connection, grant).await
}

async fn may_create(connection: &mut PgConnection, migrator: &str) -> Result<bool, sqlx::Error> {
    let creates = "SELECT has_database_privilege($1, current_database(), 'CREATE')";
    holds(connection, creates, migrator).await
}

/// Gives the roles their privileges, and takes any others away. Whether there is a role for auditors: `nsc migrate` may have
/// been run by a login that makes none.
pub(crate) async fn grant(connection: &mut PgConnection, roles: &RoleNames) -> Result<bool, StoreError> {
    let granted = granted(connection, roles).await;
    granted.map_err(|source| refused(source, roles))
}

async fn granted(connection: &mut PgConnection, roles: &RoleNames) -> Result<bool, sqlx::Error> {
    let grants = include_str!("../sql/grants.sql")
        .replace("{consumer}", &format!("\"{}\"", roles.consumer))
        .replace("{api}", &format!("\"{}\"", roles.api));
    execute(connection, grants).await?;
    let has_auditor = exists(connection, &roles.auditor).await?;
    if has_auditor {
        let auditor = format!("\"{}\"", roles.auditor);
        let grants = include_str!("../sql/grants_auditor.sql").replace("{auditor}", &auditor);
        execute(connection, grants).await?;
    }
    Ok(has_auditor)
}

async fn exists(connection: &mut PgConnection, role: &str) -> Result<bool, sqlx::Error> {
    let exists = "SELECT count(*) > 0 FROM pg_roles WHERE rolname = $1";
    holds(connection, exists, role).await
}

/// The login may not do it.
fn is_forbidden(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| code == "42501")
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
    if !is_forbidden(&source) {
        return StoreError::Statement {
            what: "roles",
            source,
        };
    }
    StoreError::Migration {
        reason: source.to_string(),
        hint: Some(for_an_administrator(roles)),
    }
}

/// What somebody who may, can run once.
fn for_an_administrator(roles: &RoleNames) -> String {
    let RoleNames {
        migrator,
        consumer,
        api,
        auditor,
    } = roles;
    format!(
        "run it once as a login that may create roles and owns the database, or let an administrator run: \
         CREATE ROLE {migrator}; CREATE ROLE {consumer}; CREATE ROLE {api}; CREATE ROLE {auditor}; GRANT {migrator} TO <this login> \
         (from PostgreSQL 16 on: WITH SET TRUE); GRANT CREATE ON DATABASE <this database> TO {migrator}"
    )
}

/// Runs text that holds no value from outside but checked role names.
async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map(drop)
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
