//! A log with a damaged file: it opens when nothing is lost, and names the file when something is.

use std::path::Path;

use nsc_core::OperatorError;
use nsc_lake::LakeError;

use super::small::{append, commit_file, contract, ids, lake, log};

const DAY: &str = "2026-01-05T00:00:00Z";

/// A table of twelve commits with its newest checkpoint, of which version is returned.
async fn written(root: &Path) -> u64 {
    let lake = lake(root);
    for n in 0..12 {
        append(&lake, &[&format!("{n:02}")], DAY).await.unwrap();
    }
    let checkpoints: Vec<u64> = std::fs::read_dir(log(root))
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().into_string().ok())
        .filter_map(|name| {
            name.strip_suffix(".checkpoint.parquet")
                .and_then(|v| v.parse().ok())
        })
        .collect();
    checkpoints.into_iter().max().unwrap()
}

fn checkpoint_file(root: &Path, version: u64) -> std::path::PathBuf {
    log(root).join(format!("{version:020}.checkpoint.parquet"))
}

fn cut(path: &Path, keep: usize) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() * keep / 100]).unwrap();
}

async fn all_there(root: &Path) {
    let fresh = lake(root);
    let wanted: Vec<String> = (0..12).map(|n| format!("{n:02}")).collect();
    assert_eq!(ids(&fresh).await.unwrap(), wanted);
    // It can be written, and the next process reads that, too.
    append(&fresh, &["12"], DAY).await.unwrap();
    assert_eq!(ids(&lake(root)).await.unwrap().len(), 13);
}

#[tokio::test]
async fn a_cut_checkpoint_is_passed_over_when_the_commits_say_the_same() {
    for keep in [0, 50, 99] {
        let dir = tempfile::tempdir().unwrap();
        let newest = written(dir.path()).await;
        cut(&checkpoint_file(dir.path(), newest), keep);
        let table = lake(dir.path()).existing(contract()).await.unwrap().unwrap();
        assert!(
            table
                .passed_over()
                .contains(&format!("{newest:020}.checkpoint.parquet")),
            "{:?}",
            table.passed_over()
        );
        all_there(dir.path()).await;
        // A new checkpoint makes the damaged one a thing of the past.
        lake(dir.path())
            .existing(contract())
            .await
            .unwrap()
            .unwrap()
            .checkpoint()
            .await
            .unwrap();
        let table = lake(dir.path()).existing(contract()).await.unwrap().unwrap();
        assert!(table.passed_over().is_empty(), "{:?}", table.passed_over());
    }
}

#[tokio::test]
async fn a_hint_that_names_no_checkpoint_misleads_nobody() {
    for hint in ["", "garbage", "{\"version\":9000,\"size\":1}"] {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path()).await;
        std::fs::write(log(dir.path()).join("_last_checkpoint"), hint).unwrap();
        all_there(dir.path()).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let newest = written(dir.path()).await;
    std::fs::remove_file(checkpoint_file(dir.path(), newest)).unwrap();
    all_there(dir.path()).await;
}

#[tokio::test]
async fn a_checkpoint_that_was_never_completed_is_passed_over_for_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let newest = written(dir.path()).await;
    assert!(newest < 12);
    // The hint still names the older one.
    std::fs::write(checkpoint_file(dir.path(), 12), "PAR1").unwrap();
    all_there(dir.path()).await;
    // Its commits may be gone: the older checkpoint stands for them.
    for version in 0..newest {
        std::fs::remove_file(commit_file(dir.path(), version)).unwrap();
    }
    assert_eq!(ids(&lake(dir.path())).await.unwrap().len(), 13);
}

async fn damage(root: &Path) -> (String, String) {
    let error = lake(root).existing(contract()).await.unwrap_err();
    assert_eq!(error.code().to_string(), "NSC0108", "{error}");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    match error {
        LakeError::DamagedLog { file, reason, .. } => (file, reason),
        other => (String::new(), other.to_string()),
    }
}

#[tokio::test]
async fn a_damaged_commit_is_named_and_never_read_over() {
    type Harm = fn(&Path);
    let empty: Harm = |file| std::fs::write(file, "").unwrap();
    let harms: [(Harm, &str); 4] = [
        (empty, "it is empty"),
        (|file| cut(file, 60), "is not JSON"),
        (|file| std::fs::write(file, "\n\n").unwrap(), "it holds no action"),
        (|file| std::fs::write(file, "[1]\n").unwrap(), "is not an action"),
    ];
    for (harm, said) in harms {
        let dir = tempfile::tempdir().unwrap();
        written(dir.path()).await;
        harm(&commit_file(dir.path(), 12));
        let opened = lake(dir.path()).existing(contract()).await;
        if opened.is_ok() {
            panic!("{said}: read over");
        }
        let (file, reason) = damage(dir.path()).await;
        assert_eq!(file, format!("_delta_log/{:020}.json", 12));
        assert!(reason.contains(said), "{reason}");
    }
}

#[tokio::test]
async fn a_commit_that_becomes_empty_under_an_open_table_is_named_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let open = lake(dir.path());
    append(&open, &["1"], DAY).await.unwrap();
    std::fs::write(commit_file(dir.path(), 2), "").unwrap();
    let error = open.existing(contract()).await.unwrap_err().to_string();
    assert!(error.contains("00000000000000000002.json"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[tokio::test]
async fn a_cut_checkpoint_whose_commits_are_gone_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let newest = written(dir.path()).await;
    for version in 0..newest {
        std::fs::remove_file(commit_file(dir.path(), version)).unwrap();
    }
    // Whole, it stands for the commits that were cleaned up.
    assert_eq!(ids(&lake(dir.path())).await.unwrap().len(), 12);
    cut(&checkpoint_file(dir.path(), newest), 50);
    let (file, _) = damage(dir.path()).await;
    assert_eq!(file, format!("_delta_log/{newest:020}.checkpoint.parquet"));
}

#[tokio::test]
async fn a_missing_commit_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let lake = lake(dir.path());
    for n in 0..4 {
        append(&lake, &[&n.to_string()], DAY).await.unwrap();
    }
    std::fs::remove_file(commit_file(dir.path(), 2)).unwrap();
    let (file, reason) = damage(dir.path()).await;
    assert_eq!(file, format!("_delta_log/{:020}.json", 2));
    assert_eq!(reason, "it is missing");
}
