//! `nsc` processes: started with the environment a test gives and no other, watched, and never left behind.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// No wait of a test takes nearly as long, on a busy machine either.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

static STARTED: AtomicU32 = AtomicU32::new(0);

/// A process that runs until it is ended, or dropped.
pub(crate) struct Service {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How a process ended, and all it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Service {
    /// Starts `nsc` in a directory; its output goes to files there.
    pub(crate) fn start(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::spawn(directory, arguments, environment, None)
    }

    /// As [`Service::start`], with a stderr of the test's choice: its log is then read nowhere.
    pub(crate) fn start_with_stderr(
        directory: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        stderr: Stdio,
    ) -> Self {
        Self::spawn(directory, arguments, environment, Some(stderr))
    }

    fn spawn(
        directory: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        other_stderr: Option<Stdio>,
    ) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let path = |stream: &str| directory.join(format!("{number}.{stream}"));
        let (stdout, stderr) = (path("stdout"), path("stderr"));
        let stderr_file = File::create(&stderr).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_nsc"))
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("HOME", directory)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(other_stderr.unwrap_or_else(|| stderr_file.into()))
            .spawn()
            .unwrap();
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.stderr).unwrap()).into_owned()
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The address that its log says it serves on (it logs JSON lines at level info).
    pub(crate) fn address(&mut self) -> SocketAddr {
        let begun = Instant::now();
        loop {
            let log = self.log();
            let lines = log.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
            let mut addresses = lines.filter_map(|l| l.get("address")?.as_str()?.parse().ok());
            if let Some(address) = addresses.next() {
                return address;
            }
            assert!(
                self.runs() && begun.elapsed() < PATIENCE,
                "it serves nothing:\n{log}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a text in its log.
    pub(crate) fn wait_until_it_says(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(
                self.runs() && begun.elapsed() < PATIENCE,
                "it does not say {text}:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// `kill -9`: no handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) {
        self.send(Signal::KILL);
        self.child.wait().unwrap();
    }

    /// `SIGTERM`, and how it ended then.
    pub(crate) fn stop(self) -> Ended {
        self.send(Signal::TERM);
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        };
        Ended {
            code: status.code(),
            stdout: std::fs::read_to_string(&self.stdout).unwrap(),
            stderr: self.log(),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub(crate) fn run(directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    Service::start(directory, arguments, environment).end()
}
