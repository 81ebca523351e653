//! The same chain on Azure storage (Azurite, the emulator) as on a directory: same rows, same refusals.

use std::path::Path;
use std::process::{Command, Output};

use nsc_testkit::Azurite;

use super::world::{SOURCES, TABLES, chain_steps, generate, lake, load_all, ok, rows};
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
            serde_json::from_str::<serde_json::Value>(line)
                .unwrap()
                .to_string()
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
        let wanted = rows(&local, table, &[]);
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
