//! Pipeline A: the data-quality guardrail, every ten minutes (lakehouse contract 4, "Pipeline A").

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::logical_expr::col;
use datafusion::prelude::SessionContext;
use nsc_contracts::rule::{Rule, RuleSet};
use nsc_core::{MICROS_PER_SECOND, UtcMicros, UtcWindow};
use nsc_lake::{Conflict, Days, PipelineStates, Scope, Table, Upsert};
use nsc_transforms::guardrail::{
    AllowedValues, Fired, GuardrailRules, GuardrailSource, Judgement, WindowMeasure, Windows, counts,
    freshness_seconds, judge, measures, newest, newest_at_ends, zero_windows_after,
};
use nsc_transforms::rules::SeverityRule;

use crate::exceptions::{self, Finding, Judged, metadata};
use crate::gate::{self, GUARDRAIL, Success};
use crate::period::not_too_early;
use crate::silver::scope::instant;
use crate::{Period, PipelineError, RunContext, RunReport, TableReport, Verdict};

/// Length of a window.
const WINDOW_MICROS: i64 = 600 * MICROS_PER_SECOND;
const STATUS: &str = "silver.dq_status";

/// One judged window of one source.
struct JudgedWindow {
    source: GuardrailSource,
    window: UtcWindow,
    measure: WindowMeasure,
    judgement: Judgement,
}

/// Runs Pipeline A.
pub(crate) async fn run(
    run: &RunContext,
    period: Period,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let begun = Instant::now();
    let ctx = run.session()?;
    let rules = run.rules(&ctx).await?;
    let states = PipelineStates::load(&run.lake, &ctx).await?.unwrap_or_default();
    let before = states.get(GUARDRAIL);
    let span = span(run, period, before.and_then(|s| s.last_processed_end))?;
    let Some(span) = span else {
        return gate::succeeded(run, &ctx, success(None), |_| {}).await;
    };
    not_too_early(span)?;
    report.windows.push(span);
    let windows = Windows::consecutive(span, WINDOW_MICROS)?;
    // A backfill neither takes up nor leaves the carried count of empty windows.
    let carried = if period == Period::Scheduled {
        before.map(|s| s.zero_windows.clone()).unwrap_or_default()
    } else {
        BTreeMap::new()
    };
    let mut judged = Vec::new();
    let mut zero = BTreeMap::new();
    for source in GuardrailSource::ALL {
        let start = carried.get(source.table()).copied().unwrap_or(0);
        let found = source_windows(run, source, &windows, &rules, start, report).await?;
        zero.insert(
            source.table().to_owned(),
            found
                .last()
                .map_or(start, |j| u64::try_from(j.measure.zero_windows).unwrap_or(0)),
        );
        judged.extend(found);
    }
    write_status(run, &ctx, &judged, report).await?;
    write_exceptions(run, span, &judged, report).await?;
    report.verdicts.extend(
        judged
            .iter()
            .filter(|j| j.judgement.dq_tag.is_some())
            .map(verdict),
    );
    report.step(
        "A judge windows",
        begun,
        judged
            .iter()
            .map(|j| u64::try_from(j.measure.counts.event_count).unwrap_or(0))
            .sum(),
        0,
    );
    let end = (period == Period::Scheduled).then_some(span.end);
    gate::succeeded(run, &ctx, success(end), |state| {
        if end.is_some() {
            state.zero_windows.clone_from(&zero);
        }
    })
    .await
}

fn success(end: Option<UtcMicros>) -> Success<'static> {
    Success {
        pipeline: GUARDRAIL,
        end,
        days: Days::default(),
        settled: None,
    }
}

/// The whole windows of a run, aligned to the clock's tens of minutes; `None` when none is over yet.
fn span(
    run: &RunContext,
    period: Period,
    last_end: Option<UtcMicros>,
) -> Result<Option<UtcWindow>, PipelineError> {
    let now = run.now;
    let end = now.floor_to(WINDOW_MICROS);
    match period {
        Period::Scheduled => {
            let last_end = last_end.filter(|e| !is_astray(*e, end, run.clock));
            let start = last_end.unwrap_or_else(|| end.plus(-WINDOW_MICROS));
            Ok((start < end).then_some(UtcWindow { start, end }))
        }
        Period::Window(w) if w.end > now => Err(PipelineError::Window {
            reason: format!("{w} is not over at {now}"),
        }),
        Period::Window(w)
            if w.start.floor_to(WINDOW_MICROS) != w.start || w.end.floor_to(WINDOW_MICROS) != w.end =>
        {
            Err(PipelineError::Window {
                reason: format!("{w} is not aligned to tens of minutes"),
            })
        }
        Period::Window(w) => Ok(Some(w)),
    }
}

/// Whether a recorded end lies ahead of this run and of the clock: some run was given a `--now` of the future. Waiting
/// for it would leave everything until then unjudged, so the run begins as if it were the first.
fn is_astray(last_end: UtcMicros, end: UtcMicros, clock: UtcMicros) -> bool {
    let astray = last_end > end && last_end > clock;
    if astray {
        tracing::warn!(
            last_processed_end = %last_end,
            "an earlier run got ahead of the clock; the last whole window is judged, and only that"
        );
    }
    astray
}

fn severity_rule(rule: &Rule) -> Result<SeverityRule, PipelineError> {
    let (warn, crit) = (rule.warn()?, rule.crit()?);
    // A rule with neither is refused by name.
    let threshold = rule
        .threshold
        .or(crit)
        .or(warn)
        .map_or_else(|| rule.threshold(), Ok)?;
    Ok(SeverityRule::new(rule.rule_id.clone(), threshold, warn, crit)?)
}

fn rules_of(
    rules: &RuleSet,
    source: GuardrailSource,
) -> Result<(GuardrailRules, AllowedValues), PipelineError> {
    let of = |metric: &str| severity_rule(rules.for_metric("dq", metric, Some(source.table()))?);
    let allowed = |metric: &str| -> Result<Vec<String>, PipelineError> {
        Ok(rules.for_metric("silver", metric, None)?.allowed()?.to_vec())
    };
    let judged = GuardrailRules {
        freshness_sec: of("freshness_sec")?,
        dup_rate: of(source.dup_rate_metric())?,
        zero_windows: of("completeness_zero_windows")?,
        bad_records_rate: of("contract_bad_records_rate")?,
    };
    Ok((
        judged,
        AllowedValues {
            entry_types: allowed("entry_type_allowed")?,
            payment_statuses: allowed("payment_status_allowed")?,
        },
    ))
}

async fn source_windows(
    run: &RunContext,
    source: GuardrailSource,
    windows: &Windows,
    rules: &RuleSet,
    carried: u64,
    report: &mut RunReport,
) -> Result<Vec<JudgedWindow>, PipelineError> {
    let (judged_by, allowed) = rules_of(rules, source)?;
    // One session a source: each registers its own `rows`.
    let ctx = run.session()?;
    let table = run.table(&format!("bronze.{}", source.table())).await?;
    report.read(&table);
    let (Some(first), Some(last)) = (windows.as_slice().first(), windows.as_slice().last()) else {
        return Ok(Vec::new());
    };
    let files: Vec<_> = table
        .files()?
        .into_iter()
        .filter(|f| f.may_hold_instant("ingested_at", first.start, last.end))
        .collect();
    let inside = col("ingested_at")
        .gt_eq(instant(first.start))
        .and(col("ingested_at").lt_eq(instant(last.end)));
    ctx.register_table(
        "rows",
        ctx.read_table(table.scan(files))?.filter(inside)?.into_view(),
    )?;
    let counted = counts(
        windows,
        &measures(&ctx, source, windows, &allowed).await?.collect().await?,
    )?;
    let before = newest_before(&ctx, &table, first.start).await?;
    let newest = newest_at_ends(windows, &newest(&ctx, windows).await?.collect().await?, before)?;
    let mut zero = i64::try_from(carried).unwrap_or(i64::MAX);
    let mut judged = Vec::new();
    for ((window, counts), newest) in windows.as_slice().iter().zip(counted).zip(newest) {
        zero = zero_windows_after(zero, counts.event_count);
        let measure = WindowMeasure {
            freshness_sec: freshness_seconds(window.end, newest),
            counts,
            zero_windows: zero,
        };
        let judgement = judge(&measure, &judged_by);
        judged.push(JudgedWindow {
            source,
            window: *window,
            measure,
            judgement,
        });
    }
    Ok(judged)
}

/// The newest `ingested_at` before an instant, however old: partitions are asked newest first.
async fn newest_before(
    ctx: &SessionContext,
    table: &Table,
    instant_end: UtcMicros,
) -> Result<Option<UtcMicros>, PipelineError> {
    let mut days: BTreeMap<i32, Vec<nsc_lake::DataFile>> = BTreeMap::new();
    for file in table.files()? {
        if let Some(day) = file
            .partition_date()
            .map(nsc_core::DateKst::days)
            .filter(|d| *d <= instant_end.utc_day())
        {
            days.entry(day).or_default().push(file);
        }
    }
    for (_, files) in days.into_iter().rev() {
        let rows = ctx
            .read_table(table.scan(files))?
            .filter(col("ingested_at").lt(instant(instant_end)))?;
        let newest = datafusion::functions_aggregate::expr_fn::max(col("ingested_at"));
        let found = rows
            .aggregate(vec![], vec![newest.alias("newest")])?
            .collect()
            .await?;
        let value = found
            .first()
            .map(|b| datafusion::common::ScalarValue::try_from_array(b.column(0), 0))
            .transpose()?;
        if let Some(datafusion::common::ScalarValue::TimestampMicrosecond(Some(micros), _)) = value {
            return Ok(Some(UtcMicros::new(micros)));
        }
    }
    Ok(None)
}

async fn write_status(
    run: &RunContext,
    ctx: &SessionContext,
    judged: &[JudgedWindow],
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let table = run.table(STATUS).await?;
    let dates: Vec<_> = judged.iter().map(|j| j.window.start.date_kst()).collect();
    let files = table.files_of(&dates)?;
    let upsert = Upsert::begin(ctx, &table, Scope::of(files, Conflict::Append)).await?;
    let mut writer = upsert.writer()?;
    writer.write(&status_rows(run, judged)?).await?;
    let part = writer.finish().await?;
    let (table, outcome) = upsert
        .finish(ctx, vec![part])
        .await?
        .commit(metadata(run))
        .await?;
    if outcome.changed() > 0 {
        report.wrote(&table);
    }
    report.tables.push(TableReport {
        table: STATUS.to_owned(),
        rows: judged.len() as u64,
        outcome,
        ..TableReport::default()
    });
    Ok(())
}

fn status_rows(run: &RunContext, judged: &[JudgedWindow]) -> Result<RecordBatch, PipelineError> {
    let text = |f: &dyn Fn(&JudgedWindow) -> Option<String>| {
        Arc::new(judged.iter().map(f).collect::<StringArray>()) as ArrayRef
    };
    let time = |f: &dyn Fn(&JudgedWindow) -> UtcMicros| {
        let micros: TimestampMicrosecondArray = judged.iter().map(|j| Some(f(j).micros())).collect();
        Arc::new(micros.with_timezone("UTC")) as ArrayRef
    };
    let rate = |f: &dyn Fn(&Judgement) -> i128| -> Result<ArrayRef, PipelineError> {
        let rates: Decimal128Array = judged.iter().map(|j| Some(f(&j.judgement))).collect();
        Ok(Arc::new(rates.with_precision_and_scale(38, 6)?))
    };
    let dates: Date32Array = judged
        .iter()
        .map(|j| Some(j.window.start.date_kst().days()))
        .collect();
    Ok(RecordBatch::try_from_iter_with_nullable([
        (
            "source_table",
            text(&|j| Some(j.source.table().to_owned())),
            false,
        ),
        ("window_start_ts", time(&|j| j.window.start), false),
        ("window_end_ts", time(&|j| j.window.end), false),
        ("date_kst", Arc::new(dates) as ArrayRef, false),
        (
            "freshness_sec",
            Arc::new(
                judged
                    .iter()
                    .map(|j| j.measure.freshness_sec)
                    .collect::<Int64Array>(),
            ),
            true,
        ),
        (
            "event_count",
            Arc::new(
                judged
                    .iter()
                    .map(|j| Some(j.measure.counts.event_count))
                    .collect::<Int64Array>(),
            ),
            false,
        ),
        ("dup_rate", rate(&|j| j.dup_rate.millionths())?, true),
        (
            "bad_records_rate",
            rate(&|j| j.bad_records_rate.millionths())?,
            true,
        ),
        (
            "dq_tag",
            text(&|j| j.judgement.dq_tag.map(|t| t.as_str().to_owned())),
            true,
        ),
        (
            "severity",
            text(&|j| j.judgement.severity.map(|s| s.name().to_owned())),
            true,
        ),
        ("run_id", text(&|_| Some(run.run_id.to_string())), false),
        ("rule_id", text(&|j| j.judgement.rule_id.clone()), true),
        ("generated_at", time(&|_| run.now), false),
    ])?)
}

async fn write_exceptions(
    run: &RunContext,
    span: UtcWindow,
    judged: &[JudgedWindow],
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let findings: Vec<Finding> = judged
        .iter()
        .flat_map(|j| j.judgement.fired.iter().map(|fired| finding(j, fired)))
        .collect();
    let types = vec![
        "SOURCE_STALE",
        "DUP_SUSPECTED",
        "EVENT_DROP_SUSPECTED",
        "CONTRACT_VIOLATION",
    ];
    let found = if findings.is_empty() {
        Vec::new()
    } else {
        vec![exceptions::rows(run, &findings)?]
    };
    exceptions::record(
        run,
        found,
        Judged {
            dates: span.dates_kst().collect(),
            types,
            within: Some(span),
            subjects: None,
        },
        report,
    )
    .await
}

fn finding(judged: &JudgedWindow, fired: &Fired) -> Finding {
    let counts = &judged.measure.counts;
    Finding {
        date: judged.window.start.date_kst(),
        domain: "dq",
        exception_type: fired.tag.as_str(),
        severity: fired.severity.name(),
        source_table: judged.source.table().to_owned(),
        window: judged.window,
        metric: fired.metric,
        metric_value: Some(fired.value.millionths()),
        message: serde_json::json!({
            "metric": fired.metric, "value": fired.value.to_string(), "rule_id": fired.rule_id,
            "event_count": counts.event_count.to_string(), "repeats": counts.repeats.to_string(), "bad_rows": counts.bad_rows.to_string(),
            "zero_windows": judged.measure.zero_windows.to_string(),
            "freshness_sec": judged.measure.freshness_sec.map(|s| s.to_string()),
        }),
        rule_id: Some(fired.rule_id.clone()),
        subject: None,
    }
}

fn verdict(judged: &JudgedWindow) -> Verdict {
    let tag = judged.judgement.dq_tag.map_or("", |t| t.as_str());
    Verdict {
        control: format!("A {}", judged.source.table()),
        subject: judged.window.to_string(),
        verdict: judged.judgement.severity.map_or("ok", |s| s.name()).to_owned(),
        detail: tag.to_owned(),
    }
}
