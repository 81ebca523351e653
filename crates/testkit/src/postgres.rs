//! A private PostgreSQL on loopback: one cluster a test process, one database a test.
//!
//! The cluster lives in a temporary directory. It ends when the last [`Postgres`] handle is dropped, and also when
//! the process ends in any other way, `kill -9` included: a small shell holds the other end of a pipe and cleans
//! up when the pipe closes. Servers refuse to run as root, so under root they run as `postgres` or `nobody`.

mod cluster;
mod installation;

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::Mutex;

use self::cluster::{Cluster, PATIENCE};

/// The superuser; every local login is trusted.
const SUPERUSER: &str = "postgres";

/// Why there is no PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The package is missing.
    #[error(
        "PostgreSQL is not installed: neither in /usr/lib/postgresql/*/bin nor in PATH is there an initdb"
    )]
    NotInstalled,
    /// The package that carries the newest server is missing.
    #[error("the newest PostgreSQL of the tests is not in .nsc/venv: run scripts/python-env.sh")]
    NewestMissing,
    /// Files or processes.
    #[error("PostgreSQL for a test: {0}")]
    Io(#[from] io::Error),
    /// `initdb` or the server ended with an error.
    #[error("{program} ended with an error: {said}")]
    Ended {
        /// Which one.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// It runs and does not answer.
    #[error("PostgreSQL did not {0} in time")]
    Late(&'static str),
    /// A statement failed.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// What was to fill a template failed.
    #[error("the template could not be prepared: {0}")]
    Template(String),
}

/// Which server a cluster is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Server {
    /// The newest that the system has installed.
    #[default]
    Installed,
    /// The newest to be had: that of the tests' Python environment.
    Newest,
}

/// How the cluster runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresOptions {
    /// A commit waits for the disk. Off for tests, on for measurements. Either way what was committed outlives a `kill -9`
    /// of the server; without it, not a power cut.
    pub durable: bool,
    /// Which server.
    pub server: Server,
    /// Most connections.
    pub max_connections: u32,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            durable: false,
            server: Server::Installed,
            max_connections: 300,
        }
    }
}

/// Handle to a running cluster; the last one ends it.
#[derive(Debug, Clone)]
pub struct Postgres {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cluster: Cluster,
    templates: Mutex<HashSet<String>>,
    databases: AtomicU64,
}

static SHARED: Mutex<Weak<Shared>> = Mutex::const_new(Weak::new());
static NEWEST: Mutex<Weak<Shared>> = Mutex::const_new(Weak::new());

impl Postgres {
    /// A cluster of one's own with the default options.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub async fn start() -> Result<Self, PostgresError> {
        Self::start_with(PostgresOptions::default()).await
    }

    /// The cluster that the tests of this process share: it runs while a test holds it.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn shared() -> Result<Self, PostgresError> {
        Self::shared_of(Server::Installed).await
    }

    /// The same, of either server.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn shared_of(server: Server) -> Result<Self, PostgresError> {
        let place = match server {
            Server::Installed => &SHARED,
            Server::Newest => &NEWEST,
        };
        let mut place = place.lock().await;
        if let Some(shared) = place.upgrade() {
            return Ok(Self { shared });
        }
        let started = Self::start_with(PostgresOptions {
            server,
            ..PostgresOptions::default()
        })
        .await?;
        *place = Arc::downgrade(&started.shared);
        Ok(started)
    }

    /// A cluster of one's own.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn start_with(options: PostgresOptions) -> Result<Self, PostgresError> {
        Ok(Self::of(Cluster::create(options, None).await?))
    }

    /// A cluster that follows this one (streaming replication), and can be read.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn replica(&self) -> Result<Self, PostgresError> {
        let primary = &self.shared.cluster;
        Ok(Self::of(
            Cluster::create(primary.options, Some(primary.port)).await?,
        ))
    }

    fn of(cluster: Cluster) -> Self {
        Self {
            shared: Arc::new(Shared {
                cluster,
                templates: Mutex::new(HashSet::new()),
                databases: AtomicU64::new(0),
            }),
        }
    }

    /// The TCP port on 127.0.0.1; a restart keeps it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.shared.cluster.port
    }

    /// A superuser's URL of a database, over TCP.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(SUPERUSER, self.shared.cluster.port, database)
    }

    /// A superuser's URL of a database, over the Unix socket.
    #[must_use]
    pub fn socket_url(&self, database: &str) -> String {
        let directory = self
            .shared
            .cluster
            .directory
            .display()
            .to_string()
            .replace('/', "%2F");
        format!(
            "postgres://{SUPERUSER}@{directory}:{}/{database}",
            self.shared.cluster.port
        )
    }

    /// An empty database.
    ///
    /// # Errors
    /// When it cannot be created.
    pub async fn fresh_database(&self) -> Result<Database, PostgresError> {
        self.create("template1").await
    }

    /// A copy of a template that `prepare` fills the first time it is asked for: what is done with the URL of an
    /// empty database, migrations for instance. Much faster than to prepare each database.
    ///
    /// # Errors
    /// When the template cannot be prepared or copied.
    pub async fn database_like<F, Fut, E>(
        &self,
        template: &str,
        prepare: F,
    ) -> Result<Database, PostgresError>
    where
        F: FnOnce(String) -> Fut,
        Fut: Future<Output = Result<(), E>>,
        E: std::fmt::Display,
    {
        let name = format!("like_{template}");
        {
            let mut templates = self.shared.templates.lock().await;
            if !templates.contains(&name) {
                // One whose preparation failed is no template.
                self.execute(format!("DROP DATABASE IF EXISTS \"{name}\""))
                    .await?;
                self.execute(format!("CREATE DATABASE \"{name}\"")).await?;
                prepare(self.url(&name))
                    .await
                    .map_err(|e| PostgresError::Template(e.to_string()))?;
                // Whoever is connected to a template keeps others from copying it.
                self.execute(format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"))
                    .await?;
                self.execute(format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                ))
                .await?;
                templates.insert(name.clone());
            }
        }
        self.create(&name).await
    }

    async fn create(&self, template: &str) -> Result<Database, PostgresError> {
        let number = self.shared.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        self.execute(format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""))
            .await?;
        Ok(Database {
            postgres: self.clone(),
            name,
        })
    }

    /// Runs statements as the superuser, in the maintenance database.
    ///
    /// # Errors
    /// When one fails.
    pub async fn execute(&self, sql: String) -> Result<(), PostgresError> {
        run(&self.url("postgres"), sql).await
    }

    /// Ends the server as an operator would: no new work, what is under way is cut off, data is kept.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(&self) -> Result<(), PostgresError> {
        self.shared.cluster.end(Signal::INT).await
    }

    /// `kill -9`, of those that serve connections too: orphaned, they may answer once more. The next start recovers
    /// from the log.
    ///
    /// # Errors
    /// When it does not answer, or does not end.
    pub async fn kill(&self) -> Result<(), PostgresError> {
        let serving = serving(&self.url("postgres")).await?;
        self.shared.cluster.end(Signal::KILL).await?;
        for process in serving.into_iter().filter_map(Pid::from_raw) {
            // Gone already is as good.
            let _ = kill_process(process, Signal::KILL);
        }
        Ok(())
    }

    /// Starts it again, on the same port with the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&self) -> Result<(), PostgresError> {
        let begun = Instant::now();
        loop {
            // After a kill the orphaned backends still hold the shared memory for a moment.
            match self.shared.cluster.start().await {
                Err(PostgresError::Ended { .. }) if begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                done => return done,
            }
        }
    }
}

/// One test's database.
#[derive(Debug, Clone)]
pub struct Database {
    postgres: Postgres,
    name: String,
}

impl Database {
    /// The superuser's URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.postgres.url(&self.name)
    }

    /// The URL of a role, which is allowed to log in from now on.
    ///
    /// # Errors
    /// When there is no such role.
    pub async fn url_of(&self, role: &str) -> Result<String, PostgresError> {
        let may = format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{role}'");
        let mut connection = PgConnection::connect(&self.url()).await?;
        let can: Option<bool> = sqlx::query_scalar(AssertSqlSafe(may))
            .fetch_optional(&mut connection)
            .await?;
        if can != Some(true) {
            // The roles belong to the cluster: another test may be doing the same, and either is enough.
            let _guard = self.postgres.shared.templates.lock().await;
            self.execute(&format!("ALTER ROLE \"{role}\" LOGIN")).await?;
        }
        connection.close().await?;
        Ok(url(role, self.postgres.port(), &self.name))
    }

    /// Runs statements as the superuser.
    ///
    /// # Errors
    /// When one fails.
    pub async fn execute(&self, sql: &str) -> Result<(), PostgresError> {
        run(&self.url(), sql.to_owned()).await
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster it is in.
    #[must_use]
    pub const fn postgres(&self) -> &Postgres {
        &self.postgres
    }
}

fn url(role: &str, port: u16, database: &str) -> String {
    format!("postgres://{role}@127.0.0.1:{port}/{database}?sslmode=disable")
}

/// The processes that serve connections.
async fn serving(url: &str) -> Result<Vec<i32>, PostgresError> {
    let mut connection = PgConnection::connect(url).await?;
    let pids = sqlx::query_scalar("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
        .fetch_all(&mut connection)
        .await?;
    Ok(pids)
}

async fn run(url: &str, sql: String) -> Result<(), PostgresError> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

#[cfg(test)]
mod tests;
