//! Every SQL file is a statement PostgreSQL takes, says what it is for, and is used.

use std::collections::BTreeSet;
use std::path::Path;

use nsc_store::statements::{ALL, SETTINGS, Statement};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::support::{migrated, superuser};

fn files() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                std::fs::read_to_string(e.path()).unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_statement_is_prepared_against_the_schema() {
    let database = migrated().await;
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    for statement in ALL {
        let prepare = format!("PREPARE \"{}\" AS {}", statement.name, statement.sql);
        sqlx::raw_sql(AssertSqlSafe(prepare))
            .execute(&mut connection)
            .await
            .unwrap_or_else(|e| panic!("{}: {e}", statement.name));
    }
    let names: BTreeSet<_> = ALL.iter().map(|s| s.name).collect();
    assert_eq!(names.len(), ALL.len(), "names are used in metrics and differ");
}

/// A statement is planned once a connection, maybe while the tables are empty, and must not read a whole table later.
#[tokio::test]
async fn every_plan_goes_by_keys_even_when_it_is_made_for_empty_tables() {
    let database = migrated().await;
    for filled in [false, true] {
        if filled {
            database.execute(FILL).await.unwrap();
        }
        let mut connection = superuser(&database.url()).await;
        run(&mut connection, "VACUUM ANALYZE".to_owned()).await;
        for (setting, value) in SETTINGS {
            run(&mut connection, format!("SET {setting} = '{value}'")).await;
        }
        for statement in ALL {
            let plan = plan(&mut connection, *statement).await;
            let wrong = wrong_with(statement.name, &plan);
            let plan = plan.join("\n");
            assert_eq!(wrong, None, "{}, filled: {filled}\n{plan}", statement.name);
        }
    }
}

/// What of a plan would be slow in large tables.
fn wrong_with(name: &str, plan: &[String]) -> Option<String> {
    let has = |text: &str| plan.iter().any(|line| line.contains(text));
    let index = INDEXES
        .iter()
        .find(|(of, _)| *of == name)
        .map(|(_, index)| *index);
    if let Some(index) = index.filter(|index| !has(&format!("using {index} on"))) {
        return Some(format!("does not use {index}"));
    }
    if WITHOUT_KEY.contains(&name) {
        return None;
    }
    let count = |text: &str| plan.iter().filter(|line| line.contains(text)).count();
    let scans = count("Index Scan") + count("Index Only Scan");
    if scans != count("Index Cond:") {
        return Some("reads a whole index".to_owned());
    }
    (has("Seq Scan on") || has("Materialize")).then(|| "reads a whole table".to_owned())
}

/// They look for no key; the first one reads an index of few rows.
const WITHOUT_KEY: &[&str] = &[
    "pairing_health",
    "schema_version",
    "replication_lag",
    "lock_orders",
];

/// Where an index that has the right order could be taken for one that has the right key.
const INDEXES: &[(&str, &str)] = &[
    ("tx_lookup", "ledger_entries_related_id"),
    ("wallet_entries", "ledger_entries_wallet_id_event_time"),
    ("order_lookup", "ledger_entries_related_id"),
    ("recompute_pairs", "ledger_entries_related_id"),
    ("purge_dead_letters", "consumer_dlq_events_ingested_at"),
    ("pairing_health", "payment_ledger_pairs_incomplete"),
];

async fn run(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .unwrap();
}

/// The plan that is kept, which does not depend on the arguments.
async fn plan(connection: &mut PgConnection, statement: Statement) -> Vec<String> {
    run(
        connection,
        format!("PREPARE \"{}\" AS {}", statement.name, statement.sql),
    )
    .await;
    let count = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1";
    let count: i32 = sqlx::query_scalar(count)
        .bind(statement.name)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let nulls = vec!["NULL"; count.unsigned_abs() as usize].join(", ");
    let arguments = if count == 0 {
        String::new()
    } else {
        format!("({nulls})")
    };
    let explain = format!("EXPLAIN EXECUTE \"{}\" {arguments}", statement.name);
    let rows = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_all(connection)
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

const FILL: &str = "
    INSERT INTO bo.ledger_entries (
        tx_id, wallet_id, entry_type, amount, related_id, event_time, ingested_at, payload_hash
    )
    SELECT 't' || n, 'w' || n % 100, CASE n % 2 WHEN 0 THEN 'PAYMENT' ELSE 'RECEIVE' END, 1, 'o' || n / 2, now(), now(),
        decode(md5(n::text), 'hex')
    FROM generate_series(0, 19999) AS n;
    INSERT INTO bo.payment_orders (order_id, amount, status, created_at, ingested_at, payload_hash)
    SELECT 'o' || n, 1, 'SETTLED', now(), now(), decode(md5(n::text), 'hex') FROM generate_series(0, 9999) AS n;
    INSERT INTO bo.payment_ledger_pairs (
        payment_order_id, payment_tx_id, payer_wallet_id, amount, event_time, ingested_at
    )
    SELECT 'o' || n, 't', 'w', 1, now(), now() FROM generate_series(0, 9999) AS n;
    INSERT INTO bo.consumer_dlq_events (
        topic, partition, \"offset\", error_class, error, ingested_at, content_hash
    )
    SELECT 't', 0, n, 'c', 'e', now(), '' FROM generate_series(0, 9999) AS n";

#[test]
fn every_sql_file_says_grain_and_contract_and_is_used() {
    for (name, text) in files() {
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("--")).collect();
        let header = header.join("\n");
        assert!(
            header.contains("Grain: ") && header.contains("Contract: serving "),
            "{name}: {header}"
        );
        let used = ALL.iter().any(|statement| statement.sql.contains(&text)) || name == "grants.sql";
        assert!(used, "{name} is in no statement");
    }
}
