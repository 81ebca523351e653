//! One server with its data directory: its processes, and what removes them.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;

use super::installation::{PROGRAMS, binaries, newest, unprivileged_user};
use super::{PostgresError, PostgresOptions, SUPERUSER, Server, url};

/// How long a start or a stop may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
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

/// How a data directory is made; without a password, the superuser is [`SUPERUSER`].
const INITDB: [&str; 6] = [
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
    "--username=postgres",
];
/// Where data directories are kept for the tests that follow; `make clean` removes it.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.nsc/initdb");

/// A server, running or not.
#[derive(Debug)]
pub(super) struct Cluster {
    bin: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) port: u16,
    pub(super) options: PostgresOptions,
    user: Option<(u32, u32)>,
    server: Mutex<Option<Child>>,
    cleaner: Option<Child>,
    // Closing it is what tells the cleaner.
    pipe: Option<ChildStdin>,
}

impl Cluster {
    /// A new server that answers; one that follows the server on a port when that is given.
    pub(super) async fn create(
        options: PostgresOptions,
        primary: Option<u16>,
    ) -> Result<Self, PostgresError> {
        let user = unprivileged_user()?;
        let directory = tempfile::Builder::new().prefix("nsc-pg-").tempdir()?.keep();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&directory, Some(uid), Some(gid))?;
        }
        let mut cluster = Self {
            bin: PathBuf::new(),
            directory,
            port: 0,
            options,
            user,
            server: Mutex::new(None),
            cleaner: None,
            pipe: None,
        };
        cluster.watch_this_process()?;
        cluster.bin = cluster.programs()?;
        match primary {
            None => cluster.initialise()?,
            Some(port) => cluster.copy(port)?,
        }
        // Somebody else may take the port between our look and the server's: then with another one.
        for attempt in 0.. {
            cluster.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            match cluster.start().await {
                Ok(()) => break,
                Err(PostgresError::Ended { said, .. }) if attempt < 5 && said.contains("could not bind") => {}
                Err(e) => return Err(e),
            }
        }
        Ok(cluster)
    }

    /// The directory of the server's programs. Those of our own tree are copied to where its user can read them.
    fn programs(&self) -> Result<PathBuf, PostgresError> {
        let newest = match self.options.server {
            Server::Installed => None,
            Server::Newest => newest()?,
        };
        let Some(directories) = newest else {
            return binaries();
        };
        let copied = self.directory.join("server");
        fs::create_dir(&copied)?;
        let mut copy = Command::new("cp");
        copy.args(["-r", "-p"]).args(directories).arg(&copied);
        completed("cp", copy)?;
        Ok(copied.join(PROGRAMS))
    }

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

    /// A data directory as `initdb` makes it: a copy of the one that an earlier test of this version made, which takes a
    /// tenth of the time. There is a server for each test process.
    fn initialise(&self) -> Result<(), PostgresError> {
        let kept = self.kept()?;
        if kept.exists() && completed("cp", copying(&kept, &self.data())).is_ok() {
            return Ok(());
        }
        if self.data().exists() {
            // Somebody else's, and not to be read by us.
            fs::remove_dir_all(self.data())?;
        }
        let mut initdb = self.command("initdb");
        initdb.args(INITDB).arg("-D").arg(self.data());
        completed("initdb", initdb)?;
        // Best effort, and whole or not at all: a test that comes later makes its own where nothing is kept.
        let new = kept.with_file_name(self.directory.file_name().unwrap_or_default());
        if let Some(parent) = kept.parent()
            && fs::create_dir_all(parent).is_ok()
            && completed("cp", copying(&self.data(), &new)).is_ok()
            && fs::rename(&new, &kept).is_err()
        {
            let _ = fs::remove_dir_all(&new);
        }
        Ok(())
    }

    /// Where what `initdb` makes is kept, for this version and these arguments.
    fn kept(&self) -> io::Result<PathBuf> {
        let version = self.command("initdb").arg("--version").output()?.stdout;
        let mut hasher = DefaultHasher::new();
        (version, INITDB).hash(&mut hasher);
        Ok(Path::new(KEPT).join(format!("{:016x}", hasher.finish())))
    }

    fn copy(&self, port: u16) -> Result<(), PostgresError> {
        let mut copy = self.command("pg_basebackup");
        copy.args([
            "--write-recovery-conf",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--no-sync",
        ])
        .args([
            "--host=127.0.0.1",
            &format!("--port={port}"),
            &format!("--username={SUPERUSER}"),
        ])
        .arg("-D")
        .arg(self.data());
        completed("pg_basebackup", copy)
    }

    pub(super) async fn start(&self) -> Result<(), PostgresError> {
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

    pub(super) async fn end(&self, signal: Signal) -> Result<(), PostgresError> {
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

/// All of a directory, with its owner and modes.
fn copying(from: &Path, to: &Path) -> Command {
    let mut copy = Command::new("cp");
    copy.arg("-a").args([from, to]);
    copy
}

/// Runs a program to its end.
fn completed(program: &'static str, mut command: Command) -> Result<(), PostgresError> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(PostgresError::Ended { program, said })
}

fn send(child: &Child, signal: Signal) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A process that is already gone is what was asked for.
        let _ = kill_process(pid, signal);
    }
}
