//! The record of a run in the run log: that it has begun, how far a chain has come, and how it ended.
//!
//! The beginning is written before anything else. A run that dies leaves it behind: a start without an end.

use nsc_contracts::status;
use serde_json::Value;

use crate::{PipelineError, RunContext, RunReport};

/// Records that a run has begun.
///
/// # Errors
/// Storage errors: a run that cannot be recorded does not begin.
pub(crate) async fn begin(run: &RunContext, report: &RunReport) -> Result<(), PipelineError> {
    let json = serde_json::to_value(report).unwrap_or_default();
    Ok(run.lake.begin_run(run.run_id.as_str(), &json).await?)
}

/// Records what a run has done so far, or in the end. The work is not undone when that fails.
pub(crate) async fn keep(run: &RunContext, report: &RunReport) {
    match serde_json::to_value(report) {
        Ok(json) => {
            if let Err(e) = run.lake.store_run(run.run_id.as_str(), &json).await {
                tracing::warn!(error = %e, "run report not stored");
            }
        }
        Err(e) => tracing::warn!(error = %e, "run report not serialisable"),
    }
}

/// Records that a run was told to stop, and returns what is known of it; `None` when it had not begun.
///
/// # Errors
/// Storage errors.
pub async fn interrupted(run: &RunContext, by: &str) -> Result<Option<Value>, PipelineError> {
    let Some(mut entry) = run.lake.run(run.run_id.as_str()).await? else {
        return Ok(None);
    };
    if entry.report.get("status").and_then(Value::as_str) != Some(status::STARTED) {
        return Ok(None);
    }
    if let Some(report) = entry.report.as_object_mut() {
        report.insert("status".to_owned(), status::INTERRUPTED.into());
        let reason =
            format!("told to stop ({by}); what was committed stays, the rest is done by running it again");
        report.insert("error".to_owned(), reason.into());
        let finished_at = run.machine_time().to_string();
        report.insert("finished_at".to_owned(), finished_at.into());
    }
    run.lake.store_run(run.run_id.as_str(), &entry.report).await?;
    Ok(Some(entry.report))
}
