//! Commits what was staged, or refuses it and keeps the evidence.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use nsc_contracts::exception;
use nsc_contracts::rule::Severity;
use nsc_core::{DateKst, UtcWindow};
use nsc_lake::{DataFile, Days, StagedUpsert, UpsertOutcome};

use super::affected::Affected;
use super::changed_orders::ChangedOrders;
use super::extend::Base;
use super::late::{Late, restate};
use super::refused;
use super::row_counts::{LoadCounts, RowCounts};
use super::rules::SilverRules;
use super::scope::ORDERS;
use super::stage::{Offender, Staging};
use crate::error::BadLoad;
use crate::exceptions::{self, Finding, Judged};
use crate::{PipelineError, RunContext, RunReport, TableReport};

/// Commits quarantine and tables; returns what is still to be merged by version.
///
/// Orders come last: entries that are stored already get the new status of their order first. A run that dies in between
/// finds the orders still to be changed, and so their entries.
pub(super) async fn all(
    run: &RunContext,
    window: UtcWindow,
    staging: Staging,
    refused: BTreeSet<DateKst>,
    affected: &mut Affected,
    report: &mut RunReport,
) -> Result<Late, PipelineError> {
    let (base, ctx) = (staging.base().cloned(), staging.ctx.clone());
    let rules = staging.rules().clone();
    let tallies: Vec<(&'static str, RowCounts)> = staging.tallies().map(|(s, t)| (s, t.clone())).collect();
    let (bad, staged, undated) = staging.finish().await?;
    for (source, counts) in &tallies {
        report.tables.push(source_report(source, counts));
    }
    let bad = reaching_refused(bad, refused);
    commit_one(run, "silver.bad_records", bad, base.as_ref(), report).await?;
    let late = Late { rules, undated };
    let (orders, others): (Vec<_>, Vec<_>) = staged.into_iter().partition(|(name, _)| *name == ORDERS);
    for (name, upsert) in others {
        let beside = orders.first().map(|(_, orders)| orders);
        let beyond = affected.staged(name, &upsert, beside).await?;
        commit_one(run, name, upsert.reaching(beyond), base.as_ref(), report).await?;
    }
    for (name, upsert) in orders {
        affected.staged(name, &upsert, None).await?;
        let changed = ChangedOrders::of(&ctx, &upsert).await?;
        let is_staged_before = base.is_some() || upsert.outcome().updated > 0;
        let files = naming_files(run, &ctx, window, is_staged_before, &changed).await?;
        restate(run, &ctx, files, &changed, &late.rules, affected, report).await?;
        let upsert = upsert.reaching(Days::default());
        commit_one(run, name, upsert, base.as_ref(), report).await?;
    }
    Ok(late)
}

/// What new refused versions of payment orders matter for: B-3 and B-4 count them from Bronze.
fn reaching_refused(bad: StagedUpsert, refused: BTreeSet<DateKst>) -> StagedUpsert {
    let is_new = bad.outcome().changed() > 0;
    bad.reaching(refused.into_iter().filter(|_| is_new).collect())
}

/// Files of stored entries that may name the window's orders: an entry may be older than its order by any time, and newer where
/// the window is run again. Entries of the window itself were staged beside its new orders, unless they had been before.
async fn naming_files(
    run: &RunContext,
    ctx: &SessionContext,
    window: UtcWindow,
    is_staged_before: bool,
    orders: &ChangedOrders,
) -> Result<Vec<DataFile>, PipelineError> {
    let ledger = run.table("silver.ledger_entries").await?;
    let days: BTreeSet<DateKst> = window.dates_kst().collect();
    let is_own = |f: &DataFile| f.partition_date().is_some_and(|d| days.contains(&d));
    let (own, others): (Vec<_>, Vec<_>) = ledger.files()?.into_iter().partition(is_own);
    let mut files = orders.files_naming(run, ctx, &ledger, others).await?;
    if is_staged_before {
        files.extend(orders.files_naming_now(ctx, &ledger, own).await?);
    }
    Ok(files)
}

async fn commit_one(
    run: &RunContext,
    name: &str,
    upsert: StagedUpsert,
    base: Option<&Base>,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let (table, mut outcome) = upsert.commit(run.commit_metadata()).await?;
    if let Some(base) = base {
        // The rows that were not looked at stand for themselves.
        outcome.unchanged = base.rows(name).saturating_sub(outcome.updated);
    }
    report.committed(&table, outcome);
    Ok(())
}

fn source_report(source: &str, counts: &RowCounts) -> TableReport {
    TableReport {
        table: format!("bronze.{source}"),
        lines: Some(counts.lines()),
        rows: counts.rows,
        duplicates: Some(counts.duplicates),
        quarantined: counts.bad.clone(),
        outcome: UpsertOutcome::default(),
    }
}

/// Fail-fast: the bad rows are kept as evidence, everything else staged is thrown away. Returns an error for each
/// source.
pub(super) async fn refuse(
    run: &RunContext,
    staging: Staging,
    offenders: &[Offender],
    window: UtcWindow,
    report: &mut RunReport,
) -> Result<Vec<PipelineError>, PipelineError> {
    let rules = staging.rules().clone();
    for (source, counts) in staging.tallies() {
        report.tables.push(source_report(source, counts));
    }
    let ctx = staging.ctx.clone();
    let days = refused::days_of(run, &ctx, &staging.refused_orders).await?;
    let (bad, staged, _) = staging.finish().await?;
    let bad = reaching_refused(bad, days);
    commit_one(run, "silver.bad_records", bad, None, report).await?;
    for (_, upsert) in staged {
        upsert.discard().await?;
    }
    let inputs = run.lake.load_records(&ctx).await?;
    let input_of = |load: &str| inputs.iter().find(|r| r.load_id == load)?.input.clone();
    let (mut findings, mut refusals) = (Vec::new(), Vec::new());
    for offender in offenders {
        let load = offender.load.as_ref();
        let load = load.map(|(id, taken)| bad_load(id, taken, input_of(id)));
        findings.push(exceeded(offender, load.as_ref(), &rules, window));
        refusals.push(PipelineError::BadRecordsRate {
            source_table: offender.source.to_owned(),
            bad: offender.counts.bad_total(),
            total: offender.counts.lines(),
            rule_id: rules.rate_rule.clone(),
            threshold: rules.rate,
            load: load.map(Box::new),
        });
    }
    let found = vec![exceptions::rows(run, &findings)?];
    exceptions::record(run, found, Judged::default(), report).await?;
    Ok(refusals)
}

fn bad_load(id: &str, taken: &LoadCounts, input: Option<String>) -> BadLoad {
    let mut reasons: Vec<(String, u64)> = taken.bad.clone().into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    BadLoad {
        load_id: id.to_owned(),
        input,
        bad: taken.bad_total(),
        total: taken.lines,
        reasons,
    }
}

fn exceeded(offender: &Offender, load: Option<&BadLoad>, rules: &SilverRules, window: UtcWindow) -> Finding {
    let (source, counts) = (offender.source, &offender.counts);
    let (bad, total) = (counts.bad_total(), counts.lines());
    // The load's rate where there is one: it is the greater of the two.
    let (of_bad, of_total) = load.map_or((bad, total), |l| (l.bad, l.total));
    let (of_bad, of_total) = (i128::from(of_bad), i128::from(of_total));
    let reasons: BTreeMap<_, _> = counts
        .bad
        .iter()
        .map(|(r, n)| (r.clone(), n.to_string()))
        .collect();
    let mut message = serde_json::json!({
        "source_table": source, "bad": bad.to_string(), "total": total.to_string(),
        "threshold": rules.rate.to_string(), "reasons": reasons,
    });
    if let (Some(load), Some(fields)) = (load, message.as_object_mut()) {
        let of_load = serde_json::json!({
            "load_id": load.load_id, "input": load.input, "bad": load.bad.to_string(), "total": load.total.to_string(),
        });
        fields.insert("load".to_owned(), of_load);
    }
    Finding {
        date: window.end.plus(-1).date_kst(),
        domain: "silver",
        exception_type: exception::BAD_RECORDS_RATE_EXCEEDED,
        severity: Severity::Critical,
        source_table: source.to_owned(),
        window,
        metric: "bad_records_rate",
        // Half-up, in millionths.
        metric_value: (of_total > 0).then(|| (of_bad * 2_000_000 + of_total) / (of_total * 2)),
        message,
        rule_id: Some(rules.rate_rule.clone()),
        subject: None,
    }
}
