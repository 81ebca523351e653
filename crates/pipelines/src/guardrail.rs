//! Pipeline A: the data-quality guardrail, every ten minutes (lakehouse contract 4, "Pipeline A").
//!
//! A scheduled run judges what has just arrived. A backfill looks back over windows by when things happened: history that was
//! loaded in one go is quiet where the sources were.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use datafusion::logical_expr::col;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use nsc_contracts::rule::{Rule, RuleSet};
use nsc_core::{MICROS_PER_DAY, MICROS_PER_SECOND, UtcMicros, UtcWindow};
use nsc_lake::{Conflict, DataFile, Days, PipelineState, PipelineStates, Scope, Table, Upsert};
use nsc_transforms::guardrail::{
    AllowedValues, GuardrailRules, GuardrailSource, Judgement, Timeline, WindowCounter, WindowMeasure,
    Windows, freshness_seconds, judge, measures, newest_before, zero_windows_after,
};
use nsc_transforms::rules::SeverityRule;
use nsc_transforms::vocabulary::Vocabulary;

use crate::derivation::{self, Derivation, UNCHANGED};
use crate::exceptions::{self, Finding, Judged};
use crate::gaps::{self, JudgedWindow};
use crate::gate::{self, Success};
use crate::loads;
use crate::period::not_too_early;
use crate::pipeline::{Extent, Pipeline};
use crate::silver::{self, scope::instant};
use crate::{Period, PipelineError, RunContext, RunReport};

/// Length of a window.
const WINDOW_MICROS: i64 = 600 * MICROS_PER_SECOND;
const STATUS: &str = "silver.dq_status";
/// Rows whose keys are held at once, unless a single day has more.
const ROWS_AT_ONCE: u64 = 4 << 20;
/// How far back a scheduled run catches up. A run while the clock stood at 1970 must not leave the next one half a century
/// of windows.
const CAUGHT_UP: i64 = 2 * 366 * MICROS_PER_DAY;
/// Further back than any row: more than all years a time can name.
const LONG_AGO: i64 = 4_000 * 366 * MICROS_PER_DAY;

/// Name of Pipeline A in `gold.pipeline_state`.
const GUARDRAIL: &str = "pipeline_a";

/// Pipeline A.
#[derive(Debug, Clone, Copy)]
pub struct Guardrail;

#[async_trait]
impl Pipeline for Guardrail {
    fn name(&self) -> &'static str {
        GUARDRAIL
    }

    async fn run(
        &self,
        run: &RunContext,
        period: Period,
        _: Extent,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        judge_windows(run, period, report).await
    }
}

async fn judge_windows(
    run: &RunContext,
    period: Period,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let begun = Instant::now();
    let ctx = run.session()?;
    let rules = report.judging_by(run.rules(&ctx).await?);
    let states = PipelineStates::load(&run.lake, &ctx).await?.unwrap_or_default();
    let before = states.get(GUARDRAIL);
    let last_end = before.and_then(|s| s.last_processed_end);
    let Some(span) = span(run, period, last_end, report)? else {
        return gate::succeeded(run, &ctx, success(None), report, |_| {}).await;
    };
    not_too_early(span)?;
    report.windows.push(span);
    let windows = Windows::consecutive(span, WINDOW_MICROS)?;
    let carried = carried(period, before);
    let look = Look {
        run,
        rules: &rules,
        windows: &windows,
        timeline: timeline(period),
    };
    let derivation = look.derivation(span).await?;
    // What was found of a past span stays as it is while nothing it follows from changes.
    if let Some(known) = &derivation
        && let outputs = outputs(run, span).await?
        && known
            .stands(run, &outputs, (UNCHANGED.to_owned(), begun), report)
            .await?
    {
        return gate::succeeded(run, &ctx, success(None), report, |_| {}).await;
    }
    let mark = derivation::mark(report);
    let mut judged = Vec::new();
    let mut zero = BTreeMap::new();
    let mut findings = Vec::new();
    for source in GuardrailSource::ALL {
        let start = carried.get(source.table()).copied().unwrap_or(0);
        let found = look.source(source, start, report).await?;
        let count = |j: &JudgedWindow| u64::try_from(j.measure.zero_windows).unwrap_or(0);
        zero.insert(source.table().to_owned(), found.last().map_or(start, count));
        findings.extend(gaps::findings(&found));
        report.verdicts.extend(gaps::verdict(&found));
        judged.extend(found);
    }
    // The rows of a day stand together.
    judged.sort_by_key(|j| (j.window.start, j.source));
    write_status(run, &ctx, &judged, report).await?;
    write_exceptions(run, span, &findings, report).await?;
    let rows: i64 = judged.iter().map(|j| j.measure.counts.event_count).sum();
    report.step("A judge windows", begun, u64::try_from(rows).unwrap_or(0), 0);
    if let Some(derivation) = derivation {
        derivation
            .keep(run, outputs(run, span).await?, report, mark)
            .await?;
    }
    let is_new = match period {
        Period::Scheduled => true,
        Period::Incremental(w) => last_end.is_none_or(|end| end < w.end),
        Period::Window(_) => false,
    };
    let end = is_new.then_some(span.end);
    gate::succeeded(run, &ctx, success(end), report, |state| {
        if end.is_some() {
            state.zero_windows.clone_from(&zero);
        }
    })
    .await
}

/// What a run looks back by: a backfill by when things happened, the others by when rows came.
fn timeline(period: Period) -> Timeline {
    match period {
        Period::Scheduled | Period::Incremental(_) => Timeline::Arrival,
        Period::Window(_) => Timeline::Event,
    }
}

/// The counts of empty windows to take up, by source. A backfill neither takes them up nor leaves any, and a window that does
/// not follow the last one has none to take up.
fn carried(period: Period, before: Option<&PipelineState>) -> BTreeMap<String, u64> {
    let goes_on = |state: &&PipelineState| match period {
        Period::Scheduled => true,
        Period::Incremental(w) => state.last_processed_end == Some(w.start),
        Period::Window(_) => false,
    };
    let state = before.filter(goes_on);
    state.map(|s| s.zero_windows.clone()).unwrap_or_default()
}

/// Names the files of a span's rows.
async fn outputs(run: &RunContext, span: UtcWindow) -> Result<String, PipelineError> {
    let days: Days = span.dates_kst().collect();
    let files = run.table(STATUS).await?.files()?;
    let of_days = |f: &&DataFile| f.partition_date().is_some_and(|d| days.contains(d));
    Ok(derivation::files_hash(
        files.iter().filter(of_days).map(|f| (STATUS, f)),
    ))
}

fn success(end: Option<UtcMicros>) -> Success<'static> {
    Success {
        pipeline: GUARDRAIL,
        end,
        days: Days::default(),
        cursors: None,
    }
}

/// The span of a run's windows, aligned to the clock's tens of minutes; `None` when none is over yet. A scheduled run reaches back two
/// years at most and notes what it leaves out (lakehouse contract 4, "Schedule").
fn span(
    run: &RunContext,
    period: Period,
    last_end: Option<UtcMicros>,
    report: &mut RunReport,
) -> Result<Option<UtcWindow>, PipelineError> {
    let now = run.now;
    let end = now.floor_to(WINDOW_MICROS);
    match period {
        Period::Scheduled => {
            let last_end = last_end.filter(|e| !is_astray(*e, end, run.clock));
            let start = last_end.unwrap_or_else(|| end.plus(-WINDOW_MICROS));
            let earliest = end.plus(-CAUGHT_UP);
            if start < earliest {
                let left_out = format!(
                    "the windows from {start} to {earliest} are left out: the last run lies more than two years back; \
                     nsc run a --run-mode backfill --start-ts .. --end-ts .. judges those that matter"
                );
                tracing::warn!("{left_out}");
                report.notes.push(left_out);
            }
            let start = start.max(earliest);
            Ok((start < end).then_some(UtcWindow { start, end }))
        }
        Period::Window(w) | Period::Incremental(w) if w.end > now => Err(PipelineError::Window {
            reason: format!("{w} is not over at {now}"),
        }),
        Period::Window(w) | Period::Incremental(w)
            if w.start.floor_to(WINDOW_MICROS) != w.start || w.end.floor_to(WINDOW_MICROS) != w.end =>
        {
            Err(PipelineError::Window {
                reason: format!("{w} is not aligned to tens of minutes"),
            })
        }
        Period::Window(w) | Period::Incremental(w) => Ok(Some(w)),
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
            words: Vocabulary::of(rules)?,
            payment_statuses: allowed("payment_status_allowed")?,
        },
    ))
}

/// From the first window's start to the last one's end.
fn span_of(windows: &[UtcWindow]) -> UtcWindow {
    let nothing = UtcMicros::new(0);
    UtcWindow {
        start: windows.first().map_or(nothing, |w| w.start),
        end: windows.last().map_or(nothing, |w| w.end),
    }
}

/// What a run looks at, and how.
struct Look<'a> {
    run: &'a RunContext,
    rules: &'a RuleSet,
    windows: &'a Windows,
    timeline: Timeline,
}

impl Look<'_> {
    async fn table(&self, source: GuardrailSource) -> Result<Table, PipelineError> {
        self.run.table(&format!("bronze.{}", source.table())).await
    }

    /// What the judgement of a past span follows from; none for the windows that have just ended.
    async fn derivation(&self, span: UtcWindow) -> Result<Option<Derivation>, PipelineError> {
        if self.timeline == Timeline::Arrival {
            return Ok(None);
        }
        let name = format!("a-{}-{}", span.start.micros(), span.end.micros());
        let mut derivation = Derivation::new(name).judging(span.dates_kst());
        let (mut tables, ctx) = (Vec::new(), self.run.session()?);
        for source in GuardrailSource::ALL {
            let table = self.table(source).await?;
            let taken_back = loads::taken_back(self.run, &ctx, &table.name()).await?;
            derivation = derivation.with(&format!("{:?}", rules_of(self.rules, source)?));
            derivation = derivation.with(&taken_back.mark());
            tables.push(table);
        }
        Ok(Some(derivation.with(&derivation::tables_hash(&tables)?)))
    }

    /// Judges the windows of one source.
    async fn source(
        &self,
        source: GuardrailSource,
        carried: u64,
        report: &mut RunReport,
    ) -> Result<Vec<JudgedWindow>, PipelineError> {
        let (judged_by, allowed) = rules_of(self.rules, source)?;
        let table = self.table(source).await?;
        report.read(&table);
        let Some(first) = self.windows.as_slice().first() else {
            return Ok(Vec::new());
        };
        let (mut newest, mut judged) = (None, Vec::new());
        let mut zero = i64::try_from(carried).unwrap_or(i64::MAX);
        for windows in self.lots(&table)? {
            let counter = self.count(&table, source, windows, &allowed).await?;
            if judged.is_empty() && !counter.begins_with_a_row() {
                newest = self.newest_before(&table, source, first.start).await?;
            }
            for (window, (counts, at_end)) in windows.iter().zip(counter.finish(newest)) {
                newest = at_end;
                zero = zero_windows_after(zero, counts.event_count);
                let measure = WindowMeasure {
                    freshness_sec: freshness_seconds(window.end, newest),
                    counts,
                    zero_windows: zero,
                };
                judged.push(JudgedWindow {
                    source,
                    window: *window,
                    measure,
                    judgement: judge(&measure, &judged_by),
                });
            }
        }
        Ok(judged)
    }

    /// The windows in lots that are counted at once: all of them, or a day's where that would be too many keys to hold.
    fn lots(&self, table: &Table) -> Result<Vec<&[UtcWindow]>, PipelineError> {
        let windows = self.windows.as_slice();
        let files = table.files()?;
        let files = files.iter().filter(|f| self.may_hold(table, f, span_of(windows)));
        let rows: u64 = files.map(|f| f.rows.unwrap_or(ROWS_AT_ONCE)).sum();
        if rows <= ROWS_AT_ONCE {
            return Ok(vec![windows]);
        }
        let same_day = |a: &UtcWindow, b: &UtcWindow| a.start.date_kst() == b.start.date_kst();
        Ok(windows.chunk_by(same_day).collect())
    }

    async fn count(
        &self,
        table: &Table,
        source: GuardrailSource,
        windows: &[UtcWindow],
        allowed: &AllowedValues,
    ) -> Result<WindowCounter, PipelineError> {
        let mut counter = WindowCounter::new(Windows::new(windows.to_vec())?);
        // One session a source and lot: each registers its own `rows`.
        let ctx = self.run.session()?;
        if self.register(&ctx, table, span_of(windows)).await? {
            let plan = measures(&ctx, source, self.timeline, allowed).await?;
            let mut rows = plan.execute_stream().await?;
            while let Some(batch) = rows.try_next().await? {
                counter.add(&batch)?;
            }
        }
        Ok(counter)
    }

    /// Registers the rows of a span, and by event time some more: those of the files that can hold some of it. False when
    /// there is no such file.
    async fn register(
        &self,
        ctx: &SessionContext,
        table: &Table,
        span: UtcWindow,
    ) -> Result<bool, PipelineError> {
        let files = table.files()?.into_iter();
        let files: Vec<DataFile> = files.filter(|f| self.may_hold(table, f, span)).collect();
        if files.is_empty() {
            return Ok(false);
        }
        let taken_back = loads::taken_back(self.run, ctx, &table.name()).await?;
        let rows = taken_back.without(ctx.read_table(table.scan(files))?)?;
        let rows = match self.timeline {
            Timeline::Arrival => {
                let inside = col("ingested_at")
                    .gt_eq(instant(span.start))
                    .and(col("ingested_at").lt_eq(instant(span.end)));
                rows.filter(inside)?
            }
            Timeline::Event => rows,
        };
        ctx.register_table("rows", rows.into_view())?;
        Ok(true)
    }

    fn may_hold(&self, table: &Table, file: &DataFile, span: UtcWindow) -> bool {
        match self.timeline {
            Timeline::Arrival => file.may_hold_instant("ingested_at", span.start, span.end),
            Timeline::Event => {
                let source = table.contract().name.trim_end_matches("_raw");
                silver::bronze::may_hold(file, source, span)
            }
        }
    }

    /// The newest instant before the first window, however old: the nearest files are asked first.
    async fn newest_before(
        &self,
        table: &Table,
        source: GuardrailSource,
        start: UtcMicros,
    ) -> Result<Option<UtcMicros>, PipelineError> {
        let ctx = self.run.session()?;
        let taken_back = loads::taken_back(self.run, &ctx, &table.name()).await?;
        let mut reach = 2 * MICROS_PER_DAY;
        let mut asked = HashSet::new();
        let mut newest = None;
        loop {
            let near = UtcWindow {
                start: start.plus(-reach),
                end: start,
            };
            let files = table.files()?.into_iter();
            let files = files.filter(|f| !asked.contains(&f.path) && self.may_hold(table, f, near));
            let files: Vec<DataFile> = files.collect();
            asked.extend(files.iter().map(|f| f.path.clone()));
            if !files.is_empty() {
                let rows = taken_back.without(ctx.read_table(table.scan(files))?)?;
                let found = newest_before(rows, source, self.timeline, start)?
                    .collect()
                    .await?;
                let found = found.first().and_then(|b| {
                    let times = b.column(0).as_primitive_opt::<TimestampMicrosecondType>()?;
                    times.is_valid(0).then(|| UtcMicros::new(times.value(0)))
                });
                newest = newest.max(found);
            }
            // What lies further back than the files that were asked is older than what they hold.
            if newest.is_some_and(|n| near.start <= n) || reach > LONG_AGO {
                return Ok(newest);
            }
            reach *= 16;
        }
    }
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
        .commit(run.commit_metadata())
        .await?;
    report.committed(&table, outcome);
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
    findings: &[Finding],
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let types = vec![
        "SOURCE_STALE",
        "DUP_SUSPECTED",
        "EVENT_DROP_SUSPECTED",
        "CONTRACT_VIOLATION",
    ];
    let found = if findings.is_empty() {
        Vec::new()
    } else {
        vec![exceptions::rows(run, findings)?]
    };
    let judged = Judged {
        dates: span.dates_kst().collect(),
        types,
        within: Some(span),
        subjects: None,
    };
    exceptions::record(run, found, judged, report).await
}
