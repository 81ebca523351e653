//! Pipeline Silver: Bronze to Silver, validated, deduplicated, quarantined (lakehouse contract 3).
//!
//! All new data files of all tables are written first and stay invisible; only when every source is under the
//! bad-records rate are they committed. A run that refuses leaves no Silver data table changed.

mod affected;
pub(crate) mod bronze;
mod changed_orders;
mod commit;
mod conflicts;
mod converge;
mod drain;
mod extend;
mod late;
mod load_changes;
pub(crate) mod scope;
mod stage;
mod tally;

use std::collections::BTreeSet;
use std::time::Instant;

use nsc_core::{DateKst, UtcWindow};
use nsc_transforms::silver::Selection;

use datafusion::prelude::SessionContext;
use nsc_contracts::rule::RuleSet;
use nsc_lake::{DataFile, Days, PipelineStates, Table};

use crate::derivation::{self, Derivation, Record, UNCHANGED};
use crate::exceptions;
use crate::gate::{self, SILVER, Success};
use crate::{Period, PipelineError, RunContext, RunReport, refused};

use affected::Affected;
use bronze::BronzeInput;
use converge::{Convergence, Reach};
use extend::Base;
use late::Late;
use load_changes::LoadChanges;
use stage::Staging;
pub(crate) use stage::{in_memory, renamed};

/// What the last run recorded of the same inputs, if its outputs stand as it left them.
async fn recalled(run: &RunContext, derivation: &Derivation) -> Result<Option<Record>, PipelineError> {
    let outputs = derivation::tables_hash(&outputs(run).await?)?;
    derivation.recall(run, &outputs).await
}

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
    let rules = report.judging_by(run.rules(&ctx).await?);
    let is_scheduled = period == Period::Scheduled;
    let states = PipelineStates::load(&run.lake, &ctx).await?.unwrap_or_default();
    let missed = is_scheduled.then(|| bronze::missed_days(&states, window));
    let missed = missed.unwrap_or_default();
    if is_scheduled {
        outputs_stand(run, &states).await?;
    }
    let changes = LoadChanges::since_success(run, &ctx, &states, report).await?;
    let mut inputs = bronze::inputs(run, &states, window, is_scheduled, &missed, &changes, report).await?;

    let derivation = derivation_of(&rules, &inputs, window)?;
    let is_more = inputs.iter().any(|i| i.has_late() || !i.retracted().is_empty());
    let known = if is_more {
        None
    } else {
        recalled(run, &derivation).await?
    };
    if let Some(record) = known.as_ref().filter(|r| derivation.is_unchanged(r)) {
        record.clone().report(report);
        report.step(UNCHANGED, begun, 0, 0);
        let (inputs, states) = (&inputs, &states);
        return finish(
            run, &ctx, period, window, &missed, inputs, states, &changes, report,
        )
        .await;
    }
    let base = known.and_then(|record| Base::of(&record, &mut inputs));
    let mark = derivation::mark(report);

    let mut staging = staged(run, &rules, &mut inputs, base, window, report).await?;
    if is_scheduled {
        staging.count_late(&inputs, window, report).await?;
    }
    report.step(
        "validate and stage",
        begun,
        staging.lines(),
        inputs.iter().map(BronzeInput::bytes).sum(),
    );

    let offenders = staging.offenders()?;
    if !offenders.is_empty() {
        let refusals = commit::refuse(run, staging, &offenders, window, report).await?;
        return refusals.into_iter().next().map_or(Ok(()), Err);
    }
    let since = Instant::now();
    let mut affected = Affected::begin(run, &ctx, &states, window, period);
    let late = committed(run, window, period, staging, &inputs, &mut affected, report).await?;
    let convergence = Convergence {
        run,
        ctx: &ctx,
        rules: &late.rules,
        reach: reach_of(&states, &affected, window, is_scheduled),
    };
    convergence.run(&inputs, &mut affected, report).await?;
    affected.report(report);
    let changed = report.tables.iter().map(|t| t.outcome.changed()).sum();
    report.step("commit", since, changed, 0);

    if !is_more {
        let outputs = derivation::tables_hash(&outputs(run).await?)?;
        derivation.keep(run, outputs, report, mark).await?;
    }
    finish(
        run, &ctx, period, window, &missed, &inputs, &states, &changes, report,
    )
    .await
}

/// The rows of a window, written where nobody sees them: what is new on top of the base, or all when that is shorter.
async fn staged(
    run: &RunContext,
    rules: &RuleSet,
    inputs: &mut [BronzeInput],
    base: Option<Base>,
    window: UtcWindow,
    report: &mut RunReport,
) -> Result<Staging, PipelineError> {
    let mut staging = Staging::begin(run, rules, base).await?;
    staging.take(inputs, Selection::Window(window), report).await?;
    if staging.needs_everything() {
        staging.discard().await?;
        extend::take_all(inputs);
        staging = Staging::begin(run, rules, None).await?;
        staging.take(inputs, Selection::Window(window), report).await?;
    }
    Ok(staging)
}

/// Commits what is staged, and merges what is late.
async fn committed(
    run: &RunContext,
    window: UtcWindow,
    period: Period,
    staging: Staging,
    inputs: &[BronzeInput],
    affected: &mut Affected,
    report: &mut RunReport,
) -> Result<Late, PipelineError> {
    let refused = refused::days_of(run, &staging.ctx, &staging.refused_orders).await?;
    affected.note(refused.iter().copied());
    if let Some(ledger) = inputs.iter().find(|i| i.plan.source == "transaction_ledger") {
        let conflicts = staging.conflicts(ledger, window).await?;
        let words = &staging.rules().words;
        conflicts.record(run, ledger, words, report).await?;
    }
    let late = commit::all(run, window, staging, refused, affected, report).await?;
    if period == Period::Scheduled {
        late.merge(run, inputs, window, affected, report).await?;
    } else {
        late.merge_undated(run, affected, report).await?;
    }
    Ok(late)
}

/// The days that have a row in a table with days.
async fn days_with_rows(run: &RunContext) -> Result<impl Iterator<Item = DateKst>, PipelineError> {
    let mut days = BTreeSet::new();
    for table in outputs(run).await? {
        if table.name() != "silver.bad_records" {
            days.extend(table.files()?.iter().filter_map(DataFile::partition_date));
        }
    }
    Ok(days.into_iter())
}

/// The tables a run may change.
const OUTPUTS: [&str; 6] = [
    "silver.wallet_snapshot",
    "silver.ledger_entries",
    "silver.order_events",
    "silver.order_items",
    "silver.products",
    "silver.bad_records",
];

async fn outputs(run: &RunContext) -> Result<Vec<Table>, PipelineError> {
    let mut tables = Vec::new();
    for name in OUTPUTS {
        tables.push(run.table(name).await?);
    }
    Ok(tables)
}

/// A table that an earlier run has filled is not made again without a word: what it held of other days would be missing from
/// then on. A run of explicit days makes it anew.
async fn outputs_stand(run: &RunContext, states: &PipelineStates) -> Result<(), PipelineError> {
    let silver = states.get(SILVER).filter(|s| s.last_success_ts.is_some());
    let mut days = silver.iter().flat_map(|s| s.processed_dates.ranges());
    let Some((first, last)) = days.next() else {
        return Ok(());
    };
    let last = days.last().map_or(last, |(_, last)| last);
    for name in OUTPUTS {
        if run.existing(name).await?.is_none() {
            return Err(PipelineError::OutputGone {
                table: name.to_owned(),
                first,
                last,
            });
        }
    }
    Ok(())
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
    let derivation = Derivation::new(name)
        .judging(window.dates_kst())
        .with(&format!("{rules:?}"));
    Ok(inputs.iter().fold(derivation, |d, input| {
        d.with(&input.taken_back().mark()).over(input.window_names())
    }))
}

/// How far Silver has got once this run succeeds.
fn reach_of(states: &PipelineStates, affected: &Affected, window: UtcWindow, is_scheduled: bool) -> Reach {
    let before = states.get(SILVER).and_then(|s| s.last_processed_end);
    let mut days = affected.processed().clone();
    days.extend(window.dates_kst());
    Reach {
        end: before.map_or(window.end, |end| end.max(window.end)),
        days: (!is_scheduled).then_some(days),
    }
}

/// Records the success: how far the run got, what it has seen, and that refusals of its days are overcome.
#[expect(clippy::too_many_arguments, reason = "the parts of one run, used twice")]
async fn finish(
    run: &RunContext,
    ctx: &SessionContext,
    period: Period,
    window: UtcWindow,
    missed: &Days,
    inputs: &[BronzeInput],
    states: &PipelineStates,
    changes: &LoadChanges,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let versions = bronze::versions(inputs);
    let is_scheduled = period == Period::Scheduled;
    let first = window.start.date_kst();
    let before = states.get(SILVER);
    let parts = before.map(|s| s.processed_parts.clone());
    let mut days = parts.unwrap_or_default().complete(window);
    days.absorb(missed);
    if is_scheduled {
        // It leaves no earlier row behind: the days it merged late rows into are complete, those with rows of a run that died
        // as well, and those that were missed.
        let affected = report.affected_days.iter().copied();
        days.extend(affected.filter(|d| *d < first));
        let processed = before.map(|s| s.processed_dates.clone()).unwrap_or_default();
        let with_rows = days_with_rows(run).await?;
        days.extend(with_rows.filter(|d| *d < first && !processed.contains(*d)));
    }
    exceptions::record(run, Vec::new(), conflicts::overcome(days.clone()), report).await?;
    let success = Success {
        pipeline: SILVER,
        end: Some(window.end),
        days,
        cursors: None,
    };
    gate::succeeded(run, ctx, success, |state| {
        // Pieces of days are put together: several runs may cover one.
        let whole = state.processed_parts.complete(window);
        state.processed_dates.absorb(&whole);
        // An explicit window says nothing of rows outside it, and a night that is run again nothing of later days: what
        // is late for them stays late until a scheduled run of theirs.
        let is_newest = is_scheduled && state.last_processed_end == Some(window.end);
        if is_newest {
            // What was seen of loads is kept apart from the tables.
            state.input_versions.extend(versions.clone());
        }
        changes.settle(&mut state.input_versions, is_newest);
    })
    .await
}
