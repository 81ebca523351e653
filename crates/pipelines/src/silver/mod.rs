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
use nsc_lake::{DataFile, Table};

use crate::derivation::{self, Derivation};
use crate::exceptions;
use crate::gate::{self, SILVER, Success};
use crate::{Period, PipelineError, RunContext, RunReport};

use affected::Affected;
use bronze::BronzeInput;
use changed_orders::ChangedOrders;
use extend::Base;
use late::Findings;
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
    let mut inputs = bronze::inputs(run, &ctx, window, period == Period::Scheduled, report).await?;

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
        // The result stands, but a refusal under other rules may have come after it.
        exceptions::record(run, Vec::new(), conflicts::overcome(window), report).await?;
        report.step("unchanged since the last run", begun, 0, 0);
        return finish(run, &ctx, period, window, &inputs, report).await;
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
    let mut findings = Findings {
        conflicts: staging.conflicts(&inputs, window).await?,
        affected: Affected::begin(run, &ctx, window, period).await?,
        orders: ChangedOrders::default(),
    };
    let is_scheduled = period == Period::Scheduled;
    let mut reach = if staging.base().is_some() {
        Reach::Window
    } else {
        Reach::DayBefore
    };
    for (name, staged) in &staging.staged {
        findings.affected.announce_staged(name, staged, &[]).await?;
        if *name == "silver.order_events" {
            findings.orders.take(&ctx, staged).await?;
            if staged.outcome().updated > 0 {
                reach = Reach::Everywhere;
            }
        }
    }
    let late = commit::all(run, staging, report).await?;
    late.restate(run, &ctx, reach.files(run, window).await?, &mut findings, report)
        .await?;
    if is_scheduled {
        late.merge(run, &inputs, window, &mut findings, report).await?;
    } else {
        late.merge_undated(run, &mut findings, report).await?;
    }
    findings.affected.report(report);
    let ledger = inputs.iter().find(|i| i.plan.source == "transaction_ledger");
    findings
        .conflicts
        .record(run, ledger, &late.rules.allowed_types, window, report)
        .await?;
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
    finish(run, &ctx, period, window, &inputs, report).await
}

/// Where entries may stand that name an order of the window and are stored already.
#[derive(Clone, Copy)]
enum Reach {
    /// The order is new: an entry may be a moment older than its order, so on the day before.
    DayBefore,
    /// There as well as in the window itself, when that was added to.
    Window,
    /// Orders were known before: on any day.
    Everywhere,
}

impl Reach {
    async fn files(self, run: &RunContext, window: UtcWindow) -> Result<Vec<DataFile>, PipelineError> {
        let table = run.table("silver.ledger_entries").await?;
        let mut days = vec![window.start.date_kst().previous()];
        match self {
            Self::DayBefore => {}
            Self::Window => days.extend(window.dates_kst()),
            Self::Everywhere => return Ok(table.files()?),
        }
        Ok(table.files_of(&days)?)
    }
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

/// Records the success: how far the run got, and what it has seen.
async fn finish(
    run: &RunContext,
    ctx: &SessionContext,
    period: Period,
    window: UtcWindow,
    inputs: &[BronzeInput],
    report: &RunReport,
) -> Result<(), PipelineError> {
    let versions = bronze::versions(inputs);
    // A scheduled run leaves no earlier row behind, so the days it merged late rows into are complete as well.
    let scheduled = period == Period::Scheduled;
    let mut days = whole_days(window);
    let earlier = report
        .affected_days
        .iter()
        .filter(|d| **d < window.start.date_kst());
    days.extend(earlier.filter(|_| scheduled));
    let success = Success {
        pipeline: SILVER,
        end: Some(window.end),
        days: &days,
        settled: None,
    };
    gate::succeeded(run, ctx, success, |state| {
        state.repeats.promote();
        // An explicit window says nothing of rows outside it: what is late stays late until a scheduled run.
        if scheduled {
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
