//! What a log says of the days that changed since a version.

use nsc_core::DateKst;
use nsc_lake::{Days, DaysChanged, Lake, SessionOptions, Staged, session};
use serde_json::{Value, json};

use super::small::{append, commit_file, contract, lake};

const MONDAY: &str = "2026-01-05T00:00:00Z";
const TUESDAY: &str = "2026-01-06T00:00:00Z";

fn day(text: &str) -> DateKst {
    text.parse().unwrap()
}

async fn since(lake: &Lake, version: u64) -> Option<Vec<DaysChanged>> {
    let table = lake.existing(contract()).await.unwrap().unwrap();
    table.days_changed_since(version).await.unwrap()
}

fn reaching(days: &Value) -> Vec<(String, Value)> {
    vec![("nsc.reach".to_owned(), days.clone())]
}

#[tokio::test]
async fn a_commit_names_the_days_of_its_rows_and_those_it_matters_for_beyond() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    append(&lake, &["1"], MONDAY).await.unwrap();
    let mut table = append(&lake, &["2"], TUESDAY).await.unwrap();
    let commits = since(&lake, 0).await.unwrap();
    let days: Vec<_> = commits.iter().flat_map(|c| &c.days).copied().collect();
    assert_eq!(days, [day("2026-01-05"), day("2026-01-06")]);
    assert!(
        commits.iter().all(|c| c.reach.is_none() && c.only.is_none()),
        "they do not say: {commits:?}"
    );
    // A commit without a file has something to say as well, and one that only puts files together has not.
    let seen = table.version();
    table
        .commit_append(
            Staged::default(),
            [("nsc.reach".to_owned(), 1)],
            reaching(&json!([["2025-12-30", "2025-12-31"]])),
        )
        .await
        .unwrap();
    append(&lake, &["3"], TUESDAY).await.unwrap();
    let ctx = session(&SessionOptions::default()).unwrap();
    let mut table = lake.existing(contract()).await.unwrap().unwrap();
    table.compact(&ctx).await.unwrap();
    let commits = since(&lake, seen).await.unwrap();
    let [said, added] = commits.as_slice() else {
        unreachable!("{commits:?}")
    };
    let reach: Days = [day("2025-12-30"), day("2025-12-31")].into_iter().collect();
    assert_eq!((said.days.len(), said.reach.as_ref()), (0, Some(&reach)));
    assert_eq!((added.days.len(), added.reach.as_ref()), (1, None));
    assert!(since(&lake, table.version()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_log_that_is_gone_or_another_tables_tells_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    append(&lake, &["1"], MONDAY).await.unwrap();
    let table = append(&lake, &["2"], TUESDAY).await.unwrap();
    assert_eq!(since(&lake, table.version() + 1).await, None);
    std::fs::remove_file(commit_file(dir.path(), 1)).unwrap();
    assert_eq!(since(&lake, 0).await, None);
    assert_eq!(since(&lake, 1).await.unwrap().len(), 1);
}
