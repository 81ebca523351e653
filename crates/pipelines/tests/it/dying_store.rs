//! Storage that dies at every single write of every command, before and after it: the repeated command ends in the
//! rows of an undisturbed run, and appended rows are neither lost nor doubled.

use std::sync::Arc;

use nsc_testkit::{FaultPlan, FaultStore};

use super::story::{act, dump, open, steps, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_dies_at_any_write_changes_nothing_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(dir.path());
    let (calm, tried) = (dir.path().join("calm"), dir.path().join("tried"));
    let mut deaths = 0;
    for step in steps() {
        act(&open(&calm, None), &world, &step).await.unwrap();
        for after_the_write in [false, true] {
            for dies_at in 0.. {
                let plan = FaultPlan::new(dies_at, after_the_write);
                let lake = open(&tried, Some(Arc::new(FaultStore::wrapper(&plan))));
                let outcome = act(&lake, &world, &step).await;
                if !plan.has_struck() {
                    outcome.unwrap();
                    break;
                }
                deaths += 1;
            }
        }
        act(&open(&tried, None), &world, &step).await.unwrap();
    }
    assert!(deaths > 60, "only {deaths} deaths");
    let (found, wanted) = (dump(&open(&tried, None)).await, dump(&open(&calm, None)).await);
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>()
    );
    for (table, rows) in &wanted {
        assert_eq!(&found[table], rows, "{table}");
    }
    assert!(
        wanted["silver.ledger_entries"].len() > 300
            && !wanted["silver.bad_records"].is_empty()
            && !wanted["gold.exception_ledger"].is_empty()
    );
}
