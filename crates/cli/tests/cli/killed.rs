//! `kill -9` at any instant, then the same command again: the tables are those of an undisturbed run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::world::{SOURCES, assert_same, chain_steps, dump, generate, ingest_arguments, lake};

const DAYS: [&str; 2] = ["2026-01-05", "2026-01-06"];

/// Every command of the story, in order.
fn story(world: &Path) -> Vec<Vec<String>> {
    let loads = SOURCES
        .iter()
        .map(|s| ingest_arguments(s, &world.join(format!("{s}.jsonl"))));
    let guard = "run a --run-mode backfill --start-ts 2026-01-05T02:00:00Z --end-ts 2026-01-05T04:00:00Z --now 2026-01-20T00:00:00Z --run-id guard";
    let mut steps: Vec<Vec<String>> = loads.chain(chain_steps(&[])).collect();
    steps.push(guard.split_whitespace().map(str::to_owned).collect());
    steps.extend(chain_steps(&DAYS).into_iter().skip(1));
    steps
}

/// Starts a command and kills it after a while; true when it had ended before.
fn killed_after(root: &Path, step: &[String], wait: Duration) -> bool {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nsc"))
        .arg("--root")
        .arg(root)
        .args(step)
        .env_clear()
        .env("HOME", root)
        .env("NSC_ENV", "local")
        .current_dir(root.parent().unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(wait);
    let ended = child.try_wait().unwrap().is_some();
    // SIGKILL: no handler runs, nothing is flushed.
    let _ = child.kill();
    child.wait().unwrap();
    ended
}

#[test]
fn commands_killed_at_every_moment_end_in_the_undisturbed_state() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "--seed",
        "5",
        "--wallets",
        "80",
        "--entries-per-day",
        "1500",
        "--days",
        "2",
        "--first-date-kst",
        DAYS[0],
        "--faults",
    ];
    let world = generate(dir.path(), &arguments);
    let (calm, killed) = (dir.path().join("calm"), dir.path().join("killed"));
    std::fs::create_dir(&killed).unwrap();
    let mut kills = 0;
    for step in story(&world) {
        let begun = Instant::now();
        lake(&calm, &step);
        let undisturbed = begun.elapsed();
        // From almost at once to after the end, in uneven steps of the time the command takes on this machine, so that
        // every phase is hit however fast it is.
        let mut wait = undisturbed / 16;
        let mut hit = 0;
        while !killed_after(&killed, &step, wait) {
            hit += 1;
            wait += undisturbed / 24 + wait / 6;
        }
        assert!(
            hit > 0,
            "no kill hit nsc {}, which takes {undisturbed:?}",
            step.join(" ")
        );
        kills += hit;
        lake(&killed, &step);
    }
    println!("{kills} kills hit a running command");
    // Each lake has loads of its own.
    assert_same(&dump(&killed, &["load_id"]), &dump(&calm, &["load_id"]));
}
