//! What every test needs: a migrated database, a store, rows.

use std::time::Duration;

use nsc_core::{Money, UtcMicros};
use nsc_store::{Batch, LedgerRow, OrderRow, RoleNames, Store, StoreOptions, migrate};
use nsc_testkit::{Database, Postgres, Server};
use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A database with the newest schema.
pub(crate) async fn migrated() -> Database {
    let postgres = Postgres::shared().await.unwrap();
    migrated_in(&postgres).await
}

/// The server that is installed, and the newest to be had.
pub(crate) async fn servers() -> [Postgres; 2] {
    [
        Postgres::shared().await.unwrap(),
        Postgres::shared_of(Server::Newest).await.unwrap(),
    ]
}

pub(crate) async fn migrated_in(postgres: &Postgres) -> Database {
    let prepare = async |url: String| {
        migrate(&SecretString::from(url), &RoleNames::default())
            .await
            .map(drop)
    };
    postgres.database_like("newest", prepare).await.unwrap()
}

pub(crate) fn options(url: String) -> StoreOptions {
    StoreOptions {
        acquire_timeout: Duration::from_secs(30),
        statement_timeout: Duration::from_secs(30),
        ..StoreOptions::new(url.into())
    }
}

/// A store that may do what the consumer may.
pub(crate) async fn consumer(database: &Database) -> Store {
    Store::connect(&options(database.url_of("nsc_consumer").await.unwrap()))
        .await
        .unwrap()
}

/// A store that may do what the API may.
pub(crate) async fn api(database: &Database) -> Store {
    Store::connect(&options(database.url_of("nsc_api").await.unwrap()))
        .await
        .unwrap()
}

/// One value, as the superuser.
pub(crate) async fn value<T>(database: &Database, sql: &str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    value_on(&mut superuser(&database.url()).await, sql).await
}

/// The same on a connection that is kept.
pub(crate) async fn value_on<T>(connection: &mut PgConnection, sql: &str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(connection)
        .await
        .unwrap()
}

pub(crate) async fn superuser(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// Rows as text, columns joined by `|`, null as `-`.
pub(crate) async fn lines(database: &Database, columns: &str, from: &str) -> Vec<String> {
    let shown: Vec<String> = columns
        .split(", ")
        .map(|c| format!("coalesce(({c})::text, '-')"))
        .collect();
    let sql = format!("SELECT concat_ws('|', {}) FROM {from}", shown.join(", "));
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(&mut connection)
        .await
        .unwrap()
}

pub(crate) fn at(seconds: i64) -> UtcMicros {
    // 2026-01-01T00:00:00Z
    UtcMicros::new((1_767_225_600 + seconds) * 1_000_000)
}

pub(crate) fn won(text: &str) -> Money {
    Money::parse(text).unwrap()
}

/// A PAYMENT or RECEIVE of an order, or any other entry.
pub(crate) fn entry(tx_id: &str, entry_type: &str, order: Option<&str>) -> LedgerRow {
    LedgerRow {
        tx_id: tx_id.to_owned(),
        wallet_id: format!("wallet-of-{tx_id}"),
        entry_type: entry_type.to_owned(),
        amount: won("1000"),
        amount_signed: None,
        related_id: order.map(str::to_owned),
        related_type: None,
        event_time: at(0),
        created_at: None,
        updated_at: Some(at(0)),
        source_version: None,
        place: None,
    }
}

pub(crate) fn order(order_id: &str, status: &str) -> OrderRow {
    OrderRow {
        order_id: order_id.to_owned(),
        user_id: Some("user-1".to_owned()),
        merchant_name: Some("카페".to_owned()),
        amount: won("1000"),
        status: status.to_owned(),
        created_at: at(0),
        updated_at: Some(at(0)),
        source_version: None,
        place: None,
    }
}

pub(crate) fn ledger(rows: impl Into<Vec<LedgerRow>>) -> Batch {
    Batch {
        ledger: rows.into(),
        ..Batch::default()
    }
}

pub(crate) fn orders(rows: impl Into<Vec<OrderRow>>) -> Batch {
    Batch {
        orders: rows.into(),
        ..Batch::default()
    }
}
