//! What every test needs: a broker and a database of its own, consumers that run and stop, and questions to both.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use nsc_consumer::{
    Consumer, ConsumerError, ConsumerOptions, ConsumerStatus, KafkaOptions, Services, SinkOptions,
};
use nsc_contracts::event::{EventKind, EventProfile, ProfileOverrides};
use nsc_core::SystemClock;
use nsc_store::{RoleNames, Store, StoreOptions, migrate};
use nsc_telemetry::{LogFormat, LogOptions, Metrics, MetricsOptions};
use nsc_testkit::{Broker, Database, Postgres, Record};
use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const GROUP: &str = "tx-lookup";
/// No wait of a test takes nearly as long, on a busy machine either.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A broker with the two topics of the canonical profile, and a migrated database.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) database: Database,
    /// What consumers connect to.
    pub(crate) database_url: String,
    pub(crate) metrics: Metrics,
    /// For questions; made anew when the server was away.
    questions: tokio::sync::Mutex<Option<PgConnection>>,
}

/// A consumer that runs.
pub(crate) struct Running {
    pub(crate) status: ConsumerStatus,
    pub(crate) shutdown: CancellationToken,
    task: JoinHandle<Result<(), ConsumerError>>,
}

pub(crate) fn profile() -> EventProfile {
    EventProfile::named("canonical-v1", &ProfileOverrides::default()).expect("shipped")
}

pub(crate) fn topic(kind: EventKind) -> String {
    profile().topic(kind).to_owned()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(
            Broker::start().expect("a broker"),
            Postgres::shared().await.expect("PostgreSQL"),
            4,
        )
        .await
    }

    pub(crate) async fn with(broker: Broker, postgres: Postgres, partitions: i32) -> Self {
        log();
        for kind in EventKind::ALL {
            if partitions > 0 {
                broker
                    .create_topic(&topic(kind), partitions)
                    .await
                    .expect("a topic");
            }
        }
        let prepare =
            |url: String| async move { migrate(&url.into(), &RoleNames::default()).await.map(drop) };
        let database = postgres.database_like("bo", prepare).await.expect("a database");
        // As the role that may do what the consumer must do, and no more.
        let database_url = database
            .url_of(&RoleNames::default().consumer)
            .await
            .expect("a role");
        Self {
            broker,
            database,
            database_url,
            metrics: Metrics::start(&MetricsOptions::named("test")).expect("metrics"),
            questions: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) async fn services(&self) -> Services {
        services(&self.database_url, self.metrics.clone()).await
    }

    pub(crate) fn options(&self) -> ConsumerOptions {
        options(&self.broker.bootstrap())
    }

    pub(crate) async fn consume(&self) -> Running {
        self.consume_with(self.options()).await
    }

    pub(crate) async fn consume_with(&self, options: ConsumerOptions) -> Running {
        run(options, self.services().await)
    }

    /// A consumer that reaches the database by another way.
    pub(crate) async fn consume_from(&self, database_url: &str) -> Running {
        run(self.options(), services(database_url, self.metrics.clone()).await)
    }

    pub(crate) async fn produce(&self, kind: EventKind, records: Vec<Record>) -> Vec<(i32, i64)> {
        self.broker
            .produce(&topic(kind), records)
            .await
            .expect("acknowledged")
    }

    /// The first column of the first row, as a number.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let rows = self.rows(sql).await;
        rows.first().map_or(0, |row| row.get(0))
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<PgRow> {
        let mut questions = self.questions.lock().await;
        if let Some(connection) = questions.as_mut()
            && let Ok(rows) = sqlx::query(AssertSqlSafe(sql.to_owned()))
                .fetch_all(connection)
                .await
        {
            return rows;
        }
        let connection = PgConnection::connect(&self.database.url())
            .await
            .expect("a connection");
        let connection = questions.insert(connection);
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .fetch_all(connection)
            .await;
        rows.expect(sql)
    }

    /// The texts of the first column.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        self.rows(sql).await.iter().map(|row| row.get(0)).collect()
    }

    pub(crate) async fn wait_for(&self, sql: &str, wanted: i64) {
        self.wait_until_number(sql, |n| n == wanted).await;
    }

    pub(crate) async fn wait_until_number(&self, sql: &str, holds: impl Fn(i64) -> bool) {
        let begun = Instant::now();
        let mut last = self.number(sql).await;
        while !holds(last) {
            assert!(begun.elapsed() < PATIENCE, "{sql} stays at {last}\n{}", tail());
            tokio::time::sleep(Duration::from_millis(50)).await;
            last = self.number(sql).await;
        }
    }

    pub(crate) async fn entries(&self) -> i64 {
        self.number("SELECT count(*) FROM bo.ledger_entries").await
    }

    pub(crate) async fn wait_for_entries(&self, wanted: i64) {
        self.wait_for("SELECT count(*) FROM bo.ledger_entries", wanted)
            .await;
    }

    pub(crate) async fn wait_for_dead_letters(&self, wanted: i64) {
        self.wait_for("SELECT count(*) FROM bo.consumer_dlq_events", wanted)
            .await;
    }

    /// Waits until so many messages of a topic are committed.
    pub(crate) async fn wait_until_committed(&self, kind: EventKind, partitions: i32, wanted: i64) {
        let begun = Instant::now();
        loop {
            let committed = self.committed(kind, partitions);
            if committed == wanted {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{committed} are committed of {wanted}\n{}",
                tail()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What is committed of a topic, over all partitions.
    pub(crate) fn committed(&self, kind: EventKind, partitions: i32) -> i64 {
        let committed = self
            .broker
            .committed(GROUP, &topic(kind), partitions)
            .expect("an answer");
        committed.into_iter().flatten().sum()
    }
}

impl Running {
    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("in time").expect("no panic").expect("no error");
    }

    /// The task is dropped where it is; what the process would hold goes on only to say goodbye. That is waited for:
    /// this broker (not Kafka) may choose a member that is leaving as the leader of the next one, for ever.
    pub(crate) async fn abort(self) {
        self.task.abort();
        let _ = self.task.await;
        until("its partitions are free", || self.status.partitions() == 0).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    pub(crate) async fn ended(self) -> Result<(), ConsumerError> {
        tokio::time::timeout(PATIENCE, self.task)
            .await
            .expect("in time")
            .expect("no panic")
    }

    pub(crate) async fn wait_until_ready(&self) {
        until("the consumer is ready", || self.status.is_ready()).await;
    }
}

pub(crate) async fn services(database_url: &str, metrics: Metrics) -> Services {
    let mut options = StoreOptions::new(database_url.into());
    options.acquire_timeout = Duration::from_secs(2);
    Services {
        store: Store::connect(&options).await.expect("a URL"),
        metrics,
        clock: Arc::new(SystemClock),
    }
}

/// Quick to retry, to notice, to commit; otherwise as shipped.
pub(crate) fn options(bootstrap: &str) -> ConsumerOptions {
    let mut kafka = KafkaOptions::new(bootstrap, GROUP);
    // This broker keeps a new member waiting for half of it.
    kafka.session_timeout = Duration::from_secs(2);
    kafka.fetch_wait = Duration::from_millis(10);
    kafka.commit_interval = Duration::from_millis(200);
    kafka.metadata_refresh = Duration::from_millis(500);
    kafka.statistics_interval = Duration::from_secs(1);
    let mut options = ConsumerOptions::new(kafka, profile());
    options.sink = sink();
    options
}

pub(crate) fn run(options: ConsumerOptions, services: Services) -> Running {
    let consumer = Consumer::new(options, services);
    let status = consumer.status();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(consumer.run(shutdown.clone()));
    Running {
        status,
        shutdown,
        task,
    }
}

pub(crate) fn sink() -> SinkOptions {
    SinkOptions {
        batch_linger: Duration::from_millis(20),
        retry_initial: Duration::from_millis(50),
        retry_max: Duration::from_millis(400),
        attempt_timeout: Duration::from_secs(5),
        ..SinkOptions::default()
    }
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in time\n{}", tail());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A ledger entry as JSON, to be changed.
pub(crate) fn entry(tx_id: &str) -> Value {
    json!({
        "tx_id": tx_id, "wallet_id": "w-1", "entry_type": "CHARGE", "amount": "1000.50",
        "event_time": "2026-01-05T00:00:00Z", "updated_at": "2026-01-05T00:00:01Z", "source_version": 1,
    })
}

/// One half of a payment order.
pub(crate) fn half(order_id: &str, entry_type: &str) -> Value {
    with(
        entry(&format!("{order_id}-{entry_type}")),
        json!({ "entry_type": entry_type, "related_id": order_id, "related_type": "PAYMENT_ORDER" }),
    )
}

pub(crate) fn order(order_id: &str, status: &str) -> Value {
    json!({
        "order_id": order_id, "amount": 2000, "status": status, "merchant_name": "m",
        "created_at": "2026-01-05T00:00:00Z", "updated_at": "2026-01-05T00:00:02Z", "source_version": 1,
    })
}

pub(crate) fn with(mut event: Value, changes: Value) -> Value {
    if let (Some(event), Value::Object(changes)) = (event.as_object_mut(), changes) {
        event.extend(changes);
    }
    event
}

/// Keyed by its id, as a producer would.
pub(crate) fn record(event: &Value) -> Record {
    let id = event
        .get("tx_id")
        .or_else(|| event.get("order_id"))
        .map(Value::to_string);
    Record::new(id.unwrap_or_default(), event.to_string())
}

pub(crate) fn records<'a>(events: impl IntoIterator<Item = &'a Value>) -> Vec<Record> {
    events.into_iter().map(record).collect()
}

/// What whoever started the tests says about them.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no command line of their own"
)]
pub(crate) fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();

/// The log of this process as JSON lines, kept in memory.
pub(crate) fn log() -> Arc<Mutex<Vec<u8>>> {
    let log = LOG.get_or_init(|| {
        let kept = Arc::<Mutex<Vec<u8>>>::default();
        let options = LogOptions {
            format: LogFormat::Json,
            filter: "info,nsc_consumer=debug".to_owned(),
            color: false,
        };
        let writer = Arc::clone(&kept);
        nsc_telemetry::init_with_writer(&options, move || Kept(Arc::clone(&writer))).expect("set once");
        kept
    });
    Arc::clone(log)
}

struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lines of the log that hold a text.
pub(crate) fn lines_with(text: &str) -> Vec<Value> {
    let log = log();
    let log = log.lock().expect("the log");
    let lines = String::from_utf8_lossy(&log).into_owned();
    drop(log);
    let lines = lines.lines().filter(|l| l.contains(text));
    lines
        .map(|l| serde_json::from_str(l).expect("a JSON line"))
        .collect()
}

/// The end of the log, for a failure.
fn tail() -> String {
    let log = log();
    let log = log.lock().expect("the log");
    let start = log.len().saturating_sub(6_000);
    String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned()
}
