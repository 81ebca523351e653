//! Readers that share no code with this project open the tables and see the same rows, money and times.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::world::{chain_steps, generate, lake, load_all};
use super::{nsc, stdout};

fn repository() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn one_row(root: &Path, sql: &str) -> serde_json::Map<String, Value> {
    let root_text = root.to_string_lossy().into_owned();
    let output = nsc(root, &["--root", &root_text, "--format", "json", "sql", sql]);
    let rows: Vec<serde_json::Map<String, Value>> = serde_json::from_str(&stdout(&output)).unwrap();
    rows.into_iter().next().unwrap()
}

/// What each reader says of each table.
fn read_by_others(root: &Path) -> BTreeMap<String, BTreeMap<String, Value>> {
    let python = repository().join(".nsc/venv/bin/python");
    assert!(
        python.exists(),
        "the independent readers are not installed: run scripts/python-env.sh (make test does)"
    );
    let output = Command::new(python)
        .arg(repository().join("tests/readers/read_tables.py"))
        .arg(root)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The sums and the first and last times of a table, as a reader and as `nsc sql` say them.
fn assert_says_the_same(root: &Path, table: &str, reader: &Value) {
    for (column, sum) in reader["sums"].as_object().unwrap() {
        let own = one_row(
            root,
            &format!("SELECT coalesce(CAST(sum(\"{column}\") AS VARCHAR), '0') AS s FROM {table}"),
        );
        let number = |v: &Value| {
            v.as_str()
                .unwrap()
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        };
        assert_eq!(number(&own["s"]), number(sum), "{table}.{column}");
    }
    for (column, first) in reader["first"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, v)| !v.is_null())
    {
        let own = one_row(
            root,
            &format!(
                "SELECT to_char(min(\"{column}\"), '%Y-%m-%dT%H:%M:%S.%6fZ') AS a, to_char(max(\"{column}\"), '%Y-%m-%dT%H:%M:%S.%6fZ') AS b FROM {table}"
            ),
        );
        assert_eq!(
            (&own["a"], &own["b"]),
            (first, &reader["last"][column]),
            "{table}.{column}"
        );
    }
}

#[test]
fn deltalake_polars_and_duckdb_see_the_same_rows() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "--seed",
        "4",
        "--wallets",
        "80",
        "--entries-per-day",
        "2000",
        "--days",
        "2",
        "--first-date-kst",
        "2026-01-05",
        "--faults",
    ];
    let world = generate(dir.path(), &arguments);
    let root = dir.path().join("lake");
    load_all(&root, &world);
    for step in chain_steps(&["2026-01-05", "2026-01-06"]) {
        lake(&root, &step);
    }
    let guard = "run a --run-mode backfill --start-ts 2026-01-05T02:00:00Z --end-ts 2026-01-05T03:00:00Z --now 2026-01-20T00:00:00Z";
    lake(&root, &guard.split_whitespace().collect::<Vec<_>>());

    let seen = read_by_others(&root);
    // The contract's 23, and the record of loads.
    assert_eq!(seen.len(), 24, "{:?}", seen.keys());
    for (table, readers) in &seen {
        let own = one_row(&root, &format!("SELECT count(*) AS n FROM {table}"));
        for (reader, found) in readers {
            assert_eq!(found["rows"], own["n"], "{table} through {reader}");
        }
        assert_says_the_same(&root, table, &readers["deltalake"]);
    }
    assert!(seen["silver.ledger_entries"]["duckdb"]["rows"].as_i64() > Some(3000));
}
