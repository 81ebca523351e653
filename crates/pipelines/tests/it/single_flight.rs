//! One run of a pipeline at a time.

use nsc_pipelines::{Controls, Period, PipelineError, Silver};

use super::story::{DAY, open, run};

#[tokio::test]
async fn a_second_run_is_refused_with_the_holders_run_id() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path(), None);
    let day = DAY.parse().unwrap();
    let period = Period::dates(day, day).unwrap();
    let held = lake.lock("pipeline_silver", "first-run").await.unwrap().unwrap();
    let refused = run(&lake, &Silver, period).await;
    assert!(
        matches!(&refused, Err(PipelineError::Held { holder, .. }) if holder.run_id == "first-run"),
        "{refused:?}"
    );
    // Another pipeline is not held; it fails on its own gate.
    let other = run(&lake, &Controls, period).await;
    assert!(
        matches!(other, Err(PipelineError::UpstreamNotReady { .. })),
        "{other:?}"
    );
    drop(held);
    let free = run(&lake, &Silver, period).await;
    assert!(matches!(free, Err(PipelineError::Rule(_))), "{free:?}");
}
