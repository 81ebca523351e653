//! The schema gets to its newest version from every earlier one, and only forwards.
//! Holds serving contract 5.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nsc_core::{ErrorCode, OperatorError};
use nsc_store::statements::SETTINGS;
use nsc_store::{RoleNames, SCHEMA_VERSION, Store, StoreError, migrate, migrate_to, schema_version};
use nsc_testkit::{Database, Postgres};
use secrecy::SecretString;
use sqlx::Row;

use crate::support::{api, at, consumer, entry, ledger, lines, options, servers, superuser, value, value_on};

async fn empty() -> (Database, SecretString) {
    empty_in(&Postgres::shared().await.unwrap()).await
}

async fn empty_in(postgres: &Postgres) -> (Database, SecretString) {
    let database = postgres.fresh_database().await.unwrap();
    let url = SecretString::from(database.url());
    (database, url)
}

/// Columns, constraints, indexes, triggers and privileges of the schema.
async fn shape(database: &Database) -> Vec<String> {
    let mut shape = lines(
        database,
        "table_name, column_name, data_type, character_maximum_length, is_nullable, collation_name",
        "information_schema.columns WHERE table_schema = 'bo' ORDER BY 1",
    )
    .await;
    shape.extend(
        lines(
            database,
            "conname, pg_get_constraintdef(oid)",
            "pg_constraint WHERE connamespace = 'bo'::regnamespace ORDER BY 1",
        )
        .await,
    );
    shape.extend(
        lines(
            database,
            "indexdef",
            "pg_indexes WHERE schemaname = 'bo' ORDER BY 1",
        )
        .await,
    );
    shape.extend(
        lines(
            database,
            "pg_get_triggerdef(oid)",
            "pg_trigger WHERE NOT tgisinternal ORDER BY 1",
        )
        .await,
    );
    shape.extend(
        lines(
            database,
            "relname, relacl",
            "pg_class WHERE relnamespace = 'bo'::regnamespace ORDER BY 1",
        )
        .await,
    );
    shape
}

#[tokio::test]
async fn every_earlier_version_becomes_the_newest_and_keeps_its_rows() {
    for postgres in servers().await {
        from_every_earlier_version(&postgres).await;
    }
}

async fn from_every_earlier_version(postgres: &Postgres) {
    let (newest, url) = empty_in(postgres).await;
    let migrated = migrate(&url, &RoleNames::default()).await.unwrap();
    assert_eq!((migrated.from, migrated.to), (None, SCHEMA_VERSION));
    assert_eq!(
        migrated.ran,
        [
            "0001 backoffice",
            "0002 moved halves",
            "0003 lookup indexes",
            "0004 places of events",
            "0005 audit chain",
            "0006 legs"
        ]
    );
    let expected = shape(&newest).await;
    assert!(expected.len() > 60, "{expected:#?}");

    for version in 1..SCHEMA_VERSION {
        let (database, url) = empty_in(postgres).await;
        migrate_to(&url, &RoleNames::default(), version).await.unwrap();
        assert_eq!(schema_version(&url).await.unwrap(), Some(version));
        database
            .execute(
                "INSERT INTO bo.ledger_entries (tx_id, wallet_id, entry_type, amount, event_time, ingested_at, payload_hash)
                 VALUES ('kept', 'w', 'CHARGE', 5, now(), now(), decode(repeat('00', 16), 'hex'))",
            )
            .await
            .unwrap();
        let migrated = migrate(&url, &RoleNames::default()).await.unwrap();
        assert_eq!((migrated.from, migrated.to), (Some(version), SCHEMA_VERSION));
        assert_eq!(shape(&database).await, expected, "from version {version}");
        assert!(api(&database).await.tx("kept").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn running_it_again_changes_nothing_and_two_at_once_wait_for_each_other() {
    let (database, url) = empty().await;
    let roles = RoleNames::default();
    let runs = futures::future::join_all((0..4).map(|_| migrate(&url, &roles))).await;
    let did_something = runs
        .into_iter()
        .filter(|run| !run.as_ref().unwrap().ran.is_empty())
        .count();
    assert_eq!(did_something, 1);
    let before = shape(&database).await;
    let again = migrate(&url, &roles).await.unwrap();
    assert_eq!(
        (again.from, again.to, again.ran),
        (Some(SCHEMA_VERSION), SCHEMA_VERSION, vec![])
    );
    assert_eq!(shape(&database).await, before);
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_ran_is_refused() {
    let (database, url) = empty().await;
    migrate(&url, &RoleNames::default()).await.unwrap();
    database
        .execute("UPDATE bo.schema_migrations SET checksum = 'other' WHERE version = 1")
        .await
        .unwrap();
    let error = migrate(&url, &RoleNames::default()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::DatabaseSchema);
    assert!(error.hint().unwrap().contains("add a new migration"), "{error:?}");
}

#[tokio::test]
async fn a_store_says_what_is_wrong_with_the_schema() {
    let (database, url) = empty().await;
    let roles = RoleNames::default();
    // The roles exist, the schema does not.
    migrate_to(&url, &roles, 0).await.unwrap();
    database.execute("DROP SCHEMA bo CASCADE").await.unwrap();
    let store = consumer(&database).await;
    assert!(matches!(
        store.ready().await,
        Err(StoreError::Schema { found: None, .. })
    ));
    let applied = store
        .apply(&ledger([entry("t", "CHARGE", None)]), at(0))
        .await
        .unwrap_err();
    assert!(!applied.is_transient() && !applied.is_refusal(), "{applied:?}");
    assert!(applied.hint().unwrap().contains("nsc migrate"));

    migrate(&url, &roles).await.unwrap();
    store.ready().await.unwrap();
    api(&database).await.ready().await.unwrap();

    database
        .execute("DELETE FROM bo.schema_migrations WHERE version > 1")
        .await
        .unwrap();
    let error = store.ready().await.unwrap_err();
    assert!(
        matches!(error, StoreError::Schema { found: Some(1), .. }),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("nsc migrate"));
}

/// What a release to come may do to the schema.
fn of_the_future(version: i64, name: &str) -> String {
    format!("INSERT INTO bo.schema_migrations VALUES ({version}, '{name}', now(), true, 'x', 0)")
}

#[tokio::test]
async fn a_newer_schema_is_worked_with_until_it_takes_something_away() {
    let (database, url) = empty().await;
    let roles = RoleNames::default();
    migrate(&url, &roles).await.unwrap();
    let (store, reader) = (consumer(&database).await, api(&database).await);
    let newer = SCHEMA_VERSION + 40;
    database
        .execute(&of_the_future(newer, "adds an index"))
        .await
        .unwrap();
    // More than this program knows to grant.
    database
        .execute("CREATE TABLE bo.more (a int); GRANT SELECT ON bo.more TO nsc_api")
        .await
        .unwrap();
    store.ready().await.unwrap();
    reader.ready_to_answer().await.unwrap();
    let done = migrate(&url, &roles).await.unwrap();
    assert_eq!((done.from, done.to, done.ran), (Some(newer), newer, vec![]));
    let granted: bool = value(
        &database,
        "SELECT has_table_privilege('nsc_api', 'bo.more', 'SELECT')",
    )
    .await;
    assert!(granted, "an older migrate took back what a newer one granted");

    let contracted = of_the_future(newer + 1, "drops related_type (contract)");
    database.execute(&contracted).await.unwrap();
    for error in [
        store.ready().await.unwrap_err(),
        reader.ready_to_answer().await.unwrap_err(),
        migrate(&url, &roles).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::DatabaseSchema);
        assert!(error.hint().unwrap().contains("or newer"), "{error:?}");
    }
}

#[tokio::test]
async fn readers_and_writers_go_on_while_the_next_release_migrates_under_them() {
    for postgres in servers().await {
        let (database, url) = empty_in(&postgres).await;
        migrate(&url, &RoleNames::default()).await.unwrap();
        let (store, reader) = (consumer(&database).await, api(&database).await);
        let done = Arc::new(AtomicBool::new(false));
        let writer = {
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                let mut n = 0;
                while !done.load(Ordering::SeqCst) || n < 20 {
                    let order = format!("o{}", n / 2);
                    let side = if n % 2 == 0 { "PAYMENT" } else { "RECEIVE" };
                    let row = entry(&format!("t{n}"), side, Some(&order));
                    store.apply(&ledger([row]), at(0)).await.unwrap();
                    n += 1;
                }
                n
            })
        };
        let looking = {
            let (reader, done) = (reader.clone(), done.clone());
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    reader.tx("t1").await.unwrap();
                    reader.ready_to_answer().await.unwrap();
                }
            })
        };
        for step in 1..=3 {
            // An expanding migration, as a release to come would have it.
            let expand = format!(
                "BEGIN;
                 ALTER TABLE bo.ledger_entries ADD COLUMN extra_{step} text, ADD COLUMN flag_{step} boolean NOT NULL DEFAULT false;
                 ALTER TABLE bo.payment_ledger_pairs ADD COLUMN extra_{step} numeric(18, 2);
                 CREATE INDEX ON bo.ledger_entries (extra_{step});
                 CREATE TABLE bo.more_{step} (a int);
                 {};
                 COMMIT",
                of_the_future(SCHEMA_VERSION + step, "adds")
            );
            database.execute(&expand).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        done.store(true, Ordering::SeqCst);
        let written = writer.await.unwrap();
        looking.await.unwrap();
        let pairs = "SELECT count(*) FROM bo.payment_ledger_pairs WHERE receive_tx_id IS NOT NULL";
        assert_eq!(value::<i64>(&database, pairs).await, written / 2);
    }
}

/// The release before knows only version 2, and its statements must go by keys under the indexes of version 3 too.
#[tokio::test]
async fn the_statements_of_the_release_before_keep_their_indexes() {
    let (database, url) = empty().await;
    migrate(&url, &RoleNames::default()).await.unwrap();
    let mut connection = superuser(&database.url()).await;
    for (setting, value) in SETTINGS {
        let set = format!("SET {setting} = '{value}'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(set))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    for (statement, index) in [
        (
            "SELECT e.tx_id FROM bo.ledger_entries AS e WHERE e.related_id = $1::text
             AND (e.related_type IS NULL OR e.related_type = 'PAYMENT_ORDER')",
            "ledger_entries_order",
        ),
        (
            "SELECT e.tx_id FROM bo.ledger_entries AS e
             WHERE (e.wallet_id, e.event_time) >= ($1::text, $2::timestamptz)
             AND (e.wallet_id, e.event_time) <= ($1::text, $3::timestamptz)
             ORDER BY e.wallet_id DESC, e.event_time DESC, e.tx_id LIMIT 21",
            "ledger_entries_wallet",
        ),
    ] {
        let prepare = format!("DEALLOCATE ALL; PREPARE old AS {statement}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(prepare))
            .execute(&mut connection)
            .await
            .unwrap();
        let nulls = if statement.contains("$3") {
            "NULL, NULL, NULL"
        } else {
            "NULL"
        };
        let explain = format!("EXPLAIN EXECUTE old ({nulls})");
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|line| line.contains(index)), "{plan:#?}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_in_utf8_is_refused_before_anything_is_made() {
    let postgres = Postgres::shared().await.unwrap();
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_KR"] {
        let name = format!("in_{}", encoding.to_lowercase());
        let make = format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        );
        postgres.execute(make).await.unwrap();
        let url = SecretString::from(postgres.url(&name));
        let error = migrate(&url, &RoleNames::default()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::DatabaseEncoding);
        assert!(error.detail().unwrap().contains(encoding), "{error:?}");
        assert!(error.is_fault_of_set_up() && !error.is_transient() && !error.is_refusal());
        let mut connection = superuser(&postgres.url(&name)).await;
        let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'bo'";
        assert_eq!(value_on::<i64>(&mut connection, schemas).await, 0);
        // Where there is a schema already, a program that starts refuses it too.
        let schema = "CREATE SCHEMA bo; CREATE TABLE bo.schema_migrations (version bigint, description text, success bool);
                      INSERT INTO bo.schema_migrations VALUES (1000, 'x', true)";
        sqlx::raw_sql(schema).execute(&mut connection).await.unwrap();
        let store = Store::connect(&options(postgres.url(&name))).await.unwrap();
        assert_eq!(
            store.ready().await.unwrap_err().code(),
            ErrorCode::DatabaseEncoding
        );
    }
}

#[tokio::test]
async fn who_may_not_make_roles_is_told_what_to_ask_for() {
    let (database, _) = empty().await;
    database
        .execute("CREATE ROLE nobody_in_particular")
        .await
        .unwrap();
    let url = SecretString::from(database.url_of("nobody_in_particular").await.unwrap());
    let roles = RoleNames {
        migrator: "other_migrator".to_owned(),
        consumer: "other_consumer".to_owned(),
        api: "other_api".to_owned(),
        auditor: "other_auditor".to_owned(),
    };
    let error = migrate(&url, &roles).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::DatabaseSchema);
    assert!(
        error.hint().unwrap().contains("CREATE ROLE other_migrator"),
        "{error:?}"
    );
}
