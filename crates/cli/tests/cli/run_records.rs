//! A run leaves its beginning and its end, whatever ends it; and waits for whoever holds a pipeline when told to.
//! Follows lakehouse contract 4.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::world::lake;
use super::{nsc, stderr, stdout};

/// Holds a pipeline as another run would.
fn hold(root: &Path, pipeline: &str) -> File {
    let locks = root.join("_nsc/locks");
    std::fs::create_dir_all(&locks).unwrap();
    let path = locks.join(format!("{pipeline}.lock"));
    let file = File::create(&path).unwrap();
    file.lock().unwrap();
    std::fs::write(&path, r#"{"run_id":"other-run","pid":4711,"renewed_millis":0}"#).unwrap();
    file
}

fn start(root: &Path, line: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_nsc"))
        .arg("--root")
        .arg(root)
        .args(line.split_whitespace())
        .env_clear()
        .env("HOME", root)
        .current_dir(root.parent().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn stored(root: &Path, run: &str) -> Option<Value> {
    let text = std::fs::read(root.join(format!("_nsc/runs/{run}.json"))).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Waits until a run's record says something.
fn wait_for(root: &Path, run: &str, is_there: impl Fn(&Value) -> bool) {
    let found = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        stored(root, run).is_some_and(|r| is_there(&r))
    });
    assert!(found, "run {run} has no such record: {:?}", stored(root, run));
}

fn made(dir: &Path) -> PathBuf {
    let root = dir.join("lake");
    lake(&root, &["init"]);
    root
}

fn at(root: &Path, line: &str) -> Output {
    let root = root.to_string_lossy().into_owned();
    let mut words = vec!["--root", &root];
    words.extend(line.split_whitespace());
    nsc(Path::new(&root), &words)
}

/// A chain that stands before Silver, which somebody else holds.
fn stuck(root: &Path) -> (File, Child) {
    let held = hold(root, "pipeline_silver");
    let line = "run e2e --run-id night --now 2026-01-05T15:30:00Z --wait 10m";
    let child = start(root, line);
    let is_there = |r: &Value| r["parts"].as_array().is_some_and(|p| p.len() == 2);
    wait_for(root, "night", is_there);
    (held, child)
}

#[test]
fn a_run_that_is_told_to_stop_says_so_and_leaves_no_lock() {
    for (signal, name) in [("TERM", "SIGTERM"), ("INT", "SIGINT")] {
        let dir = tempfile::tempdir().unwrap();
        let root = made(dir.path());
        let (held, child) = stuck(&root);
        let begun = stored(&root, "night").unwrap();
        assert_eq!(begun["status"], "started");
        let told = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(told.unwrap().success());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(130), "{}", stderr(&ended));
        let said = stored(&root, "night").unwrap();
        assert_eq!(said["status"], "interrupted");
        assert!(said["error"].as_str().unwrap().contains(name), "{said}");
        // The report is printed as far as the chain came.
        assert!(stdout(&ended).contains("e2e: interrupted"), "{}", stdout(&ended));
        drop(held);
        let doctor = stdout(&at(&root, "doctor"));
        assert!(
            doctor.contains("none held") && !doctor.contains("no end"),
            "{doctor}"
        );
        // The same run again is done, and both are kept.
        let again = at(&root, "run e2e --run-id night --now 2026-01-05T15:30:00Z");
        assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
        let list = stdout(&at(&root, "runs list --format csv"));
        assert!(
            list.contains("night,e2e,success") && list.contains("night.1,e2e,interrupted"),
            "{list}"
        );
    }
}

#[test]
fn a_run_that_was_killed_is_a_start_without_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let root = made(dir.path());
    let (held, mut child) = stuck(&root);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(held);
    let list = stdout(&at(&root, "runs list --format csv"));
    assert!(list.contains("night,e2e,started"), "{list}");
    let doctor = at(&root, "doctor");
    assert_eq!(doctor.status.code(), Some(0));
    assert!(
        stdout(&doctor).contains("night of e2e") && stdout(&doctor).contains("no end"),
        "{}",
        stdout(&doctor)
    );
    // A run that goes on is none: its lock says so.
    let running = hold(&root, "pipeline_b");
    std::fs::write(
        root.join("_nsc/locks/pipeline_b.lock"),
        r#"{"run_id":"night","pid":4711,"renewed_millis":0}"#,
    )
    .unwrap();
    let doctor = stdout(&at(&root, "doctor"));
    assert!(!doctor.contains("no end"), "{doctor}");
    drop(running);
}

#[test]
fn a_held_pipeline_is_waited_for_as_long_as_was_said() {
    let dir = tempfile::tempdir().unwrap();
    let root = made(dir.path());
    lake(&root, &["run", "sync-rules", "--now", "2026-01-01T00:00:00Z"]);
    let held = hold(&root, "pipeline_silver");
    let refused = at(&root, "run silver --now 2026-01-05T15:30:00Z --wait 1s");
    assert_eq!(refused.status.code(), Some(5), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("held by run other-run"),
        "{}",
        stderr(&refused)
    );
    assert!(
        stored(&root, "late").is_none(),
        "a run that never began leaves nothing"
    );
    let waiting = start(
        &root,
        "run silver --run-id late --now 2026-01-05T15:30:00Z --wait 5m",
    );
    std::thread::sleep(Duration::from_millis(500));
    drop(held);
    let ended = waiting.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(stored(&root, "late").unwrap()["status"], "success");
    for wrong in ["soon", "-1s", "5d", "1.5h", ""] {
        let line = ["run", "silver", "--wait", wrong];
        assert_eq!(nsc(dir.path(), &line).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn a_night_is_not_lost_for_the_guardrail_of_the_ten_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let root = made(dir.path());
    let held = hold(&root, "pipeline_a");
    let night = at(
        &root,
        "run e2e --run-id night --now 2026-01-05T15:30:00Z --wait 0s --format json",
    );
    assert_eq!(night.status.code(), Some(0), "{}", stderr(&night));
    let report: Value = serde_json::from_slice(&night.stdout).unwrap();
    let parts: Vec<String> = report["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            format!(
                "{} {}",
                p["pipeline"].as_str().unwrap(),
                p["status"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        parts,
        [
            "sync_rules success",
            "pipeline_a skipped",
            "pipeline_silver success",
            "pipeline_b success",
            "pipeline_c success"
        ]
    );
    assert!(
        report["parts"][1]["error"]
            .as_str()
            .unwrap()
            .contains("the chain went on without it"),
        "{}",
        report["parts"][1]
    );
    drop(held);
    // Any other pipeline of the chain is not gone without.
    let held = hold(&root, "pipeline_silver");
    let refused = at(&root, "run e2e --run-id next --now 2026-01-05T15:30:00Z");
    assert_eq!(refused.status.code(), Some(5), "{}", stderr(&refused));
    assert_eq!(stored(&root, "next").unwrap()["status"], "failure");
    drop(held);
}

#[test]
fn a_report_says_when_it_really_ran_who_ran_it_with_what_and_by_which_rules() {
    let dir = tempfile::tempdir().unwrap();
    let root = made(dir.path());
    let ran = at(&root, "run e2e --run-id night --now 2026-01-05T15:30:00Z");
    assert_eq!(ran.status.code(), Some(0), "{}", stderr(&ran));
    let report = stored(&root, "night").unwrap();
    let time = |report: &Value, name: &str| report[name].as_str().unwrap().to_owned();
    let (started, finished) = (time(&report, "started_at"), time(&report, "finished_at"));
    assert!(
        "2026-01-06" < started.as_str() && started <= finished,
        "{started} {finished}"
    );
    assert_eq!(report["now"], "2026-01-05T15:30:00Z");
    assert!(report["invoked_by"].as_str().unwrap().contains('@'));
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    let part = |name: &str| {
        let parts = report["parts"].as_array().unwrap();
        parts.iter().find(|p| p["pipeline"] == name).unwrap().clone()
    };
    let rules = part("pipeline_b")["rules_in_force"].as_array().unwrap().len();
    assert!(rules >= 18, "{rules}");
    assert!(started <= time(&part("pipeline_silver"), "started_at"));

    // The same configuration has one hash, another one another.
    let hash = |line: &str| {
        at(&root, line);
        time(&stored(&root, "again").unwrap(), "configuration")
    };
    let again = "run silver --date-kst 2026-01-05 --run-id again --now 2026-01-06T15:30:00Z";
    assert_eq!(hash(again), time(&report, "configuration"));
    assert_ne!(
        hash(&format!("{again} --threads 1")),
        time(&report, "configuration")
    );
}

#[test]
fn runs_are_found_by_pipeline_status_time_and_the_beginning_of_their_id() {
    let dir = tempfile::tempdir().unwrap();
    let root = made(dir.path());
    at(&root, "run e2e --run-id night-1 --now 2026-01-05T15:30:00Z");
    at(
        &root,
        "run silver --run-id silver-1 --date-kst 2026-01-05 --now 2026-01-06T15:30:00Z",
    );
    at(
        &root,
        "run b --run-id early --date-kst 2026-01-20 --now 2026-01-21T15:30:00Z",
    );
    let listed = |flags: &str| -> Vec<String> {
        let listed = stdout(&at(&root, &format!("runs list --format ndjson {flags}")));
        let id = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["run_id"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        listed.lines().map(id).collect()
    };
    // A chain with the step is a run of it, too.
    assert_eq!(listed("--pipeline silver"), ["silver-1", "night-1"]);
    assert_eq!(listed("--pipeline a"), ["night-1"]);
    assert_eq!(listed("--pipeline e2e --status success"), ["night-1"]);
    assert_eq!(listed("--status failure"), ["early"]);
    assert_eq!(listed("--since 2099-01-01T00:00:00Z"), [""; 0]);
    assert_eq!(listed("").len(), 3);
    let shown = |run: &str| {
        let shown = at(&root, &format!("runs show {run} --format json"));
        let report: Option<Value> = serde_json::from_slice(&shown.stdout).ok();
        report.map(|r| r["pipeline"].as_str().unwrap().to_owned())
    };
    assert_eq!(shown("last").as_deref(), Some("pipeline_b"));
    assert_eq!(shown("night").as_deref(), Some("e2e"));
    assert_eq!(shown("night.silver").as_deref(), Some("pipeline_silver"));
    assert_eq!(shown("nig.a").as_deref(), Some("pipeline_a"));
    assert_eq!(shown("nobody"), None);
}

#[test]
fn a_table_is_read_as_a_run_left_it_or_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    lake(&root, &["run", "sync-rules", "--now", "2026-01-01T00:00:00Z"]);
    for (n, run) in ["first", "second"].into_iter().enumerate() {
        let file = dir.path().join(format!("{run}.jsonl"));
        let line = format!(
            r#"{{"tx_id":"t{n}","wallet_id":"u1","type":"CHARGE","amount":"1.00","created_at":"2026-01-05T01:00:00Z"}}"#
        );
        std::fs::write(&file, line + "\n").unwrap();
        lake(&root, &["ingest", "transaction_ledger", &file.to_string_lossy()]);
        for pipeline in ["silver", "b"] {
            let id = format!("{run}-{pipeline}");
            let day = ["--date-kst", "2026-01-05", "--now", "2026-01-05T15:30:00Z"];
            lake(&root, &[&["run", pipeline, "--run-id", &id], &day[..]].concat());
        }
    }
    let count = |run: &str| {
        let sql = format!("SELECT count(*) FROM as_of_run('silver.ledger_entries', '{run}')");
        let output = lake(&root, &["--format", "csv", "sql", &sql]);
        stdout(&output).lines().nth(1).unwrap().to_owned()
    };
    // What the first wrote, what B read of it, the beginning of an id, the newest run.
    let found = ["first-silver", "first-b", "second-s", "last"].map(count);
    assert_eq!(found, ["1", "1", "2", "2"]);
    let root_text = root.to_string_lossy();
    for (run, said) in [
        ("nobody", "no report of a run nobody"),
        ("first", "2 runs have ids"),
        ("second-silver', 'x", "takes a table and a run"),
    ] {
        let sql = format!("SELECT 1 FROM as_of_run('silver.ledger_entries', '{run}')");
        let refused = nsc(dir.path(), &["--root", &root_text, "sql", &sql]);
        assert!(
            refused.status.code() == Some(2) && stderr(&refused).contains(said),
            "{}",
            stderr(&refused)
        );
    }
    let sql = "SELECT 1 FROM as_of_run('gold.admin_tx_search', 'first-silver')";
    let refused = nsc(dir.path(), &["--root", &root_text, "sql", sql]);
    assert!(
        stderr(&refused).contains("neither wrote nor read"),
        "{}",
        stderr(&refused)
    );
}
