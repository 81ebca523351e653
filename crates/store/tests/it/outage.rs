//! A database that goes away is waited for, never taken for a bad row (serving contract 4 and 9).

use std::time::{Duration, Instant};

use nsc_core::{ErrorCode, OperatorError};
use nsc_store::{AuditLog, AuditOptions, Batch, DeadLetter, Store, StoreError, StoreOptions};
use nsc_testkit::Postgres;
use sqlx::{Connection, PgConnection};

use crate::audit::row as audit_row;
use crate::support::{api, at, consumer, entry, ledger, migrated, migrated_in, options, value};

#[tokio::test]
async fn a_store_outlives_its_database() {
    let postgres = Postgres::start().await.unwrap();
    let database = migrated_in(&postgres).await;
    let store = consumer(&database).await;
    store.ready().await.unwrap();
    for (round, kill) in [(1, false), (2, true)] {
        let batch = ledger([entry(&format!("t{round}"), "CHARGE", None)]);
        if kill {
            postgres.kill().await.unwrap()
        } else {
            postgres.stop().await.unwrap()
        }
        for _ in 0..3 {
            let error = store.apply(&batch, at(0)).await.unwrap_err();
            assert!(error.is_transient() && !error.is_refusal(), "{error:?}");
            assert_eq!(error.code(), ErrorCode::Database);
            let error = store.tx("t1").await.unwrap_err();
            assert!(error.is_transient(), "{error:?}");
        }
        postgres.restart().await.unwrap();
        // The same store, the first try.
        assert!(store.tx("unknown").await.unwrap().is_none());
        assert_eq!(store.apply(&batch, at(0)).await.unwrap().ledger_written, 1);
    }
    // Connections that were idle while the server was restarted do not show.
    for n in 0..8 {
        store.tx(&format!("t{n}")).await.unwrap();
    }
    postgres.stop().await.unwrap();
    postgres.restart().await.unwrap();
    store.tx("t1").await.unwrap().unwrap();
    postgres.stop().await.unwrap();
    postgres.restart().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    store
        .apply(&ledger([entry("last", "CHARGE", None)]), at(0))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_store_is_made_while_the_database_is_away() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("postgres://someone@127.0.0.1:{unused}/bo");
    let store = Store::connect(&options(url)).await.unwrap();
    let error = store.ready().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(matches!(error, StoreError::Connect { .. }));
    let error = Store::connect(&options("not a url".to_owned()))
        .await
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::Configuration);
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_wrong_database_name_or_login_is_no_outage() {
    let database = migrated().await;
    for url in [
        database.postgres().url("no_such_database"),
        database.url().replace("postgres@", "no_such_role@"),
    ] {
        let error = Store::connect(&options(url))
            .await
            .unwrap()
            .ready()
            .await
            .unwrap_err();
        assert!(!error.is_transient() && !error.is_refusal(), "{error:?}");
        assert!(error.detail().is_some() && error.hint().is_some());
    }
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_given_up_and_tried_again_later() {
    let database = migrated().await;
    let url = database.url_of("nsc_consumer").await.unwrap();
    let hasty = StoreOptions {
        statement_timeout: Duration::from_millis(200),
        ..options(url)
    };
    let store = Store::connect(&hasty).await.unwrap();
    let mut blocker = PgConnection::connect(&database.url()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE bo.ledger_entries IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut blocker).await.unwrap();
    let begun = Instant::now();
    let error = store
        .apply(&ledger([entry("t", "CHARGE", None)]), at(0))
        .await
        .unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    store
        .apply(&ledger([entry("t", "CHARGE", None)]), at(0))
        .await
        .unwrap();
}

#[tokio::test]
async fn when_all_connections_are_in_use_waiting_ends() {
    let database = migrated().await;
    let url = database.url_of("nsc_consumer").await.unwrap();
    let few = StoreOptions {
        max_connections: 2,
        acquire_timeout: Duration::from_millis(200),
        ..options(url)
    };
    let store = Store::connect(&few).await.unwrap();
    let mut blocker = PgConnection::connect(&database.url()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE bo.ledger_entries IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut blocker).await.unwrap();
    let held: Vec<_> = (0..2)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.tx("t").await })
        })
        .collect();
    while store.pool_status().size < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let error = store.tx("t").await.unwrap_err();
    assert!(
        matches!(error, StoreError::Busy { .. }) && error.is_transient(),
        "{error:?}"
    );
    assert_eq!((store.pool_status().checked_out, store.pool_status().max), (2, 2));
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    for lookup in held {
        lookup.await.unwrap().unwrap();
    }
    assert_eq!(store.pool_status().checked_out, 0);
}

#[tokio::test]
async fn who_gives_up_in_the_middle_of_a_batch_leaves_nothing_behind() {
    let database = migrated().await;
    let store = consumer(&database).await;
    for micros in (0..4_000).step_by(150) {
        let batch = ledger(
            (0..50)
                .map(|n| entry(&format!("t{n}"), "PAYMENT", Some(&format!("o{n}"))))
                .collect::<Vec<_>>(),
        );
        // Some are through by then, most are not: each is all or nothing.
        let _ = tokio::time::timeout(Duration::from_micros(micros), store.apply(&batch, at(0))).await;
        let entries: i64 = value(&database, "SELECT count(*) FROM bo.ledger_entries").await;
        let pairs: i64 = value(&database, "SELECT count(*) FROM bo.payment_ledger_pairs").await;
        assert!(
            (entries, pairs) == (0, 0) || (entries, pairs) == (50, 50),
            "{entries} entries, {pairs} pairs"
        );
    }
    store
        .apply(&ledger([entry("t", "CHARGE", None)]), at(0))
        .await
        .unwrap();
    store.close().await;
    assert!(matches!(store.tx("t").await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn a_secret_in_a_url_shows_nowhere() {
    let url = "postgres://someone:hunter2@127.0.0.1:1/bo";
    let store = Store::connect(&options(url.to_owned())).await.unwrap();
    let error = store.ready().await.unwrap_err();
    let bad = Store::connect(&options("postgres://someone:hunter2@:::/".to_owned())).await;
    for text in [
        format!("{store:?}"),
        format!("{error:?} {error} {:?}", error.detail()),
        format!("{bad:?}"),
    ] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn an_audit_row_that_cannot_be_committed_is_refused_and_the_log_comes_back() {
    let postgres = Postgres::start().await.unwrap();
    let database = migrated_in(&postgres).await;
    let log = AuditLog::start(api(&database).await, AuditOptions::default());
    log.record(audit_row("before")).await.unwrap();
    postgres.kill().await.unwrap();
    let begun = Instant::now();
    let refused = futures::future::join_all((0..20).map(|_| log.record(audit_row("during")))).await;
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    postgres.restart().await.unwrap();
    // Its connections were idle for longer than a moment, and are asked before they are used.
    tokio::time::sleep(Duration::from_secs(1)).await;
    log.record(audit_row("after")).await.unwrap();
    let kept = "SELECT string_agg(resource_id, ',' ORDER BY audit_id) FROM bo.admin_audit_logs";
    assert_eq!(value::<String>(&database, kept).await, "before,after");
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_stored_fails_its_whole_batch() {
    let database = migrated().await;
    let store = consumer(&database).await;
    database
        .execute("ALTER TABLE bo.consumer_dlq_events RENAME TO gone")
        .await
        .unwrap();
    let letter = DeadLetter {
        topic: "t".to_owned(),
        partition: 0,
        offset: 0,
        key: None,
        payload: None,
        error_class: "c".to_owned(),
        error: "e".to_owned(),
        correlation_id: None,
    };
    let batch = Batch {
        dead_letters: vec![letter],
        ..ledger([entry("t", "CHARGE", None)])
    };
    store.apply(&batch, at(0)).await.unwrap_err();
    assert_eq!(
        value::<i64>(&database, "SELECT count(*) FROM bo.ledger_entries").await,
        0
    );
    database
        .execute("ALTER TABLE bo.gone RENAME TO consumer_dlq_events")
        .await
        .unwrap();
    let applied = store.apply(&batch, at(0)).await.unwrap();
    assert_eq!((applied.ledger_written, applied.dead_letters), (1, 1));
}
