//! The peak memory of commands over many dates, measured from outside.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::world::lake;
use super::{nsc, stdout};

const MIB: u64 = 1 << 20;
/// What a process may hold beyond the memory limit.
const BESIDE_THE_LIMIT: u64 = 512 * MIB;

/// Ledger lines of so many days, the days in turns.
fn ledger(file: &Path, days: i32, rounds: usize) {
    let mut text = String::new();
    for round in 0..rounds {
        for day in 0..days {
            let date = nsc_core::DateKst::from_days(15_000 + day);
            writeln!(
                text,
                r#"{{"tx_id":"t{round}_{day}","wallet_id":"u1","type":"HOLD","amount":"1.00","created_at":"{date}T10:00:00Z","ingested_at":"{date}T10:01:00Z"}}"#
            )
            .unwrap();
        }
    }
    std::fs::write(file, text).unwrap();
}

/// Runs a command and returns the most memory it held, as the kernel counts it.
fn peak_of(root: &Path, arguments: &[&str]) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nsc"))
        .args(["--threads", "2"])
        .arg("--root")
        .arg(root)
        .args(arguments)
        .env_clear()
        .env("HOME", root)
        .current_dir(root.parent().unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or_default() * 1024);
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success(), "{ended}");
    assert!(peak > 10 * MIB, "nothing was measured");
    peak
}

fn assert_within(peak: u64, limit: u64) {
    let bound = limit + BESIDE_THE_LIMIT;
    assert!(peak < bound, "{} MiB, of {} MiB", peak / MIB, bound / MIB);
}

#[test]
fn a_load_of_5000_dates_stays_within_its_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (file, root) = (dir.path().join("l.jsonl"), dir.path().join("lake"));
    std::fs::create_dir(&root).unwrap();
    ledger(&file, 5_000, 3);
    let file = file.to_string_lossy().into_owned();
    let peak = peak_of(
        &root,
        &["--memory-limit", "64MiB", "ingest", "transaction_ledger", &file],
    );
    assert_within(peak, 64 * MIB);
    let root_text = root.to_string_lossy().into_owned();
    let query =
        "SELECT count(*) AS n, count(DISTINCT ingest_date) AS days FROM bronze.transaction_ledger_raw";
    let said = nsc(&root, &["--root", &root_text, "--format", "csv", "sql", query]);
    assert_eq!(stdout(&said), "n,days\n15000,5000\n");
}

#[test]
fn a_silver_run_over_three_years_stays_within_its_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (file, root) = (dir.path().join("l.jsonl"), dir.path().join("lake"));
    std::fs::create_dir(&root).unwrap();
    ledger(&file, 1_095, 3);
    let file = file.to_string_lossy().into_owned();
    lake(&root, &["ingest", "transaction_ledger", &file]);
    lake(&root, &["run", "sync-rules"]);
    let day = |n: i32| nsc_core::DateKst::from_days(15_000 + n).start().to_string();
    let (start, end) = (day(0), day(1_096));
    let peak = peak_of(
        &root,
        &[
            "--memory-limit",
            "512MiB",
            "run",
            "silver",
            "--run-mode",
            "backfill",
            "--start-ts",
            &start,
            "--end-ts",
            &end,
        ],
    );
    assert_within(peak, 512 * MIB);
    let root_text = root.to_string_lossy().into_owned();
    let query = "SELECT count(*) AS n, count(DISTINCT event_date_kst) AS days FROM silver.ledger_entries";
    let said = nsc(&root, &["--root", &root_text, "--format", "csv", "sql", query]);
    assert_eq!(stdout(&said), "n,days\n3285,1095\n");
}

#[test]
fn many_dates_run_again_by_an_explicit_window_stay_within_their_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (file, root) = (dir.path().join("l.jsonl"), dir.path().join("lake"));
    std::fs::create_dir(&root).unwrap();
    ledger(&file, 900, 2);
    lake(&root, &["run", "sync-rules"]);
    lake(&root, &["ingest", "transaction_ledger", &file.to_string_lossy()]);
    let day = |n: i32| nsc_core::DateKst::from_days(15_000 + n).to_string();
    let (first, last) = (day(0), day(900));
    let silver = [
        "run",
        "silver",
        "--date-kst-start",
        &first,
        "--date-kst-end",
        &last,
        "--now",
        "2026-01-01T00:00:00Z",
    ];
    lake(&root, &silver);
    // What was recorded is gone: everything stored is compared again.
    std::fs::remove_dir_all(root.join("_nsc/derivations")).unwrap();
    let peak = peak_of(&root, &[&["--memory-limit", "256MiB"], &silver[..]].concat());
    assert_within(peak, 256 * MIB);
}
