//! The exception ledger: a finding is added once, and closed when a re-run no longer finds it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{cast, filter_record_batch};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, Int64Type, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::exception::ExceptionState;
use nsc_contracts::rule::Severity;
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Conflict, DataFile, Days, Retry, Scope, Upsert};

use crate::{ExceptionCount, PipelineError, RunContext, RunReport, context::contract};

const LEDGER: &str = "gold.exception_ledger";

/// One exception a run found.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) date: DateKst,
    pub(crate) domain: &'static str,
    pub(crate) exception_type: &'static str,
    pub(crate) severity: Severity,
    pub(crate) source_table: String,
    pub(crate) window: UtcWindow,
    pub(crate) metric: &'static str,
    /// In millionths.
    pub(crate) metric_value: Option<i128>,
    pub(crate) message: serde_json::Value,
    pub(crate) rule_id: Option<String>,
    pub(crate) subject: Option<String>,
}

/// Findings as rows of the ledger.
pub(crate) fn rows(run: &RunContext, findings: &[Finding]) -> Result<RecordBatch, PipelineError> {
    let text = |f: &dyn Fn(&Finding) -> Option<String>| {
        Arc::new(findings.iter().map(f).collect::<StringArray>()) as ArrayRef
    };
    let time = |f: &dyn Fn(&Finding) -> UtcMicros| {
        let micros: TimestampMicrosecondArray = findings.iter().map(|x| Some(f(x).micros())).collect();
        Arc::new(micros.with_timezone("UTC")) as ArrayRef
    };
    let values = findings
        .iter()
        .map(|f| f.metric_value)
        .collect::<Decimal128Array>()
        .with_precision_and_scale(38, 6)?;
    let dates: Date32Array = findings.iter().map(|f| Some(f.date.days())).collect();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("date_kst", Arc::new(dates) as ArrayRef, false),
        ("domain", text(&|f| Some(f.domain.to_owned())), false),
        (
            "exception_type",
            text(&|f| Some(f.exception_type.to_owned())),
            false,
        ),
        ("severity", text(&|f| Some(f.severity.name().to_owned())), false),
        ("source_table", text(&|f| Some(f.source_table.clone())), true),
        ("window_start_ts", time(&|f| f.window.start), true),
        ("window_end_ts", time(&|f| f.window.end), true),
        ("metric", text(&|f| Some(f.metric.to_owned())), true),
        ("metric_value", Arc::new(values), true),
        ("message", text(&|f| Some(f.message.to_string())), true),
        ("run_id", text(&|_| Some(run.run_id.to_string())), false),
        ("rule_id", text(&|f| f.rule_id.clone()), true),
        ("generated_at", time(&|_| run.now), false),
        (
            "state",
            text(&|_| Some(ExceptionState::Open.name().to_owned())),
            true,
        ),
        ("subject", text(&|f| f.subject.clone()), true),
    ])?)
}

/// What a run judged: open findings of these kinds that it did not find again are closed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judged {
    /// Business days.
    pub(crate) dates: Days,
    /// Exception types.
    pub(crate) types: Vec<&'static str>,
    /// The judged span when the exceptions are per window: those whose whole window lies inside it.
    pub(crate) within: Option<UtcWindow>,
    /// The subjects judged; `None` for all of them.
    pub(crate) subjects: Option<BTreeSet<String>>,
}

impl Judged {
    /// Those of some stored findings that are of what was judged.
    fn among(&self, stored: &RecordBatch) -> Result<RecordBatch, PipelineError> {
        let column = |name: &str| column_of(stored, name);
        let texts = |name: &str| -> Result<StringArray, PipelineError> {
            Ok(cast(column(name)?, &DataType::Utf8)?.as_string::<i32>().clone())
        };
        let times = |name: &str| -> Result<Int64Array, PipelineError> {
            let times = cast(column(name)?, &DataType::Int64)?;
            Ok(times.as_primitive::<Int64Type>().clone())
        };
        let (types, subjects) = (texts("exception_type")?, texts("subject")?);
        let (starts, ends) = (times("window_start_ts")?, times("window_end_ts")?);
        let dates = cast(column("date_kst")?, &DataType::Date32)?;
        let dates = dates.as_primitive::<Date32Type>();
        let is_inside = |i: usize| {
            self.within.is_none_or(|w| {
                let known = starts.is_valid(i) && ends.is_valid(i);
                known && w.start.micros() <= starts.value(i) && ends.value(i) <= w.end.micros()
            })
        };
        let is_judged_subject = |i: usize| {
            let known = self.subjects.as_ref();
            known.is_none_or(|s| subjects.is_valid(i) && s.contains(subjects.value(i)))
        };
        let is_judged = |i: usize| {
            self.types.contains(&types.value(i))
                && self.dates.contains(DateKst::from_days(dates.value(i)))
                && is_inside(i)
                && is_judged_subject(i)
        };
        let mask: BooleanArray = (0..stored.num_rows()).map(|i| Some(is_judged(i))).collect();
        Ok(filter_record_batch(stored, &mask)?)
    }
}

fn column_of<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, PipelineError> {
    Ok(batch
        .column_by_name(name)
        .ok_or_else(|| nsc_lake::LakeError::Missing {
            table: format!("{LEDGER}.{name}"),
        })?)
}

/// Appends what was found and the closings, in one commit.
pub(crate) async fn record(
    run: &RunContext,
    found: Vec<RecordBatch>,
    judged: Judged,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let ctx = run.session()?;
    let mut table = run.table(LEDGER).await?;
    let mut retry = Retry::default();
    loop {
        let mut dates = judged.dates.clone();
        dates.extend(dates_of(&found)?);
        let of_dates = |f: &DataFile| f.partition_date().is_some_and(|d| dates.contains(d));
        let files: Vec<DataFile> = table.files()?.into_iter().filter(of_dates).collect();
        if files.is_empty() && found.iter().all(|b| b.num_rows() == 0) {
            return Ok(());
        }
        let mut rows = found.clone();
        if !files.is_empty() {
            let stored = ctx.read_table(table.scan(files.clone()))?.collect().await?;
            let stored = stored.iter().map(|batch| judged.among(batch));
            register(&ctx, "judged_exceptions", stored.collect::<Result<_, _>>()?)?;
            register(&ctx, "found_exceptions", found.clone())?;
            rows.extend(closings(run, &ctx).await?);
        }
        let upsert = Upsert::begin(&ctx, &table, Scope::of(files, Conflict::Append)).await?;
        let mut writer = upsert.writer()?;
        for batch in &rows {
            writer.write(batch).await?;
        }
        let part = writer.finish().await?;
        let staged = upsert.finish(&ctx, vec![part]).await?;
        match staged.commit(run.commit_metadata()).await {
            Err(e) if retry.is_worth_it(&e).await => table = run.table(LEDGER).await?,
            Err(e) => return Err(e.into()),
            Ok((table, outcome)) => {
                report.committed(&table, outcome);
                report.exceptions.extend(counted(&rows)?);
                return Ok(());
            }
        }
    }
}

/// Names the files with what was found of some days. The ledger is added to by all, and nothing is ever taken out of it here.
pub(crate) async fn files_of(run: &RunContext, days: &Days) -> Result<BTreeSet<String>, PipelineError> {
    let table = match run.existing(LEDGER).await? {
        Some(table) if !days.is_empty() => table,
        _ => return Ok(BTreeSet::new()),
    };
    let of_days = |f: &DataFile| f.partition_date().is_some_and(|d| days.contains(d));
    let files = table.files()?.into_iter().filter(of_days);
    Ok(files.map(|f| f.path).collect())
}

/// The subjects that exceptions of a type were ever recorded for on some days.
pub(crate) async fn subjects(
    run: &RunContext,
    ctx: &SessionContext,
    exception_type: &str,
    days: &Days,
) -> Result<DataFrame, PipelineError> {
    let table = run.table(LEDGER).await?;
    let mut files = table.files()?;
    files.retain(|f| f.partition_date().is_some_and(|d| days.contains(d)));
    Ok(ctx
        .read_table(table.scan(files))?
        .filter(col("exception_type").eq(lit(exception_type)))?
        .select_columns(&["subject"])?)
}

/// Registers batches of the exception ledger (or none) as a table of the contract's columns in their order.
fn register(ctx: &SessionContext, name: &str, batches: Vec<RecordBatch>) -> Result<(), PipelineError> {
    let fields = contract(LEDGER)?.columns.iter().map(|c| c.arrow_field());
    let nullable: Vec<Field> = fields.map(|f| f.with_nullable(true)).collect();
    let schema = Arc::new(Schema::new(nullable));
    let batches = batches.iter().filter(|b| b.num_rows() > 0);
    let batches = batches
        .map(|b| aligned(b, &schema))
        .collect::<Result<Vec<_>, _>>()?;
    ctx.deregister_table(name)?;
    ctx.register_table(name, Arc::new(MemTable::try_new(schema, vec![batches])?))?;
    Ok(())
}

fn aligned(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, PipelineError> {
    let columns = schema
        .fields()
        .iter()
        .map(|f| match batch.column_by_name(f.name()) {
            Some(c) => cast(c, f.data_type()),
            None => Ok(datafusion::arrow::array::new_null_array(
                f.data_type(),
                batch.num_rows(),
            )),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Closing rows of the judged findings that are open and were not found again.
async fn closings(run: &RunContext, ctx: &SessionContext) -> Result<Vec<RecordBatch>, PipelineError> {
    let sql = include_str!("exception_closings.sql")
        .replace("{now}", &run.now.micros().to_string())
        .replace("{run_id}", run.run_id.as_str());
    Ok(ctx.sql(&sql).await?.collect().await?)
}

fn dates_of(batches: &[RecordBatch]) -> Result<Vec<DateKst>, PipelineError> {
    let mut dates: Vec<DateKst> = Vec::new();
    for batch in batches {
        if let Some(column) = batch.column_by_name("date_kst") {
            dates.extend(
                column
                    .as_primitive::<Date32Type>()
                    .iter()
                    .flatten()
                    .map(DateKst::from_days),
            );
        }
    }
    dates.sort_unstable();
    dates.dedup();
    Ok(dates)
}

fn counted(batches: &[RecordBatch]) -> Result<Vec<ExceptionCount>, PipelineError> {
    let mut counts: BTreeMap<(DateKst, String, String, String), u64> = BTreeMap::new();
    for batch in batches {
        let text =
            |name: &str| -> Result<_, PipelineError> { Ok(cast(column_of(batch, name)?, &DataType::Utf8)?) };
        let (kind, severity, state) = (text("exception_type")?, text("severity")?, text("state")?);
        let dates = batch
            .column_by_name("date_kst")
            .map(|c| c.as_primitive::<Date32Type>().clone());
        for i in 0..batch.num_rows() {
            let at = |a: &dyn Array| a.as_string::<i32>().value(i).to_owned();
            let date = DateKst::from_days(dates.as_ref().map_or(0, |d| d.value(i)));
            *counts
                .entry((date, at(&kind), at(&severity), at(&state)))
                .or_default() += 1;
        }
    }
    Ok(counts
        .into_iter()
        .map(
            |((date_kst, exception_type, severity, state), count)| ExceptionCount {
                date_kst,
                exception_type,
                severity,
                state,
                count,
            },
        )
        .collect())
}

#[cfg(test)]
mod tests {
    use nsc_contracts::exception::{RECON_DRIFT_HIGH, SUPPLY_MISMATCH};
    use nsc_core::RunId;
    use nsc_lake::{Lake, LakeOptions, SessionOptions};

    use super::*;
    use crate::{RunSettings, Salt};

    fn run(root: &std::path::Path) -> RunContext {
        let now = UtcMicros::parse("2026-01-06T00:00:00Z").unwrap();
        RunContext {
            lake: Lake::open(&root.to_string_lossy(), LakeOptions::default()).unwrap(),
            settings: RunSettings {
                session: SessionOptions::default(),
                salt: Some(Salt::new(Salt::LOCAL, "local").unwrap()),
            },
            run_id: RunId::parse("r1").unwrap(),
            now,
            clock: now,
            begun: std::time::Instant::now(),
            invocation: crate::Invocation::default(),
            rules_as_of: None,
            progress: crate::Progress::default(),
            wait: None,
        }
    }

    fn finding(source_table: &str, subject: Option<&str>) -> Finding {
        let date = DateKst::from_days(20_458);
        Finding {
            date,
            domain: "ledger",
            exception_type: RECON_DRIFT_HIGH,
            severity: Severity::Critical,
            source_table: source_table.to_owned(),
            window: date.window(),
            metric: "drift_abs",
            metric_value: None,
            message: serde_json::json!({}),
            rule_id: None,
            subject: subject.map(str::to_owned),
        }
    }

    #[tokio::test]
    async fn findings_whose_parts_are_alike_when_joined_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path());
        let ctx = run.session().unwrap();
        // Each pair would be one text: x|y|z, and ~ for a null.
        let pairs = [
            (finding("x", Some("y|z")), finding("x|y", Some("z"))),
            (finding("x", None), finding("x", Some("~"))),
            (finding("x", Some("")), finding("x", None)),
        ];
        for (stored, found) in pairs {
            register(
                &ctx,
                "judged_exceptions",
                vec![rows(&run, std::slice::from_ref(&stored)).unwrap()],
            )
            .unwrap();
            register(&ctx, "found_exceptions", vec![rows(&run, &[found]).unwrap()]).unwrap();
            let closed = closings(&run, &ctx).await.unwrap();
            let count: usize = closed.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(count, 1, "{stored:?}");
            register(&ctx, "found_exceptions", vec![rows(&run, &[stored]).unwrap()]).unwrap();
            let closed = closings(&run, &ctx).await.unwrap();
            assert!(closed.iter().all(|b| b.num_rows() == 0));
        }
    }

    #[tokio::test]
    async fn what_was_not_judged_stays_open() {
        let dir = tempfile::tempdir().unwrap();
        let run = run(dir.path());
        let day = DateKst::from_days(20_458);
        let stored = rows(&run, &[finding("x", Some("u1"))]).unwrap();
        let judged = |days: &[i32], types, within, subjects: Option<&[&str]>| {
            let judged = Judged {
                dates: days.iter().copied().map(DateKst::from_days).collect(),
                types,
                within,
                subjects: subjects.map(|s| s.iter().map(|s| (*s).to_owned()).collect()),
            };
            judged.among(&stored).unwrap().num_rows()
        };
        let types = || vec![RECON_DRIFT_HIGH];
        assert_eq!(judged(&[20_458], types(), None, None), 1);
        assert_eq!(judged(&[20_457], types(), None, None), 0);
        assert_eq!(judged(&[20_458], vec![SUPPLY_MISMATCH], None, None), 0);
        assert_eq!(judged(&[20_458], types(), Some(day.window()), None), 1);
        let part = UtcWindow {
            start: day.start(),
            end: day.end().plus(-1),
        };
        assert_eq!(judged(&[20_458], types(), Some(part), None), 0);
        assert_eq!(judged(&[20_458], types(), None, Some(&["u1", "u2"])), 1);
        assert_eq!(judged(&[20_458], types(), None, Some(&["u2"])), 0);
    }
}
