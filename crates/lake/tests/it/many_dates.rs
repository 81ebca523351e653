//! A writer that meets many dates.

use nsc_core::UtcMicros;
use nsc_lake::Table;

use super::small::{contract, ids, lake, rows};

const DAY: i64 = 86_400_000_000;

/// Rows of so many dates, the dates in turns, so many times.
async fn written(table: &mut Table, dates: i64, rounds: usize, width: usize) {
    let padding = "x".repeat(width);
    let mut writer = table.writer().unwrap();
    for round in 0..rounds {
        let batches: Vec<_> = (0..dates)
            .map(|date| {
                let id = format!("{round:04}-{date:05}-{padding}");
                rows(&[&id], UtcMicros::new(date * DAY))
            })
            .collect();
        let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
        writer.write(&all).await.unwrap();
    }
    let staged = writer.finish().await.unwrap();
    table.commit_append(staged, None, Vec::new()).await.unwrap();
}

#[tokio::test]
async fn each_date_has_one_file_and_every_row_is_in_the_file_of_its_date() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    let mut table = lake.table(contract()).await.unwrap();
    written(&mut table, 300, 3, 8).await;
    let files = table.files().unwrap();
    assert_eq!(files.len(), 300);
    assert!(files.iter().all(|f| f.rows == Some(3)), "{files:?}");
    let found = ids(&lake).await.unwrap();
    assert_eq!(found.len(), 900);
    let distinct: std::collections::BTreeSet<_> = found.iter().collect();
    assert_eq!(distinct.len(), 900);
}

#[tokio::test]
async fn more_than_the_writers_may_hold_becomes_several_files_and_no_row_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    let mut table = lake.table(contract()).await.unwrap();
    // Some 220 MB of rows, 100 dates in turns: more than all writers may hold.
    written(&mut table, 100, 22, 100_000).await;
    let files = table.files().unwrap();
    let rows: u64 = files.iter().filter_map(|f| f.rows).sum();
    assert_eq!(rows, 2_200);
    assert!(files.len() > 100, "nothing was closed before the end");
    assert!(files.len() < 1_000, "{} files for 100 dates", files.len());
}
