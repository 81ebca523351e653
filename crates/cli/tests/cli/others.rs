//! What other programs and hands do to a lake between two nights.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::taken_away::{emptied, live};
use super::world::{lake, rows};
use super::{nsc, stderr, stdout};

fn entry(dir: &Path, tx: &str, wallet: &str, day: &str) -> String {
    let file = dir.join(format!("{tx}.jsonl"));
    let line = format!(
        r#"{{"tx_id":"{tx}","wallet_id":"{wallet}","type":"HOLD","amount":"1.00","created_at":"{day}T10:00:00+09:00","ingested_at":"{day}T01:01:00Z"}}"#
    );
    std::fs::write(&file, line + "\n").unwrap();
    file.to_string_lossy().into_owned()
}

fn with_root(root: &Path, arguments: &[&str]) -> std::process::Output {
    let root_text = root.to_string_lossy().into_owned();
    nsc(
        root.parent().unwrap(),
        &[&["--root", &root_text], arguments].concat(),
    )
}

/// A root with rules, and the directory for inputs.
fn begun(dir: &Path) -> PathBuf {
    let root = dir.join("lake");
    std::fs::create_dir(&root).unwrap();
    lake(&root, &["run", "sync-rules", "--now", "2026-01-01T00:00:00Z"]);
    root
}

/// Rows the scheduled Silver run of a night looked at because they came late.
fn late_rows(root: &Path, now: &str) -> u64 {
    let output = lake(root, &["--format", "json", "run", "silver", "--now", now]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|s| s["step"] == "validate late rows");
    step.unwrap()["rows"].as_u64().unwrap()
}

#[test]
fn putting_bronze_files_together_makes_no_row_late() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    for tx in ["t1", "t2", "t3"] {
        lake(
            &root,
            &[
                "ingest",
                "transaction_ledger",
                &entry(dir.path(), tx, "u1", "2026-01-05"),
            ],
        );
    }
    late_rows(&root, "2026-01-05T15:30:00Z");
    lake(&root, &["table", "optimize", "bronze.transaction_ledger_raw"]);
    lake(
        &root,
        &[
            "ingest",
            "transaction_ledger",
            &entry(dir.path(), "t4", "u1", "2026-01-06"),
        ],
    );
    assert_eq!(late_rows(&root, "2026-01-06T15:30:00Z"), 0);
    // What comes late after it still is.
    lake(
        &root,
        &[
            "ingest",
            "transaction_ledger",
            &entry(dir.path(), "t5", "u1", "2026-01-05"),
        ],
    );
    lake(
        &root,
        &[
            "ingest",
            "transaction_ledger",
            &entry(dir.path(), "t6", "u1", "2026-01-07"),
        ],
    );
    lake(&root, &["table", "optimize"]);
    assert!(late_rows(&root, "2026-01-07T15:30:00Z") >= 1);
    assert_eq!(rows(&root, "silver.ledger_entries", &[]).len(), 6);
}

/// A program that shares no code with this one.
fn python(code: &str) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.nsc/venv/bin/python");
    assert!(
        program.exists(),
        "the independent readers are not installed: run scripts/python-env.sh (make test does)"
    );
    let output = Command::new(program).args(["-c", code]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_constraint_another_program_set_is_never_broken_and_the_doctor_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let night = |tx: &str, wallet: &str| {
        lake(
            &root,
            &[
                "ingest",
                "transaction_ledger",
                &entry(dir.path(), tx, wallet, "2026-01-05"),
            ],
        );
        with_root(
            &root,
            &[
                "run",
                "silver",
                "--date-kst",
                "2026-01-05",
                "--now",
                "2026-01-05T15:30:00Z",
            ],
        )
    };
    assert!(night("t1", "u1").status.success());
    python(&format!(
        "from deltalake import DeltaTable; DeltaTable(r'{}/silver/ledger_entries').alter.add_constraint({{'known_wallet': \"wallet_id <> 'u666'\"}})",
        root.display()
    ));
    let refused = night("t2", "u666");
    assert_eq!(refused.status.code(), Some(6), "{}", stderr(&refused));
    let said = stderr(&refused);
    assert!(
        said.contains("NSC0107") && said.contains("known_wallet"),
        "{said}"
    );
    assert_eq!(rows(&root, "silver.ledger_entries", &[]).len(), 1);
    let doctor = with_root(&root, &["doctor"]);
    assert!(stdout(&doctor).contains("known_wallet"), "{}", stdout(&doctor));
    let list = stdout(&with_root(&root, &["--format", "csv", "table", "list"]));
    assert!(list.contains("silver.ledger_entries,ok"), "{list}");
}

#[test]
fn a_line_with_a_time_no_table_can_hold_keeps_its_text_and_harms_no_table() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let file = dir.path().join("p.jsonl");
    let times = [
        "9999-12-31T23:59:59-01:00",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+09:00",
        "0001-01-01T00:00:00Z",
    ];
    let lines: Vec<String> = (1..)
        .zip(times)
        .map(|(id, at)| format!(r#"{{"product_id":{id},"ingested_at":"{at}","source_extracted_at":"{at}"}}"#))
        .collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let file = file.to_string_lossy().into_owned();
    lake(
        &root,
        &[
            "ingest",
            "products",
            &file,
            "--ingested-at",
            "2026-01-05T03:00:00Z",
        ],
    );
    let query = "SELECT product_id, ingest_date, \"ingested_at__2\" AS kept, \"source_extracted_at__2\" AS also FROM bronze.products_raw ORDER BY product_id";
    let said = stdout(&with_root(&root, &["--format", "csv", "sql", query]));
    let wanted = "product_id,ingest_date,kept,also
1,2026-01-05,9999-12-31T23:59:59-01:00,9999-12-31T23:59:59-01:00
2,2026-01-05,9999-12-31T23:59:59Z,9999-12-31T23:59:59Z
3,2026-01-05,0001-01-01T00:00:00+09:00,0001-01-01T00:00:00+09:00
4,0001-01-01,,
";
    assert_eq!(said, wanted);
}

#[test]
fn an_event_time_beyond_the_calendar_is_quarantined_and_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let file = dir.path().join("l.jsonl");
    let mut lines: Vec<String> = (0..300)
        .map(|n| format!(r#"{{"tx_id":"t{n}","wallet_id":"u1","type":"HOLD","amount":"1.00","created_at":"2026-01-05T10:00:00+09:00"}}"#))
        .collect();
    for (tx, time) in [
        ("late", "9999-12-31T23:59:59Z"),
        ("early", "0001-01-01T08:59:59+09:00"),
    ] {
        lines.push(format!(
            r#"{{"tx_id":"{tx}","wallet_id":"u1","type":"HOLD","amount":"1.00","created_at":"{time}"}}"#
        ));
    }
    std::fs::write(&file, lines.join("\n")).unwrap();
    let file = file.to_string_lossy().into_owned();
    lake(
        &root,
        &[
            "ingest",
            "transaction_ledger",
            &file,
            "--ingested-at",
            "2026-01-05T03:00:00Z",
        ],
    );
    lake(
        &root,
        &[
            "run",
            "silver",
            "--date-kst",
            "2026-01-05",
            "--now",
            "2026-01-05T15:30:00Z",
        ],
    );
    let bad = rows(&root, "silver.bad_records", &[]);
    assert_eq!(bad.len(), 2);
    assert!(
        bad.iter().all(|row| row.contains("missing_event_time")),
        "{bad:?}"
    );
    assert_eq!(rows(&root, "silver.ledger_entries", &[]).len(), 300);
}

#[test]
fn a_damaged_log_is_one_line_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let file = entry(dir.path(), "t1", "u1", "2026-01-05");
    lake(&root, &["ingest", "transaction_ledger", &file]);
    let newest = root.join("bronze/transaction_ledger_raw/_delta_log/00000000000000000001.json");
    let whole = std::fs::read(&newest).unwrap();
    for harm in [&whole[..whole.len() / 2], &whole[..0]] {
        std::fs::write(&newest, harm).unwrap();
        let query = "SELECT count(*) FROM bronze.transaction_ledger_raw";
        let output = Command::new(env!("CARGO_BIN_EXE_nsc"))
            .arg("--root")
            .arg(&root)
            .args(["sql", query])
            .env_clear()
            .env("HOME", dir.path())
            // As an operator's shell may have it.
            .env("RUST_BACKTRACE", "1")
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(6));
        let said = stderr(&output);
        let aside = ["HINT", "nsc explain error "];
        let errors: Vec<&str> = said
            .lines()
            .filter(|l| !aside.iter().any(|a| l.starts_with(a)))
            .collect();
        assert_eq!(errors.len(), 1, "{said}");
        assert!(
            errors[0].contains("NSC0108") && errors[0].contains("00000000000000000001.json"),
            "{said}"
        );
    }
}

#[test]
fn a_table_no_engine_opens_is_shown_and_mended() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let file = entry(dir.path(), "t1", "u1", "2026-01-05");
    lake(&root, &["ingest", "transaction_ledger", &file]);
    let newest = root.join("bronze/transaction_ledger_raw/_delta_log/00000000000000000001.json");
    let text = std::fs::read_to_string(&newest).unwrap();
    std::fs::write(
        &newest,
        text.replace(
            "\"ingest_date\":\"2026-01-05\"",
            "\"ingest_date\":\"10000-01-01\"",
        ),
    )
    .unwrap();
    let count = || {
        with_root(
            &root,
            &["sql", "SELECT count(*) FROM bronze.transaction_ledger_raw"],
        )
    };
    assert!(!count().status.success());
    let shown = stdout(&lake(&root, &["--format", "csv", "table", "repair"]));
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(
        shown.contains("10000-01-01") && shown.contains("t1.jsonl"),
        "{shown}"
    );
    assert!(!count().status.success(), "a look changes nothing");
    lake(
        &root,
        &["table", "repair", "bronze.transaction_ledger_raw", "--apply"],
    );
    assert!(count().status.success());
    lake(&root, &["ingest", "transaction_ledger", &file, "--force"]);
    assert_eq!(rows(&root, "bronze.transaction_ledger_raw", &[]).len(), 1);
}

/// Adds a commit of another program to a table.
fn committed(table: &Path, actions: &[Value]) {
    let (_, last) = live(table);
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    let commit = table.join(format!("_delta_log/{:020}.json", last + 1));
    std::fs::write(commit, lines.join("\n") + "\n").unwrap();
}

fn night(root: &Path, now: &str) -> Value {
    let output = lake(root, &["--format", "json", "run", "silver", "--now", now]);
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn a_file_is_loaded_again_once_its_rows_are_gone_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let bronze = root.join("bronze/transaction_ledger_raw");
    let files = ["t1", "t2"].map(|tx| entry(dir.path(), tx, "u1", "2026-01-05"));
    let ingest = |file: &str| stdout(&lake(&root, &["ingest", "transaction_ledger", file]));
    files.iter().for_each(|file| _ = ingest(file));
    night(&root, "2026-01-05T15:30:00Z");
    let entries = || rows(&root, "silver.ledger_entries", &[]).len();
    assert_eq!(entries(), 2);
    // Put together they are still there, whatever the log says of single loads.
    lake(&root, &["table", "optimize", "bronze.transaction_ledger_raw"]);
    for file in &files {
        assert!(ingest(file).contains("was loaded before"), "{file}");
    }
    emptied(&bronze);
    let report = night(&root, "2026-01-05T15:40:00Z");
    let notes = report["notes"].to_string();
    assert!(
        notes.contains("took rows out of bronze.transaction_ledger_raw (RESTORE, version 4)"),
        "{notes}"
    );
    assert_eq!(entries(), 0);
    let doctor = stdout(&with_root(&root, &["doctor"]));
    assert!(doctor.contains("of 2 loads no row is in the table"), "{doctor}");
    for file in &files {
        assert!(ingest(file).contains("its rows were gone"), "{file}");
        assert!(ingest(file).contains("was loaded before"), "{file}");
    }
    let report = night(&root, "2026-01-05T15:50:00Z");
    assert!(report["notes"].is_null(), "{}", report["notes"]);
    assert_eq!(entries(), 2);
    let doctor = stdout(&with_root(&root, &["doctor"]));
    assert!(!doctor.contains("no row is in the table"), "{doctor}");
}

#[test]
fn a_load_without_rows_is_loaded_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let file = dir.path().join("blank.jsonl");
    std::fs::write(&file, "\n\n").unwrap();
    let file = file.to_string_lossy();
    let ingest = || stdout(&lake(&root, &["ingest", "orders", &file]));
    assert!(ingest().contains("2 blank"));
    assert!(ingest().contains("was loaded before"));
}

#[test]
fn copies_of_rows_that_another_program_added_are_gone_after_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    for tx in ["t1", "t2"] {
        let file = entry(dir.path(), tx, "u1", "2026-01-05");
        lake(&root, &["ingest", "transaction_ledger", &file]);
    }
    let day = |pipeline: &str| {
        let run = [
            "run",
            pipeline,
            "--date-kst",
            "2026-01-05",
            "--now",
            "2026-01-05T15:30:00Z",
        ];
        lake(&root, &run)
    };
    day("silver");
    day("b");
    let tables = ["silver.ledger_entries", "gold.ledger_supply_balance_daily"];
    let wanted = tables.map(|table| rows(&root, table, &["run_id"]));
    for (copies, table) in [1, 2].into_iter().flat_map(|n| tables.map(|table| (n, table))) {
        let place = root.join(table.replace('.', "/"));
        let (files, _) = live(&place);
        let mut actions =
            vec![json!({"commitInfo": {"timestamp": 1_767_600_000_000_i64, "operation": "WRITE"}})];
        for (path, add) in &files {
            for copy in 0..copies {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
                let copied = format!("{folder}/copy-{copy}-{name}")
                    .trim_start_matches('/')
                    .to_owned();
                let decoded = |path: &str| place.join(path.replace("%3D", "="));
                std::fs::copy(decoded(path), decoded(&copied)).unwrap();
                let mut add = add.clone();
                add["path"] = json!(copied);
                actions.push(json!({"add": add}));
            }
        }
        committed(&place, &actions);
        let before = rows(&root, table, &[]).len();
        assert!(
            before > 1 && before.is_multiple_of(copies + 1),
            "{table}: {before}"
        );
        day("silver");
        day("b");
        assert_eq!(
            tables.map(|table| rows(&root, table, &["run_id"])),
            wanted,
            "{copies} of {table}"
        );
    }
}

#[test]
fn a_directory_that_cannot_be_looked_at_is_not_an_absent_table() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let file = entry(dir.path(), "t1", "u1", "2026-01-05");
    lake(&root, &["ingest", "transaction_ledger", &file]);
    night(&root, "2026-01-05T15:30:00Z");
    // A file in the place of the directory: it hinders root as well, whom no permission does.
    for (layer, arguments) in [
        ("gold", &["rules", "list"][..]),
        ("gold", &["findings", "list"]),
        ("ops", &["loads", "list"]),
        ("ops", &["run", "silver", "--now", "2026-01-05T15:40:00Z"]),
        ("bronze", &["run", "silver", "--now", "2026-01-05T15:40:00Z"]),
    ] {
        let (place, aside) = (root.join(layer), root.join("aside"));
        std::fs::rename(&place, &aside).unwrap();
        std::fs::write(&place, "").unwrap();
        let refused = with_root(&root, arguments);
        let doctor = with_root(&root, &["doctor"]);
        let list = with_root(&root, &["table", "list"]);
        std::fs::remove_file(&place).unwrap();
        std::fs::rename(&aside, &place).unwrap();
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(6), "{layer} {arguments:?}: {said}");
        assert!(said.contains("NSC0101") && said.contains(layer), "{said}");
        assert_eq!(doctor.status.code(), Some(6), "{layer}: {}", stdout(&doctor));
        // The other tables are shown.
        let listed = stdout(&list);
        assert!(
            listed.contains("unreadable") && listed.contains(" ok "),
            "{listed}"
        );
        assert_eq!(list.status.code(), Some(6));
    }
    night(&root, "2026-01-05T15:50:00Z");
    assert_eq!(rows(&root, "silver.ledger_entries", &[]).len(), 1);
}

#[test]
fn a_later_load_is_newer_whatever_the_clock_of_the_one_before_said() {
    let dir = tempfile::tempdir().unwrap();
    let root = begun(dir.path());
    let file = entry(dir.path(), "t1", "u1", "2026-01-05");
    lake(&root, &["ingest", "transaction_ledger", &file]);
    let commit = root.join("bronze/transaction_ledger_raw/_delta_log/00000000000000000001.json");
    let log = std::fs::read_to_string(&commit).unwrap();
    let first = rows(&root, "bronze.transaction_ledger_raw", &[]);
    let first: Value = serde_json::from_str(&first[0]).unwrap();
    let id = first["load_id"].as_str().unwrap();
    // As if it had been loaded by a machine whose clock runs ahead; other programs keep thirty-two characters.
    let ahead = "09000000-0000-7000-8000-00000000";
    std::fs::write(
        &commit,
        log.replace(
            &format!("\\\"load_id\\\":\\\"{id}\\\""),
            &format!("\\\"load_id\\\":\\\"{ahead}\\\""),
        ),
    )
    .unwrap();
    let second = entry(dir.path(), "t2", "u1", "2026-01-05");
    lake(&root, &["ingest", "transaction_ledger", &second]);
    let ids = rows(&root, "bronze.transaction_ledger_raw", &[]);
    let greatest = ids.iter().map(|r| {
        serde_json::from_str::<Value>(r).unwrap()["load_id"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    assert!(greatest.max().unwrap().as_str() > ahead);
}
