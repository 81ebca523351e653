//! The same chain on Azure storage (Azurite, the emulator) as on a directory: same rows, same refusals.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nsc_lake::{Lake, LakeOptions};
use nsc_testkit::Azurite;

use super::world::{SOURCES, TABLES, chain_steps, generate, lake, load_all, ok, stored};
use super::{stderr, stdout};

/// Runs `nsc` against the emulator.
fn remote(emulator: &Azurite, root: &str, dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nsc"))
        .args(["--root", root])
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .env("NSC_ENV", "local")
        .envs(emulator.variables())
        .output()
        .unwrap()
}

fn remote_rows(emulator: &Azurite, root: &str, dir: &Path, table: &str) -> Vec<String> {
    let query = format!("SELECT * FROM {table}");
    let output = remote(emulator, root, dir, &["--format", "ndjson", "sql", &query]);
    if !output.status.success() {
        assert!(stderr(&output).contains("NSC0103"), "{}", stderr(&output));
        return Vec::new();
    }
    let mut lines: Vec<String> = stdout(&output)
        .lines()
        .map(|line| {
            let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
            // Each lake has loads of its own.
            row.as_object_mut().unwrap().remove("load_id");
            row.to_string()
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn the_chain_on_azure_storage_ends_in_the_rows_of_a_local_one() {
    let dir = tempfile::tempdir().unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let emulator = Azurite::start(&repository, "lake").unwrap();
    let world = generate(
        dir.path(),
        &[
            "--seed",
            "11",
            "--wallets",
            "40",
            "--entries-per-day",
            "600",
            "--days",
            "2",
            "--first-date-kst",
            "2026-01-05",
            "--faults",
        ],
    );
    let local = dir.path().join("lake");
    load_all(&local, &world);
    let root = emulator.root("nsc");
    for source in SOURCES {
        let file = world.join(format!("{source}.jsonl"));
        let file = file.to_string_lossy();
        let arguments = ["ingest", source, &*file, "--ingested-at", "2026-01-09T00:00:00Z"];
        ok(remote(&emulator, &root, dir.path(), &arguments));
        // The content is known, under this name or any other.
        let again = ok(remote(&emulator, &root, dir.path(), &arguments));
        assert!(stdout(&again).contains("was loaded before"), "{}", stdout(&again));
    }
    let mut steps = chain_steps(&["2026-01-05", "2026-01-06"]);
    // A second time: nothing changes, on either storage.
    steps.extend(chain_steps(&["2026-01-05"]));
    for step in &steps {
        lake(&local, step);
        let words: Vec<&str> = step.iter().map(String::as_str).collect();
        ok(remote(&emulator, &root, dir.path(), &words));
    }
    for table in TABLES {
        // A has not run: its table is there on neither storage.
        let wanted = stored(&local, table, &["load_id"]).unwrap_or_default();
        assert_eq!(
            remote_rows(&emulator, &root, dir.path(), table),
            wanted,
            "{table}"
        );
        assert!(
            !wanted.is_empty() || table == "silver.dq_status",
            "{table} is empty"
        );
    }
}

#[test]
fn a_wrong_key_is_refused_with_a_code_and_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let emulator = Azurite::start(&repository, "lake").unwrap();
    let wrong = "c2VjcmV0LXRoYXQtbXVzdC1ub3QtYmUtc2hvd24=";
    let output = Command::new(env!("CARGO_BIN_EXE_nsc"))
        .args(["--root", &emulator.root("nsc"), "run", "sync-rules"])
        .current_dir(dir.path())
        .env_clear()
        .env("HOME", dir.path())
        .envs(emulator.variables())
        .env("NSC_STORAGE_ACCOUNT_KEY", wrong)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert!(stderr(&output).contains("NSC0101"), "{}", stderr(&output));
    assert!(!stderr(&output).contains(wrong));
}

/// Azure storage with a day to be processed, and this process's own way to its locks.
struct Remote {
    emulator: Azurite,
    root: String,
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    lake: Lake,
}

impl Remote {
    fn with_a_day() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let emulator = Azurite::start(&repository, "lake").unwrap();
        let root = emulator.root("nsc");
        let arguments = [
            "--seed",
            "3",
            "--wallets",
            "20",
            "--entries-per-day",
            "200",
            "--days",
            "1",
        ];
        let world = generate(
            dir.path(),
            &[&arguments[..], &["--first-date-kst", "2026-01-05"]].concat(),
        );
        let variables = emulator.variables().into_iter();
        let storage =
            variables.map(|(name, value)| (name.trim_start_matches("NSC_STORAGE_").to_lowercase(), value));
        let options = LakeOptions {
            storage: storage.collect(),
            ..LakeOptions::default()
        };
        let lake = Lake::open(&root, options).unwrap();
        let this = Self {
            emulator,
            root,
            dir,
            runtime: tokio::runtime::Runtime::new().unwrap(),
            lake,
        };
        ok(this.nsc(&["run", "sync-rules", "--now", "2026-01-01T00:00:00Z"]));
        for source in SOURCES {
            let file = world.join(format!("{source}.jsonl"));
            ok(this.nsc(&["ingest", source, &file.to_string_lossy()]));
        }
        this
    }

    fn nsc(&self, arguments: &[&str]) -> Output {
        remote(&self.emulator, &self.root, self.dir.path(), arguments)
    }

    fn holder(&self) -> Option<String> {
        let holder = self
            .runtime
            .block_on(self.lake.holder("pipeline_silver"))
            .unwrap();
        holder.map(|h| h.run_id)
    }

    fn entries(&self) -> usize {
        remote_rows(
            &self.emulator,
            &self.root,
            self.dir.path(),
            "silver.ledger_entries",
        )
        .len()
    }

    /// A run of Silver that was stopped as soon as it held its pipeline, by a lease that has run out since.
    fn run_stopped_past_its_lease(&self) -> Child {
        let child = Command::new(env!("CARGO_BIN_EXE_nsc"))
            .args(["--root", &self.root])
            .args(SILVER)
            .args(["--run-id", "first"])
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("NSC_LEASE_SECONDS", "2")
            .envs(self.emulator.variables())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        self.wait_until(|holder| holder == Some("first"));
        signal(&child, "STOP");
        self.wait_until(|holder| holder.is_none());
        child
    }

    fn wait_until(&self, is_so: impl Fn(Option<&str>) -> bool) {
        let begun = Instant::now();
        while !is_so(self.holder().as_deref()) {
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "the lease does not change"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

const SILVER: [&str; 6] = [
    "run",
    "silver",
    "--date-kst",
    "2026-01-05",
    "--now",
    "2026-01-20T00:00:00Z",
];

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_run_stopped_past_its_lease_commits_nothing_once_another_has_taken_it() {
    let remote = Remote::with_a_day();
    let first = remote.run_stopped_past_its_lease();
    let taken = remote
        .runtime
        .block_on(remote.lake.lock("pipeline_silver", "second"));
    let second = taken.unwrap().unwrap();
    signal(&first, "CONT");
    let ended = first.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(5), "{}", stderr(&ended));
    let said = stderr(&ended);
    assert!(
        said.contains("NSC0109") && said.contains("run second took it"),
        "{said}"
    );
    assert_eq!(remote.entries(), 0);
    assert_eq!(
        remote.holder().as_deref(),
        Some("second"),
        "the other's lease was released"
    );
    remote.runtime.block_on(second.release());
    ok(remote.nsc(&SILVER));
    assert!(remote.entries() > 0);
}

#[test]
fn a_run_stopped_past_its_lease_goes_on_when_nobody_took_it_and_gives_it_back() {
    let remote = Remote::with_a_day();
    let first = remote.run_stopped_past_its_lease();
    signal(&first, "CONT");
    ok(first.wait_with_output().unwrap());
    assert!(remote.entries() > 0);
    assert_eq!(remote.holder(), None, "the lease was left behind");
    // The next run need not wait.
    ok(remote.nsc(&SILVER));
}
