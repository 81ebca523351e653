//! An API that serves, with a database and an issuer of its own.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use nsc_api::{Api, ApiError, ApiOptions, AuthOptions, OidcOptions};
use nsc_core::{Clock, Money, SystemClock, UtcMicros};
use nsc_store::{Batch, LedgerRow, OrderRow, RoleNames, Store, StoreOptions, migrate};
use nsc_telemetry::{Metrics, MetricsOptions};
use nsc_testkit::{AUDIENCE, Database, Issuer, Postgres};
use secrecy::SecretString;
use sqlx::{Connection, PgConnection, Row};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::http::{Answer, Request};

/// What a test may change before the API starts.
pub(crate) struct Setup {
    pub(crate) options: ApiOptions,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where the API finds the database, when not directly.
    pub(crate) database_address: Option<SocketAddr>,
}

pub(crate) struct World {
    pub(crate) database: Database,
    /// As the consumer would see the database.
    pub(crate) store: Store,
    pub(crate) issuer: Issuer,
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    server: Option<JoinHandle<Result<(), ApiError>>>,
    token: String,
}

/// One row of the audit log, as far as tests look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AuditLine {
    pub(crate) actor_id: Option<String>,
    pub(crate) actor_roles: String,
    pub(crate) action: String,
    pub(crate) resource_type: Option<String>,
    pub(crate) resource_id: Option<String>,
    pub(crate) result: String,
    pub(crate) status_code: i32,
    pub(crate) request_method: String,
    pub(crate) request_path: String,
    pub(crate) request_query: Option<String>,
    pub(crate) client_ip: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) correlation_id: String,
    pub(crate) result_count: Option<i32>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let postgres = Postgres::shared().await.expect("PostgreSQL starts");
        let database = postgres
            .database_like("bo", async |url| {
                migrate(&SecretString::from(url), &RoleNames::default())
                    .await
                    .map(|_| ())
            })
            .await
            .expect("the database is made");
        Self::on(database, change).await
    }

    pub(crate) async fn on(database: Database, change: impl FnOnce(&mut Setup)) -> Self {
        let issuer = Issuer::start().await.expect("the issuer starts");
        let mut setup = Setup {
            options: ApiOptions::new("test", AuthOptions::Oidc(oidc(&issuer))),
            clock: Arc::new(SystemClock),
            database_address: None,
        };
        change(&mut setup);
        let own = database
            .url_of(&RoleNames::default().api)
            .await
            .expect("the API's role may log in");
        let own = match setup.database_address {
            Some(address) => own.replace(
                &format!("127.0.0.1:{}", database.postgres().port()),
                &address.to_string(),
            ),
            None => own,
        };
        let metrics = Metrics::start(&MetricsOptions::named("nsc-api-test")).expect("metrics start");
        let store =
            Store::with_metrics(&StoreOptions::new(own.into()), metrics.db()).expect("the URL is understood");
        let api = Api::new(setup.options, store, metrics, setup.clock).expect("the options are in order");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(api.serve(listener, shutdown.clone()));
        let consumer = StoreOptions::new(database.url().into());
        let world = Self {
            store: Store::connect(&consumer).await.expect("the URL is understood"),
            database,
            token: issuer.token().mint(),
            issuer,
            address,
            shutdown,
            server: Some(server),
        };
        world.until_keys_are_fetched().await;
        world
    }

    /// So that a test that counts fetches, or ends the issuer, begins from the same state.
    async fn until_keys_are_fetched(&self) {
        for _ in 0..200 {
            if self.issuer.fetches() > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A valid token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// With a valid token.
    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.send(&Request::get(target).bearer(&self.token)).await
    }

    pub(crate) async fn send(&self, request: &Request) -> Answer {
        request.send(self.address).await
    }

    pub(crate) async fn apply(&self, ledger: Vec<LedgerRow>, orders: Vec<OrderRow>) {
        let batch = Batch {
            ledger,
            orders,
            dead_letters: Vec::new(),
        };
        self.store
            .apply(&batch, SystemClock.now())
            .await
            .expect("the rows are stored");
    }

    /// What the server said at its end.
    pub(crate) async fn stop(&mut self) -> Result<(), ApiError> {
        self.shutdown.cancel();
        match self.server.take() {
            Some(server) => server.await.expect("the server does not panic"),
            None => Ok(()),
        }
    }

    pub(crate) async fn superuser(&self) -> PgConnection {
        PgConnection::connect(&self.database.url())
            .await
            .expect("the superuser connects")
    }

    /// The audit log, oldest first.
    pub(crate) async fn audit(&self) -> Vec<AuditLine> {
        let mut connection = self.superuser().await;
        let rows = sqlx::query("SELECT * FROM bo.admin_audit_logs ORDER BY audit_id")
            .fetch_all(&mut connection)
            .await
            .expect("the audit log is read");
        connection.close().await.expect("the superuser leaves");
        rows.iter()
            .map(|row| AuditLine {
                actor_id: row.get("actor_id"),
                actor_roles: row.get("actor_roles"),
                action: row.get("action"),
                resource_type: row.get("resource_type"),
                resource_id: row.get("resource_id"),
                result: row.get("result"),
                status_code: row.get("status_code"),
                request_method: row.get("request_method"),
                request_path: row.get("request_path"),
                request_query: row.get("request_query"),
                client_ip: row.get("client_ip"),
                user_agent: row.get("user_agent"),
                correlation_id: row.get("correlation_id"),
                result_count: row.get("result_count"),
            })
            .collect()
    }

    /// The one row of the audit log with this correlation id.
    pub(crate) async fn audited(&self, correlation_id: &str) -> AuditLine {
        let rows: Vec<_> = self
            .audit()
            .await
            .into_iter()
            .filter(|row| row.correlation_id == correlation_id)
            .collect();
        match <[AuditLine; 1]>::try_from(rows) {
            Ok([row]) => row,
            Err(rows) => panic!("{} rows for {correlation_id}: {rows:?}", rows.len()),
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The test's issuer, as the API is to see it.
pub(crate) fn oidc(issuer: &Issuer) -> OidcOptions {
    OidcOptions::new(issuer.url(), vec![AUDIENCE.to_owned()])
}

/// The settings of the issuer in a setup.
impl Setup {
    pub(crate) fn oidc(&mut self) -> &mut OidcOptions {
        match &mut self.options.auth {
            AuthOptions::Oidc(oidc) => oidc,
            AuthOptions::Disabled { .. } => panic!("authentication is disabled in this setup"),
        }
    }
}

pub(crate) fn at(text: &str) -> UtcMicros {
    text.parse().expect("a time")
}

pub(crate) fn won(text: &str) -> Money {
    Money::parse(text).expect("an amount")
}

/// A ledger entry of 2026.
pub(crate) fn entry(
    tx_id: &str,
    wallet_id: &str,
    entry_type: &str,
    related_id: Option<&str>,
    event_time: &str,
) -> LedgerRow {
    LedgerRow {
        tx_id: tx_id.to_owned(),
        wallet_id: wallet_id.to_owned(),
        entry_type: entry_type.to_owned(),
        amount: won("1000.00"),
        amount_signed: None,
        related_id: related_id.map(str::to_owned),
        related_type: None,
        event_time: at(event_time),
        created_at: None,
        updated_at: Some(at(event_time)),
        source_version: None,
        place: None,
    }
}

pub(crate) fn order(order_id: &str, status: &str) -> OrderRow {
    OrderRow {
        order_id: order_id.to_owned(),
        user_id: Some("user-1".to_owned()),
        merchant_name: Some("Coffee".to_owned()),
        amount: won("1000.00"),
        status: status.to_owned(),
        created_at: at("2026-01-05T00:59:58Z"),
        updated_at: Some(at("2026-01-05T01:00:00Z")),
        source_version: None,
        place: None,
    }
}
