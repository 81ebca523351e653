//! Azurite, Microsoft's emulator of Azure storage, on a free loopback port; gone when dropped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The account and key every Azurite has; they are published and protect nothing.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A running emulator with one container.
#[derive(Debug)]
pub struct Azurite {
    process: Child,
    port: u16,
    container: &'static str,
    _data: tempfile::TempDir,
}

impl Azurite {
    /// Starts the emulator that `scripts/azurite.sh` installed under `repository` and makes a container.
    ///
    /// # Errors
    /// When it is not installed, does not start, or does not make the container.
    pub fn start(repository: &Path, container: &'static str) -> io::Result<Self> {
        let program = repository.join(".nsc/azurite/node_modules/.bin/azurite-blob");
        if !program.exists() {
            return Err(io::Error::other(
                "azurite is not installed: run scripts/azurite.sh (make test does)",
            ));
        }
        let data = tempfile::tempdir()?;
        let port = free_port()?;
        let process = Command::new(program)
            .args([
                "--silent",
                "--skipApiVersionCheck",
                "--loose",
                "--disableTelemetry",
            ])
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            .arg("--location")
            .arg(data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut emulator = Self {
            process,
            port,
            container,
            _data: data,
        };
        emulator.wait_until_it_listens()?;
        emulator.create_container(repository.join("tests/azurite/create_container.mjs"))?;
        Ok(emulator)
    }

    /// A lakehouse root in the container.
    #[must_use]
    pub fn root(&self, path: &str) -> String {
        format!("az://{}/{path}", self.container)
    }

    /// `NSC_STORAGE_` variables that lead to it.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("NSC_STORAGE_ACCOUNT_NAME", ACCOUNT.to_owned()),
            ("NSC_STORAGE_ACCOUNT_KEY", KEY.to_owned()),
            (
                "NSC_STORAGE_ENDPOINT",
                format!("http://127.0.0.1:{}/{ACCOUNT}", self.port),
            ),
            ("NSC_STORAGE_ALLOW_HTTP", "true".to_owned()),
        ]
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.process.try_wait()? {
                return Err(io::Error::other(format!("azurite ended at once: {status}")));
            }
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other("azurite does not listen"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn create_container(&self, script: PathBuf) -> io::Result<()> {
        let output = Command::new("node")
            .arg(script)
            .args([&self.port.to_string(), self.container])
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(io::Error::other(format!("no container in azurite: {said}")))
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port nobody listens on now.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
