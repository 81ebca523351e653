//! What an operator reads and how the process ends when something is wrong.

use crate::{nsc, stderr, stdout};

/// Exit code and what stderr says, for a list of command lines in an empty directory.
fn refused(lines: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("bad.yaml"),
        "version: 1\nrules:\n  - rule_id: a\n    domain: dq\n    metric: x\n    treshold: 1\n",
    )
    .unwrap();
    std::fs::write(dir.path().join("bad.toml"), "[lake]\nroots = 'x'\n").unwrap();
    let mut said = Vec::new();
    for line in lines {
        let output = nsc(dir.path(), &line.split_whitespace().collect::<Vec<_>>());
        let text = stderr(&output).replace(&dir.path().display().to_string(), "DIR");
        said.push(format!(
            "$ nsc {line}   -> {}\n{text}",
            output.status.code().unwrap()
        ));
        assert_eq!(stdout(&output), "", "{line}: nothing on stdout");
    }
    said.join("\n")
}

#[test]
fn usage_and_configuration() {
    insta::assert_snapshot!(refused(&[
        "tabel",
        "run silver --date-kst 2026-01-05 --start-ts 2026-01-05T00:00:00Z --end-ts 2026-01-05T01:00:00Z",
        "run silver --date-kst-start 2026-01-05 --date-kst-end 2026-01-04",
        "run silver --date-kst 2026-01-07 --now 2026-01-06T00:00:00Z",
        "run silver --date-kst 2026-02-30",
        "run silver --run-id a/b",
        "config show --config missing.toml",
        "config show --config bad.toml",
        "config show --log loud",
        "table show ledger_entry",
        "ingest wallets x.jsonl",
        "ingest orders missing.jsonl",
        "rules sync bad.yaml",
        "sample generate --out x --wallets 3",
        "runs show r1",
    ]));
}

#[test]
fn an_empty_lakehouse() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(nsc(dir.path(), &["init"]).status.code(), Some(0));
    for (line, code, exit) in [
        (
            vec![
                "run",
                "silver",
                "--date-kst",
                "2026-01-05",
                "--now",
                "2026-01-06T00:00:00Z",
            ],
            "NSC0301",
            2,
        ),
        (vec!["sql", "SELECT * FROM gold.exception_ledger"], "NSC0103", 6),
        (vec!["sql", "DROP TABLE gold.exception_ledger"], "NSC0502", 2),
        (vec!["sql", "SELECT nothing"], "NSC0501", 2),
        (vec!["table", "history", "gold.exception_ledger"], "NSC0103", 6),
        (vec!["--root", "/proc/none", "rules", "sync"], "NSC0101", 6),
    ] {
        let output = nsc(dir.path(), &line);
        assert!(
            stderr(&output).contains(&format!("ERROR {code}: ")),
            "{line:?}: {}",
            stderr(&output)
        );
        assert_eq!(output.status.code(), Some(exit), "{line:?}");
    }
}

#[test]
fn errors_are_json_when_the_format_is() {
    let dir = tempfile::tempdir().unwrap();
    for line in [
        vec!["table", "show", "nope", "--format", "json"],
        vec!["--format=ndjson", "tabel"],
    ] {
        let output = nsc(dir.path(), &line);
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["exit_code"], 2);
        assert!(error["error"]["code"].as_str().unwrap().starts_with("NSC"));
    }
}

#[test]
fn a_pipeline_that_is_held_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(nsc(dir.path(), &["init"]).status.code(), Some(0));
    let locks = dir.path().join("lakehouse/_nsc/locks");
    std::fs::create_dir_all(&locks).unwrap();
    let file = std::fs::File::create(locks.join("pipeline_silver.lock")).unwrap();
    file.lock().unwrap();
    std::fs::write(
        locks.join("pipeline_silver.lock"),
        r#"{"run_id":"other-run","pid":4711,"renewed_millis":0}"#,
    )
    .unwrap();
    let refused = nsc(dir.path(), &["run", "silver"]);
    assert_eq!((refused.status.code(), stdout(&refused).as_str()), (Some(5), ""));
    insta::assert_snapshot!(stderr(&refused));
    let doctor = nsc(dir.path(), &["doctor"]);
    assert!(
        stdout(&doctor).contains("pipeline_silver by run other-run (process 4711)"),
        "{}",
        stdout(&doctor)
    );
    drop(file);
    // The lock of a dead process is free: the run gets as far as its rules.
    assert_eq!(nsc(dir.path(), &["run", "silver"]).status.code(), Some(2));
}

#[test]
fn controls_wait_for_silver() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(nsc(dir.path(), &["init"]).status.code(), Some(0));
    assert_eq!(nsc(dir.path(), &["rules", "sync"]).status.code(), Some(0));
    let refused = nsc(dir.path(), &["run", "b", "--date-kst", "2026-01-05"]);
    assert_eq!(refused.status.code(), Some(3));
    insta::assert_snapshot!(stderr(&refused));
    let list = nsc(dir.path(), &["runs", "list", "--format", "csv"]);
    assert!(stdout(&list).contains("pipeline_b,failure"), "{}", stdout(&list));
}

#[test]
fn rules_that_no_run_could_use_are_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(nsc(dir.path(), &["rules", "sync"]).status.code(), Some(0));
    let empty = "
version: 1
rules:
- {rule_id: silver_entry_type_allowed_v2, domain: silver, metric: entry_type_allowed}
";
    std::fs::write(dir.path().join("empty.yaml"), empty).unwrap();
    for command in ["sync", "check"] {
        let refused = nsc(dir.path(), &["rules", command, "empty.yaml"]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        let said = stdout(&refused) + &stderr(&refused);
        assert!(
            said.contains("silver_entry_type_allowed_v2") && said.contains("allowed_values"),
            "{command}: {said}"
        );
    }
    let list = nsc(dir.path(), &["rules", "list", "--format", "csv"]);
    assert!(stdout(&list).contains("silver_entry_type_allowed_v1"));
}

#[test]
fn a_time_before_any_source_is_refused_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(nsc(dir.path(), &["init"]).status.code(), Some(0));
    assert_eq!(nsc(dir.path(), &["rules", "sync"]).status.code(), Some(0));
    for pipeline in ["silver", "a", "b", "e2e"] {
        let refused = nsc(dir.path(), &["run", pipeline, "--now", "0001-01-01T00:00:00Z"]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("NSC0404"), "{}", stderr(&refused));
    }
    let usual = nsc(dir.path(), &["run", "e2e", "--now", "2026-01-06T00:00:00Z"]);
    assert_eq!(usual.status.code(), Some(0), "{}", stderr(&usual));
}

#[test]
fn a_run_ahead_of_the_clock_does_not_stop_the_guardrail() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(nsc(dir.path(), &["init"]).status.code(), Some(0));
    assert_eq!(nsc(dir.path(), &["rules", "sync"]).status.code(), Some(0));
    let windows = |now: &str| {
        let output = nsc(dir.path(), &["run", "a", "--now", now, "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        report["windows"].to_string()
    };
    assert!(windows("2199-01-01T00:00:00Z").contains("2198-12-31T23:50:00Z"));
    assert!(windows("2026-01-06T00:10:00Z").contains("2026-01-06T00:00:00Z"));
    // Looking back, with no run ahead of the clock, still judges nothing twice.
    assert!(windows("2199-01-01T00:00:00Z").contains("[]"));
}

#[test]
fn a_run_id_used_twice_keeps_both_reports() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(nsc(dir.path(), &["init"]).status.code(), Some(0));
    assert_eq!(nsc(dir.path(), &["rules", "sync"]).status.code(), Some(0));
    for pipeline in ["silver", "a"] {
        let arguments = [
            "run",
            pipeline,
            "--run-id",
            "again",
            "--now",
            "2026-01-06T00:00:00Z",
        ];
        assert_eq!(nsc(dir.path(), &arguments).status.code(), Some(0));
    }
    let pipeline_of = |run: &str| {
        let shown = nsc(dir.path(), &["runs", "show", run, "--format", "json"]);
        let report: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        report["pipeline"].as_str().unwrap().to_owned()
    };
    assert_eq!(pipeline_of("again"), "pipeline_a");
    assert_eq!(pipeline_of("again.1"), "pipeline_silver");
    let list = nsc(dir.path(), &["runs", "list", "--format", "csv"]);
    let listed: Vec<String> = (stdout(&list).lines().skip(1))
        .map(|line| line.split(',').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(listed, ["again pipeline_a", "again.1 pipeline_silver"]);
}
