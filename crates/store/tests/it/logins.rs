//! Who may migrate: an administrator as managed servers have them, who may make roles and is no superuser, on the server
//! that is installed and on the newest.

use nsc_core::{ErrorCode, OperatorError};
use nsc_store::{RoleNames, SCHEMA_VERSION, StoreError, migrate};
use nsc_testkit::{Database, Postgres};
use secrecy::SecretString;

use crate::support::{servers, value};

/// Roles belong to the server, so each test has its own.
fn names(prefix: &str) -> RoleNames {
    RoleNames {
        migrator: format!("{prefix}_migrator"),
        consumer: format!("{prefix}_consumer"),
        api: format!("{prefix}_api"),
        auditor: format!("{prefix}_auditor"),
    }
}

/// A database and the URL of a login made as told, which owns the database.
async fn owned(postgres: &Postgres, login: &str, attributes: &str) -> (Database, SecretString) {
    let database = postgres.fresh_database().await.unwrap();
    let make = format!(
        "CREATE ROLE {login} LOGIN {attributes}; ALTER DATABASE \"{}\" OWNER TO {login}",
        database.name()
    );
    database.execute(&make).await.unwrap();
    let url = database.url_of(login).await.unwrap();
    (database, SecretString::from(url))
}

async fn version_of(postgres: &Postgres) -> i64 {
    let database = postgres.fresh_database().await.unwrap();
    value(
        &database,
        "SELECT current_setting('server_version_num')::bigint / 10000",
    )
    .await
}

#[tokio::test]
async fn a_login_that_may_make_roles_and_is_no_superuser_migrates_and_again() {
    for postgres in servers().await {
        let self_grants: &[&str] = if version_of(&postgres).await >= 16 {
            &["", "set", "inherit", "set, inherit"]
        } else {
            &[""]
        };
        for (n, self_grant) in self_grants.iter().enumerate() {
            for (attributes, kind) in [("CREATEROLE", "dba"), ("CREATEROLE NOINHERIT", "strict")] {
                let login = format!("{kind}_{n}");
                let (database, url) = owned(&postgres, &login, attributes).await;
                if !self_grant.is_empty() {
                    let set = format!("ALTER ROLE {login} SET createrole_self_grant = '{self_grant}'");
                    database.execute(&set).await.unwrap();
                }
                let names = names(&format!("{kind}{n}"));
                let first = migrate(&url, &names)
                    .await
                    .unwrap_or_else(|e| panic!("{self_grant:?} {attributes}: {e:?}"));
                assert_eq!(first.to, SCHEMA_VERSION);
                let again = migrate(&url, &names).await.unwrap();
                assert!(again.ran.is_empty());
                let owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'bo'";
                assert_eq!(value::<String>(&database, owner).await, names.migrator);
                // The login gives the programs' roles to whom it likes.
                let given = format!(
                    "CREATE ROLE {login}_app LOGIN; GRANT {} TO {login}_app",
                    names.api
                );
                let mut connection = crate::support::superuser(&database.url_of(&login).await.unwrap()).await;
                sqlx::raw_sql(sqlx::AssertSqlSafe(given))
                    .execute(&mut connection)
                    .await
                    .unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_member_that_may_make_no_roles_migrates_when_it_may_become_the_migrator() {
    for postgres in servers().await {
        let newer = version_of(&postgres).await >= 16;
        let names = names("prepared");
        let (database, url) = owned(&postgres, "plain", "NOCREATEROLE").await;
        let make = format!(
            "CREATE ROLE {}; CREATE ROLE {}; CREATE ROLE {}; GRANT {0} TO plain {}",
            names.migrator,
            names.consumer,
            names.api,
            if newer { "WITH INHERIT TRUE, SET FALSE" } else { "" }
        );
        database.execute(&make).await.unwrap();
        if newer {
            let error = migrate(&url, &names).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::DatabaseSchema);
            assert!(error.hint().unwrap().contains("WITH SET TRUE"), "{error:?}");
            let grant = format!("GRANT {} TO plain WITH SET TRUE", names.migrator);
            database.execute(&grant).await.unwrap();
        }
        // The role of the auditors came later: an upgrade does not wait for somebody who may make it.
        let upgraded = migrate(&url, &names).await.unwrap();
        assert_eq!((upgraded.to, upgraded.lacks_auditor), (SCHEMA_VERSION, true));
        database
            .execute(&format!("CREATE ROLE {}", names.auditor))
            .await
            .unwrap();
        assert!(!migrate(&url, &names).await.unwrap().lacks_auditor);
    }
}

#[tokio::test]
async fn a_login_that_does_not_own_the_database_is_told_what_to_ask_for() {
    for postgres in servers().await {
        let (database, url) = owned(&postgres, "guest", "CREATEROLE").await;
        let away = format!("ALTER DATABASE \"{}\" OWNER TO postgres", database.name());
        database.execute(&away).await.unwrap();
        let error = migrate(&url, &names("guests")).await.unwrap_err();
        let StoreError::Migration { reason, hint } = &error else {
            panic!("{error:?}");
        };
        assert!(reason.contains("may not create a schema"), "{reason}");
        assert!(
            hint.as_ref().unwrap().contains("GRANT CREATE ON DATABASE"),
            "{error:?}"
        );
        // Nothing was made in the database.
        let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'bo'";
        assert_eq!(value::<i64>(&database, schemas).await, 0);
    }
}

#[tokio::test]
async fn roles_that_another_login_made_are_taken_or_asked_for() {
    for postgres in servers().await {
        let names = names("shared");
        let (_first, url) = owned(&postgres, "first_dba", "CREATEROLE").await;
        migrate(&url, &names).await.unwrap();
        let (database, url) = owned(&postgres, "second_dba", "CREATEROLE").await;
        if version_of(&postgres).await >= 16 {
            // It may not give itself what another one made.
            let error = migrate(&url, &names).await.unwrap_err();
            assert!(
                error.hint().unwrap().contains("GRANT shared_migrator TO"),
                "{error:?}"
            );
            database
                .execute("GRANT shared_migrator TO second_dba")
                .await
                .unwrap();
        }
        assert_eq!(migrate(&url, &names).await.unwrap().to, SCHEMA_VERSION);
    }
}
