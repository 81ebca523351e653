//! Rows, numbers and pages taken elsewhere: files, Prometheus, manuals, another language.

use std::io::{Read, Write};
use std::process::Command;

use serde_json::{Value, json};

use crate::world::{as_json, at, demo, lake, ok};
use crate::{nsc, stderr, stdout};

const DAY: &str = "2026-01-05";

#[test]
fn rows_go_into_files_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let file = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let statement = "SELECT user_id, drift_abs, opening_ts, date_kst FROM gold.recon_daily_snapshot_flow ORDER BY user_id";
    for name in ["r.csv", "r.parquet", "r.xlsx"] {
        let written = as_json(&root, &["sql", "--out", &file(name), statement]);
        assert_eq!(written[0]["rows"], 13, "{name}");
    }
    let csv = std::fs::read_to_string(file("r.csv")).unwrap();
    assert!(
        csv.starts_with("user_id,drift_abs,opening_ts,date_kst\r\n") && csv.ends_with("\r\n"),
        "{csv}"
    );
    assert!(
        csv.contains("user-1003,100.00,2026-01-04T15:00:00Z,2026-01-05\r\n"),
        "{csv}"
    );
    lake(
        &root,
        &[
            "sql",
            "--out",
            &file("bom.csv"),
            "--csv-bom",
            "SELECT '가' AS name",
        ],
    );
    assert_eq!(
        std::fs::read(file("bom.csv")).unwrap(),
        "\u{feff}name\r\n가\r\n".as_bytes()
    );
    let parquet = std::fs::read(file("r.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    assert!(std::fs::read(file("r.xlsx")).unwrap().starts_with(b"PK"));
    // Half a result is none, and what was there stays.
    std::fs::write(file("old.csv"), "old").unwrap();
    let failed = at(
        &root,
        &[
            "sql",
            "--out",
            &file("old.csv"),
            "SELECT 1 / (n - 3) AS n FROM generate_series(1, 5) AS t(n)",
        ],
    );
    assert_eq!(failed.status.code(), Some(2), "{}", stderr(&failed));
    assert_eq!(std::fs::read_to_string(file("old.csv")).unwrap(), "old");
    let left = std::fs::read_dir(dir.path()).unwrap().filter(|e| {
        e.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".part")
    });
    assert_eq!(left.count(), 0);
    for (arguments, why) in [
        (["--out", "x.txt", "SELECT 1"], ".csv, .parquet or .xlsx"),
        (["--out", "x.csv", "SELECT 1; SELECT 2"], "one statement"),
        (["--out", "missing/x.csv", "SELECT 1"], "NSC0207"),
    ] {
        let refused = at(&root, &[&["sql"], &arguments[..]].concat());
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains(why), "{}", stderr(&refused));
    }
}

#[test]
fn numbers_of_a_finding_and_columns_of_a_table_are_at_hand() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let finding = "FROM gold.exception_ledger WHERE exception_type = 'RECON_DRIFT_HIGH'";
    let numbers = as_json(
        &root,
        &[
            "sql",
            &format!(
                "SELECT message->>'drift_abs' AS text, message->'drift_abs' AS json, CAST(message->>'drift_abs' AS DECIMAL(38, 2)) AS amount {finding}"
            ),
        ],
    );
    assert_eq!(
        numbers,
        json!([{"text": "100.00", "json": "\"100.00\"", "amount": "100.00"}])
    );
    // In the order of the contract, whatever the order of the files.
    let columns = |statement: &str| {
        let output = lake(&root, &["--format", "csv", "sql", statement]);
        stdout(&output).lines().next().unwrap().to_owned()
    };
    for of in [
        "gold.ledger_supply_balance_daily",
        "version_of('gold.ledger_supply_balance_daily', 1)",
    ] {
        assert!(
            columns(&format!("SELECT * FROM {of}"))
                .starts_with("date_kst,issued_supply,wallet_total_balance,diff_amount")
        );
    }
    assert!(
        columns("SELECT * FROM silver.ledger_entries LIMIT 1")
            .starts_with("tx_id,wallet_id,event_time,event_date_kst,entry_type")
    );
}

#[test]
fn what_a_run_did_is_a_text_that_prometheus_reads() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let file = dir.path().join("nsc.prom");
    lake(
        &root,
        &[
            "run",
            "b",
            "--date-kst",
            DAY,
            "--metrics-file",
            file.to_str().unwrap(),
        ],
    );
    let text = std::fs::read_to_string(&file).unwrap();
    for line in [
        "nsc_run_success{pipeline=\"pipeline_b\",run=\"pipeline_b\"} 1",
        "nsc_run_verdict{control=\"B-2 supply\",pipeline=\"pipeline_b\",run=\"pipeline_b\",subject=\"2026-01-05\",verdict=\"CRITICAL\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    // A run that fails says so as well.
    let failed = at(
        &root,
        &[
            "run",
            "b",
            "--date-kst",
            "2026-01-09",
            "--metrics-file",
            file.to_str().unwrap(),
        ],
    );
    assert_eq!(failed.status.code(), Some(3));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("nsc_run_success{pipeline=\"pipeline_b\",run=\"pipeline_b\"} 0"),
        "{text}"
    );
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let printed = ok(nsc(dir.path(), &["man"]));
    assert!(stdout(&printed).contains(".TH nsc 1"));
    ok(nsc(dir.path(), &["man", "--out", "man"]));
    for page in ["nsc.1", "nsc-run.1", "nsc-loads-retract.1", "nsc-explain-tx.1"] {
        assert!(dir.path().join("man").join(page).exists(), "{page}");
    }
}

#[test]
fn errors_have_a_korean_title_and_page_where_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let korean = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_nsc"))
            .args(arguments)
            .current_dir(dir.path())
            .env_clear()
            .env("NSC_LANG", "ko")
            .output()
            .unwrap()
    };
    let refused = korean(&["runs", "list"]);
    assert!(
        stderr(&refused).starts_with("ERROR NSC0406 루트에 레이크하우스가 없음: "),
        "{}",
        stderr(&refused)
    );
    let page = korean(&["explain", "error", "NSC0406"]);
    assert!(stdout(&page).contains("## 할 일"), "{}", stdout(&page));
    // A machine is answered in one language.
    let machine = korean(&["--format", "json", "runs", "list"]);
    let error: Value = serde_json::from_slice(&machine.stderr).unwrap();
    assert_eq!(error["error"]["title"], "no lakehouse at the root");
    let wrong = nsc(dir.path(), &["config", "show"]);
    assert!(stdout(&wrong).contains("display.language"));
}

#[test]
fn each_look_is_recorded_before_it_is_answered_or_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let looks = dir.path().join("looks.jsonl");
    let look = |file: &std::path::Path, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsc"));
        let run = command.args(arguments).current_dir(dir.path()).env_clear();
        let run = run.env("NSC_ENV", "local").env("NSC_ROOT", &root);
        run.env("NSC_LOOKS_FILE", file).output().unwrap()
    };
    let question = "SELECT count(*) AS n FROM gold.open_findings";
    ok(look(&looks, &["sql", question]));
    ok(look(
        &looks,
        &["explain", "recon", "--date-kst", DAY, "--wallet", "user-1003"],
    ));
    let recorded = std::fs::read_to_string(&looks).unwrap();
    let recorded: Vec<Value> = recorded
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(recorded[0]["statement"], question);
    assert!(
        recorded[0]["actor"].as_str().unwrap().contains('@'),
        "{recorded:?}"
    );
    let of_explain = "nsc explain recon --date-kst 2026-01-05 --wallet user-1003";
    assert_eq!(
        (recorded.len(), &recorded[1]["statement"]),
        (2, &json!(of_explain))
    );

    let nowhere = look(&dir.path().join("absent/looks.jsonl"), &["sql", question]);
    assert_eq!(nowhere.status.code(), Some(6));
    assert!(stderr(&nowhere).contains("NSC0506") && stdout(&nowhere).is_empty());
}

/// Every member of a document, with the schema of the object it is in.
fn undescribed(document: &Value, schema: &Value, root: &Value) -> Vec<String> {
    // What may be absent is one of two: the thing, or null.
    let mut schema = schema["anyOf"].get(0).unwrap_or(schema);
    if let Some(name) = schema["$ref"].as_str() {
        let steps = name.trim_start_matches('#').split('/');
        schema = steps
            .filter(|step| !step.is_empty())
            .fold(root, |at, step| &at[step]);
    }
    match document {
        Value::Object(members) => {
            let of_member = |(name, value): (&String, &Value)| {
                let found = [&schema["properties"][name], &schema["additionalProperties"]];
                match found.into_iter().find(|s| s.is_object()) {
                    Some(found) => undescribed(value, found, root),
                    None => vec![name.clone()],
                }
            };
            members.iter().flat_map(of_member).collect()
        }
        Value::Array(items) => {
            let of_item = |item| undescribed(item, &schema["items"], root);
            items.iter().flat_map(of_item).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn schemas_describe_every_member_of_a_report_and_of_the_rules() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let schema = as_json(&root, &["runs", "schema"]);
    let report = as_json(&root, &["runs", "show", "last"]);
    assert_eq!(undescribed(&report, &schema, &schema), Vec::<String>::new());
    let required = schema["required"].as_array().unwrap();
    assert!(
        required
            .iter()
            .all(|name| report.get(name.as_str().unwrap()).is_some())
    );
    assert_eq!(
        undescribed(&json!({"unheard_of": 1}), &schema, &schema),
        ["unheard_of"]
    );

    let schema = as_json(&root, &["rules", "schema"]);
    let rules = include_str!("../../../../config/rules.yaml");
    let rules: Value = serde_yaml_ng::from_str(rules).unwrap();
    assert_eq!(undescribed(&rules, &schema, &schema), Vec::<String>::new());
    let file = &schema["$defs"]["RulesFile"];
    assert_eq!(file["additionalProperties"], json!(false));
    assert_eq!(schema["anyOf"][1]["items"]["$ref"], "#/$defs/Rule", "{schema}");
}

/// Takes one request, and gives its head and body.
fn collector(listener: std::net::TcpListener) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut part = [0; 8192];
        stream
            .set_read_timeout(Some(std::time::Duration::from_millis(500)))
            .unwrap();
        while let Ok(n @ 1..) = stream.read(&mut part) {
            request.extend_from_slice(&part[..n]);
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        request
    })
}

#[test]
fn what_a_run_did_is_sent_to_a_collector_and_one_that_is_away_fails_no_run() {
    let dir = tempfile::tempdir().unwrap();
    let root = demo(dir.path());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let run = |endpoint: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsc"));
        let run = command
            .args(["run", "b", "--date-kst", DAY])
            .current_dir(dir.path());
        let run = run.env_clear().env("NSC_ENV", "local").env("NSC_ROOT", &root);
        run.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).output().unwrap()
    };
    let taken = collector(listener);
    ok(run(&endpoint));
    let request = String::from_utf8_lossy(&taken.join().unwrap()).into_owned();
    assert!(request.starts_with("POST /v1/metrics"), "{request}");
    for word in [
        "nsc_run_success",
        "nsc_run_verdict",
        "B-2 supply",
        "nsc-run-pipeline_b",
    ] {
        assert!(request.contains(word), "{word}");
    }
    let away = ok(run(&endpoint));
    assert!(
        stderr(&away).contains("the last metrics were not sent"),
        "{}",
        stderr(&away)
    );
}
