//! What another program or a hand takes out of the tables: a run that would have said "unchanged" writes it again, and files
//! that are gone are named by the doctor and by whoever needs them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::world::{SOURCES, TABLES, lake, rows};
use super::{nsc, stderr, stdout};

/// Tables that nobody computes from inputs: how far the pipelines got, and the rules.
const KEPT: [&str; 2] = ["gold.pipeline_state", "gold.dim_rule_scd2"];
/// What a row that is written anew may say otherwise.
const LINEAGE: [&str; 2] = ["run_id", "generated_at"];
const DAY: &str = "run e2e --date-kst 2026-01-05 --now 2026-01-05T15:30:00Z";

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The sample day of the repository, computed.
fn sample_day(dir: &Path) -> PathBuf {
    let root = dir.join("lake");
    let day = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config/sample/day");
    for source in SOURCES {
        let file = day.join(format!("{source}.jsonl")).to_string_lossy().into_owned();
        let at = "2026-01-05T14:50:00Z";
        lake(&root, &["ingest", source, &file, "--ingested-at", at]);
    }
    lake(&root, &words(DAY));
    root
}

fn directory(root: &Path, table: &str) -> PathBuf {
    root.join(table.replace('.', "/"))
}

/// The files of a table that its log names, with the actions that added them, and the number of the last commit.
pub(super) fn live(table: &Path) -> (BTreeMap<String, Value>, u64) {
    let (mut files, mut last) = (BTreeMap::new(), 0);
    for version in 0.. {
        let Ok(commit) = std::fs::read_to_string(table.join(format!("_delta_log/{version:020}.json"))) else {
            break;
        };
        last = version;
        for line in commit.lines() {
            let action: Value = serde_json::from_str(line).unwrap();
            if let Some(path) = action["add"]["path"].as_str() {
                files.insert(path.to_owned(), action["add"].clone());
            }
            if let Some(path) = action["remove"]["path"].as_str() {
                files.remove(path);
            }
        }
    }
    (files, last)
}

/// Takes all rows out, as a `DELETE` or a `RESTORE` of another engine does: one commit that removes the files.
pub(super) fn emptied(table: &Path) {
    let (files, last) = live(table);
    let mut lines = vec![json!({"commitInfo": {"timestamp": 1_767_600_000_000_i64, "operation": "RESTORE"}})];
    lines.extend(files.iter().map(|(path, add)| {
        json!({"remove": {"path": path, "deletionTimestamp": 1_767_600_000_000_i64, "dataChange": true,
                          "extendedFileMetadata": true, "partitionValues": add["partitionValues"], "size": add["size"]}})
    }));
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    let commit = table.join(format!("_delta_log/{:020}.json", last + 1));
    std::fs::write(commit, text.join("\n") + "\n").unwrap();
}

#[test]
fn a_table_that_was_removed_or_restored_to_an_older_version_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = sample_day(dir.path());
    let seen = |table: &str| rows(&root, table, &LINEAGE);
    let removed = |table: &Path| std::fs::remove_dir_all(table).unwrap();
    for (what, take_away) in [("removed", removed as fn(&Path)), ("restored", emptied)] {
        for table in TABLES.into_iter().filter(|table| !KEPT.contains(table)) {
            let before = seen(table);
            assert!(!before.is_empty(), "{table} has rows to lose");
            let place = directory(&root, table);
            take_away(&place);
            assert!(!place.exists() || seen(table).is_empty(), "{table} {what}");
            lake(&root, &words(DAY));
            assert_eq!(seen(table), before, "{table} {what}");
        }
    }
    // Nothing is lost, and nothing is written: the day is not computed again for what others add to the ledger.
    let report = stdout(&lake(&root, &words(&format!("{DAY} --format json"))));
    let report: Value = serde_json::from_str(&report).unwrap();
    for part in report["parts"].as_array().unwrap().iter().skip(1) {
        let step = part["steps"].to_string();
        assert!(step.contains("unchanged since the last run"), "{step}");
    }
}

fn ended(root: &Path, line: &str) -> (Option<i32>, String) {
    let root_text = root.to_string_lossy().into_owned();
    let output = nsc(
        root.parent().unwrap(),
        &[&["--root", &root_text], &*words(line)].concat(),
    );
    (
        output.status.code(),
        format!("{}{}", stdout(&output), stderr(&output)),
    )
}

#[test]
fn files_that_are_gone_are_named_and_the_remedies_of_the_error_work() {
    let dir = tempfile::tempdir().unwrap();
    let root = sample_day(dir.path());
    assert_eq!(ended(&root, "doctor").0, Some(0));
    for table in [
        "bronze.transaction_ledger_raw",
        "silver.ledger_entries",
        "gold.admin_tx_search",
    ] {
        let before = rows(&root, table, &LINEAGE);
        let place = directory(&root, table);
        let (files, _) = live(&place);
        let file = files.keys().next().unwrap();
        let kept = std::fs::read(place.join(file)).unwrap();
        std::fs::remove_file(place.join(file)).unwrap();

        // A count is answered from the log; the doctor looks.
        let (code, said) = ended(&root, "doctor");
        assert_eq!(code, Some(6), "{said}");
        let missing = format!("NSC0110: a data file of table {table} is missing: {file}");
        assert!(said.contains(&missing), "{said}");
        let select = format!("SELECT/**/*/**/FROM/**/{table}");
        let (code, said) = ended(&root, &format!("sql {select}"));
        assert_eq!(code, Some(6), "{said}");
        assert!(
            said.contains(&missing) && said.contains("put the files back"),
            "{said}"
        );

        // What needs no remedy but the file itself, and for a result the day run again.
        std::fs::write(place.join(file), kept).unwrap();
        assert_eq!(rows(&root, table, &LINEAGE), before);
        if !table.starts_with("bronze") {
            std::fs::remove_file(place.join(file)).unwrap();
            std::fs::rename(&place, dir.path().join(table)).unwrap();
            for pipeline in ["silver", "b"] {
                let line = format!(
                    "run {pipeline} --date-kst-start 2026-01-05 --date-kst-end 2026-01-05 --now 2026-01-06T00:00:00Z"
                );
                lake(&root, &words(&line));
            }
            assert_eq!(rows(&root, table, &LINEAGE), before);
        }
        assert_eq!(ended(&root, "doctor").0, Some(0));
    }
}

#[test]
fn a_run_that_meets_a_file_that_is_gone_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = sample_day(dir.path());
    let place = directory(&root, "bronze.payment_orders_raw");
    let (files, _) = live(&place);
    let file = files.keys().next().unwrap();
    std::fs::remove_file(place.join(file)).unwrap();
    let (code, said) = ended(
        &root,
        "run silver --date-kst-start 2026-01-04 --date-kst-end 2026-01-05 --now 2026-01-06T00:00:00Z",
    );
    assert_eq!(code, Some(6), "{said}");
    let missing = format!("NSC0110: a data file of table bronze.payment_orders_raw is missing: {file}");
    assert!(said.contains(&missing), "{said}");
}

#[test]
fn a_file_that_was_cut_short_or_emptied_is_named_by_runs_queries_and_the_doctor() {
    let dir = tempfile::tempdir().unwrap();
    let root = sample_day(dir.path());
    for table in ["bronze.transaction_ledger_raw", "silver.ledger_entries"] {
        let place = directory(&root, table);
        let (files, _) = live(&place);
        let file = files.keys().next().unwrap();
        let whole = std::fs::read(place.join(file)).unwrap();
        let zeros = vec![0; whole.len()];
        let (half, none) = (whole.get(..whole.len() / 2).unwrap(), [].as_slice());
        let size = |n: usize| format!("it has {n} bytes and the log says {}", whole.len());
        for (bytes, reason) in [
            (half, size(half.len())),
            (none, size(0)),
            (&zeros, "Parquet".to_owned()),
        ] {
            std::fs::write(place.join(file), bytes).unwrap();
            let damaged = format!("NSC0110: a data file of table {table} is damaged: {file}: ");
            let select = format!("sql SELECT/**/*/**/FROM/**/{table}");
            let silver =
                "run silver --date-kst-start 2026-01-04 --date-kst-end 2026-01-05 --now 2026-01-06T00:00:00Z";
            let is_zeros = bytes.len() == whole.len();
            for line in [select.as_str(), silver, "doctor"] {
                let (code, said) = ended(&root, line);
                // The doctor asks for sizes and reads no file.
                if line == "doctor" && is_zeros {
                    assert_eq!(code, Some(0), "{said}");
                    continue;
                }
                assert_eq!(code, Some(6), "{table} {line}: {said}");
                let at = said.find(&damaged).map(|at| &said[at..]);
                assert!(
                    at.is_some_and(|said| said.contains(&reason)),
                    "{table} {line}: {said}"
                );
                assert!(said.contains("put the files back"), "{table} {line}: {said}");
            }
        }
        std::fs::write(place.join(file), &whole).unwrap();
        assert_eq!(ended(&root, "doctor").0, Some(0));
    }
}

#[test]
fn a_bronze_table_that_is_gone_stops_every_run_and_takes_nothing_out_of_silver() {
    for lost in ["", "_delta_log"] {
        let dir = tempfile::tempdir().unwrap();
        let root = sample_day(dir.path());
        let entries = rows(&root, "silver.ledger_entries", &[]);
        std::fs::remove_dir_all(directory(&root, "bronze.transaction_ledger_raw").join(lost)).unwrap();
        for line in [
            "run silver --date-kst 2026-01-05 --now 2026-01-06T15:30:00Z",
            "run e2e --now 2026-01-06T15:30:00Z",
            "run b --date-kst 2026-01-05 --now 2026-01-06T15:30:00Z",
            "doctor",
        ] {
            let (code, said) = ended(&root, line);
            assert_eq!(code, Some(6), "{line}: {said}");
            let gone = "bronze.transaction_ledger_raw is gone";
            assert!(said.contains("NSC0110") && said.contains(gone), "{line}: {said}");
        }
        assert_eq!(rows(&root, "silver.ledger_entries", &[]), entries);
    }
}

#[test]
fn bytes_that_were_changed_in_place_are_an_error_that_names_the_file_where_they_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let root = sample_day(dir.path());
    let table = "silver.ledger_entries";
    let place = directory(&root, table);
    let (files, _) = live(&place);
    let file = files.keys().next().unwrap();
    let whole = std::fs::read(place.join(file)).unwrap();
    let select = format!("sql SELECT/**/*/**/FROM/**/{table}");
    let mut named = 0;
    for at in (4..whole.len() - 4).step_by(whole.len() / 24) {
        let mut bytes = whole.clone();
        bytes[at..at + 3].iter_mut().for_each(|byte| *byte ^= 0x11);
        std::fs::write(place.join(file), bytes).unwrap();
        let (code, said) = ended(&root, &select);
        if code == Some(0) {
            // A value that is another one now, or a byte that nothing reads: Parquet keeps no checksum.
            continue;
        }
        if code == Some(1) {
            // The engine's reader panics at a few places, and says no file.
            assert!(
                said.contains("a data file whose bytes were changed"),
                "{at}: {said}"
            );
            continue;
        }
        assert_eq!(code, Some(6), "{at}: {said}");
        assert!(
            said.contains("NSC0110") && said.contains(file.as_str()),
            "{at}: {said}"
        );
        named += 1;
    }
    assert!(named > 5, "{named}");
}

#[test]
fn a_silver_table_that_is_gone_stops_the_night_and_is_made_again_by_its_days() {
    let dir = tempfile::tempdir().unwrap();
    let root = sample_day(dir.path());
    let facts_of_the_day = || {
        let mut facts = rows(&root, "gold.fact_payment_anonymized", &["run_id"]);
        facts.retain(|fact| fact.contains("2026-01-05"));
        facts
    };
    let facts = facts_of_the_day();
    std::fs::remove_dir_all(directory(&root, "silver.products")).unwrap();
    let text = root.to_string_lossy().into_owned();
    let night = ["--root", &text, "run", "e2e", "--now", "2026-01-06T15:30:00Z"];
    let stopped = nsc(dir.path(), &night);
    assert_eq!(stopped.status.code(), Some(6), "{}", stderr(&stopped));
    let remedy = "nsc run silver --date-kst-start 2026-01-05 --date-kst-end 2026-01-05";
    for part in ["NSC0110", "silver.products is gone", remedy] {
        assert!(stderr(&stopped).contains(part), "{part}: {}", stderr(&stopped));
    }
    let again = "run silver --date-kst-start 2026-01-05 --date-kst-end 2026-01-05 --now 2026-01-06T15:30:00Z";
    lake(&root, &words(again));
    lake(&root, &words("run e2e --now 2026-01-06T15:30:00Z"));
    assert!(facts_of_the_day() == facts, "the facts of the day are others");
}

#[test]
fn a_row_of_the_first_hours_of_year_1_stops_no_night() {
    let dir = tempfile::tempdir().unwrap();
    let root = sample_day(dir.path());
    let entry = json!({"tx_id": "zero", "wallet_id": "w", "type": "CHARGE", "amount": "1", "created_at": "0001-01-01T00:00:00Z"});
    let file = dir.path().join("zero.jsonl");
    std::fs::write(&file, entry.to_string()).unwrap();
    let file = file.to_string_lossy().into_owned();
    lake(
        &root,
        &[
            "ingest",
            "transaction_ledger",
            &file,
            "--ingested-at",
            "2026-01-06T10:00:00Z",
        ],
    );
    for now in ["2026-01-06T15:30:00Z", "2026-01-07T15:30:00Z"] {
        lake(&root, &["run", "e2e", "--now", now]);
    }
    let supply = rows(&root, "gold.ledger_supply_balance_daily", &[]);
    assert!(supply.iter().any(|day| day.contains("2026-01-07")), "{supply:?}");
}
