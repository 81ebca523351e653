//! The schema gets to its newest version from every earlier one, and only forwards.

use nsc_core::{ErrorCode, OperatorError};
use nsc_store::{RoleNames, SCHEMA_VERSION, StoreError, migrate, migrate_to, schema_version};
use nsc_testkit::{Database, Postgres};
use secrecy::SecretString;

use crate::support::{api, at, consumer, entry, ledger, lines, servers};

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
    assert_eq!(migrated.ran, ["0001 backoffice", "0002 moved halves", "0003 lookup indexes"]);
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
    assert!(!applied.is_transient() && !applied.is_poison(), "{applied:?}");
    assert!(applied.hint().unwrap().contains("nsc migrate"));

    migrate(&url, &roles).await.unwrap();
    store.ready().await.unwrap();
    api(&database).await.ready().await.unwrap();

    let newer = format!(
        "INSERT INTO bo.schema_migrations VALUES ({}, 'from the future', now(), true, 'x', 0)",
        SCHEMA_VERSION + 1
    );
    database.execute(&newer).await.unwrap();
    let error = store.ready().await.unwrap_err();
    assert!(matches!(error, StoreError::Schema { found: Some(found), .. } if found == SCHEMA_VERSION + 1));
    let error = migrate(&url, &roles).await.unwrap_err();
    assert!(matches!(error, StoreError::Schema { .. }), "{error:?}");
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
    };
    let error = migrate(&url, &roles).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::DatabaseSchema);
    assert!(
        error.hint().unwrap().contains("CREATE ROLE other_migrator"),
        "{error:?}"
    );
}
