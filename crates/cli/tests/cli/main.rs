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
mod evidence;
mod exact_sql;
mod explained;
mod exports;
mod field_names;
mod findings;
mod from_kafka;
mod judged;
mod killed;
mod memory;
mod newest_row;
mod object_store;
mod other_days;
mod others;
mod parameters;
mod queries;
mod readers;
mod readme;
mod rules;
mod run_records;
mod scenarios;
mod serving;
mod streams;
mod taken_away;
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
        .env("NSC_TIME_ZONE", "UTC")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
