//! The audit log: committed before it is reported, in groups, and never silently lost (serving contract 7).

use std::time::Duration;

use nsc_store::{AuditError, AuditLog, AuditOptions, AuditRow};
use nsc_testkit::Database;
use sqlx::{Connection, PgConnection};

use crate::support::{api, at, lines, migrated, value};

pub(crate) fn row(resource_id: &str) -> AuditRow {
    AuditRow {
        actor_id: Some("operator-1".to_owned()),
        actor_roles: vec!["ADMIN_READ".to_owned(), "ADMIN_AUDIT".to_owned()],
        action: "ADMIN_TX_LOOKUP".to_owned(),
        resource_type: Some("TX".to_owned()),
        resource_id: Some(resource_id.to_owned()),
        result: "FOUND".to_owned(),
        status_code: 200,
        request_method: "GET".to_owned(),
        request_path: "/admin/tx/x".to_owned(),
        request_query: None,
        client_ip: Some("127.0.0.1".to_owned()),
        user_agent: Some("curl".to_owned()),
        correlation_id: "c-1".to_owned(),
        duration_ms: 3,
        result_count: Some(1),
        requested_at: at(0),
    }
}

async fn rows(database: &Database) -> i64 {
    value(database, "SELECT count(*) FROM bo.admin_audit_logs").await
}

#[tokio::test]
async fn a_row_is_committed_when_record_returns() {
    let database = migrated().await;
    let log = AuditLog::start(api(&database).await, AuditOptions::default());
    log.record(row("t-1")).await.unwrap();
    let columns = "actor_id, actor_roles, action, resource_type, resource_id, result, status_code, request_method, \
                   request_path, request_query, client_ip, user_agent, correlation_id, duration_ms, result_count";
    assert_eq!(
        lines(&database, columns, "bo.admin_audit_logs").await,
        [
            "operator-1|ADMIN_READ,ADMIN_AUDIT|ADMIN_TX_LOOKUP|TX|t-1|FOUND|200|GET|/admin/tx/x|-|127.0.0.1|curl|c-1|3|1"
        ]
    );
}

#[tokio::test]
async fn rows_that_wait_together_share_a_transaction() {
    let database = migrated().await;
    let log = AuditLog::start(api(&database).await, AuditOptions::default());
    let all = futures::future::join_all((0..1_000).map(|n| log.record(row(&format!("t-{n}"))))).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(rows(&database).await, 1_000);
    let transactions: i64 = value(
        &database,
        "SELECT count(DISTINCT xmin::text) FROM bo.admin_audit_logs",
    )
    .await;
    assert!(transactions <= 20, "{transactions} transactions for 1,000 rows");
}

#[tokio::test]
async fn whatever_a_client_sends_fits_and_overflows_no_index() {
    let database = migrated().await;
    let log = AuditLog::start(api(&database).await, AuditOptions::default());
    for huge in [
        "x".repeat(10_000),
        "가".repeat(10_000),
        "\0".repeat(10_000),
        "\u{10ffff}".repeat(10_000),
    ] {
        let everything = AuditRow {
            actor_id: Some(huge.clone()),
            actor_roles: vec![huge.clone(); 3],
            action: huge.clone(),
            resource_type: Some(huge.clone()),
            resource_id: Some(huge.clone()),
            result: huge.clone(),
            status_code: u16::MAX,
            request_method: huge.clone(),
            request_path: huge.clone(),
            request_query: Some(huge.clone()),
            client_ip: Some(huge.clone()),
            user_agent: Some(huge.clone()),
            correlation_id: huge,
            duration_ms: u64::MAX,
            result_count: Some(u32::MAX),
            requested_at: nsc_core::UtcMicros::new(i64::MAX),
        };
        log.record(everything).await.unwrap();
    }
    let kept: i32 = value(
        &database,
        "SELECT max(length(resource_id)) FROM bo.admin_audit_logs",
    )
    .await;
    assert_eq!((rows(&database).await, kept), (4, 255));
}

#[tokio::test]
async fn what_cannot_be_committed_is_an_error_for_everyone_who_waits() {
    let database = migrated().await;
    let log = AuditLog::start(api(&database).await, AuditOptions::default());
    database
        .execute("ALTER TABLE bo.admin_audit_logs RENAME TO gone")
        .await
        .unwrap();
    let all = futures::future::join_all((0..50).map(|n| log.record(row(&format!("t-{n}"))))).await;
    assert!(
        all.iter()
            .all(|r| matches!(r, Err(AuditError::NotCommitted { .. }))),
        "{all:?}"
    );
    database
        .execute("ALTER TABLE bo.gone RENAME TO admin_audit_logs")
        .await
        .unwrap();
    log.record(row("t")).await.unwrap();
    assert_eq!(rows(&database).await, 1);
}

#[tokio::test]
async fn a_database_that_does_not_answer_fills_the_queue_and_then_refuses() {
    let database = migrated().await;
    let options = AuditOptions {
        max_group: 1,
        in_flight: 1,
        queue: 2,
        timeout: Duration::from_millis(300),
    };
    let log = AuditLog::start(api(&database).await, options);
    let mut blocker = PgConnection::connect(&database.url()).await.unwrap();
    let lock = "BEGIN; LOCK TABLE bo.admin_audit_logs IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut blocker).await.unwrap();
    let all = futures::future::join_all((0..6).map(|n| log.record(row(&format!("t-{n}"))))).await;
    let of = |error: AuditError| all.iter().filter(|r| r.as_ref() == Err(&error)).count();
    assert!(
        of(AuditError::Full) >= 3 && of(AuditError::Timeout) >= 2,
        "{all:?}"
    );
    assert_eq!(of(AuditError::Full) + of(AuditError::Timeout), 6, "{all:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    // What was waiting is recorded all the same, and the log goes on.
    log.record(row("t")).await.unwrap();
    log.shutdown().await;
    assert!(rows(&database).await >= 3);
}

#[tokio::test]
async fn shutting_down_commits_what_waits_and_refuses_what_comes() {
    let database = migrated().await;
    let options = AuditOptions {
        max_group: 10,
        ..AuditOptions::default()
    };
    let log = AuditLog::start(api(&database).await, options);
    let waiting: Vec<_> = (0..200)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move { log.record(row(&format!("t-{n}"))).await })
        })
        .collect();
    tokio::task::yield_now().await;
    log.shutdown().await;
    let mut committed = 0;
    for outcome in waiting {
        match outcome.await.unwrap() {
            Ok(()) => committed += 1,
            Err(error) => assert_eq!(error, AuditError::Closed),
        }
    }
    assert!(committed > 0);
    assert_eq!(rows(&database).await, committed);
    assert_eq!(log.record(row("late")).await, Err(AuditError::Closed));
    log.shutdown().await;
}
