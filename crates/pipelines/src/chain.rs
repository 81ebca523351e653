//! Runs one pipeline under its lock, or the whole chain (seed 4.3: sync_rules, A, Silver, then B and C together).

use std::collections::BTreeSet;
use std::time::Instant;

use nsc_core::DateKst;
use nsc_lake::PipelineStates;

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
        single => locked(run, single, period, &mut report).await,
    };
    report.seconds = begun.elapsed().as_secs_f64();
    report.peak_memory_bytes = nsc_telemetry::peak_memory_bytes();
    if let Err(e) = &outcome {
        report.status = "failure".to_owned();
        report.error = Some(e.to_string());
    }
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
        Pipeline::Controls => Box::pin(controls::run(run, period, report)).await,
        Pipeline::Analytics => Box::pin(analytics::run(run, period, report)).await,
        Pipeline::SyncRules(wanted) => return sync(run, wanted, report).await,
        Pipeline::Chain(_) => return Ok(()),
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
        part(run, &pipeline, period, report).await?;
    }
    let silver = report.parts.iter().find(|p| p.pipeline == SILVER);
    let affected = silver.map(|p| p.affected_days.clone()).unwrap_or_default();
    let changed_from = silver.and_then(|p| p.balances_changed_from);
    let mut outcome = Ok(());
    // Oldest first: each day's positions build on the day before.
    for day in repeated_days(run, &affected, changed_from, period).await? {
        let period = Period::dates(day, day)?;
        outcome = outcome.and(repeat(run, period, affected.contains(&day), report).await);
    }
    outcome.and(repeat(run, period, true, report).await)
}

/// The days whose controls are repeated: those late rows changed and, when entries or snapshots changed, every
/// processed day after them, since supply and positions chain.
async fn repeated_days(
    run: &RunContext,
    affected: &[DateKst],
    from: Option<DateKst>,
    period: Period,
) -> Result<Vec<DateKst>, PipelineError> {
    let mut days: BTreeSet<DateKst> = affected.iter().copied().collect();
    if let Some(from) = from {
        let target = period.daily(run.now)?.start.date_kst();
        let states = PipelineStates::load(&run.lake, &run.session()?)
            .await?
            .unwrap_or_default();
        let judged = states.get(CONTROLS);
        let later = (from.days()..target.days()).map(DateKst::from_days);
        days.extend(later.filter(|d| judged.is_some_and(|s| s.has_processed(*d))));
    }
    Ok(days.into_iter().collect())
}

/// B and, where its inputs changed, C, side by side.
async fn repeat(
    run: &RunContext,
    period: Period,
    with_analytics: bool,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    if !with_analytics {
        let (part, done) = one(run, &Pipeline::Controls, period).await;
        report.parts.push(part);
        return done;
    }
    let (b, c) = tokio::join!(
        one(run, &Pipeline::Controls, period),
        one(run, &Pipeline::Analytics, period)
    );
    report.parts.extend([b.0, c.0]);
    b.1.and(c.1)
}

async fn part(
    run: &RunContext,
    pipeline: &Pipeline,
    period: Period,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let (part, outcome) = one(run, pipeline, period).await;
    report.parts.push(part);
    outcome
}

async fn one(
    run: &RunContext,
    pipeline: &Pipeline,
    period: Period,
) -> (RunReport, Result<(), PipelineError>) {
    let begun = Instant::now();
    let mut report = RunReport::new(&run.run_id, pipeline.name(), run.now);
    let outcome = locked(run, pipeline, period, &mut report).await;
    report.seconds = begun.elapsed().as_secs_f64();
    if let Err(e) = &outcome {
        report.status = "failure".to_owned();
        report.error = Some(e.to_string());
    }
    (report, outcome)
}
