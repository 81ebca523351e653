//! A Kafka-protocol broker on a free loopback port, gone when dropped: `tansu`, one process of some 10 MB that is
//! ready in milliseconds. `scripts/broker.sh` installs the binary.
//!
//! What this build of tansu (0.6) does and does not, as seen here with librdkafka 2.12:
//!
//! - **Storage.** `memory://`, `s3://` and `null://` are compiled in; `postgres://`, `sqlite://`, `turso://` and
//!   `slatedb://` answer "feature not enabled", `file://` is unknown. So on a machine without an S3 service the
//!   log lives in the process: [`Broker::kill`] loses topics, messages, groups and offsets, and
//!   [`Broker::restart`] comes back empty on the same port. An outage that *keeps* the log is made with
//!   [`Broker::start_behind_proxy`]: clients are told the proxy's address, and `proxy().cut()`, `stall()`,
//!   `lose_answers()` and `restore()` take the broker away and give it back.
//! - **Works:** topics with partitions, keys, headers, compression, tombstones, idempotent producers, consumer
//!   groups with cooperative rebalancing and static membership, committing and resuming, seeking.
//! - **Wrong or missing:** transactions, `delete_records`, `create_partitions`. `ListOffsets(latest)` answers with the
//!   first offset of the last batch, plus one (10 records in one batch: 1), so `fetch_watermarks` gives a wrong lag
//!   and a start at the end re-reads most of the last batch. The high watermark in an answer to a fetch is right:
//!   take the lag from librdkafka's statistics (`hi_offset`), and the end from what [`Broker::produce`] returns.
//! - **Slow unless told otherwise:** new data does not wake a waiting fetch, so `fetch.wait.max.ms` is the delay
//!   of every message; a first join waits for half of `session.timeout.ms`. [`Broker::consumer_config`] sets both.
//! - A port that is taken is a panic with exit status 0; [`Broker::start`] tries another.
//!
//! librdkafka's own mock cluster (`rdkafka::mocking::MockCluster`) injects protocol errors that no real broker can be
//! asked for; it needs nothing from here.

use std::env;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::producer::FutureProducer;
use tempfile::TempDir;

use crate::proxy::FaultProxy;
use crate::sasl::{Credentials, SaslFront};

/// How long a start may take on a busy machine. It takes milliseconds on an idle one.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between choosing a free port and listening on it somebody else may take it.
const ATTEMPTS: usize = 5;

/// Why there is no broker, or it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The binary is not there.
    #[error("no Kafka broker at {}: run scripts/broker.sh, or set NSC_TEST_BROKER to a tansu binary", .0.display())]
    NotInstalled(PathBuf),
    /// The process or its files could not be handled.
    #[error("the broker's process: {0}")]
    Process(#[from] io::Error),
    /// It ended or never listened; with what it said.
    #[error("the broker did not become ready: {0}")]
    NotReady(String),
    /// The client library refused or gave up.
    #[error("the broker's client: {0}")]
    Client(#[from] KafkaError),
    /// The broker refused to make a topic.
    #[error("topic {topic} was not made: {reason}")]
    Topic {
        /// Its name.
        topic: String,
        /// What the broker answered.
        reason: String,
    },
}

/// A running broker.
pub struct Broker {
    program: PathBuf,
    listens_on: SocketAddr,
    process: Option<Child>,
    proxy: Option<FaultProxy>,
    front: Option<SaslFront>,
    logs: TempDir,
    pub(crate) producer: OnceLock<FutureProducer>,
}

impl Broker {
    /// Starts one that clients talk to directly.
    ///
    /// # Errors
    /// When it is not installed or does not become ready.
    pub fn start() -> Result<Self, BrokerError> {
        Self::start_on_any_port(|_| Ok((None, None)))
    }

    /// Starts one that clients reach through a [`FaultProxy`] only: it tells them the proxy's address.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start_behind_proxy() -> Result<Self, BrokerError> {
        Self::start_on_any_port(|broker| Ok((Some(FaultProxy::start(broker)?), None)))
    }

    /// Starts one that clients reach over TLS only, and only those that log in with these credentials: by SASL PLAIN
    /// or by SASL OAUTHBEARER, as at Event Hubs. [`Broker::client_config`] logs in by PLAIN.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start_behind_sasl(credentials: &Credentials) -> Result<Self, BrokerError> {
        Self::start_on_any_port(|broker| Ok((None, Some(SaslFront::start(broker, credentials.clone())?))))
    }

    fn start_on_any_port(
        before: impl Fn(SocketAddr) -> io::Result<(Option<FaultProxy>, Option<SaslFront>)>,
    ) -> Result<Self, BrokerError> {
        let program = program()?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let listens_on = free_address()?;
            let (proxy, front) = before(listens_on)?;
            let mut broker = Self {
                program: program.clone(),
                listens_on,
                process: None,
                proxy,
                front,
                logs: tempfile::tempdir()?,
                producer: OnceLock::new(),
            };
            match broker.restart() {
                Ok(()) => return Ok(broker),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| BrokerError::NotReady("it was not started".to_owned())))
    }

    /// Where clients find it: `127.0.0.1:PORT`, for `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.address().to_string()
    }

    fn address(&self) -> SocketAddr {
        let proxy = self.proxy.as_ref().map(FaultProxy::address);
        let front = self.front.as_ref().map(SaslFront::address);
        proxy.or(front).unwrap_or(self.listens_on)
    }

    /// Who may in, when it is behind SASL.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.front.as_ref().map(SaslFront::credentials)
    }

    /// The certificate to trust, when it is behind SASL.
    #[must_use]
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.front.as_ref().map(SaslFront::ca_file)
    }

    /// How many logins were accepted and how many refused, when it is behind SASL.
    #[must_use]
    pub fn logins(&self) -> (u64, u64) {
        self.front.as_ref().map_or((0, 0), SaslFront::logins)
    }

    /// What stands between it and its clients.
    #[must_use]
    pub fn proxy(&self) -> Option<&FaultProxy> {
        self.proxy.as_ref()
    }

    /// Kills it (`SIGKILL`) if it runs. Its log, its groups and their offsets are lost.
    pub fn kill(&mut self) {
        // An idempotent producer goes on counting where the next broker has nothing: it would wait for ever.
        self.producer = OnceLock::new();
        if let Some(mut process) = self.process.take() {
            // Already gone is as good.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Kills it if it runs, and starts an empty one on the same port.
    ///
    /// # Errors
    /// When it does not become ready, for example because its port was taken meanwhile.
    pub fn restart(&mut self) -> Result<(), BrokerError> {
        self.kill();
        let output = self.logs.path().join("broker.log");
        let log = File::create(&output)?;
        let process = Command::new(&self.program)
            .arg("broker")
            .args(["--listener-url", &format!("tcp://{}", self.listens_on)])
            .args(["--advertised-listener-url", &format!("tcp://{}", self.address())])
            .args(["--storage-engine", "memory://tansu/"])
            // Every flag of it is an environment variable as well.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let process = self.process.insert(process);
        wait_until_ready(process, self.listens_on, &output)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker")
            .field("bootstrap", &self.bootstrap())
            .field("runs", &self.process.is_some())
            .finish_non_exhaustive()
    }
}

/// It has said that it is ready, and somebody listens. (Had somebody else taken its port, it would have ended.)
fn wait_until_ready(process: &mut Child, address: SocketAddr, output: &Path) -> Result<(), BrokerError> {
    let begun = Instant::now();
    loop {
        let said = std::fs::read_to_string(output)?;
        if let Some(status) = process.try_wait()? {
            return Err(BrokerError::NotReady(format!(
                "it ended ({status}) and said:\n{said}"
            )));
        }
        if said.contains("ready in") && TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(BrokerError::NotReady(format!(
                "after {PATIENCE:?} it had said:\n{said}"
            )));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no command line; this is how another broker binary is tried"
)]
fn program() -> Result<PathBuf, BrokerError> {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.nsc/broker/tansu");
    let program = env::var_os("NSC_TEST_BROKER").map_or_else(installed, PathBuf::from);
    if program.is_file() {
        return Ok(program);
    }
    Err(BrokerError::NotInstalled(program))
}

/// One nobody listens on now.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
