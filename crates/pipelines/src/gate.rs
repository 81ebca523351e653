//! The hard gate of B and C, and the state every pipeline leaves (seed 4.4, 4.5).

use std::collections::BTreeMap;

use datafusion::prelude::SessionContext;
use nsc_core::{DateKst, UtcMicros};
use nsc_lake::{Days, PipelineState, PipelineStates};

use crate::{PipelineError, RunContext, RunReport, evidence};

/// Name of Pipeline Silver in `gold.pipeline_state`.
pub(crate) const SILVER: &str = "pipeline_silver";

/// `assert_pipeline_ready`: the state table exists, has Silver's row, and Silver succeeded for each very day.
pub(crate) async fn assert_silver_ready(
    run: &RunContext,
    ctx: &SessionContext,
    days: &[DateKst],
) -> Result<(), PipelineError> {
    let not_ready = |date: DateKst, reason: &str| PipelineError::UpstreamNotReady {
        date,
        reason: reason.to_owned(),
    };
    let Some(first) = days.first().copied() else {
        return Ok(());
    };
    let states = PipelineStates::load(&run.lake, ctx)
        .await?
        .ok_or_else(|| not_ready(first, "gold.pipeline_state does not exist"))?;
    let silver = states
        .get(SILVER)
        .ok_or_else(|| not_ready(first, "gold.pipeline_state has no row for pipeline_silver"))?;
    for day in days.iter().copied() {
        if silver.last_success_ts.is_none() {
            return Err(not_ready(day, "pipeline_silver has never succeeded"));
        }
        if silver.last_processed_end.is_none_or(|end| end < day.end()) {
            let end = silver
                .last_processed_end
                .map_or_else(|| "nothing".to_owned(), |t| format!("up to {t}"));
            return Err(not_ready(
                day,
                &format!("it has processed {end}, the day ends at {}", day.end()),
            ));
        }
        if !silver.processed_dates.contains(day) {
            return Err(not_ready(
                day,
                "it got beyond the day, but no successful run has covered the whole of it",
            ));
        }
    }
    Ok(())
}

/// No pipeline goes on without a source that Silver was made from: it would take the source's rows for gone.
pub(crate) async fn assert_sources_stand(run: &RunContext) -> Result<(), PipelineError> {
    let tables = run.lake.lost_sources().await?;
    if tables.is_empty() {
        return Ok(());
    }
    Err(PipelineError::SourceGone { tables })
}

/// What a success is recorded with.
pub(crate) struct Success<'a> {
    pub(crate) pipeline: &'a str,
    /// How far the run got; the recorded end never goes backwards.
    pub(crate) end: Option<UtcMicros>,
    /// Business days processed.
    pub(crate) days: Days,
    /// What was seen of its inputs; where it is not said, what was seen before stands.
    pub(crate) cursors: Option<&'a BTreeMap<String, u64>>,
}

/// Records a success: status, times, run id, the days processed, and the hash of what the report says.
pub(crate) async fn succeeded(
    run: &RunContext,
    ctx: &SessionContext,
    success: Success<'_>,
    report: &RunReport,
    change: impl Fn(&mut PipelineState),
) -> Result<(), PipelineError> {
    let now = run.now;
    let metadata = evidence::metadata(run, report, None);
    Ok(PipelineStates::update(&run.lake, ctx, metadata, |states| {
        let state = states.row(success.pipeline);
        state.success = true;
        state.last_success_ts = state.last_success_ts.max(Some(now));
        state.last_processed_end = state.last_processed_end.max(success.end);
        state.last_run_id = Some(run.run_id.to_string());
        state.updated_at = now;
        state.processed_dates.absorb(&success.days);
        if let Some(cursors) = success.cursors {
            state.input_versions.clone_from(cursors);
        }
        change(state);
    })
    .await?)
}

/// Records a failure: status, run id and the hash of what the report says; the two times stay.
pub(crate) async fn failed(
    run: &RunContext,
    ctx: &SessionContext,
    report: &RunReport,
    error: &PipelineError,
) -> Result<(), PipelineError> {
    let metadata = evidence::metadata(run, report, Some(error));
    Ok(PipelineStates::update(&run.lake, ctx, metadata, |states| {
        let state = states.row(&report.pipeline);
        state.success = false;
        state.last_run_id = Some(run.run_id.to_string());
        state.updated_at = run.now;
    })
    .await?)
}
