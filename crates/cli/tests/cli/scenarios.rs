//! The scenarios of `tests/scenarios`: hand-made input through the real binary, whole tables compared with rows
//! worked out by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    about: String,
    clause: String,
    steps: Vec<Step>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    nsc: String,
    #[serde(default)]
    exit: i32,
    check: Option<String>,
}

fn scenarios_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios")
}

fn nsc(root: &Path, dir: &Path, arguments: &[&str]) -> std::process::Output {
    let root = root.to_string_lossy();
    super::nsc(dir, &[&["--root", &*root], arguments].concat())
}

fn run(name: &str) {
    let dir = scenarios_dir().join(name);
    let scenario: Scenario =
        serde_yaml_ng::from_str(&std::fs::read_to_string(dir.join("scenario.yaml")).unwrap()).unwrap();
    assert!(
        !scenario.about.is_empty()
            && !scenario.clause.is_empty()
            && scenario.notes.iter().all(|n| !n.is_empty())
    );
    let root = tempfile::tempdir().unwrap();
    let mut problems = Vec::new();
    for step in &scenario.steps {
        let arguments: Vec<&str> = step.nsc.split_whitespace().collect();
        let output = nsc(root.path(), &dir, &arguments);
        assert_eq!(
            output.status.code(),
            Some(step.exit),
            "{name}: nsc {}\n{}",
            step.nsc,
            String::from_utf8_lossy(&output.stderr)
        );
        if let Some(check) = &step.check {
            compare(root.path(), &dir.join("expected").join(check), &mut problems);
        }
    }
    compare(root.path(), &dir.join("expected"), &mut problems);
    assert!(problems.is_empty(), "{name}\n{}", problems.join("\n"));
}

fn compare(root: &Path, expected: &Path, problems: &mut Vec<String>) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(expected)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_file())
        .collect();
    files.sort();
    assert!(
        !files.is_empty(),
        "{} holds no expected table",
        expected.display()
    );
    for file in files {
        let table = file
            .file_name()
            .unwrap()
            .to_string_lossy()
            .trim_end_matches(".json")
            .to_owned();
        let wanted: Vec<BTreeMap<String, Value>> =
            serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let mut wanted: Vec<BTreeMap<String, Value>> = wanted.into_iter().map(normalised).collect();
        let mut found = rows(root, &table, wanted.first());
        for list in [&mut wanted, &mut found] {
            list.sort_by_key(|r| format!("{r:?}"));
        }
        if wanted != found {
            let show = |rows: &[BTreeMap<String, Value>], others: &[BTreeMap<String, Value>]| {
                let only: Vec<String> = rows
                    .iter()
                    .filter(|r| !others.contains(r))
                    .map(|r| serde_json::to_string(r).unwrap())
                    .collect();
                if only.is_empty() {
                    format!("    ({} rows, another multiplicity)", rows.len())
                } else {
                    format!("    {}", only.join("\n    "))
                }
            };
            let folder = expected.file_name().unwrap().to_string_lossy().into_owned();
            problems.push(format!(
                "  {folder}/{table}\n   expected\n{}\n   found\n{}",
                show(&wanted, &found),
                show(&found, &wanted)
            ));
        }
    }
}

/// Numbers compare by value.
fn normalised(row: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let number = |v: Value| match v.as_f64() {
        Some(n) => serde_json::json!(n),
        None => v,
    };
    row.into_iter()
        .map(|(k, v)| (k, if v.is_number() { number(v) } else { v }))
        .collect()
}

fn rows(root: &Path, table: &str, first: Option<&BTreeMap<String, Value>>) -> Vec<BTreeMap<String, Value>> {
    let columns = first.map_or_else(
        || "count(*) AS n".to_owned(),
        |r| {
            r.keys()
                .map(|k| format!("\"{k}\""))
                .collect::<Vec<_>>()
                .join(", ")
        },
    );
    let output = nsc(
        root,
        root,
        &[
            "--format",
            "json",
            "sql",
            &format!("SELECT {columns} FROM {table}"),
        ],
    );
    if !output.status.success() {
        // A table that was never written has no rows; one that nobody ever writes is a slip of the story.
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            nsc_contracts::table(table).is_some() && text.contains("NSC0103"),
            "{table}: {text}"
        );
        return Vec::new();
    }
    let found: Vec<BTreeMap<String, Value>> = serde_json::from_slice(&output.stdout).unwrap();
    if first.is_none() {
        let count = found.first().and_then(|r| r.get("n")).and_then(Value::as_i64);
        assert_eq!(count, Some(0), "{table} must have no rows");
        return Vec::new();
    }
    found.into_iter().map(normalised).collect()
}

/// One test a folder.
macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() { run(stringify!($name)); })+

        #[test]
        fn every_folder_is_run() {
            let mut folders: Vec<String> = std::fs::read_dir(scenarios_dir()).unwrap().map(|e| e.unwrap()).filter(|e| e.path().is_dir())
                .map(|e| e.file_name().to_string_lossy().into_owned()).collect();
            folders.sort();
            let mut named = vec![$(stringify!($name).to_owned()),+];
            named.sort();
            assert_eq!(folders, named);
        }
    };
}

scenarios!(
    one_day_normal,
    dup_tx_id,
    ledger_conflict,
    missing_required,
    invalid_amount,
    precise_amounts,
    unknown_entry_type,
    status_not_allowed,
    stale_source,
    zero_window,
    tag_priority,
    gating_effect,
    drift_mismatch,
    supply_mismatch,
    hold_release_zero_flow,
    wallet_unknown,
    system_wallet,
    source_words,
    type_without_sign,
    opening_balance_from_yesterday,
    snapshot_before_last_entry,
    idle_wallet,
    pairing_quality,
    refund_pairing,
    analytics_multi_item,
    analytics_missing_product,
    backfill_two_days,
    rerun_after_correction,
    late_arrival,
    bad_records_rate_exceed,
    late_order_version,
    timezone_boundary,
    related_id_type_cast,
    schema_evolution,
    malformed_lines,
    failed_silver_blocks_b,
);

/// Everything the scenarios expect, as text.
fn expected() -> String {
    let mut folders = vec![scenarios_dir()];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                text += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

#[test]
fn every_exception_and_every_reason_is_found_by_a_scenario() {
    // Every row that ingest writes has an `ingested_at`: only a table that another program filled can lack one.
    const WITHOUT: &[&str] = &["missing_snapshot_ts"];
    let text = expected();
    let types = nsc_contracts::exception::EXCEPTION_TYPES.iter().map(|t| t.name);
    let reasons = nsc_contracts::reason::REASONS.iter().map(|r| r.name);
    for name in types.chain(reasons).filter(|name| !WITHOUT.contains(name)) {
        assert!(
            text.contains(&format!("\"{name}\"")),
            "no scenario expects {name}"
        );
    }
}

#[test]
fn every_control_is_expected_by_a_scenario_and_stands_in_the_contract() {
    let contract = scenarios_dir().join("../../docs/contract/lakehouse.md");
    let contract = std::fs::read_to_string(contract).unwrap();
    for control in nsc_contracts::control::CONTROLS {
        let file = format!("{}.json", control.table.full_name());
        let folders = std::fs::read_dir(scenarios_dir()).unwrap();
        let mut expected = folders.map(|f| f.unwrap().path().join("expected").join(&file));
        assert!(expected.any(|path| path.is_file()), "no scenario expects {file}");
        assert!(
            contract.contains(control.id),
            "the contract does not name {}",
            control.id
        );
    }
}
