//! What the pipelines of business days (B and C) have in common: which days are due, that Silver is ready for them, one day
//! after the other.

use nsc_core::DateKst;

use crate::cursors::Input;
use crate::days_of_work::Work;
use crate::pipeline::Extent;
use crate::{Period, PipelineError, RunContext, RunReport, gate};

/// A pipeline that computes business days, one at a time.
pub(crate) trait Daily: Sized {
    /// Name in reports, locks and `gold.pipeline_state`.
    const NAME: &'static str;
    /// The tables it reads, and what a change of one means for its days.
    const INPUTS: &'static [Input];

    /// What all days of a run share.
    async fn begin(run: &RunContext, report: &mut RunReport) -> Result<Self, PipelineError>;

    /// Computes one day, unless nothing it follows from has changed.
    async fn day(&self, run: &RunContext, date: DateKst, report: &mut RunReport)
    -> Result<(), PipelineError>;
}

/// Runs a pipeline of business days, the oldest first: each day's positions build on the day before.
pub(crate) async fn run<P: Daily>(
    run: &RunContext,
    period: Period,
    extent: Extent,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let ctx = run.session()?;
    let work = Work::of(run, &ctx, (P::NAME, P::INPUTS), period, extent).await?;
    report.windows.extend(work.windows());
    gate::assert_silver_ready(run, &ctx, &work.days).await?;
    let pipeline = P::begin(run, report).await?;
    for (at, date) in work.days.iter().enumerate() {
        report.begins(&format!("{date}, day {} of {}", at + 1, work.days.len()));
        pipeline.day(run, *date, report).await?;
    }
    gate::succeeded(run, &ctx, work.success(P::NAME), report, |_| {}).await
}
