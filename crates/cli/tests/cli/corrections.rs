//! Corrections of a day that was computed: adding what is new ends where computing everything again does.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::stdout;
use super::world::{
    SOURCES, allow_bad_records, assert_same, chain_steps, dump, generate, ingest_arguments, lake, load_all,
};

const DAY: &str = "2026-01-05";

type Line = Map<String, Value>;
/// What becomes of the n-th line of a source in a correction; `None`: it does not come again.
type Edit = fn(source: &str, n: usize, line: Line) -> Option<Line>;

fn lines(file: &Path) -> Vec<Line> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .collect()
}

/// The files of a correction: the edited lines, as loaded an hour later.
fn correction(world: &Path, out: &Path, edit: Edit) -> Vec<(&'static str, PathBuf)> {
    std::fs::create_dir_all(out).unwrap();
    let mut files = Vec::new();
    for source in SOURCES {
        let edited = lines(&world.join(format!("{source}.jsonl")))
            .into_iter()
            .enumerate()
            .filter_map(|(n, line)| edit(source, n, line));
        let text: Vec<String> = edited
            .map(|mut line| {
                for (field, time) in [
                    ("source_extracted_at", "2026-01-05T14:58:00Z"),
                    ("ingested_at", "2026-01-05T14:59:00Z"),
                ] {
                    // A snapshot's own time is its extraction: it stays the same snapshot.
                    if source != "user_wallets" || field == "ingested_at" {
                        line.insert(field.to_owned(), json!(time));
                    }
                }
                Value::Object(line).to_string()
            })
            .collect();
        if !text.is_empty() {
            let file = out.join(format!("{source}.jsonl"));
            std::fs::write(&file, text.join("\n") + "\n").unwrap();
            files.push((source, file));
        }
    }
    files
}

fn set(mut line: Line, field: &str, value: Value) -> Option<Line> {
    line.insert(field.to_owned(), value);
    Some(line)
}

/// Orders that only change their status: the entries that name them are not sent again.
fn only_statuses(source: &str, n: usize, line: Line) -> Option<Line> {
    let line = (source == "payment_orders" && n % 19 == 3).then_some(line)?;
    let line = set(line, "updated_at", json!("2026-01-05T14:30:00Z"))?;
    set(line, "status", json!("REFUNDED"))
}

/// An order whose newest version has no status: its entries go back to their own.
fn lost_statuses(source: &str, n: usize, line: Line) -> Option<Line> {
    let line = (source == "payment_orders" && n % 53 == 3).then_some(line)?;
    let line = set(line, "updated_at", json!("2026-01-05T14:30:00Z"))?;
    set(line, "status", Value::Null)
}

/// Everything that can happen to a few lines of every source.
fn of_every_kind(source: &str, n: usize, line: Line) -> Option<Line> {
    match (source, n % 97) {
        ("transaction_ledger", 1) => set(line, "amount", json!("77.25")),
        ("transaction_ledger", 2) => Some(line),
        ("transaction_ledger", 3) => set(line, "tx_id", json!(format!("tx-new-{n}"))),
        ("transaction_ledger", 4) => set(line, "wallet_id", json!("user-moved")),
        ("transaction_ledger", 5) if n < 200 => set(line, "amount", json!("10.005")),
        ("transaction_ledger", 6) => set(line, "created_at", json!("2026-01-05T15:30:00Z")),
        ("transaction_ledger", 7) => set(line, "related_id", Value::Null),
        ("payment_orders", 1) => {
            let line = set(line, "updated_at", json!("2026-01-05T14:30:00Z"))?;
            let line = set(line, "amount", json!("123456789012345678.90"))?;
            set(line, "status", json!("CANCELLED"))
        }
        // An older version that arrives last changes nothing.
        ("payment_orders", 2) => {
            let line = set(line, "updated_at", json!("2020-01-01T00:00:00Z"))?;
            set(line, "status", json!("FAILED"))
        }
        ("payment_orders", 3) => set(line, "order_id", json!(format!("PO-new-{n}"))),
        ("orders", 1) => set(line, "status", json!("CANCELLED")),
        ("order_items", 1) => set(line, "quantity", json!(41)),
        ("order_items", 2) if n < 200 => set(line, "item_id", json!("x")),
        ("products", 1) => set(line, "category", json!("기타")),
        ("user_wallets", 1) => set(line, "balance", json!("5.00")),
        _ => None,
    }
}

fn again(root: &Path) -> Value {
    let words =
        format!("--format json run silver --date-kst {DAY} --now 2026-01-20T01:00:00Z --run-id again");
    let output = lake(root, &words.split_whitespace().collect::<Vec<_>>());
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// Rows the run went through to validate, of how many its result stands for.
fn taken(report: &Value) -> (u64, u64) {
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|s| s["step"] == "validate and stage").unwrap();
    let lines = |t: &Value| t["lines"].as_u64().unwrap_or_default();
    let all = report["tables"].as_array().unwrap().iter().map(lines).sum();
    (step["rows"].as_u64().unwrap(), all)
}

/// Adds a correction to a computed day, and beside it computes the day again from everything.
fn corrected(edit: Edit) -> (Value, Value) {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "--seed",
        "23",
        "--wallets",
        "80",
        "--entries-per-day",
        "4000",
        "--days",
        "1",
        "--first-date-kst",
        DAY,
        "--faults",
    ];
    let world = generate(dir.path(), &arguments);
    let files = correction(&world, &dir.path().join("correction"), edit);
    let (added, computed) = (dir.path().join("added"), dir.path().join("computed"));
    let mut reports = Vec::new();
    for root in [&added, &computed] {
        load_all(root, &world);
        let steps = chain_steps(&[DAY]);
        lake(root, &steps[0]);
        // A correction is a small load, and some of its lines are bad.
        allow_bad_records(root);
        steps[1..].iter().for_each(|step| _ = lake(root, step));
        for (source, file) in &files {
            lake(root, &ingest_arguments(source, file));
        }
        if root == &computed {
            // What an earlier run left behind is all that lets a run take the short way.
            std::fs::remove_dir_all(root.join("_nsc/derivations")).unwrap();
        }
        reports.push(again(root));
        for step in chain_steps(&[DAY]).into_iter().skip(2) {
            lake(root, &step);
        }
    }
    // Each lake has loads of its own.
    assert_same(&dump(&added, &["load_id"]), &dump(&computed, &["load_id"]));
    let computed = reports.pop().unwrap();
    let added = reports.pop().unwrap();
    assert_eq!(added["exceptions"], computed["exceptions"]);
    (added, computed)
}

/// Line by line: table, lines, rows, duplicates, quarantined, and what changed.
fn tables(report: &Value) -> Vec<String> {
    let mut lines: Vec<String> = report["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    lines.sort();
    lines
}

#[test]
fn an_order_that_changes_its_status_changes_the_stored_entries_that_name_it() {
    let (added, computed) = corrected(only_statuses);
    let (taken, all) = taken(&added);
    assert!(taken * 20 < all, "took {taken} of {all}");
    assert_eq!(tables(&added), tables(&computed));
    let ledger = added["tables"].as_array().unwrap();
    let ledger = ledger
        .iter()
        .find(|t| t["table"] == "silver.ledger_entries")
        .unwrap();
    assert!(ledger["updated"].as_u64() > Some(20), "{ledger}");
}

#[test]
fn when_an_order_loses_its_status_its_entries_go_back_to_their_own() {
    let (added, computed) = corrected(lost_statuses);
    let (taken, all) = taken(&added);
    assert!(taken * 20 < all, "took {taken} of {all}");
    assert_eq!(tables(&added), tables(&computed));
}

#[test]
fn corrections_of_every_kind_end_where_computing_everything_ends() {
    let (added, computed) = corrected(of_every_kind);
    let (taken, all) = taken(&added);
    assert!(taken * 5 < all, "took {taken} of {all}");
    assert_eq!(tables(&added), tables(&computed));
}
