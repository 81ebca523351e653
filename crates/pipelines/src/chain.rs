//! The whole chain of a night (seed 4.3): the rules, A, Silver, then B and C together.

use std::time::{Duration, Instant};

use nsc_contracts::status;

use crate::engine::{ended, step};
use crate::{
    Analytics, Controls, Guardrail, Period, PipelineError, RuleSource, RunContext, RunReport, Silver,
    SyncRules, record,
};

/// Name of the chain in reports.
pub const CHAIN: &str = "e2e";
/// How long a chain that was not told otherwise waits for the guardrail of the ten minutes.
const PATIENCE_WITH_A: Duration = Duration::from_secs(60);

/// Runs all pipelines in their order; the report has a part for each that was begun.
pub async fn run_chain(
    run: &RunContext,
    rules: RuleSource,
    period: Period,
) -> (RunReport, Result<(), PipelineError>) {
    let begun = Instant::now();
    let mut report = RunReport::new(run, CHAIN);
    let outcome = match record::begin(run, &report).await {
        Ok(()) => chain(run, SyncRules(rules), period, &mut report).await,
        Err(e) => Err(e),
    };
    ended(run, begun, report, outcome).await
}

async fn chain(
    run: &RunContext,
    rules: SyncRules,
    period: Period,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let at_once = Duration::ZERO;
    let at = |place| RunContext {
        progress: run.progress.at(place),
        ..run.clone()
    };
    let synced = step(&at("1 of 5"), &rules, Period::Scheduled, at_once).await;
    reported(run, synced, report).await?;
    let judged = step(&at("2 of 5"), &Guardrail, period, PATIENCE_WITH_A).await;
    reported(run, or_without(judged), report).await?;
    let validated = step(&at("3 of 5"), &Silver, period, at_once).await;
    reported(run, validated, report).await?;
    // Side by side, each with the days Silver found it has to compute again.
    let (fourth, fifth) = (at("4 of 5"), at("5 of 5"));
    let (b, c) = tokio::join!(
        step(&fourth, &Controls, period, at_once),
        step(&fifth, &Analytics, period, at_once)
    );
    report.parts.extend([b.0, c.0]);
    b.1.and(c.1)
}

/// Adds a step to the record of the chain, and goes on only when it succeeded.
async fn reported(
    run: &RunContext,
    (part, outcome): (RunReport, Result<(), PipelineError>),
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    report.parts.push(part);
    record::keep(run, report).await;
    outcome
}

/// A guardrail that somebody else is running is left out: it runs every ten minutes by itself, and the night is not lost for it.
fn or_without(
    (mut part, outcome): (RunReport, Result<(), PipelineError>),
) -> (RunReport, Result<(), PipelineError>) {
    if !matches!(outcome, Err(PipelineError::Held { .. })) {
        return (part, outcome);
    }
    status::SKIPPED.clone_into(&mut part.status);
    let held = part.error.take().unwrap_or_default();
    tracing::warn!("{held}; the chain goes on without it");
    part.error = Some(format!("{held}; the chain went on without it"));
    (part, Ok(()))
}
