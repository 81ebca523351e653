//! How fast batches are applied, against COPY into a temporary table + INSERT .. ON CONFLICT of the same ledger rows.
//!
//! `cargo run --release -p nsc-store --example upsert_rate -- [rows already there] [rows measured] [batch] [rounds]`
//!
//! Both sides write to a table of their own that already holds the same rows and has the same four indexes, on one
//! connection, one transaction a batch, flushed to disk. Rounds alternate, so that a noisy machine is noisy for both.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use nsc_core::{Money, UtcMicros};
use nsc_store::{Batch, LedgerRow, RoleNames, Store, StoreOptions, migrate};
use nsc_testkit::{Database, Postgres, PostgresOptions};
use secrecy::SecretString;
use sqlx::{Connection, PgConnection};

type Failure = Box<dyn std::error::Error>;

/// The peer's table: the columns and indexes of `bo.ledger_entries`, nothing else.
const PLAIN: &str = "CREATE SCHEMA plain;
    CREATE TABLE plain.ledger_entries (
        tx_id text COLLATE \"C\" PRIMARY KEY, wallet_id text COLLATE \"C\" NOT NULL, entry_type text NOT NULL,
        amount numeric(18, 2) NOT NULL, amount_signed numeric(18, 2), related_id text COLLATE \"C\", related_type text,
        event_time timestamptz NOT NULL, created_at timestamptz, updated_at timestamptz, source_version bigint,
        ingested_at timestamptz NOT NULL
    );
    CREATE INDEX ON plain.ledger_entries (related_id);
    CREATE INDEX ON plain.ledger_entries (wallet_id, event_time);
    CREATE INDEX ON plain.ledger_entries (event_time);";
const STAGE: &str =
    "CREATE TEMPORARY TABLE stage (LIKE plain.ledger_entries) ON COMMIT DELETE ROWS; SET timezone = 'UTC'";
const MERGE: &str = "INSERT INTO plain.ledger_entries AS stored SELECT * FROM stage ORDER BY tx_id COLLATE \"C\"
    ON CONFLICT (tx_id) DO UPDATE SET wallet_id = EXCLUDED.wallet_id, entry_type = EXCLUDED.entry_type,
        amount = EXCLUDED.amount, amount_signed = EXCLUDED.amount_signed, related_id = EXCLUDED.related_id,
        related_type = EXCLUDED.related_type, event_time = EXCLUDED.event_time, created_at = EXCLUDED.created_at,
        updated_at = EXCLUDED.updated_at, source_version = EXCLUDED.source_version, ingested_at = EXCLUDED.ingested_at
    WHERE EXCLUDED.updated_at >= stored.updated_at";

#[expect(
    clippy::disallowed_methods,
    reason = "a program of its own reads its arguments"
)]
fn arguments() -> impl Iterator<Item = String> {
    std::env::args().skip(1)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut numbers = arguments().map(|a| a.parse::<u64>());
    let mut next = |default: u64| numbers.next().unwrap_or(Ok(default));
    let (there, measured, batch, rounds) = (next(1_000_000)?, next(100_000)?, next(2_000)?, next(3)?);

    let postgres = Postgres::start_with(PostgresOptions {
        durable: true,
        ..PostgresOptions::default()
    })
    .await?;
    let database = postgres.fresh_database().await?;
    migrate(&SecretString::from(database.url()), &RoleNames::default()).await?;
    database.execute(PLAIN).await?;
    let store = Store::connect(&StoreOptions::new(database.url_of("nsc_consumer").await?.into())).await?;
    let mut peer = PgConnection::connect(&database.url()).await?;
    sqlx::raw_sql(STAGE).execute(&mut peer).await?;

    ours(&store, 0, there, 10_000).await?;
    theirs(&mut peer, 0, there, 10_000).await?;
    for maintenance in ["VACUUM ANALYZE", "CHECKPOINT"] {
        database.execute(maintenance).await?;
    }
    println!("{there} rows are there; {measured} rows a round, {batch} a batch");
    let mine = value(
        &database,
        "SELECT pid FROM pg_stat_activity WHERE usename = 'nsc_consumer'",
    )
    .await?;
    let plain: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut peer)
        .await?;
    let mut from = there;
    for round in 1..=rounds {
        let to = from + measured;
        let before = cpu_seconds(mine)?;
        let took = ours(&store, from, to, batch).await?;
        let apply = Round::of(measured, took, cpu_seconds(mine)? - before);
        database.execute("CHECKPOINT").await?;
        let before = cpu_seconds(plain)?;
        let took = theirs(&mut peer, from, to, batch).await?;
        let copy = Round::of(measured, took, cpu_seconds(plain)? - before);
        database.execute("CHECKPOINT").await?;
        println!(
            "round {round}: apply {:.0} rows/s, {:.1} us of server CPU a row; COPY + INSERT {:.0} rows/s, {:.1} us; {:.0}%, by CPU {:.0}%",
            apply.rate,
            apply.cpu,
            copy.rate,
            copy.cpu,
            100.0 * apply.rate / copy.rate,
            100.0 * copy.cpu / apply.cpu
        );
        from = to;
    }
    Ok(())
}

/// Rows a second, and microseconds of the server process a row, which a busy machine does not change.
struct Round {
    rate: f64,
    cpu: f64,
}

impl Round {
    fn of(rows: u64, took: Duration, cpu_seconds: f64) -> Self {
        let rows = rows as f64;
        Self {
            rate: rows / took.as_secs_f64(),
            cpu: cpu_seconds * 1e6 / rows,
        }
    }
}

async fn value(database: &Database, sql: &'static str) -> Result<i32, Failure> {
    let mut connection = PgConnection::connect(&database.url()).await?;
    Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?)
}

/// User and system time of a process so far.
fn cpu_seconds(pid: i32) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Fields 14 and 15, counted behind the name in parentheses, in hundredths of a second.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Result<Vec<f64>, _> = fields.skip(11).take(2).map(str::parse).collect();
    Ok(ticks?.iter().sum::<f64>() / 100.0)
}

async fn ours(store: &Store, from: u64, to: u64, step: u64) -> Result<Duration, Failure> {
    let mut took = Duration::ZERO;
    for first in (from..to).step_by(usize::try_from(step)?) {
        let batch = Batch {
            ledger: (first..to.min(first + step)).map(row).collect(),
            ..Batch::default()
        };
        let begun = Instant::now();
        store.apply(&batch, UtcMicros::new(1)).await?;
        took += begun.elapsed();
    }
    Ok(took)
}

async fn theirs(peer: &mut PgConnection, from: u64, to: u64, step: u64) -> Result<Duration, Failure> {
    let mut took = Duration::ZERO;
    for first in (from..to).step_by(usize::try_from(step)?) {
        let rows: Vec<LedgerRow> = (first..to.min(first + step)).map(row).collect();
        let begun = Instant::now();
        let mut text = String::new();
        for r in &rows {
            let (related, at) = (
                r.related_id.as_deref().unwrap_or("\\N"),
                r.event_time.micros() / 1_000_000,
            );
            // Seconds since 1970 as a time of day and date that COPY reads.
            writeln!(
                text,
                "{}\t{}\t{}\t{}\t\\N\t{related}\tPAYMENT_ORDER\t{}\t\\N\t{}\t\\N\t2026-01-01 00:00:00+00",
                r.tx_id,
                r.wallet_id,
                r.entry_type,
                r.amount,
                date(at),
                date(at),
            )?;
        }
        let mut transaction = peer.begin().await?;
        let mut copy = transaction.copy_in_raw("COPY stage FROM STDIN").await?;
        copy.send(text.as_bytes()).await?;
        copy.finish().await?;
        sqlx::query(MERGE).execute(&mut *transaction).await?;
        transaction.commit().await?;
        took += begun.elapsed();
    }
    Ok(took)
}

/// Some day of January 2026; what COPY reads.
fn date(seconds: i64) -> String {
    let of_day = seconds.rem_euclid(86_400);
    format!(
        "2026-01-{:02} {:02}:{:02}:{:02}+00",
        1 + seconds.div_euclid(86_400) % 28,
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// Entry number `n`: every two are the legs of one order. Keys look random, as real ones do.
fn row(n: u64) -> LedgerRow {
    let id = |n: u64| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let at = UtcMicros::new(i64::try_from(n).unwrap_or_default() * 1_000_000);
    LedgerRow {
        tx_id: format!("tx-{}", id(n)),
        wallet_id: format!("wallet-{}", n.wrapping_mul(2_654_435_761) % 100_000),
        entry_type: if n.is_multiple_of(2) { "PAYMENT" } else { "RECEIVE" }.to_owned(),
        amount: Money::from_units(i128::from(n % 1_000_000) + 1).unwrap_or_default(),
        amount_signed: None,
        related_id: Some(format!("order-{}", id(n / 2))),
        related_type: Some("PAYMENT_ORDER".to_owned()),
        event_time: at,
        created_at: None,
        updated_at: Some(at),
        source_version: None,
        place: None,
    }
}
