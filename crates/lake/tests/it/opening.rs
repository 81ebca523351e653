//! A table that is opened again is the newest version, whoever wrote it.

use nsc_core::UtcMicros;
use nsc_lake::{Lake, LakeOptions, PipelineStates, SessionOptions, Table, session};

async fn state_table(lake: &Lake) -> Table {
    let contract = nsc_contracts::table("gold.pipeline_state").unwrap();
    lake.existing(contract).await.unwrap().unwrap()
}

fn paths(table: &Table) -> Vec<String> {
    table.files().unwrap().into_iter().map(|f| f.path).collect()
}

#[tokio::test]
async fn what_another_writer_committed_is_seen_when_the_table_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_string_lossy().into_owned();
    // Two processes: each knows only what it has read itself.
    let [ours, theirs] = [(), ()].map(|()| Lake::open(&root, LakeOptions::default()).unwrap());
    let ctx = session(&SessionOptions::default()).unwrap();
    let mut seen = Vec::new();
    for n in 0..25 {
        let writer = if n % 2 == 0 { &theirs } else { &ours };
        PipelineStates::update(writer, &ctx, Vec::new(), |s| {
            s.row("pipeline_a").last_processed_end = Some(UtcMicros::new(n));
        })
        .await
        .unwrap();
        let (mine, fresh) = (state_table(&ours).await, {
            let lake = Lake::open(&root, LakeOptions::default()).unwrap();
            state_table(&lake).await
        });
        assert_eq!(mine.version(), fresh.version());
        assert_eq!(paths(&mine), paths(&fresh));
        seen.push((mine.version(), mine));
    }
    // A table that was opened before stays at its version, and knows its files.
    for (version, table) in &seen {
        assert_eq!((table.version(), paths(table).len()), (*version, 1));
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().map(|(_, t)| paths(t)).collect();
    assert_eq!(distinct.len(), seen.len());
}
