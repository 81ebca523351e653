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
    for (world, fill) in [("empty", ""), ("filled", FILL), ("one placeholder", PLACEHOLDER)] {
        database.execute(fill).await.unwrap();
        let mut connection = superuser(&database.url()).await;
        run(&mut connection, "VACUUM ANALYZE".to_owned()).await;
        for (setting, value) in SETTINGS {
            run(&mut connection, format!("SET {setting} = '{value}'")).await;
        }
        for statement in ALL {
            let plan = plan(&mut connection, *statement).await;
            let wrong = wrong_with(statement.name, &plan);
            let plan = plan.join("\n");
            assert_eq!(wrong, None, "{}, {world}\n{plan}", statement.name);
        }
    }
}

/// What of a plan would be slow in large tables.
fn wrong_with(name: &str, plan: &[String]) -> Option<String> {
    let has = |text: &str| plan.iter().any(|line| line.contains(text));
    if has("ledger_entries_event_time") {
        return Some("goes by time alone".to_owned());
    }
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
    ("tx_lookup", "ledger_entries_order"),
    ("wallet_entries", "ledger_entries_wallet"),
    ("order_lookup", "ledger_entries_order"),
    ("recompute_pairs", "ledger_entries_order"),
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

/// Everything carries one related_id, belongs to one wallet and happened at one instant: all that statistics can say
/// against keys.
const PLACEHOLDER: &str = "
    TRUNCATE bo.ledger_entries, bo.payment_orders, bo.payment_ledger_pairs;
    INSERT INTO bo.ledger_entries (
        tx_id, wallet_id, entry_type, amount, related_id, event_time, ingested_at, payload_hash
    )
    SELECT 't' || n, 'w', 'PAYMENT', 1, '0', '2026-01-05', now(), decode(md5(n::text), 'hex')
    FROM generate_series(1, 20000) AS n;
    INSERT INTO bo.payment_orders (order_id, amount, status, created_at, ingested_at, payload_hash)
    VALUES ('0', 1, 'SETTLED', '2026-01-05', now(), decode(md5('0'), 'hex'));
    INSERT INTO bo.payment_ledger_pairs (
        payment_order_id, payment_tx_id, payer_wallet_id, amount, event_time, ingested_at
    )
    VALUES ('0', 't1', 'w', 1, '2026-01-05', now());
    INSERT INTO bo.moved_halves (
        payment_order_id, entry_type, tx_id, wallet_id, amount, event_time, payload_hash
    )
    SELECT '0', 'RECEIVE', 'm' || n, 'w', 1, '2026-01-05', decode(md5(n::text), 'hex')
    FROM generate_series(1, 20000) AS n";

/// What a statement reads of an index and of tables, in pages of 8 KiB.
async fn pages_read(connection: &mut PgConnection, call: &str) -> i64 {
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS) {call}");
    let rows = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_all(connection)
        .await
        .unwrap();
    // The first such line is the whole statement's: `Buffers: shared hit=12 read=3`.
    let lines = rows.iter().map(|row| row.get::<String, _>(0));
    let buffers = lines
        .map(|line| line.trim().to_owned())
        .find(|line| line.starts_with("Buffers:"));
    let numbers = buffers.unwrap_or_default();
    let read = numbers.split(' ').filter_map(|part| {
        let (name, pages) = part.split_once('=')?;
        ["hit", "read"]
            .contains(&name)
            .then(|| pages.parse::<i64>().unwrap())
    });
    read.sum()
}

/// Before there were indexes in the order that is asked for, each of these read all 20,000 entries.
#[tokio::test]
async fn no_statement_reads_more_because_many_entries_share_an_id_or_an_instant() {
    for postgres in crate::support::servers().await {
        let database = crate::support::migrated_in(&postgres).await;
        database.execute(PLACEHOLDER).await.unwrap();
        let mut connection = superuser(&database.url()).await;
        run(&mut connection, "VACUUM ANALYZE".to_owned()).await;
        for (setting, value) in SETTINGS {
            run(&mut connection, format!("SET {setting} = '{value}'")).await;
        }
        for statement in ALL {
            let prepare = format!("PREPARE \"{}\" AS {}", statement.name, statement.sql);
            run(&mut connection, prepare).await;
        }
        let time = "'2026-01-05'";
        for (call, most) in [
            ("tx_lookup('t15000')".to_owned(), 60),
            (
                "wallet_entries('w', '-infinity', 'infinity', 'infinity', '', 21)".to_owned(),
                900,
            ),
            (
                format!("wallet_entries('w', '-infinity', 'infinity', {time}, 't15000', 21)"),
                900,
            ),
            ("order_lookup('0', 'infinity', '', 101)".to_owned(), 900),
            (format!("order_lookup('0', {time}, 't15000', 101)"), 900),
            ("recompute_pairs(ARRAY['0'], now())".to_owned(), 60),
            ("pair_legs(ARRAY['0'])".to_owned(), 30),
        ] {
            let read = pages_read(&mut connection, &format!("EXECUTE {call}")).await;
            assert!(read <= most, "{call} reads {read} pages");
        }
    }
}

#[test]
fn every_sql_file_says_grain_and_contract_and_is_used() {
    for (name, text) in files() {
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("--")).collect();
        let header = header.join("\n");
        assert!(
            header.contains("Grain: ") && header.contains("Contract: serving "),
            "{name}: {header}"
        );
        let used = ALL.iter().any(|statement| statement.sql.contains(&text))
            || ["grants.sql", "grants_auditor.sql", "take_over.sql"].contains(&name.as_str());
        assert!(used, "{name} is in no statement");
    }
}
