//! Features other programs switch on: what is not implemented here is refused before anything is written.

use nsc_core::OperatorError;
use nsc_lake::{Direction, LakeError, SessionOptions, session};
use serde_json::{Value, json};

use super::small::{append, commit_file, contract, data_files, ids, lake, log};

const DAY: &str = "2026-01-05T00:00:00Z";

/// Commits the table's metadata anew with one more property, and a protocol that allows it.
fn switch_on(root: &std::path::Path, version: u64, property: &str, value: &str, reader: u64, writer: u64) {
    let first = std::fs::read_to_string(commit_file(root, 0)).unwrap();
    let mut metadata = first
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap())
        .find_map(|action| action.get("metaData").cloned())
        .unwrap();
    metadata["configuration"][property] = json!(value);
    let actions = [
        json!({"commitInfo": {"timestamp": 1_767_571_200_000_i64, "operation": "SET TBLPROPERTIES", "operationParameters": {}}}),
        json!({"protocol": {"minReaderVersion": reader, "minWriterVersion": writer}}),
        json!({"metaData": metadata}),
    ];
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    std::fs::write(commit_file(root, version), lines.join("\n")).unwrap();
}

fn refused(error: &LakeError, direction: Direction, feature: &str) {
    assert_eq!(error.code().to_string(), "NSC0107", "{error}");
    assert!(
        matches!(error, LakeError::Unsupported { direction: d, feature: f, .. } if *d == direction && f.contains(feature)),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_not_implemented_is_refused_by_name_before_anything_is_written() {
    for (property, value, writer) in [
        ("delta.constraints.known", "product_id <> 'x'", 3),
        ("delta.enableRowTracking", "true", 7),
        ("delta.enableInCommitTimestamps", "true", 7),
    ] {
        let dir = tempfile::tempdir().unwrap();
        append(&lake(dir.path()), &["1"], DAY).await.unwrap();
        switch_on(dir.path(), 2, property, value, 1, writer.min(6));
        let files = data_files(dir.path());
        let lake = lake(dir.path());
        let error = append(&lake, &["x"], DAY).await.unwrap_err();
        refused(
            &error,
            Direction::Write,
            property.trim_start_matches("delta.constraints."),
        );
        let mut table = lake.existing(contract()).await.unwrap().unwrap();
        let ctx = session(&SessionOptions::default()).unwrap();
        let tried = [
            table.compact(&ctx).await.err(),
            table.vacuum(7, true).await.err(),
            table.checkpoint().await.err(),
            table.add_text_columns(&["new".to_owned()]).await.err(),
        ];
        for error in tried {
            refused(&error.unwrap(), Direction::Write, "");
        }
        assert_eq!(data_files(dir.path()), files);
        assert!(!commit_file(dir.path(), 3).exists());
        // Reading is another matter.
        assert_eq!(ids(&lake).await.unwrap(), ["1"]);
    }
}

#[tokio::test]
async fn a_table_with_column_mapping_is_neither_read_nor_written() {
    for mode in ["name", "id"] {
        let dir = tempfile::tempdir().unwrap();
        append(&lake(dir.path()), &["1"], DAY).await.unwrap();
        switch_on(dir.path(), 2, "delta.columnMapping.mode", mode, 2, 5);
        let files = std::fs::read_dir(log(dir.path())).unwrap().count();
        let lake = lake(dir.path());
        let Err(error) = ids(&lake).await else {
            panic!("read as nulls");
        };
        assert!(error.to_string().to_lowercase().contains("column"), "{error}");
        assert!(append(&lake, &["2"], DAY).await.is_err());
        assert_eq!(std::fs::read_dir(log(dir.path())).unwrap().count(), files);
    }
}

#[tokio::test]
async fn rows_are_added_to_a_table_that_is_append_only_and_none_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    append(&lake(dir.path()), &["1"], DAY).await.unwrap();
    switch_on(dir.path(), 2, "delta.appendOnly", "true", 1, 2);
    let lake = lake(dir.path());
    let mut table = append(&lake, &["2"], DAY).await.unwrap();
    assert_eq!(ids(&lake).await.unwrap(), ["1", "2"]);
    let day = "2026-01-06".parse().unwrap();
    let error = table.expire_before(day, true).await.unwrap_err();
    refused(&error, Direction::Write, "append-only");
    // Files may be put together: no row goes.
    let ctx = session(&SessionOptions::default()).unwrap();
    assert_eq!(table.compact(&ctx).await.unwrap().files_after, 1);
    assert_eq!(ids(&lake).await.unwrap(), ["1", "2"]);
}
