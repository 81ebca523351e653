//! Loads are taken back, and the run of Silver that carries it out is killed after each of its writes: the next run leaves
//! what an undisturbed one does, and B computes the same days.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nsc_core::UtcMicros;
use nsc_lake::{Lake, LoadRecord, LoadState, SessionOptions, session};
use nsc_pipelines::{Analytics, Controls, Pipeline, Silver};
use nsc_testkit::{FaultPlan, FaultStore};

use super::dying_night::{before_the_second_night, copy, run};
use super::story::{dump, open};

/// Takes back the loads of the second night.
async fn retract(lake: &Lake) {
    let ctx = session(&SessionOptions::default()).unwrap();
    let second = UtcMicros::parse("2026-01-06T00:00:00Z").unwrap();
    let records = lake.load_records(&ctx).await.unwrap();
    let of_second: Vec<LoadRecord> = records
        .into_iter()
        .filter(|r| r.ingested_at > Some(second))
        .collect();
    assert_eq!(of_second.len(), 3);
    for record in of_second {
        let retracted = LoadRecord {
            state: LoadState::Retracted,
            recorded_at: record.recorded_at.plus(1),
            ..record
        };
        lake.record_load(&retracted).await.unwrap();
    }
}

/// A lake on which two nights have run, and the second one's files are taken back since.
async fn before_the_retraction(dir: &Path) -> PathBuf {
    let root = before_the_second_night(dir).await;
    let lake = open(&root, None);
    for pipeline in [&Silver as &dyn Pipeline, &Controls, &Analytics] {
        run(&lake, pipeline, 1).await.unwrap();
    }
    retract(&lake).await;
    root
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retraction_that_dies_after_any_write_is_carried_out_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let before = before_the_retraction(dir.path()).await;
    let calm = dir.path().join("calm");
    copy(&before, &calm);
    run(&open(&calm, None), &Silver, 1).await.unwrap();
    let wanted_of_silver = dump(&open(&calm, None)).await;
    run(&open(&calm, None), &Controls, 1).await.unwrap();
    let wanted = dump(&open(&calm, None)).await;
    let issued = &wanted["gold.ledger_supply_balance_daily"];
    assert!(issued.iter().all(|row| row.contains(" 60.00 ")), "{issued:?}");
    // The contradiction went with the copy that contradicted.
    let contradictions = wanted["gold.exception_ledger"]
        .iter()
        .filter(|r| r.contains("contradicted"));
    assert!(
        contradictions.clone().any(|r| r.contains("CLEARED")),
        "{contradictions:?}"
    );

    for dies_at in (0..).step_by(2) {
        let tried = dir.path().join(format!("tried-{dies_at}"));
        copy(&before, &tried);
        let plan = FaultPlan::new(dies_at, true);
        let dying = open(&tried, Some(Arc::new(FaultStore::wrapper(&plan))));
        let outcome = run(&dying, &Silver, 1).await;
        if !plan.has_struck() {
            outcome.unwrap();
            assert!(dies_at > 15, "only {dies_at} deaths");
            break;
        }
        run(&open(&tried, None), &Silver, 1).await.unwrap();
        let with_controls = dies_at % 8 == 0;
        if with_controls {
            run(&open(&tried, None), &Controls, 1).await.unwrap();
        }
        let found = dump(&open(&tried, None)).await;
        for (table, rows) in if with_controls { &wanted } else { &wanted_of_silver } {
            assert_eq!(&found[table], rows, "{table}, dead after write {dies_at}");
        }
        std::fs::remove_dir_all(&tried).unwrap();
    }
}
