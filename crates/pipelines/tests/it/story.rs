//! A small world and the commands that process it, in process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nsc_contracts::SOURCES;
use nsc_core::{DateKst, RunId, UtcMicros};
use nsc_lake::{Lake, LakeOptions, SessionOptions, StoreWrapper, session};
use nsc_pipelines::{
    Analytics, Controls, Guardrail, Invocation, Period, Pipeline, PipelineError, Progress, RuleSource,
    RunContext, RunSettings, Salt, Silver, SyncRules,
};

pub(crate) const DAY: &str = "2026-01-05";

/// One command of the story.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Ingest(&'static str),
    Run(Arc<dyn Pipeline>, Period),
}

pub(crate) fn world(dir: &Path) -> PathBuf {
    let mut options = nsc_sample::SampleOptions::new(dir.join("world"));
    (
        options.seed,
        options.wallets,
        options.entries_per_day,
        options.faults,
    ) = (9, 40, 400, true);
    nsc_sample::generate(&options, &mut |_| {}).unwrap();
    options.out
}

pub(crate) fn open(root: &Path, wrap_store: Option<StoreWrapper>) -> Lake {
    Lake::open(
        &root.to_string_lossy(),
        LakeOptions {
            wrap_store,
            ..LakeOptions::default()
        },
    )
    .unwrap()
}

pub(crate) fn context(lake: Lake, name: &str, now: &str) -> RunContext {
    let now = UtcMicros::parse(now).unwrap();
    let session = SessionOptions {
        threads: 2,
        ..SessionOptions::default()
    };
    RunContext {
        lake,
        settings: RunSettings {
            session,
            salt: Some(Salt::new(Salt::LOCAL, "local").unwrap()),
        },
        run_id: RunId::parse(name).unwrap(),
        now,
        clock: now,
        begun: std::time::Instant::now(),
        invocation: Invocation::default(),
        progress: Progress::default(),
        rules_as_of: None,
        wait: None,
    }
}

pub(crate) fn steps() -> Vec<Step> {
    let day: DateKst = DAY.parse().unwrap();
    let rules = nsc_contracts::rule::default_rules().unwrap();
    let guard = Period::window(day.start(), day.start().plus(7_200_000_000)).unwrap();
    let whole = Period::dates(day, day).unwrap();
    let mut steps: Vec<Step> = SOURCES.iter().map(|s| Step::Ingest(s.name)).collect();
    let run = |pipeline: Arc<dyn Pipeline>, period| Step::Run(pipeline, period);
    steps.extend([
        run(Arc::new(SyncRules(RuleSource::File(rules))), Period::Scheduled),
        run(Arc::new(Guardrail), guard),
        run(Arc::new(Silver), whole),
        run(Arc::new(Controls), whole),
        run(Arc::new(Analytics), whole),
    ]);
    steps
}

/// Does one step; an error is the step's own.
pub(crate) async fn act(lake: &Lake, world: &Path, step: &Step) -> Result<(), String> {
    match step {
        Step::Ingest(name) => load(lake, world, name, "2026-01-06T00:00:00Z").await,
        Step::Run(pipeline, period) => run(lake, pipeline.as_ref(), *period)
            .await
            .map_err(|e| e.to_string()),
    }
}

/// Loads a source's file of a folder.
pub(crate) async fn load(lake: &Lake, folder: &Path, name: &str, at: &str) -> Result<(), String> {
    let request = nsc_ingest::LoadRequest {
        source: nsc_contracts::Source::named(name).unwrap(),
        inputs: vec![nsc_ingest::Input::from(folder.join(format!("{name}.jsonl")))],
        source_system: None,
        batch_id: None,
        source_extracted_at: None,
        ingested_at: UtcMicros::parse(at).unwrap(),
        clock: UtcMicros::parse(at).unwrap(),
        force: false,
        verify: false,
        actor: "test@here".to_owned(),
    };
    let loaded = nsc_ingest::load(lake, request, &()).await;
    loaded.map(|_| ()).map_err(|e| e.to_string())
}

pub(crate) async fn run(lake: &Lake, pipeline: &dyn Pipeline, period: Period) -> Result<(), PipelineError> {
    let context = context(lake.clone(), pipeline.name(), "2026-01-20T00:00:00Z");
    nsc_pipelines::run(&context, pipeline, period).await.1
}

/// Every row of every Silver and Gold table, sorted.
pub(crate) async fn dump(lake: &Lake) -> BTreeMap<String, Vec<String>> {
    let ctx = session(&SessionOptions::default()).unwrap();
    let mut all = BTreeMap::new();
    for contract in nsc_contracts::tables().filter(|t| t.layer != nsc_contracts::Layer::Bronze) {
        let Some(table) = lake.existing(contract).await.unwrap() else {
            continue;
        };
        let columns: Vec<&str> = contract
            .columns
            .iter()
            .map(|c| c.name)
            // Each lake has loads of its own.
            .filter(|n| !["input_versions", "load_id"].contains(n))
            .collect();
        let batches = ctx
            .read_table(table.scan_all().unwrap())
            .unwrap()
            .select_columns(&columns)
            .unwrap()
            .collect()
            .await
            .unwrap();
        let options = datafusion::arrow::util::display::FormatOptions::default().with_null("null");
        let mut rows = Vec::new();
        for batch in &batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|c| datafusion::arrow::util::display::ArrayFormatter::try_new(c, &options).unwrap())
                .collect();
            rows.extend((0..batch.num_rows()).map(|i| {
                columns
                    .iter()
                    .map(|c| c.value(i).to_string())
                    .collect::<Vec<_>>()
                    .join(" | ")
            }));
        }
        rows.sort();
        all.insert(contract.full_name(), rows);
    }
    all
}
