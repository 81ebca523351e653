//! Least privilege, as a table: what each role may do, and what it is refused (serving contract 5).

use nsc_store::{RoleNames, migrate};
use nsc_testkit::Database;
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::{migrated, migrated_in, servers};

const CONSUMER: &str = "nsc_consumer";
const API: &str = "nsc_api";
const AUDITOR: &str = "nsc_auditor";
const MIGRATOR: &str = "nsc_migrator";

/// (role, statement, allowed)
const TABLE: &[(&str, &str, bool)] = &[
    // the consumer writes the derived tables
    (CONSUMER, "SELECT * FROM bo.ledger_entries", true),
    (
        CONSUMER,
        "UPDATE bo.ledger_entries SET wallet_id = wallet_id",
        true,
    ),
    (CONSUMER, "DELETE FROM bo.ledger_entries", false),
    (CONSUMER, "TRUNCATE bo.ledger_entries", false),
    (CONSUMER, "SELECT * FROM bo.payment_orders", true),
    (CONSUMER, "UPDATE bo.payment_orders SET status = status", true),
    (CONSUMER, "DELETE FROM bo.payment_orders", false),
    (
        CONSUMER,
        "UPDATE bo.payment_ledger_pairs SET status = status",
        true,
    ),
    (CONSUMER, "DELETE FROM bo.payment_ledger_pairs", false),
    (CONSUMER, "UPDATE bo.moved_halves SET amount = amount", true),
    (CONSUMER, "DELETE FROM bo.moved_halves", false),
    // and keeps the dead letters
    (CONSUMER, "SELECT * FROM bo.consumer_dlq_events", true),
    (
        CONSUMER,
        "UPDATE bo.consumer_dlq_events SET replayed_at = now()",
        true,
    ),
    (
        CONSUMER,
        "UPDATE bo.consumer_dlq_events SET payload = NULL",
        false,
    ),
    (CONSUMER, "DELETE FROM bo.consumer_dlq_events", true),
    // it has nothing to do with the audit log, nor with the schema
    (CONSUMER, "SELECT * FROM bo.admin_audit_logs", false),
    (CONSUMER, "INSERT INTO bo.admin_audit_logs DEFAULT VALUES", false),
    (CONSUMER, "UPDATE bo.admin_audit_logs SET result = 'x'", false),
    (CONSUMER, "DELETE FROM bo.admin_audit_logs", false),
    (CONSUMER, "SELECT * FROM bo.schema_migrations", true),
    (CONSUMER, "UPDATE bo.schema_migrations SET version = 9", false),
    (
        CONSUMER,
        "ALTER TABLE bo.ledger_entries DROP COLUMN amount",
        false,
    ),
    (
        CONSUMER,
        "ALTER TABLE bo.ledger_entries DISABLE TRIGGER ALL",
        false,
    ),
    (CONSUMER, "CREATE TABLE bo.mine (a int)", false),
    (CONSUMER, "DROP TABLE bo.moved_halves", false),
    (CONSUMER, "SET ROLE nsc_migrator", false),
    (CONSUMER, "SET ROLE nsc_api", false),
    // the API reads the derived tables
    (API, "SELECT * FROM bo.ledger_entries", true),
    (API, "SELECT * FROM bo.payment_orders", true),
    (API, "SELECT * FROM bo.payment_ledger_pairs", true),
    (API, "SELECT * FROM bo.schema_migrations", true),
    (API, "SELECT * FROM bo.moved_halves", true),
    (API, "UPDATE bo.moved_halves SET amount = amount", false),
    (API, "UPDATE bo.ledger_entries SET wallet_id = wallet_id", false),
    (API, "INSERT INTO bo.ledger_entries DEFAULT VALUES", false),
    (API, "DELETE FROM bo.ledger_entries", false),
    (API, "UPDATE bo.payment_orders SET status = status", false),
    (API, "INSERT INTO bo.payment_orders DEFAULT VALUES", false),
    (API, "UPDATE bo.payment_ledger_pairs SET status = status", false),
    (API, "INSERT INTO bo.payment_ledger_pairs DEFAULT VALUES", false),
    (API, "SELECT * FROM bo.consumer_dlq_events", false),
    (API, "DELETE FROM bo.consumer_dlq_events", false),
    // and adds audit rows, for good
    (
        API,
        "INSERT INTO bo.admin_audit_logs (actor_roles, action, result, status_code, request_method, request_path, \
         correlation_id, duration_ms, requested_at) VALUES ('', 'a', 'r', 200, 'GET', '/', 'c', 1, now())",
        true,
    ),
    (
        API,
        "INSERT INTO bo.admin_audit_logs (audit_id) OVERRIDING SYSTEM VALUE VALUES (1)",
        false,
    ),
    (API, "SELECT * FROM bo.admin_audit_logs", false),
    (API, "UPDATE bo.admin_audit_logs SET result = 'x'", false),
    (API, "DELETE FROM bo.admin_audit_logs", false),
    (API, "TRUNCATE bo.admin_audit_logs", false),
    (API, "SELECT setval('bo.admin_audit_logs_audit_id_seq', 1)", false),
    (API, "SELECT bo.keep_moved_half()", false),
    (API, "CREATE TABLE bo.mine (a int)", false),
    (API, "DROP TABLE bo.admin_audit_logs", false),
    (API, "SET ROLE nsc_migrator", false),
    (API, "SET ROLE nsc_consumer", false),
    (API, "SELECT bo.chain_audit_row()", false),
    (
        API,
        "SELECT bo.audit_row_hash(''::bytea, NULL::bo.admin_audit_logs)",
        false,
    ),
    // the auditor reads the audit log, and nothing of what was looked at
    (AUDITOR, "SELECT * FROM bo.admin_audit_logs", true),
    (
        AUDITOR,
        "SELECT bo.audit_row_hash(l.prev_hash, l) FROM bo.admin_audit_logs AS l",
        true,
    ),
    (AUDITOR, "SELECT * FROM bo.schema_migrations", true),
    (AUDITOR, "UPDATE bo.admin_audit_logs SET result = 'x'", false),
    (AUDITOR, "DELETE FROM bo.admin_audit_logs", false),
    (AUDITOR, "INSERT INTO bo.admin_audit_logs DEFAULT VALUES", false),
    (AUDITOR, "SELECT * FROM bo.ledger_entries", false),
    (AUDITOR, "SELECT * FROM bo.payment_orders", false),
    (AUDITOR, "SELECT * FROM bo.payment_ledger_pairs", false),
    (AUDITOR, "SELECT * FROM bo.moved_halves", false),
    (AUDITOR, "SELECT * FROM bo.consumer_dlq_events", false),
    (AUDITOR, "SET ROLE nsc_api", false),
    // the migrator owns the schema, and nothing of the server
    (
        MIGRATOR,
        "ALTER TABLE bo.ledger_entries ADD COLUMN extra int",
        true,
    ),
    (MIGRATOR, "DROP TABLE bo.moved_halves", true),
    (MIGRATOR, "SELECT * FROM bo.admin_audit_logs", true),
    (MIGRATOR, "CREATE ROLE another", false),
    (MIGRATOR, "CREATE DATABASE another", false),
    (MIGRATOR, "SELECT pg_read_file('/etc/passwd')", false),
];

#[tokio::test]
async fn each_role_may_do_what_its_program_does_and_is_refused_the_rest() {
    for postgres in servers().await {
        let database = migrated_in(&postgres).await;
        let wrong = wrongly_allowed_or_refused(&database).await;
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

/// The lines of the table that do not hold.
async fn wrongly_allowed_or_refused(database: &Database) -> Vec<String> {
    let mut wrong = Vec::new();
    for role in [CONSUMER, API, AUDITOR, MIGRATOR] {
        let mut connection = PgConnection::connect(&database.url_of(role).await.unwrap())
            .await
            .unwrap();
        for (_, statement, allowed) in TABLE.iter().filter(|(of, ..)| *of == role) {
            sqlx::raw_sql("BEGIN").execute(&mut connection).await.unwrap();
            let outcome = sqlx::raw_sql(AssertSqlSafe(*statement))
                .execute(&mut connection)
                .await;
            sqlx::raw_sql("ROLLBACK; RESET ROLE")
                .execute(&mut connection)
                .await
                .unwrap();
            let refused = match &outcome {
                Ok(_) => false,
                // Permission denied; or, for an identity column, not even expressible.
                Err(e) => {
                    let code = e.as_database_error().unwrap().code().unwrap().into_owned();
                    assert!(
                        ["42501", "25001"].contains(&code.as_str()),
                        "{role}: {statement}: {e}"
                    );
                    true
                }
            };
            if refused == *allowed {
                wrong.push(format!("{role}: {statement}: {outcome:?}"));
            }
        }
    }
    wrong
}

#[tokio::test]
async fn every_table_of_the_schema_is_judged_for_every_role() {
    let database = migrated().await;
    let tables = crate::support::lines(
        &database,
        "tablename",
        "pg_tables WHERE schemaname = 'bo' ORDER BY 1",
    )
    .await;
    for table in tables {
        for role in [CONSUMER, API, AUDITOR] {
            let judged = TABLE
                .iter()
                .any(|(of, sql, _)| *of == role && sql.contains(&format!("bo.{table}")));
            assert!(judged, "no line says what {role} may do with bo.{table}");
        }
    }
}

/// What a dump restored by the owner of the database leaves, where there are no roles of the dump.
#[tokio::test]
async fn a_schema_of_another_owner_is_taken_over() {
    for postgres in servers().await {
        let database = migrated_in(&postgres).await;
        let mut superuser = PgConnection::connect(&database.url()).await.unwrap();
        let owner = format!("restorer_{}", std::process::id());
        let to_the_owner = format!(
            "DO $$ BEGIN CREATE ROLE {owner} LOGIN CREATEROLE; EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
             GRANT {MIGRATOR} TO {owner}; \
             DO $$ DECLARE item text; BEGIN \
                 EXECUTE format('ALTER DATABASE %I OWNER TO {owner}', current_database()); \
                 FOR item IN SELECT 'SCHEMA bo' UNION ALL SELECT format('TABLE %s', oid::regclass) FROM pg_class \
                     WHERE relnamespace = 'bo'::regnamespace AND relkind = 'r' \
                     UNION ALL SELECT format('FUNCTION %s', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'bo'::regnamespace \
                 LOOP EXECUTE format('ALTER %s OWNER TO {owner}', item); END LOOP; END $$"
        );
        sqlx::raw_sql(AssertSqlSafe(to_the_owner))
            .execute(&mut superuser)
            .await
            .unwrap();
        let (_, rest) = database
            .url()
            .split_once('@')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let url = SecretString::from(format!("postgres://{owner}@{rest}"));
        migrate(&url, &RoleNames::default()).await.unwrap();
        let others: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'bo'::regnamespace AND relowner <> 'nsc_migrator'::regrole",
        )
        .fetch_one(&mut superuser)
        .await
        .unwrap();
        assert_eq!(others, 0);
    }
}
