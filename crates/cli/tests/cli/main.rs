//! The binary from outside: exit codes, errors, streams.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stand outside #[test] functions"
)]

mod convergence;
mod corrections;
mod deliveries;
mod environment;
mod error_pages;
mod errors;
mod field_names;
mod judged;
mod exact_sql;
mod findings;
mod killed;
mod memory;
mod newest_row;
mod object_store;
mod other_days;
mod others;
mod queries;
mod readers;
mod run_records;
mod rules;
mod scenarios;
mod serving;
mod streams;
mod world;

use std::path::Path;
use std::process::{Command, Output};

/// Runs `nsc` in a directory with a clean environment, on a developer's machine.
fn nsc(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nsc"))
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .env("NSC_ENV", "local")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
