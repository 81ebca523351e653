//! The admin API on loopback with a private PostgreSQL, an issuer and the examples of its OpenAPI document stored: for
//! schemathesis, load and curl.
//!
//! `cargo run -p nsc-api --example serve -- [ADDRESS] [LEDGER_ROWS]`
//!
//! Prints the base URL and a token, and serves until its standard input ends.

use std::net::TcpListener;
use std::sync::Arc;

use nsc_api::{Api, ApiOptions, AuthOptions, OidcOptions};
use nsc_core::{Clock, Money, SystemClock, UtcMicros};
use nsc_store::{Batch, LedgerRow, OrderRow, RoleNames, Store, StoreOptions, migrate};
use nsc_telemetry::{LogFormat, LogOptions, Metrics, MetricsOptions};
use nsc_testkit::{AUDIENCE, Issuer, Postgres, PostgresOptions};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error>;

/// A day: the token must last as long as whoever plays with this.
const TOKEN_SECONDS: i64 = 86_400;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let log = LogOptions {
        format: LogFormat::Pretty,
        filter: "info".to_owned(),
        color: false,
    };
    nsc_telemetry::init(&log)?;
    #[expect(clippy::disallowed_methods, reason = "an example is its own command line")]
    let mut arguments = std::env::args().skip(1);
    let listener = TcpListener::bind(arguments.next().unwrap_or_else(|| "127.0.0.1:0".to_owned()))?;
    let rows: u32 = arguments.next().unwrap_or_else(|| "0".to_owned()).parse()?;

    let durable = PostgresOptions {
        durable: true,
        ..PostgresOptions::default()
    };
    let postgres = Postgres::start_with(durable).await?;
    let database = postgres.fresh_database().await?;
    migrate(&SecretString::from(database.url()), &RoleNames::default()).await?;
    let consumer = Store::connect(&StoreOptions::new(database.url().into())).await?;
    consumer.apply(&examples()?, SystemClock.now()).await?;
    if rows > 0 {
        database.execute(&many(rows)).await?;
    }

    let issuer = Issuer::start().await?;
    let oidc = OidcOptions::new(issuer.url(), vec![AUDIENCE.to_owned()]);
    let options = ApiOptions::new("local", AuthOptions::Oidc(oidc));
    let own = database.url_of(&RoleNames::default().api).await?;
    let metrics = Metrics::start(&MetricsOptions::named("nsc-api-example"))?;
    let store = Store::with_metrics(&StoreOptions::new(own.into()), metrics.db())?;
    let api = Api::new(options, store, metrics, Arc::new(SystemClock))?;
    println!("http://{}", listener.local_addr()?);
    println!("{}", issuer.token().expires_in(TOKEN_SECONDS).mint());
    println!("{}", database.url());
    let shutdown = CancellationToken::new();
    let server = tokio::spawn(api.serve(listener, shutdown.clone()));
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    shutdown.cancel();
    server.await??;
    Ok(())
}

fn examples() -> Result<Batch, Failure> {
    let at = |text: &str| text.parse::<UtcMicros>();
    let entry = |tx_id: &str, wallet_id: &str, entry_type: &str| -> Result<LedgerRow, Failure> {
        Ok(LedgerRow {
            tx_id: tx_id.to_owned(),
            wallet_id: wallet_id.to_owned(),
            entry_type: entry_type.to_owned(),
            amount: Money::parse("5000.00")?,
            amount_signed: None,
            related_id: Some("po-77".to_owned()),
            related_type: Some("PAYMENT_ORDER".to_owned()),
            event_time: at("2026-01-05T01:00:00Z")?,
            created_at: None,
            updated_at: None,
            source_version: Some(1),
            place: None,
        })
    };
    Ok(Batch {
        ledger: vec![
            entry("tx-901", "user-1", "PAYMENT")?,
            entry("tx-902", "merchant-7", "RECEIVE")?,
        ],
        orders: vec![OrderRow {
            order_id: "po-77".to_owned(),
            user_id: Some("user-1".to_owned()),
            merchant_name: Some("Coffee".to_owned()),
            amount: Money::parse("5000.00")?,
            status: "SETTLED".to_owned(),
            created_at: at("2026-01-05T00:59:58Z")?,
            updated_at: None,
            source_version: Some(1),
            place: None,
        }],
        dead_letters: Vec::new(),
    })
}

/// `load-0`, `load-1`, ...: pairs of PAYMENT and RECEIVE of orders `order-0`, `order-1`, ..., 1,000 wallets.
fn many(rows: u32) -> String {
    format!(
        "INSERT INTO bo.payment_orders (order_id, user_id, merchant_name, amount, status, created_at, ingested_at, payload_hash)
         SELECT 'order-' || n, 'user-' || n % 1000, 'Coffee', 1000, 'SETTLED', now() - n * interval '1 second', now(), decode(md5(n::text), 'hex')
         FROM generate_series(0, {rows} / 2 - 1) n;
         INSERT INTO bo.ledger_entries (tx_id, wallet_id, entry_type, amount, related_id, event_time, ingested_at, payload_hash)
         SELECT 'load-' || n, 'wallet-' || n % 1000, CASE n % 2 WHEN 0 THEN 'PAYMENT' ELSE 'RECEIVE' END, 1000,
                'order-' || n / 2, now() - n * interval '1 second', now(), decode(md5(n::text), 'hex')
         FROM generate_series(0, {rows} - 1) n;
         INSERT INTO bo.payment_ledger_pairs (payment_order_id, payment_tx_id, receive_tx_id, payer_wallet_id, payee_wallet_id,
                                              amount, status, event_time, ingested_at)
         SELECT 'order-' || n, 'load-' || 2 * n, 'load-' || 2 * n + 1, 'wallet-' || 2 * n % 1000, 'wallet-' || (2 * n + 1) % 1000,
                1000, 'SETTLED', now() - n * interval '1 second', now()
         FROM generate_series(0, {rows} / 2 - 1) n;
         ANALYZE;"
    )
}
