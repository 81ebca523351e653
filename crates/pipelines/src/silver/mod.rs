//! Pipeline Silver: Bronze to Silver, validated, deduplicated, quarantined (lakehouse contract 3).
//!
//! All new data files of all tables are written first and stay invisible; only when every source is under the
//! bad-records rate are they committed. A run that refuses leaves no Silver data table changed.

pub(crate) mod bronze;
mod commit;
mod conflicts;
mod drain;
mod late;
pub(crate) mod scope;
mod stage;
mod tally;

use std::time::Instant;

use nsc_core::{DateKst, UtcWindow};
use nsc_transforms::silver::Selection;

use crate::gate::{self, SILVER};
use crate::{Period, PipelineError, RunContext, RunReport};

use bronze::BronzeInput;
use stage::Staging;
pub(crate) use stage::in_memory;

/// Runs Pipeline Silver.
pub(crate) async fn run(
    run: &RunContext,
    period: Period,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let begun = Instant::now();
    let window = period.daily(run.now)?;
    let ctx = run.session()?;
    report.windows.push(window);
    let rules = run.rules(&ctx).await?;
    let inputs = bronze::inputs(run, &ctx, window, period == Period::Scheduled, report).await?;

    let mut staging = Staging::begin(run, &rules).await?;
    staging.take(&inputs, Selection::Window(window), report).await?;
    if period == Period::Scheduled {
        staging.count_late(&inputs, window, report).await?;
    }
    report.step(
        "validate and stage",
        begun,
        staging.lines(),
        inputs.iter().map(BronzeInput::bytes).sum(),
    );

    if let Some(refusal) = staging.refusal()? {
        commit::refuse(run, staging, window, report).await?;
        return Err(refusal);
    }
    let since = Instant::now();
    let mut conflicts = staging.conflicts(&inputs, window).await?;
    let closed_late = if period == Period::Scheduled {
        late::closed_late(run, &ctx, &inputs, window).await?
    } else {
        None
    };
    report.affected_days.extend(closed_late);
    report.balances_changed_from = closed_late;
    let late = commit::all(run, staging, report).await?;
    if period == Period::Scheduled {
        late.merge(run, &inputs, window, &mut conflicts, report).await?;
    } else {
        late.merge_undated(run, report).await?;
    }
    conflicts.record(run, window, report).await?;
    report.step(
        "commit",
        since,
        report.tables.iter().map(|t| t.outcome.changed()).sum(),
        0,
    );

    let versions = bronze::versions(&inputs);
    // A scheduled run leaves no earlier row behind, so the days it merged late rows into are complete as well.
    let scheduled = period == Period::Scheduled;
    let mut days = whole_days(window);
    days.extend(report.affected_days.iter().filter(|_| scheduled));
    gate::succeeded(run, &ctx, SILVER, Some(window.end), &days, |state| {
        // An explicit window says nothing of rows outside it: what is late stays late until a scheduled run.
        if scheduled {
            state.input_versions.clone_from(&versions);
        }
    })
    .await?;
    Ok(())
}

/// The business days a window covers whole: the ones the hard gate lets B and C process.
fn whole_days(window: UtcWindow) -> Vec<DateKst> {
    window
        .dates_kst()
        .filter(|d| d.start() >= window.start && d.end() <= window.end)
        .collect()
}
