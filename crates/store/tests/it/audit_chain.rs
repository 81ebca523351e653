//! The chain of the audit log: whoever writes at once makes one chain, and a row that is removed or changed is named (serving
//! contract 7).

use nsc_store::{AuditFilter, AuditLog, AuditOptions, RoleNames, Store, migrate, migrate_to};
use nsc_testkit::{Database, Postgres};
use secrecy::SecretString;
use sqlx::AssertSqlSafe;

use crate::audit::row;
use crate::support::{api, lines, migrated, migrated_in, options, servers, superuser, value};

async fn auditor(database: &Database) -> Store {
    Store::connect(&options(database.url_of("nsc_auditor").await.unwrap()))
        .await
        .unwrap()
}

/// Looks by two programs of two connections each, all at once.
async fn looks(database: &Database, count: usize) {
    let logs = [
        AuditLog::start(api(database).await, AuditOptions::default()),
        AuditLog::start(api(database).await, AuditOptions::default()),
    ];
    let (one, other) = tokio::join!(
        futures::future::join_all((0..count).map(|n| logs[0].record(row(&format!("a-{n}"))))),
        futures::future::join_all((0..count).map(|n| logs[1].record(row(&format!("b-{n}"))))),
    );
    assert!(one.iter().chain(&other).all(Result::is_ok));
}

async fn run(database: &Database, sql: &str) {
    let mut connection = superuser(&database.url()).await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn looks_at_once_make_one_chain_in_the_order_of_their_ids() {
    for postgres in servers().await {
        let database = migrated_in(&postgres).await;
        looks(&database, 600).await;
        let check = auditor(&database).await.audit_trail().verify(None).await.unwrap();
        assert_eq!((check.checked, check.uncovered, check.broken), (1_200, 0, None));
        let (id, hash) = check.head.unwrap();
        let newest = "SELECT max(audit_id) || ':' || encode((array_agg(row_hash ORDER BY audit_id DESC))[1], 'hex') FROM bo.admin_audit_logs";
        assert_eq!(value::<String>(&database, newest).await, format!("{id}:{hash}"));
    }
}

/// Ways to change the log behind its back, and the row at which each shows.
fn changes(ids: &[i64]) -> Vec<(String, i64)> {
    vec![
        (
            format!("DELETE FROM bo.admin_audit_logs WHERE audit_id = {}", ids[7]),
            ids[8],
        ),
        (
            format!("DELETE FROM bo.admin_audit_logs WHERE audit_id = {}", ids[0]),
            ids[1],
        ),
        (
            format!(
                "UPDATE bo.admin_audit_logs SET actor_id = 'nobody' WHERE audit_id = {}",
                ids[5]
            ),
            ids[5],
        ),
        (
            format!(
                "UPDATE bo.admin_audit_logs SET requested_at = requested_at + interval '1 microsecond' WHERE audit_id = {}",
                ids[5]
            ),
            ids[5],
        ),
        (
            format!(
                "UPDATE bo.admin_audit_logs SET row_hash = NULL, prev_hash = NULL WHERE audit_id = {}",
                ids[5]
            ),
            ids[5],
        ),
        // Its own hash made right again, the next row does not follow it.
        (
            format!(
                "UPDATE bo.admin_audit_logs SET result = 'x' WHERE audit_id = {0}; \
                 UPDATE bo.admin_audit_logs AS l SET row_hash = bo.audit_row_hash(l.prev_hash, l) WHERE audit_id = {0}",
                ids[5]
            ),
            ids[6],
        ),
    ]
}

#[tokio::test]
async fn a_row_that_was_removed_or_changed_is_named() {
    let database = migrated().await;
    looks(&database, 20).await;
    let trail = auditor(&database).await.audit_trail();
    let ids: Vec<i64> = lines(&database, "audit_id", "bo.admin_audit_logs ORDER BY audit_id")
        .await
        .iter()
        .map(|id| id.parse().unwrap())
        .collect();
    let whole = trail.verify(Some(ids[10])).await.unwrap();
    let kept = whole.asked.clone().unwrap();
    for (change, broken) in changes(&ids) {
        run(
            &database,
            "DROP TABLE IF EXISTS bo.copy; CREATE TABLE bo.copy AS SELECT * FROM bo.admin_audit_logs",
        )
        .await;
        run(&database, &change).await;
        let check = trail.verify(None).await.unwrap();
        assert_eq!(
            check.broken.map(|(id, _)| id),
            Some(broken),
            "{change}: {check:?}"
        );
        run(
            &database,
            "ALTER TABLE bo.admin_audit_logs DISABLE TRIGGER ALL; TRUNCATE bo.admin_audit_logs; \
             INSERT INTO bo.admin_audit_logs OVERRIDING SYSTEM VALUE SELECT * FROM bo.copy; \
             ALTER TABLE bo.admin_audit_logs ENABLE TRIGGER ALL",
        )
        .await;
        assert_eq!(
            trail.verify(None).await.unwrap(),
            trail.verify(None).await.unwrap()
        );
    }
    // Cut off the end the rest still fits; the head that was kept is missed.
    run(
        &database,
        &format!("DELETE FROM bo.admin_audit_logs WHERE audit_id >= {}", ids[10]),
    )
    .await;
    let cut = trail.verify(Some(ids[10])).await.unwrap();
    assert_eq!((cut.broken, cut.asked), (None, None));
    assert_eq!(kept.len(), 64);
    // What comes after goes on from what is there.
    looks(&database, 3).await;
    assert_eq!(trail.verify(None).await.unwrap().broken, None);
}

#[tokio::test]
async fn rows_of_before_the_chain_are_not_covered_and_the_program_of_before_goes_on() {
    let postgres = Postgres::shared().await.unwrap();
    let database = postgres.fresh_database().await.unwrap();
    let url = SecretString::from(database.url());
    migrate_to(&url, &RoleNames::default(), 4).await.unwrap();
    let add = "INSERT INTO bo.admin_audit_logs (actor_roles, action, result, status_code, request_method, request_path, \
               correlation_id, duration_ms, requested_at) VALUES ('', 'a', 'r', 200, 'GET', '/', 'c', 1, now())";
    run(&database, add).await;
    migrate(&url, &RoleNames::default()).await.unwrap();
    // The statement of version 4.
    run(&database, add).await;
    run(&database, add).await;
    let check = auditor(&database).await.audit_trail().verify(None).await.unwrap();
    assert_eq!((check.uncovered, check.checked, check.broken), (1, 2, None));
}

#[tokio::test]
async fn looks_are_found_by_who_what_and_when() {
    let database = migrated().await;
    looks(&database, 3).await;
    let trail = auditor(&database).await.audit_trail();
    let of = |resource: &str| AuditFilter {
        resource: Some(resource.to_owned()),
        ..AuditFilter::default()
    };
    let found = trail.page(&of("a-1"), None).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].row, row("a-1"));
    assert_eq!(trail.page(&of("a-1"), Some(found[0].audit_id)).await.unwrap(), []);
    assert_eq!(trail.newest(&AuditFilter::default(), 4).await.unwrap().len(), 4);
    let nobody = AuditFilter {
        actor: Some("nobody".to_owned()),
        ..AuditFilter::default()
    };
    assert_eq!(trail.newest(&nobody, 4).await.unwrap(), []);
    let later = AuditFilter {
        since: Some(crate::support::at(1)),
        ..AuditFilter::default()
    };
    assert_eq!(trail.newest(&later, 4).await.unwrap(), []);
    let nul = AuditFilter {
        actor: Some("a\0b".to_owned()),
        ..AuditFilter::default()
    };
    assert!(trail.newest(&nul, 4).await.is_err());
}
