//! A source may call its fields anything: no name collides with what the plans call their own columns, and none is lost
//! from the evidence.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use nsc_contracts::{Source, table};
use serde_json::{Map, Value, json};

use super::world::{SOURCES, lake, rows};

/// Names that mean something somewhere, beside those of our own code.
const OTHERS: &[&str] = &[
    "c",
    "C",
    "k0",
    "K0",
    "k9",
    "r0",
    "nsc_rank",
    "NSC_RANK",
    "nsc/check",
    "nsc/rank",
    "nsc/key0",
    "nsc check",
    "fact",
    "rows",
    "a.b",
    "?table?",
    "?table?.c",
    "payment_orders_raw.order_id",
    "r.order_id",
    "n",
    "r",
    "e",
    "o",
    "\"quoted\"",
    "'single'",
    "back`tick",
    "new\nline",
    "tab\tbed",
    "back\\slash",
    "$start",
    "$1",
    ":name",
    "--",
    ";",
    "*",
    "",
    " ",
    "한글",
    "İ",
    "ı",
    "__proto__",
    "__common_expr_1",
    "__common_expr_2",
    "__datafusion_extracted_1",
    "__always_true",
    "ingested_at",
    "Ingested_At",
    "source_ref",
    "SOURCE_REF",
    "ingest_date",
    "_corrupt_record",
    "_extra",
    "_change_type",
    "_rowid",
    "select",
    "SELECT",
    "null",
    "true",
    "interval",
    "a__2",
    "Amount",
    "source",
    "target",
    "RowNumber",
    "_metadata",
];

/// The words of every SQL file and of every text in the code of some crates.
fn words() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for name in ["transforms", "pipelines", "lake"] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(name)
            .join("src");
        collect(&dir, &mut words);
    }
    words
}

fn collect(dir: &Path, words: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, words);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let is_sql = path.extension().is_some_and(|e| e == "sql");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = code.lines().filter(|l| !l.trim_start().starts_with("//"));
        for line in code {
            // In Rust only what stands between quotes.
            let parts = line.split('"').enumerate().filter(|(n, _)| is_sql || n % 2 == 1);
            for (_, part) in parts {
                let found = part.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '/'));
                words.extend(found.filter(|w| !w.is_empty() && w.len() < 40).map(str::to_owned));
            }
        }
    }
}

/// A sound line of a source, and the field that makes it unsound when it is `x`.
fn line(source: &str, n: usize) -> (Map<String, Value>, &'static str) {
    let at = "2026-01-05T01:00:00Z";
    let (line, field) = match source {
        "user_wallets" => (
            json!({"user_id": format!("u{n}"), "balance": "1.00", "frozen_amount": "0", "source_extracted_at": at}),
            "balance",
        ),
        "transaction_ledger" => (
            json!({"tx_id": format!("t{n}"), "wallet_id": "u1", "type": "HOLD", "amount": "1.00", "created_at": at}),
            "amount",
        ),
        "payment_orders" => (
            json!({"order_id": format!("p{n}"), "user_id": "u1", "amount": "1.00", "status": "PAID", "created_at": at}),
            "amount",
        ),
        "orders" => (
            json!({"order_id": n, "user_id": "u1", "total_amount": "1.00", "created_at": at}),
            "total_amount",
        ),
        "order_items" => (
            json!({"item_id": n, "order_id": 1, "product_id": 1, "price_at_purchase": "1.00"}),
            "price_at_purchase",
        ),
        _ => (json!({"product_id": n, "price_krw": "1.00"}), "price_krw"),
    };
    let Value::Object(line) = line else { unreachable!() };
    (line, field)
}

/// Loads so many sound lines that one bad line is not too many, one sound line with the fields, and a bad one with them.
fn load(root: &Path, dir: &Path, source: &str, fields: &[String]) -> usize {
    let contract = table(&format!("bronze.{}", Source::named(source).unwrap().bronze)).unwrap();
    let own: Vec<&str> = contract.columns.iter().map(|c| c.name).collect();
    // A field of the contract keeps its meaning; ours and the load's come under other names.
    let ours = ["_corrupt_record", "source_ref", "ingest_date", "load_id"];
    let is_free = |f: &&String| ours.contains(&f.as_str()) || !own.contains(&f.as_str());
    let fields: Vec<&String> = fields.iter().filter(is_free).collect();
    let mut text = String::new();
    for n in 0..120 {
        writeln!(text, "{}", Value::Object(line(source, n).0)).unwrap();
    }
    for (n, is_bad) in [(120, false), (121, true)] {
        let (mut line, field) = line(source, n);
        for (at, name) in fields.iter().enumerate() {
            line.insert((*name).clone(), json!(format!("value-{at}-of-it")));
        }
        if is_bad {
            line.insert(field.to_owned(), json!("x"));
        }
        writeln!(text, "{}", Value::Object(line)).unwrap();
    }
    let file = dir.join(format!("{source}.jsonl"));
    std::fs::write(&file, text).unwrap();
    let file = file.to_string_lossy().into_owned();
    let at = "2026-01-05T02:00:00Z";
    lake(root, &["ingest", source, &file, "--ingested-at", at]);
    fields.len()
}

#[test]
fn every_name_the_code_uses_is_a_name_a_source_may_use() {
    let mut names = words();
    assert!(
        names.contains("nsc/check") && names.contains("order_ref"),
        "the code is looked at"
    );
    names.extend(OTHERS.iter().map(|n| (*n).to_owned()));
    let names: Vec<String> = names.into_iter().collect();
    // A table takes a thousand new columns.
    for lot in names.chunks(900) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("lake");
        let now = "2026-01-05T15:30:00Z";
        lake(&root, &["run", "sync-rules", "--now", "2026-01-01T00:00:00Z"]);
        let mut loaded = Vec::new();
        for source in SOURCES {
            loaded.push((source, load(&root, dir.path(), source, lot)));
        }
        let guard = ["run", "a", "--date-kst", "2026-01-05", "--now", now];
        lake(&root, &guard);
        for pipeline in ["silver", "b", "c"] {
            lake(
                &root,
                &["run", pipeline, "--date-kst", "2026-01-05", "--now", now],
            );
        }
        let silver = [
            ("user_wallets", "silver.wallet_snapshot"),
            ("transaction_ledger", "silver.ledger_entries"),
            ("order_items", "silver.order_items"),
            ("products", "silver.products"),
        ];
        for (source, name) in silver {
            assert_eq!(rows(&root, name, &[]).len(), 121, "{source}");
        }
        assert_eq!(rows(&root, "silver.order_events", &[]).len(), 242);
        let bad: Vec<Value> = rows(&root, "silver.bad_records", &[])
            .iter()
            .map(|r| serde_json::from_str(r).unwrap())
            .collect();
        assert_eq!(bad.len(), SOURCES.len(), "{bad:?}");
        for (source, count) in loaded {
            let of_source = format!("{source}_raw");
            let row = bad
                .iter()
                .find(|r| r["source_table"] == of_source.as_str())
                .unwrap();
            let record: Map<String, Value> =
                serde_json::from_str(row["record_json"].as_str().unwrap()).unwrap();
            for at in 0..count {
                let value = format!("value-{at}-of-it");
                assert!(
                    record.values().any(|v| *v == value.as_str()),
                    "{source}: field {at} is not in the evidence"
                );
            }
        }
    }
}
