//! Files that were only put together bring no row, whoever did it.

use std::collections::BTreeSet;

use nsc_lake::{Commit, Lake, SessionOptions, Table, session};
use serde_json::json;

use super::small::{append, commit_file, contract, lake};

const MONDAY: &str = "2026-01-05T00:00:00Z";
const TUESDAY: &str = "2026-01-06T00:00:00Z";

async fn open(lake: &Lake) -> Table {
    lake.existing(contract()).await.unwrap().unwrap()
}

async fn rows_new_since(lake: &Lake, version: u64) -> u64 {
    let new = open(lake).await.arrivals_since(version).await.unwrap().new;
    new.iter().filter_map(|f| f.rows).sum()
}

async fn compact(lake: &Lake) {
    let ctx = session(&SessionOptions::default()).unwrap();
    open(lake).await.compact(&ctx).await.unwrap();
}

#[tokio::test]
async fn a_compaction_makes_no_row_new() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    for id in ["1", "2", "3"] {
        append(&lake, &[id], MONDAY).await.unwrap();
    }
    let seen = open(&lake).await.version();
    compact(&lake).await;
    assert!(open(&lake).await.version() > seen);
    assert_eq!(rows_new_since(&lake, seen).await, 0);
    append(&lake, &["4", "5"], TUESDAY).await.unwrap();
    assert_eq!(rows_new_since(&lake, seen).await, 2);
    // Of the partition that was put together again nothing is new, of the other one everything.
    append(&lake, &["6"], TUESDAY).await.unwrap();
    compact(&lake).await;
    assert_eq!(rows_new_since(&lake, seen).await, 3);
    assert_eq!(rows_new_since(&lake, open(&lake).await.version()).await, 0);
}

#[tokio::test]
async fn new_rows_stay_new_when_they_were_put_together_with_known_ones() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    append(&lake, &["1"], MONDAY).await.unwrap();
    let seen = open(&lake).await.version();
    append(&lake, &["2"], MONDAY).await.unwrap();
    compact(&lake).await;
    assert_eq!(
        rows_new_since(&lake, seen).await,
        2,
        "the new row, and the known one beside it"
    );
}

#[tokio::test]
async fn another_engines_compaction_makes_no_row_new() {
    let dir = tempfile::tempdir().unwrap();
    let first = lake(dir.path());
    append(&first, &["1"], MONDAY).await.unwrap();
    append(&first, &["2"], MONDAY).await.unwrap();
    let seen = open(&first).await.version();
    compact(&first).await;
    // The same commit as another engine writes it: no row counts, and each property in its own order.
    let ours = std::fs::read_to_string(commit_file(dir.path(), seen + 1)).unwrap();
    let theirs: Vec<String> = ours
        .lines()
        .map(|line| {
            let mut action: serde_json::Value = serde_json::from_str(line).unwrap();
            if action.get("commitInfo").is_some() {
                return json!({"commitInfo": {"operation": "OPTIMIZE", "operationParameters": {"zOrderBy": "[]"}, "timestamp": 1}}).to_string();
            }
            if let Some(add) = action.get_mut("add") {
                add.as_object_mut().unwrap().remove("stats");
            }
            action.to_string()
        })
        .collect();
    std::fs::write(commit_file(dir.path(), seen + 1), theirs.join("\n")).unwrap();
    let fresh = lake(dir.path());
    assert!(
        open(&fresh)
            .await
            .arrivals_since(seen)
            .await
            .unwrap()
            .new
            .is_empty()
    );
    let changes = open(&fresh).await.changes_since(seen).await.unwrap().unwrap();
    assert!(changes.added.is_empty() && changes.removed.is_empty() && changes.runs.is_empty());
}

#[tokio::test]
async fn a_version_the_log_no_longer_tells_of_makes_every_file_new() {
    let dir = tempfile::tempdir().unwrap();
    let first = lake(dir.path());
    for n in 0..4 {
        append(&first, &[&n.to_string()], MONDAY).await.unwrap();
    }
    assert_eq!(rows_new_since(&first, 99).await, 4);
    let table = open(&first).await;
    table.checkpoint().await.unwrap();
    std::fs::remove_file(commit_file(dir.path(), 2)).unwrap();
    let fresh = lake(dir.path());
    assert_eq!(rows_new_since(&fresh, 1).await, 4);
    assert_eq!(rows_new_since(&fresh, 3).await, 1);
    let distinct: BTreeSet<_> = open(&fresh)
        .await
        .files()
        .unwrap()
        .into_iter()
        .map(|f| f.path)
        .collect();
    assert_eq!(distinct.len(), 4);
}

#[tokio::test]
async fn what_replaces_files_that_were_put_together_meanwhile_has_lost_the_race() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    for id in ["1", "2"] {
        append(&lake, &[id], MONDAY).await.unwrap();
    }
    let mut stale = open(&lake).await;
    let removed = stale.files().unwrap();
    compact(&lake).await;
    let replaced = stale
        .commit(Commit {
            removed,
            ..Commit::default()
        })
        .await;
    // Else the rows would stand twice: in the file they were put into, and where they are replaced.
    assert!(replaced.is_err_and(|e| e.is_conflict()));
}
