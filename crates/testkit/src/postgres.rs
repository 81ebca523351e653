//! A private PostgreSQL on loopback: one cluster a test process, one database a test.
//!
//! The cluster lives in a temporary directory. It ends when the last [`Postgres`] handle is dropped, and also when
//! the process ends in any other way, `kill -9` included: a small shell holds the other end of a pipe and cleans
//! up when the pipe closes. Servers refuse to run as root, so under root they run as `postgres` or `nobody`.

use std::collections::HashSet;
use std::fs;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::Mutex;

/// Where the packages of the usual systems put the server; `*` is the major version.
const USUAL_PLACES: [&str; 3] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
];
/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The superuser; every local login is trusted.
const SUPERUSER: &str = "postgres";
/// Reads until the test process is gone, then ends the server and removes its directory. `$1` is the directory.
const CLEANER: &str = r#"cat >/dev/null
if [ -f "$1/data/postmaster.pid" ]; then
  pid=$(head -n 1 "$1/data/postmaster.pid")
  kill -QUIT "$pid" 2>/dev/null
  n=0
  while kill -0 "$pid" 2>/dev/null && [ "$n" -lt 100 ]; do n=$((n + 1)); sleep 0.05; done
  kill -KILL "$pid" 2>/dev/null
fi
rm -rf "$1"/* "$1" 2>/dev/null"#;

/// Why there is no PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The package is missing.
    #[error(
        "PostgreSQL is not installed: neither in /usr/lib/postgresql/*/bin nor in PATH is there an initdb"
    )]
    NotInstalled,
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

/// How the cluster runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostgresOptions {
    /// A commit waits for the disk. Off for tests, on for measurements. Either way what was committed outlives a `kill -9`
    /// of the server; without it, not a power cut.
    pub durable: bool,
    /// Most connections.
    pub max_connections: u32,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            durable: false,
            max_connections: 300,
        }
    }
}

/// Handle to a running cluster; the last one ends it.
#[derive(Debug, Clone)]
pub struct Postgres {
    cluster: Arc<Cluster>,
}

#[derive(Debug)]
struct Cluster {
    bin: PathBuf,
    directory: PathBuf,
    port: u16,
    options: PostgresOptions,
    user: Option<(u32, u32)>,
    server: Mutex<Option<Child>>,
    templates: Mutex<HashSet<String>>,
    databases: AtomicU64,
    cleaner: Option<Child>,
    // Closing it is what tells the cleaner.
    pipe: Option<ChildStdin>,
}

static SHARED: Mutex<Weak<Cluster>> = Mutex::const_new(Weak::new());

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
        let mut shared = SHARED.lock().await;
        if let Some(cluster) = shared.upgrade() {
            return Ok(Self { cluster });
        }
        let started = Self::start().await?;
        *shared = Arc::downgrade(&started.cluster);
        Ok(started)
    }

    /// A cluster of one's own.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn start_with(options: PostgresOptions) -> Result<Self, PostgresError> {
        let bin = binaries()?;
        let user = unprivileged_user()?;
        let directory = tempfile::Builder::new().prefix("nsc-pg-").tempdir()?.keep();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&directory, Some(uid), Some(gid))?;
        }
        let mut cluster = Cluster {
            bin,
            directory,
            port: 0,
            options,
            user,
            server: Mutex::new(None),
            templates: Mutex::new(HashSet::new()),
            databases: AtomicU64::new(0),
            cleaner: None,
            pipe: None,
        };
        cluster.watch_this_process()?;
        cluster.initialise()?;
        // Somebody else may take the port between our look and the server's: then with another one.
        for attempt in 0.. {
            cluster.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            match cluster.start().await {
                Ok(()) => break,
                Err(PostgresError::Ended { said, .. }) if attempt < 5 && said.contains("could not bind") => {}
                Err(e) => return Err(e),
            }
        }
        Ok(Self {
            cluster: Arc::new(cluster),
        })
    }

    /// The TCP port on 127.0.0.1; a restart keeps it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.cluster.port
    }

    /// A superuser's URL of a database, over TCP.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(SUPERUSER, self.cluster.port, database)
    }

    /// A superuser's URL of a database, over the Unix socket.
    #[must_use]
    pub fn socket_url(&self, database: &str) -> String {
        let directory = self.cluster.directory.display().to_string().replace('/', "%2F");
        format!(
            "postgres://{SUPERUSER}@{directory}:{}/{database}",
            self.cluster.port
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
            let mut templates = self.cluster.templates.lock().await;
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
        let number = self.cluster.databases.fetch_add(1, Ordering::Relaxed);
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
        self.cluster.end(Signal::INT).await
    }

    /// `kill -9`. The next start recovers from the log.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn kill(&self) -> Result<(), PostgresError> {
        self.cluster.end(Signal::KILL).await
    }

    /// Starts it again, on the same port with the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&self) -> Result<(), PostgresError> {
        let begun = Instant::now();
        loop {
            // After a kill the orphaned backends still hold the shared memory for a moment.
            match self.cluster.start().await {
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
            let _guard = self.postgres.cluster.templates.lock().await;
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

impl Cluster {
    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// A command that runs as the unprivileged user, in the cluster's directory.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir(&self.directory).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn watch_this_process(&mut self) -> io::Result<()> {
        let mut cleaner = Command::new("sh")
            .args(["-c", CLEANER, "cleaner"])
            .arg(&self.directory)
            .current_dir("/")
            // Its own group: a Ctrl-C at the terminal must not end it before the server.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.pipe = cleaner.stdin.take();
        self.cleaner = Some(cleaner);
        Ok(())
    }

    fn initialise(&self) -> Result<(), PostgresError> {
        let output = self
            .command("initdb")
            .args([
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
            ])
            .arg(format!("--username={SUPERUSER}"))
            .arg("-D")
            .arg(self.data())
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(PostgresError::Ended {
            program: "initdb",
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    async fn start(&self) -> Result<(), PostgresError> {
        let mut server = self.server.lock().await;
        let log = fs::File::create(self.log())?;
        let onoff = if self.options.durable { "on" } else { "off" };
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .stdout(log.try_clone()?)
            .stderr(log);
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={}", self.port),
            format!("unix_socket_directories={}", self.directory.display()),
            format!("max_connections={}", self.options.max_connections),
            format!("fsync={onoff}"),
            format!("full_page_writes={onoff}"),
            "shared_buffers=256MB".to_owned(),
            "max_wal_size=2GB".to_owned(),
        ] {
            command.arg("-c").arg(setting);
        }
        let mut child = command.spawn()?;
        let begun = Instant::now();
        let address = url(SUPERUSER, self.port, "postgres");
        loop {
            if let Some(_status) = child.try_wait()? {
                let said = fs::read_to_string(self.log()).unwrap_or_default();
                return Err(PostgresError::Ended {
                    program: "postgres",
                    said,
                });
            }
            if let Ok(connection) = PgConnection::connect(&address).await {
                connection.close().await?;
                *server = Some(child);
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Err(PostgresError::Late("start"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn end(&self, signal: Signal) -> Result<(), PostgresError> {
        let Some(mut child) = self.server.lock().await.take() else {
            return Ok(());
        };
        send(&child, signal);
        let begun = Instant::now();
        while child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                child.kill()?;
                return Err(PostgresError::Late("stop"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut child) = self.server.get_mut().take() {
            send(&child, Signal::QUIT);
            let _ = child.wait();
        }
        drop(self.pipe.take());
        if let Some(mut cleaner) = self.cleaner.take() {
            let _ = cleaner.wait();
        }
    }
}

fn send(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A process that is already gone is what was asked for.
        let _ = kill_process(pid, signal);
    }
}

fn url(role: &str, port: u16, database: &str) -> String {
    format!("postgres://{role}@127.0.0.1:{port}/{database}?sslmode=disable")
}

async fn run(url: &str, sql: String) -> Result<(), PostgresError> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// The directory of the newest installed server.
fn binaries() -> Result<PathBuf, PostgresError> {
    let usual = USUAL_PLACES.iter().flat_map(|place| expanded(place));
    let newest = usual
        .filter(|(_, bin)| bin.join("initdb").exists())
        .max_by_key(|(version, _)| *version);
    if let Some((_, bin)) = newest {
        return Ok(bin);
    }
    #[expect(clippy::disallowed_methods, reason = "a test looks for an installed program")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|directory| directory.join("initdb").exists() && directory.join("postgres").exists())
        .ok_or(PostgresError::NotInstalled)
}

/// `/a/b*/c` with every number that stands for the star.
fn expanded(place: &str) -> Vec<(u32, PathBuf)> {
    let Some((before, after)) = place.split_once('*') else {
        return Vec::new();
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.parse().ok()?;
            Some((
                version,
                Path::new(parent).join(&name).join(after.trim_start_matches('/')),
            ))
        })
        .collect()
}

/// Whom the server runs as when this process is root: uid and gid.
fn unprivileged_user() -> Result<Option<(u32, u32)>, PostgresError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let numbers = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let found = fields.next()? == name;
            let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            found.then_some((uid, gid))
        })
    };
    let user = numbers("postgres").or_else(|| numbers("nobody"));
    user.map(Some)
        .ok_or_else(|| io::Error::other("no user but root to run PostgreSQL as").into())
}
