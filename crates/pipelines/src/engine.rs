//! Runs a pipeline: its lock, its record, the failure it leaves, the lease it may lose.

use std::time::{Duration, Instant};

use nsc_contracts::Layer;
use nsc_lake::{LakeError, PipelineLock};

use crate::pipeline::{Extent, Pipeline};
use crate::{Period, PipelineError, RunContext, RunReport, gate, record};

/// How often a held pipeline is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Runs a pipeline; the report says what happened even when the run failed.
pub async fn run(
    run: &RunContext,
    pipeline: &dyn Pipeline,
    period: Period,
) -> (RunReport, Result<(), PipelineError>) {
    let begun = Instant::now();
    let mut report = RunReport::new(run, pipeline.name());
    let outcome = alone(run, pipeline, period, &mut report).await;
    ended(run, begun, report, outcome).await
}

/// The end of what was run, kept in the run log unless nothing of it has begun: what is held has not.
pub(crate) async fn ended(
    run: &RunContext,
    begun: Instant,
    mut report: RunReport,
    outcome: Result<(), PipelineError>,
) -> (RunReport, Result<(), PipelineError>) {
    report.end(begun, &outcome);
    report.peak_memory_bytes = nsc_telemetry::peak_memory_bytes();
    if !report.parts.is_empty() || !matches!(outcome, Err(PipelineError::Held { .. })) {
        record::keep(run, &report).await;
    }
    (report, outcome)
}

async fn alone(
    run: &RunContext,
    pipeline: &dyn Pipeline,
    period: Period,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let extent = match period {
        Period::Scheduled => Extent::WithDue,
        Period::Window(_) | Period::Incremental(_) => Extent::Period,
    };
    let lock = lock(run, pipeline, Duration::ZERO).await?;
    record::begin(run, report).await?;
    held(run, pipeline, period, extent, report, lock).await
}

/// Runs a pipeline as a step of something greater, which keeps the record. `patience` is how long to wait for whoever holds it,
/// unless the run says otherwise.
pub(crate) async fn step(
    run: &RunContext,
    pipeline: &dyn Pipeline,
    period: Period,
    patience: Duration,
) -> (RunReport, Result<(), PipelineError>) {
    let begun = Instant::now();
    let mut report = RunReport::new(run, pipeline.name());
    let outcome = match lock(run, pipeline, patience).await {
        Ok(lock) => held(run, pipeline, period, Extent::WithDue, &mut report, lock).await,
        Err(e) => Err(e),
    };
    report.end(begun, &outcome);
    (report, outcome)
}

/// Single flight: waits for whoever holds the pipeline, and says who it is when that takes too long.
async fn lock(
    run: &RunContext,
    pipeline: &dyn Pipeline,
    patience: Duration,
) -> Result<PipelineLock, PipelineError> {
    let (name, since) = (pipeline.name(), Instant::now());
    let wait = run.wait.unwrap_or(patience);
    loop {
        let holder = match run.lake.lock(name, run.run_id.as_str()).await? {
            Ok(lock) => return Ok(lock),
            Err(holder) => holder,
        };
        let left = wait.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Err(PipelineError::Held {
                pipeline: name.to_owned(),
                holder,
            });
        }
        tracing::info!(pipeline = name, run_id = holder.run_id, "held; waiting");
        tokio::time::sleep(ASK_AGAIN.min(left)).await;
    }
}

/// One pipeline under its lock, which is freed at the end.
async fn held(
    run: &RunContext,
    pipeline: &dyn Pipeline,
    period: Period,
    extent: Extent,
    report: &mut RunReport,
    lock: PipelineLock,
) -> Result<(), PipelineError> {
    // What a run changes, it changes while it holds the pipeline.
    let run = RunContext {
        lake: run.lake.under(&lock),
        ..run.clone()
    };
    report.begins("begun");
    let outcome = recorded(&run, pipeline, period, extent, report).await;
    lock.release().await;
    outcome
}

/// One pipeline that is held, with its failure recorded.
async fn recorded(
    run: &RunContext,
    pipeline: &dyn Pipeline,
    period: Period,
    extent: Extent,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    if !pipeline.follows_from_sources() {
        return pipeline.run(run, period, extent, report).await;
    }
    let mut outcome = gate::assert_sources_stand(run).await;
    if outcome.is_ok() {
        outcome = pipeline.run(run, period, extent, report).await;
    }
    if let Err(PipelineError::Lake(error)) = &outcome
        && error.is_of_content()
        && let Some(damaged) = damaged_file(run, report).await
    {
        outcome = Err(damaged.into());
    }
    let is_lost = matches!(&outcome, Err(PipelineError::Lake(LakeError::LeaseLost { .. })));
    // The state of a pipeline that another run holds is that run's.
    if let Err(error) = &outcome
        && !is_lost
        && let Err(e) = gate::failed(run, &run.session()?, report, error).await
    {
        tracing::error!(error = %e, "failure of the run could not be recorded");
    }
    outcome
}

/// Which data file the engine could not make sense of, of the tables that a run has read: it does not say.
async fn damaged_file(run: &RunContext, report: &RunReport) -> Option<LakeError> {
    let read = report.versions_read.keys();
    let read = read.filter_map(|name| nsc_contracts::table(name));
    let bronze = nsc_contracts::tables().filter(|t| t.layer == Layer::Bronze);
    run.lake.damaged_file(bronze.chain(read)).await.ok().flatten()
}
