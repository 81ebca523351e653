//! Runs one pipeline under its lock, or the whole chain (seed 4.3: sync_rules, A, Silver, then B and C together).

use std::time::Instant;

use crate::due::Extent;
use crate::gate::{self, ANALYTICS, CONTROLS, GUARDRAIL, SILVER};
use crate::{
    Period, PipelineError, RuleSource, RunContext, RunReport, analytics, controls, guardrail, rules, silver,
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

/// Runs a pipeline; the report says what happened even when the run failed.
pub async fn run(
    run: &RunContext,
    pipeline: &Pipeline,
    period: Period,
) -> (RunReport, Result<(), PipelineError>) {
    let begun = Instant::now();
    let mut report = RunReport::new(&run.run_id, pipeline.name(), run.now);
    let outcome = match pipeline {
        Pipeline::Chain(rules) => chain(run, rules, period, &mut report).await,
        single => {
            let extent = match period {
                Period::Scheduled => Extent::WithDue,
                Period::Window(_) => Extent::Period,
            };
            locked(run, single, period, extent, &mut report).await
        }
    };
    report.end(begun, &outcome);
    report.peak_memory_bytes = nsc_telemetry::peak_memory_bytes();
    if !matches!(outcome, Err(PipelineError::Held { .. })) {
        match serde_json::to_value(&report) {
            Ok(json) => {
                if let Err(e) = run.lake.store_run(run.run_id.as_str(), &json).await {
                    tracing::warn!(error = %e, "run report not stored");
                }
            }
            Err(e) => tracing::warn!(error = %e, "run report not serialisable"),
        }
    }
    (report, outcome)
}

/// One pipeline, single flight, with its failure recorded.
async fn locked(
    run: &RunContext,
    pipeline: &Pipeline,
    period: Period,
    extent: Extent,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let name = pipeline.name();
    let _lock = match run.lake.lock(name, run.run_id.as_str()).await? {
        Ok(lock) => lock,
        Err(holder) => {
            return Err(PipelineError::Held {
                pipeline: name.to_owned(),
                holder,
            });
        }
    };
    // Each pipeline's future is large; boxed, it does not travel through every caller's frame.
    let outcome = match pipeline {
        Pipeline::Silver => Box::pin(silver::run(run, period, report)).await,
        Pipeline::Guardrail => Box::pin(guardrail::run(run, period, report)).await,
        Pipeline::Controls => Box::pin(controls::run(run, period, extent, report)).await,
        Pipeline::Analytics => Box::pin(analytics::run(run, period, extent, report)).await,
        Pipeline::SyncRules(wanted) => return sync(run, wanted, report).await,
        // The chain takes the lock of each of its steps and has none of its own.
        Pipeline::Chain(_) => return Err(PipelineError::NotOnePipeline),
    };
    if outcome.is_err()
        && let Err(e) = gate::failed(run, &run.session()?, name).await
    {
        tracing::error!(error = %e, "failure of the run could not be recorded");
    }
    outcome
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
        (Pipeline::Guardrail, Period::Scheduled),
        (Pipeline::Silver, period),
    ];
    for (pipeline, period) in first {
        let (part, outcome) = one(run, &pipeline, period).await;
        report.parts.push(part);
        outcome?;
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
    let mut report = RunReport::new(&run.run_id, pipeline.name(), run.now);
    let outcome = locked(run, pipeline, period, Extent::WithDue, &mut report).await;
    report.end(begun, &outcome);
    (report, outcome)
}
