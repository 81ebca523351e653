//! Runs one pipeline under its lock, or the whole chain (seed 4.3: sync_rules, A, Silver, then B and C together).

use std::time::{Duration, Instant};

use nsc_contracts::{Layer, status};
use nsc_lake::{LakeError, PipelineLock};

use crate::due::Extent;
use crate::gate::{self, ANALYTICS, CONTROLS, GUARDRAIL, SILVER};
use crate::{
    Period, PipelineError, RuleSource, RunContext, RunReport, analytics, controls, guardrail, record, rules,
    silver,
};

/// What can be run.
#[derive(Debug, Clone, PartialEq)]
pub enum Pipeline {
    /// Pipeline Silver.
    Silver,
    /// Pipeline A.
    Guardrail,
    /// Pipeline B.
    Controls,
    /// Pipeline C.
    Analytics,
    /// The rules sync, with the wanted rules.
    SyncRules(RuleSource),
    /// All of them in their order.
    Chain(RuleSource),
}

impl Pipeline {
    /// Name in reports, locks and `gold.pipeline_state`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Silver => SILVER,
            Self::Guardrail => GUARDRAIL,
            Self::Controls => CONTROLS,
            Self::Analytics => ANALYTICS,
            Self::SyncRules(_) => "sync_rules",
            Self::Chain(_) => "e2e",
        }
    }
}

/// How long a chain that was not told otherwise waits for the guardrail of the ten minutes.
const PATIENCE_WITH_A: Duration = Duration::from_secs(60);
/// How often a held pipeline is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// Runs a pipeline; the report says what happened even when the run failed.
pub async fn run(
    run: &RunContext,
    pipeline: &Pipeline,
    period: Period,
) -> (RunReport, Result<(), PipelineError>) {
    let begun = Instant::now();
    let mut report = RunReport::new(run, pipeline.name());
    let outcome = match pipeline {
        Pipeline::Chain(rules) => match record::begin(run, &report).await {
            Ok(()) => chain(run, rules, period, &mut report).await,
            Err(e) => Err(e),
        },
        single => alone(run, single, period, &mut report).await,
    };
    report.end(begun, &outcome);
    report.peak_memory_bytes = nsc_telemetry::peak_memory_bytes();
    // A single pipeline that is held has not begun.
    if !report.parts.is_empty() || !matches!(outcome, Err(PipelineError::Held { .. })) {
        record::keep(run, &report).await;
    }
    (report, outcome)
}

/// One pipeline that is no step of a chain.
async fn alone(
    run: &RunContext,
    pipeline: &Pipeline,
    period: Period,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let extent = match period {
        Period::Scheduled => Extent::WithDue,
        Period::Window(_) | Period::Incremental(_) => Extent::Period,
    };
    let lock = lock(run, pipeline, run.wait.unwrap_or_default()).await?;
    record::begin(run, report).await?;
    held(run, pipeline, period, extent, report, lock).await
}

/// Single flight: waits for whoever holds the pipeline, and says who it is when that takes too long.
async fn lock(run: &RunContext, pipeline: &Pipeline, wait: Duration) -> Result<PipelineLock, PipelineError> {
    let (name, since) = (pipeline.name(), Instant::now());
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
    pipeline: &Pipeline,
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
    let outcome = recorded(&run, pipeline, period, extent, report).await;
    lock.release().await;
    outcome
}

/// One pipeline that is held, with its failure recorded.
async fn recorded(
    run: &RunContext,
    pipeline: &Pipeline,
    period: Period,
    extent: Extent,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let name = pipeline.name();
    if let Pipeline::SyncRules(wanted) = pipeline {
        return sync(run, wanted, report).await;
    }
    let mut outcome = gate::assert_sources_stand(run).await;
    if outcome.is_ok() {
        // Each pipeline's future is large; boxed, it does not travel through every caller's frame.
        outcome = match pipeline {
            Pipeline::Silver => Box::pin(silver::run(run, period, report)).await,
            Pipeline::Guardrail => Box::pin(guardrail::run(run, period, report)).await,
            Pipeline::Controls => Box::pin(controls::run(run, period, extent, report)).await,
            Pipeline::Analytics => Box::pin(analytics::run(run, period, extent, report)).await,
            // The chain takes the lock of each of its steps and has none of its own.
            Pipeline::SyncRules(_) | Pipeline::Chain(_) => return Err(PipelineError::NotOnePipeline),
        };
    }
    if let Err(PipelineError::Lake(error)) = &outcome
        && error.is_of_content()
        && let Some(damaged) = damaged_file(run, report).await
    {
        outcome = Err(damaged.into());
    }
    let is_lost = matches!(&outcome, Err(PipelineError::Lake(LakeError::LeaseLost { .. })));
    // The state of a pipeline that another run holds is that run's.
    if outcome.is_err()
        && !is_lost
        && let Err(e) = gate::failed(run, &run.session()?, name).await
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

async fn sync(run: &RunContext, wanted: &RuleSource, report: &mut RunReport) -> Result<(), PipelineError> {
    let begun = Instant::now();
    let done = rules::sync_rules(run, wanted, false).await?;
    report.step(
        "sync rules",
        begun,
        done.unchanged as u64 + done.opened.len() as u64,
        0,
    );
    report.rules = Some(done);
    Ok(())
}

async fn chain(
    run: &RunContext,
    rules: &RuleSource,
    period: Period,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let first = [
        (Pipeline::SyncRules(rules.clone()), Period::Scheduled),
        (Pipeline::Guardrail, period),
        (Pipeline::Silver, period),
    ];
    for (pipeline, period) in first {
        let is_guardrail = pipeline == Pipeline::Guardrail;
        let (mut part, outcome) = one(run, &pipeline, period).await;
        let is_skipped = is_guardrail && matches!(outcome, Err(PipelineError::Held { .. }));
        if is_skipped {
            // It runs every ten minutes by itself; the night is not lost for it.
            status::SKIPPED.clone_into(&mut part.status);
            let held = part.error.take().unwrap_or_default();
            tracing::warn!("{held}; the chain goes on without it");
            part.error = Some(format!("{held}; the chain went on without it"));
        }
        report.parts.push(part);
        record::keep(run, report).await;
        if !is_skipped {
            outcome?;
        }
    }
    // Side by side, each with the days Silver found it has to compute again.
    let (b, c) = tokio::join!(
        one(run, &Pipeline::Controls, period),
        one(run, &Pipeline::Analytics, period)
    );
    report.parts.extend([b.0, c.0]);
    b.1.and(c.1)
}

async fn one(
    run: &RunContext,
    pipeline: &Pipeline,
    period: Period,
) -> (RunReport, Result<(), PipelineError>) {
    let begun = Instant::now();
    let mut report = RunReport::new(run, pipeline.name());
    let patience = match pipeline {
        Pipeline::Guardrail => PATIENCE_WITH_A,
        _ => Duration::ZERO,
    };
    let outcome = match lock(run, pipeline, run.wait.unwrap_or(patience)).await {
        Ok(lock) => held(run, pipeline, period, Extent::WithDue, &mut report, lock).await,
        Err(e) => Err(e),
    };
    report.end(begun, &outcome);
    (report, outcome)
}
