//! Parameters of a run as schedulers give them.
//! Holds lakehouse contract 4, "Parameters".

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::{nsc, stderr, stdout};

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn with_rules() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(nsc(dir.path(), &["init"]).status.code(), Some(0));
    json(&nsc(dir.path(), &["rules", "sync", "--format", "json"]));
    dir
}

fn in_job(dir: &Path, id: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nsc"))
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .env("NSC_ENV", "local")
        .env("DATABRICKS_JOB_RUN_ID", id)
        .output()
        .unwrap()
}

#[test]
fn a_parameter_without_a_value_is_as_if_it_were_not_there() {
    let dir = with_rules();
    let all = [
        "run",
        "silver",
        "--run-mode",
        "",
        "--start-ts",
        " ",
        "--end-ts",
        "",
        "--date-kst-start",
        "",
        "--date-kst-end=",
        "--run-id",
        "",
        "--rules-as-of",
        "",
        "--fail-on",
        "",
        "--now",
        "2026-01-06T00:00:00Z",
        "--format",
        "JSON",
    ];
    let report = json(&nsc(dir.path(), &all));
    // Yesterday (KST), as without any of them.
    assert_eq!(report["windows"][0]["start"], "2026-01-04T15:00:00Z");
    let refused = nsc(dir.path(), &["run", "silver", "--root", ""]);
    assert_ne!(refused.status.code(), Some(0), "a blank root is no root");
}

#[test]
fn words_of_the_parameters_are_read_in_any_case() {
    let dir = with_rules();
    let report = json(&nsc(
        dir.path(),
        &[
            "run",
            "SILVER",
            "--run-mode",
            "BACKFILL",
            "--date-kst",
            "2026-01-05",
            "--now",
            "2026-01-06T00:00:00Z",
            "--fail-on",
            "CRITICAL",
            "--format",
            "Json",
        ],
    ));
    assert_eq!(report["pipeline"], "pipeline_silver");
}

#[test]
fn the_run_id_is_the_jobs_unless_one_is_given() {
    let dir = with_rules();
    let dir = dir.path();
    let silver = [
        "run",
        "silver",
        "--now",
        "2026-01-06T00:00:00Z",
        "--format",
        "json",
    ];
    assert_eq!(json(&in_job(dir, "job-4711", &silver))["run_id"], "job-4711");
    let given = [&silver[..], &["--run-id", "mine"]].concat();
    assert_eq!(json(&in_job(dir, "job-4711", &given))["run_id"], "mine");
    let blank = [&silver[..], &["--run-id", ""]].concat();
    assert_eq!(json(&in_job(dir, "job-4712", &blank))["run_id"], "job-4712");
    assert!(json(&in_job(dir, " ", &silver))["run_id"].as_str().unwrap().len() > 30);
    let refused = in_job(dir, "a/b", &silver);
    assert_eq!(refused.status.code(), Some(2));
    let said: Value = serde_json::from_str(&stderr(&refused)).unwrap();
    assert_eq!(
        said["error"]["message"],
        "DATABRICKS_JOB_RUN_ID is \"a/b\", which is no run id"
    );
}

#[test]
fn a_flag_without_a_meaning_here_is_refused_with_what_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    let said: Vec<String> = [
        "run b --task recon",
        "run a --catalog=main",
        "run c --secret-scope s --secret-key k",
        "run b --skip-upstream-readiness-check",
        "run sync-rules --rule-seed-path rules.json",
    ]
    .into_iter()
    .map(|line| {
        let refused = nsc(dir.path(), &line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(
            (refused.status.code(), stdout(&refused).as_str()),
            (Some(2), ""),
            "{line}"
        );
        format!("$ nsc {line}\n{}", stderr(&refused))
    })
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn windows_that_a_scheduler_names_one_after_the_other_carry_the_count_of_empty_ones() {
    let dir = with_rules();
    let dir = dir.path();
    let judge = |mode: &str, start: &str, end: &str| {
        let (start, end) = (format!("2026-01-05T{start}:00Z"), format!("2026-01-05T{end}:00Z"));
        let line = [
            "run",
            "a",
            "--run-mode",
            mode,
            "--start-ts",
            &start,
            "--end-ts",
            &end,
            "--now",
            "2026-01-05T12:00:00Z",
            "--format",
            "json",
        ];
        json(&nsc(dir, &line));
        let state = "SELECT last_processed_end, dq_zero_window_counts AS counts FROM gold.pipeline_state WHERE pipeline_name = 'pipeline_a'";
        let state = json(&nsc(dir, &["sql", state, "--format", "json"]))[0].clone();
        let counts: Value = serde_json::from_str(state["counts"].as_str().unwrap_or("{}")).unwrap();
        (
            state["last_processed_end"].as_str().unwrap_or("never").to_owned(),
            counts["transaction_ledger_raw"].as_u64(),
        )
    };
    let at = |minute: &str| format!("2026-01-05T{minute}:00Z");
    assert_eq!(judge("incremental", "01:00", "01:10"), (at("01:10"), Some(1)));
    assert_eq!(judge("incremental", "01:10", "01:20"), (at("01:20"), Some(2)));
    assert_eq!(judge("incremental", "01:20", "01:30"), (at("01:30"), Some(3)));
    // A window that was judged before changes nothing, nor does a backfill.
    assert_eq!(judge("incremental", "01:10", "01:20"), (at("01:30"), Some(3)));
    assert_eq!(judge("backfill", "01:30", "01:50"), (at("01:30"), Some(3)));
    // After windows nobody named, there is no count to go on from.
    assert_eq!(judge("incremental", "02:00", "02:10"), (at("02:10"), Some(1)));
}
