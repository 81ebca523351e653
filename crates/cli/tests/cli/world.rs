//! A small generated world and the ways to run it and look at it: what the whole-chain tests share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use super::{nsc, stderr, stdout};

/// Source names, in loading order.
pub(crate) const SOURCES: [&str; 6] = [
    "user_wallets",
    "transaction_ledger",
    "payment_orders",
    "orders",
    "order_items",
    "products",
];

/// Every Silver and Gold table with the columns that name a run or a moment left out where they may differ.
pub(crate) const TABLES: [&str; 17] = [
    "silver.wallet_snapshot",
    "silver.ledger_entries",
    "silver.order_events",
    "silver.order_items",
    "silver.products",
    "silver.bad_records",
    "silver.dq_status",
    "gold.recon_daily_snapshot_flow",
    "gold.ledger_supply_balance_daily",
    "gold.ops_payment_failure_daily",
    "gold.ops_payment_refund_daily",
    "gold.ops_ledger_pairing_quality_daily",
    "gold.admin_tx_search",
    "gold.exception_ledger",
    "gold.pipeline_state",
    "gold.dim_rule_scd2",
    "gold.fact_payment_anonymized",
];

/// Tables that are not there before their pipeline has run: a story may do without A, B or C.
fn pipeline_of(table: &str) -> Option<&'static str> {
    match table {
        "silver.dq_status" => Some("pipeline_a"),
        "gold.fact_payment_anonymized" => Some("pipeline_c"),
        "gold.exception_ledger" | "gold.pipeline_state" | "gold.dim_rule_scd2" => None,
        _ if table.starts_with("gold.") => Some("pipeline_b"),
        _ => None,
    }
}

/// A directory of generated source files.
pub(crate) fn generate(dir: &Path, arguments: &[&str]) -> PathBuf {
    let out = dir.join("world");
    let out_text = out.to_string_lossy().into_owned();
    ok(nsc(
        dir,
        &[&["sample", "generate", "--out", &*out_text], arguments].concat(),
    ));
    out
}

pub(crate) fn ok(output: Output) -> Output {
    assert!(
        output.status.success(),
        "{}\n{}",
        stdout(&output),
        stderr(&output)
    );
    output
}

/// Loads a source file under a fixed time.
pub(crate) fn ingest_arguments(source: &str, file: &Path) -> Vec<String> {
    let file = file.to_string_lossy().into_owned();
    ["ingest", source, &file, "--ingested-at", "2026-01-09T00:00:00Z"]
        .map(str::to_owned)
        .to_vec()
}

/// Runs `nsc --root ROOT ...` and expects success.
pub(crate) fn lake(root: &Path, arguments: &[impl AsRef<str>]) -> Output {
    let root_text = root.to_string_lossy().into_owned();
    let mut all = vec!["--root", &root_text];
    all.extend(arguments.iter().map(AsRef::as_ref));
    ok(nsc(root.parent().unwrap(), &all))
}

/// Lets a load consist of bad lines: for stories whose files are too small for one in a hundred.
pub(crate) fn allow_bad_records(root: &Path) {
    allow_bad_records_from(root, "2026-01-01T00:00:01Z");
}

/// The same from some time on, where there are rules already.
pub(crate) fn allow_bad_records_from(root: &Path, now: &str) {
    let rules = "
version: 1
rules:
- rule_id: silver_bad_records_loose
  domain: silver
  metric: bad_records_rate
  threshold: 1.0
  severity_map: {fail: 1.0}
";
    std::fs::write(root.parent().unwrap().join("loose.yaml"), rules).unwrap();
    lake(root, &["rules", "sync", "loose.yaml", "--now", now]);
}

/// Runs `nsc --root ROOT ...`, whatever comes of it.
pub(crate) fn at(root: &Path, arguments: &[&str]) -> Output {
    let root_text = root.to_string_lossy().into_owned();
    nsc(
        root.parent().unwrap(),
        &[&["--root", &root_text], arguments].concat(),
    )
}

/// What a command prints as JSON.
pub(crate) fn as_json(root: &Path, arguments: &[&str]) -> Value {
    let output = lake(root, &[&["--format", "json"], arguments].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Loads lines as a file of their own, which came after the day.
pub(crate) fn late(root: &Path, table: &str, name: &str, lines: &[Value]) -> String {
    let file = root.parent().unwrap().join(name);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&file, text).unwrap();
    let file = file.to_string_lossy().into_owned();
    lake(
        root,
        &["ingest", table, &file, "--ingested-at", "2026-01-06T01:00:00Z"],
    );
    file
}

/// A line of the ledger on the sample day.
pub(crate) fn entry(tx_id: &str, wallet: &str, kind: &str, amount: &str) -> Value {
    json!({"tx_id": tx_id, "wallet_id": wallet, "type": kind, "amount": amount, "created_at": "2026-01-05T03:00:00Z"})
}

/// The sample day, loaded and computed by the run `first` in the night after it.
pub(crate) fn demo(dir: &Path) -> PathBuf {
    let root = dir.join("lake");
    let day = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/sample/day");
    for source in SOURCES {
        let file = day.join(format!("{source}.jsonl")).to_string_lossy().into_owned();
        lake(&root, &["ingest", source, &file]);
    }
    let now = ["--now", "2026-01-05T15:30:00Z", "--run-id", "first"];
    lake(
        &root,
        &[&["run", "e2e", "--date-kst", "2026-01-05"], &now[..]].concat(),
    );
    root
}

pub(crate) fn load_all(root: &Path, world: &Path) {
    for source in SOURCES {
        lake(
            root,
            &ingest_arguments(source, &world.join(format!("{source}.jsonl"))),
        );
    }
}

/// Rules, then Silver, B and C of some days, each under its own fixed run id and time.
pub(crate) fn chain_steps(days: &[&str]) -> Vec<Vec<String>> {
    let words = |text: String| text.split_whitespace().map(str::to_owned).collect();
    let mut steps: Vec<Vec<String>> = vec![words(
        "run sync-rules --now 2026-01-01T00:00:00Z --run-id rules".to_owned(),
    )];
    for day in days {
        for pipeline in ["silver", "b", "c"] {
            steps.push(words(format!(
                "run {pipeline} --date-kst {day} --now 2026-01-20T00:00:00Z --run-id {pipeline}-{day}"
            )));
        }
    }
    steps
}

/// All rows of all tables as sorted JSON lines. Columns of `without` are left out, and so are the tables of a pipeline
/// that has never run.
pub(crate) fn dump(root: &Path, without: &[&str]) -> BTreeMap<String, Vec<String>> {
    let states = rows(root, "gold.pipeline_state", &[]);
    let mut tables = BTreeMap::new();
    for table in TABLES {
        if let Some(rows) = stored(root, table, without) {
            tables.insert(table.to_owned(), rows);
            continue;
        }
        let has_run = |pipeline: &str| {
            states
                .iter()
                .any(|state| state.contains(&format!("\"{pipeline}\"")))
        };
        assert!(
            pipeline_of(table).is_some_and(|pipeline| !has_run(pipeline)),
            "{table} was never written"
        );
    }
    tables
}

/// All rows of a table that is there, as sorted JSON lines without some columns.
pub(crate) fn rows(root: &Path, table: &str, without: &[&str]) -> Vec<String> {
    let found = stored(root, table, without);
    assert!(found.is_some(), "{table} was never written");
    found.unwrap()
}

/// The same, or nothing of a table that was never written.
pub(crate) fn stored(root: &Path, table: &str, without: &[&str]) -> Option<Vec<String>> {
    let root_text = root.to_string_lossy().into_owned();
    let output = nsc(
        root,
        &[
            "--root",
            &root_text,
            "--format",
            "ndjson",
            "sql",
            &format!("SELECT * FROM {table}"),
        ],
    );
    if !output.status.success() {
        assert!(
            nsc_contracts::table(table).is_some() && stderr(&output).contains("NSC0103"),
            "{table}: {}",
            stderr(&output)
        );
        return None;
    }
    let mut lines: Vec<String> = stdout(&output)
        .lines()
        .map(|line| {
            let mut row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            row.retain(|k, _| !without.contains(&k.as_str()));
            serde_json::Value::Object(row).to_string()
        })
        .collect();
    lines.sort();
    Some(lines)
}

/// Asserts that two lakes hold the same rows, naming the first difference of every table.
pub(crate) fn assert_same(found: &BTreeMap<String, Vec<String>>, wanted: &BTreeMap<String, Vec<String>>) {
    let (tables, others): (Vec<&String>, Vec<&String>) = (wanted.keys().collect(), found.keys().collect());
    assert_eq!(others, tables, "not the same tables");
    let mut problems = Vec::new();
    for (table, rows) in wanted {
        let other = &found[table];
        if rows != other {
            let missing = rows.iter().find(|r| !other.contains(r));
            let extra = other.iter().find(|r| !rows.contains(r));
            problems.push(format!(
                "{table}: {} rows, wanted {}\n  missing {missing:?}\n  extra {extra:?}",
                other.len(),
                rows.len()
            ));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// A small generator of pseudo-random numbers: the tests are the same on every machine.
pub(crate) struct Lcg(pub(crate) u64);

impl Lcg {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}
