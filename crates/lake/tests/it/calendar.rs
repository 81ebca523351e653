//! Times and dates outside of the years 1 to 9999 never reach a table, and a table that has one can be mended.

use nsc_core::{DateKst, OperatorError, UtcMicros};
use nsc_lake::LakeError;

use super::small::{append, commit_file, contract, data_files, ids, lake, rows};

#[tokio::test]
async fn a_time_outside_of_the_calendar_is_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    append(&lake, &["1"], "2026-01-05T00:00:00Z").await.unwrap();
    for (time, shown) in [
        (UtcMicros::LAST.plus(1), "9999-12-31T15:00:00Z"),
        (UtcMicros::FIRST.plus(-1), "0000-12-31T23:59:59.999999Z"),
        (DateKst::LAST.end().plus(86_400_000_000), "+10000-01-01T15:00:00Z"),
    ] {
        let table = lake.table(contract()).await.unwrap();
        let mut writer = table.writer().unwrap();
        let error = writer.write(&rows(&["2"], time)).await.unwrap_err();
        assert_eq!(error.code().to_string(), "NSC0106");
        assert!(
            matches!(&error, LakeError::OutsideCalendar { value, .. } if value == shown),
            "{error}"
        );
    }
    for edge in [UtcMicros::FIRST, UtcMicros::LAST] {
        append(&lake, &["3"], &edge.to_string()).await.unwrap();
    }
    assert_eq!(ids(&lake).await.unwrap(), ["1", "3", "3"]);
}

/// Adds an action to the log that says a file lies in some partition, as an earlier version of this program wrote it.
fn misfile(root: &std::path::Path, partition: &str) {
    let newest = std::fs::read_to_string(commit_file(root, 1)).unwrap();
    let of_day = newest.replace("2026-01-05", partition);
    let files: Vec<&str> = of_day
        .lines()
        .filter(|l| l.contains("\"add\"") || l.contains("\"commitInfo\""))
        .collect();
    std::fs::write(commit_file(root, 2), files.join("\n")).unwrap();
    let days = root.join("bronze/products_raw");
    let target = days.join(format!("ingest_date={partition}"));
    std::fs::create_dir(&target).unwrap();
    for file in std::fs::read_dir(days.join("ingest_date=2026-01-05")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), target.join(file.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_table_with_a_partition_no_engine_reads_is_mended_and_the_evidence_is_kept() {
    for partition in ["10000-01-01", "0000-12-31", "tomorrow"] {
        let dir = tempfile::tempdir().unwrap();
        append(&lake(dir.path()), &["1"], "2026-01-05T00:00:00Z")
            .await
            .unwrap();
        misfile(dir.path(), partition);
        let before = data_files(dir.path());
        let lake = lake(dir.path());
        let found = lake.repair(contract(), false).await.unwrap();
        assert_eq!(found.len(), 1, "{partition}");
        assert_eq!(
            (found[0].partition.as_str(), found[0].rows, found[0].version),
            (partition, Some(1), Some(2))
        );
        assert!(!commit_file(dir.path(), 3).exists(), "a look changes nothing");
        lake.repair(contract(), true).await.unwrap();
        assert_eq!(ids(&lake).await.unwrap(), ["1"], "{partition}");
        assert_eq!(data_files(dir.path()), before);
        let commit = std::fs::read_to_string(commit_file(dir.path(), 3)).unwrap();
        assert!(
            commit.contains("nsc.repair") && commit.contains(partition),
            "{commit}"
        );
        assert!(lake.repair(contract(), true).await.unwrap().is_empty());
        append(&lake, &["2"], "2026-01-06T00:00:00Z").await.unwrap();
        assert_eq!(ids(&lake).await.unwrap(), ["1", "2"]);
    }
}

#[tokio::test]
async fn what_a_checkpoint_knows_is_mended_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let first = lake(dir.path());
    append(&first, &["1"], "2026-01-05T00:00:00Z").await.unwrap();
    misfile(dir.path(), "2026-01-07");
    let table = lake(dir.path()).existing(contract()).await.unwrap().unwrap();
    table.checkpoint().await.unwrap();
    let found = lake(dir.path()).repair(contract(), false).await.unwrap();
    assert!(found.is_empty(), "a date is a date: {found:?}");
    assert_eq!(ids(&lake(dir.path())).await.unwrap(), ["1", "1"]);
}
