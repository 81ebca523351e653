//! Pipeline Silver: Bronze to Silver, validated, deduplicated, quarantined (lakehouse contract 3).
//!
//! All new data files of all tables are written first and stay invisible; only when every source is under the
//! bad-records rate are they committed. A run that refuses leaves no Silver data table changed.

mod affected;
pub(crate) mod bronze;
mod changed_orders;
mod commit;
mod conflicts;
mod drain;
mod extend;
mod late;
pub(crate) mod scope;
mod stage;
mod tally;

use std::time::Instant;

use nsc_core::{DateKst, UtcWindow};
use nsc_transforms::silver::Selection;

use datafusion::prelude::SessionContext;
use nsc_contracts::rule::RuleSet;
use nsc_lake::{PipelineStates, Table};

use crate::derivation::{self, Derivation};
use crate::exceptions;
use crate::gate::{self, SILVER, Success};
use crate::{Period, PipelineError, RunContext, RunReport};

use affected::Affected;
use bronze::BronzeInput;
use changed_orders::ORDERS;
use extend::Base;
use stage::Staging;
pub(crate) use stage::{in_memory, renamed};

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
    let is_scheduled = period == Period::Scheduled;
    let states = PipelineStates::load(&run.lake, &ctx).await?.unwrap_or_default();
    let missed = if is_scheduled {
        bronze::missed_days(&states, window)
    } else {
        Vec::new()
    };
    let mut inputs = bronze::inputs(run, &states, window, is_scheduled, &missed, report).await?;

    let derivation = derivation_of(&rules, &inputs, window)?;
    let is_late = inputs.iter().any(BronzeInput::has_late);
    let known = if is_late {
        None
    } else {
        derivation
            .recall(run, &derivation::tables_hash(&outputs(run).await?)?)
            .await?
    };
    if let Some(record) = known.as_ref().filter(|r| derivation.is_unchanged(r)) {
        record.clone().report(report);
        report.step("unchanged since the last run", begun, 0, 0);
        return finish(run, &ctx, period, window, &missed, &inputs, report).await;
    }
    let base = known.and_then(|record| Base::of(&record, &mut inputs));
    let mark = derivation::mark(report);

    let mut staging = Staging::begin(run, &rules, base).await?;
    staging.take(&inputs, Selection::Window(window), report).await?;
    if staging.needs_everything() {
        staging.discard().await?;
        extend::take_all(&mut inputs);
        staging = Staging::begin(run, &rules, None).await?;
        staging.take(&inputs, Selection::Window(window), report).await?;
    }
    if is_scheduled {
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
    let mut affected = Affected::begin(run, &ctx, window, period).await?;
    let window_days: Vec<DateKst> = window.dates_kst().collect();
    let orders = staging.staged.iter().find(|(name, _)| *name == ORDERS);
    let orders = orders.map(|(_, staged)| staged);
    for (name, staged) in &staging.staged {
        affected
            .announce_staged(name, staged, orders, &window_days)
            .await?;
    }
    if let Some(ledger) = inputs.iter().find(|i| i.plan.source == "transaction_ledger") {
        let conflicts = staging.conflicts(ledger, window).await?;
        let allowed = &staging.rules().allowed_types;
        conflicts.record(run, ledger, allowed, report).await?;
    }
    let late = commit::all(run, window, staging, &mut affected, report).await?;
    if is_scheduled {
        late.merge(run, &inputs, window, &mut affected, report).await?;
    } else {
        late.merge_undated(run, &mut affected, report).await?;
    }
    affected.report(report);
    report.step(
        "commit",
        since,
        report.tables.iter().map(|t| t.outcome.changed()).sum(),
        0,
    );

    if !is_late {
        let outputs = derivation::tables_hash(&outputs(run).await?)?;
        derivation.keep(run, outputs, report, mark).await?;
    }
    finish(run, &ctx, period, window, &missed, &inputs, report).await
}

/// The tables a run may change.
async fn outputs(run: &RunContext) -> Result<Vec<Table>, PipelineError> {
    let mut tables = Vec::new();
    for name in [
        "wallet_snapshot",
        "ledger_entries",
        "order_events",
        "order_items",
        "products",
        "bad_records",
    ] {
        tables.push(run.table(&format!("silver.{name}")).await?);
    }
    Ok(tables)
}

/// What the window's Silver rows follow from: its Bronze files and the rules. The stored rows of other days are
/// covered by the outputs, which must not have changed either.
fn derivation_of(
    rules: &RuleSet,
    inputs: &[BronzeInput],
    window: UtcWindow,
) -> Result<Derivation, PipelineError> {
    let name = format!("silver-{}-{}", window.start.micros(), window.end.micros());
    let rules = stage::SilverRules::of(rules)?;
    let derivation = Derivation::new(name).with(&format!("{rules:?}"));
    Ok(inputs
        .iter()
        .fold(derivation, |d, input| d.over(input.window_names())))
}

/// Records the success: how far the run got, what it has seen, and that refusals of its days are overcome.
async fn finish(
    run: &RunContext,
    ctx: &SessionContext,
    period: Period,
    window: UtcWindow,
    missed: &[DateKst],
    inputs: &[BronzeInput],
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let versions = bronze::versions(inputs);
    let is_scheduled = period == Period::Scheduled;
    let first = window.start.date_kst();
    // A scheduled run leaves no earlier row behind: the days it merged late rows into are complete, and those that were
    // missed as well.
    let mut days = whole_days(window);
    days.extend(missed);
    days.extend(
        report
            .affected_days
            .iter()
            .filter(|d| is_scheduled && **d < first),
    );
    exceptions::record(run, Vec::new(), conflicts::overcome(&days), report).await?;
    let success = Success {
        pipeline: SILVER,
        end: Some(window.end),
        days: &days,
        settled: None,
    };
    gate::succeeded(run, ctx, success, |state| {
        let changed = state.repeats.promote();
        if is_scheduled {
            // Days a run before this one changed and did not live to report.
            state
                .processed_dates
                .extend(changed.iter().filter(|d| *d < first));
        }
        // An explicit window says nothing of rows outside it, and a night that is run again nothing of later days: what
        // is late for them stays late until a scheduled run of theirs.
        if is_scheduled && state.last_processed_end == Some(window.end) {
            state.input_versions.clone_from(&versions);
        }
    })
    .await
}

/// The business days a window covers whole: the ones the hard gate lets B and C process.
fn whole_days(window: UtcWindow) -> Vec<DateKst> {
    window
        .dates_kst()
        .filter(|d| d.start() >= window.start && d.end() <= window.end)
        .collect()
}
