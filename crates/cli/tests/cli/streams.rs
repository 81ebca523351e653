//! Data on stdout, everything else on stderr; a reader that leaves is no error.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::{nsc, stderr, stdout};

#[test]
fn a_reader_that_leaves_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_nsc"))
        .args([
            "--root",
            ".",
            "sql",
            "--format",
            "csv",
            "SELECT * FROM generate_series(1, 5000000)",
        ])
        .current_dir(dir.path())
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 64];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn help_version_and_completions_are_results() {
    let dir = tempfile::tempdir().unwrap();
    for (line, wanted) in [
        (&["--help"][..], "Exit codes:"),
        (&["--version"], "nsc 0."),
        (&["completions", "bash"], "complete"),
        (&["help", "run"], "Examples:"),
    ] {
        let output = nsc(dir.path(), line);
        assert_eq!(
            (output.status.code(), stderr(&output).as_str()),
            (Some(0), ""),
            "{line:?}"
        );
        assert!(stdout(&output).contains(wanted), "{line:?}");
    }
}

#[test]
fn a_log_at_any_level_stays_off_stdout() {
    let dir = tempfile::tempdir().unwrap();
    let output = nsc(
        dir.path(),
        &[
            "--root",
            ".",
            "rules",
            "check",
            "--log",
            "trace",
            "--log-format",
            "json",
            "--format",
            "json",
        ],
    );
    assert!(
        serde_json::from_slice::<serde_json::Value>(&output.stdout)
            .unwrap()
            .is_array()
    );
    for line in stderr(&output).lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn a_misspelt_variable_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_nsc"))
        .args(["config", "show"])
        .current_dir(dir.path())
        .env_clear()
        .env("NSC_SALTT", "s3cret")
        .output()
        .unwrap();
    assert!(stderr(&output).contains("NSC_SALTT") && !stderr(&output).contains("s3cret"));
}
