//! Opening a table stays cheap however many commits it has: every write path leaves checkpoints.

use nsc_core::UtcMicros;
use nsc_lake::{Lake, LakeOptions, PipelineStates, SessionOptions, session};

#[tokio::test]
async fn a_table_of_many_commits_is_opened_from_a_recent_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(&dir.path().to_string_lossy(), LakeOptions::default()).unwrap();
    let ctx = session(&SessionOptions::default()).unwrap();
    for n in 0..130 {
        PipelineStates::update(&lake, &ctx, Vec::new(), |s| {
            s.row("pipeline_a").last_processed_end = Some(UtcMicros::new(n));
        })
        .await
        .unwrap();
    }
    let log = dir.path().join("gold/pipeline_state/_delta_log");
    let last: serde_json::Value =
        serde_json::from_slice(&std::fs::read(log.join("_last_checkpoint")).unwrap()).unwrap();
    let table = lake
        .existing(nsc_contracts::table("gold.pipeline_state").unwrap())
        .await
        .unwrap()
        .unwrap();
    let since = table.version() - last["version"].as_u64().unwrap();
    assert!(
        since < 10,
        "{since} commits since the last checkpoint, version {}",
        table.version()
    );
    let states = PipelineStates::load(&lake, &ctx).await.unwrap().unwrap();
    assert_eq!(
        states.get("pipeline_a").unwrap().last_processed_end,
        Some(UtcMicros::new(129))
    );
}
