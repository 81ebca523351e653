//! A database, a broker and the commands of the serving half between them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use nsc_testkit::{Broker, Database, Postgres};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tempfile::TempDir;

use super::process::{PATIENCE, Service, run};

pub(crate) const LEDGER_TOPIC: &str = "ledger.entry.upserted";
pub(crate) const ORDER_TOPIC: &str = "payment.order.upserted";
pub(crate) const GROUP: &str = "tx-lookup";
pub(crate) const PARTITIONS: i32 = 4;

/// The broker of the tests keeps a member that joins, or comes back, waiting for half of this and more.
pub(crate) const SHORT_SESSION: (&str, &str) = ("KAFKA_SESSION_TIMEOUT_MS", "3000");

pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) broker: Broker,
    pub(crate) database: Database,
    consumer_url: String,
}

/// A database that `nsc migrate` has made.
pub(crate) async fn migrated(directory: &Path) -> Database {
    let postgres = Postgres::shared().await.unwrap();
    let migrate = async |url: String| {
        let done = run(directory, &["migrate"], &[("DATABASE_URL", &url)]);
        if done.code == Some(0) {
            Ok(())
        } else {
            Err(format!("{done:?}"))
        }
    };
    postgres.database_like("nsc_migrate", migrate).await.unwrap()
}

impl World {
    /// With both topics.
    pub(crate) async fn new() -> Self {
        Self::with(Broker::start().unwrap()).await
    }

    /// With both topics on this broker.
    pub(crate) async fn with(broker: Broker) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for topic in [LEDGER_TOPIC, ORDER_TOPIC] {
            broker.create_topic(topic, PARTITIONS).await.unwrap();
        }
        let database = migrated(directory.path()).await;
        let consumer_url = database.url_of("nsc_consumer").await.unwrap();
        Self {
            directory,
            broker,
            database,
            consumer_url,
        }
    }

    /// `nsc consume` with some more variables.
    pub(crate) fn consume(&self, more: &[(&str, &str)]) -> Service {
        let bootstrap = self.broker.bootstrap();
        let environment = [&self.consumer_environment(&bootstrap)[..], more].concat();
        Service::start(self.directory.path(), &["consume"], &environment)
    }

    /// What `nsc consume` is told of this world.
    pub(crate) fn consumer_environment<'a>(&'a self, bootstrap: &'a str) -> [(&'a str, &'a str); 5] {
        [
            ("DATABASE_URL", self.consumer_url.as_str()),
            ("KAFKA_BROKERS", bootstrap),
            ("NSC_METRICS_LISTEN", "127.0.0.1:0"),
            ("NSC_LOG", "info"),
            SHORT_SESSION,
        ]
    }

    /// `nsc serve api` on a free port, without authentication.
    pub(crate) async fn serve_api(&self) -> Service {
        let url = self.database.url_of("nsc_api").await.unwrap();
        serve_api(self.directory.path(), &url)
    }

    /// The first column of the only row.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await.first().map_or(0, |row| row.get(0))
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<PgRow> {
        let mut connection = PgConnection::connect(&self.database.url()).await.unwrap();
        let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        let rows = query.fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows
    }

    /// Until the condition holds, while the consumer runs and something changes now and then.
    pub(crate) async fn wait_for(
        &self,
        consumer: &mut Service,
        what: &str,
        sql: &str,
        holds: impl Fn(i64) -> bool,
    ) -> i64 {
        let (mut since, mut last) = (Instant::now(), None);
        loop {
            let seen = self.number(sql).await;
            if holds(seen) {
                return seen;
            }
            if last.replace(seen) != Some(seen) {
                since = Instant::now();
            }
            assert!(
                consumer.runs() && since.elapsed() < PATIENCE,
                "{what}: {sql} stays at {seen}\n{}",
                consumer.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many messages of a topic the group has finished, over all partitions.
    pub(crate) fn committed(&self, topic: &str) -> i64 {
        let next = self.broker.committed(GROUP, topic, PARTITIONS).unwrap();
        next.into_iter().flatten().sum()
    }
}

/// An address that refuses connections.
pub(crate) fn nobody_listens_here() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
}

/// `nsc serve api` on a free port with some database, without authentication.
pub(crate) fn serve_api(directory: &Path, database_url: &str) -> Service {
    let environment = [
        ("DATABASE_URL", database_url),
        ("AUTH_MODE", "disabled"),
        ("NSC_LOG", "info"),
        ("NSC_LOG_FORMAT", "json"),
    ];
    Service::start(
        directory,
        &["serve", "api", "--listen", "127.0.0.1:0"],
        &environment,
    )
}
