//! The exception ledger: a finding is added once, and closed when a re-run no longer finds it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Conflict, Scope, Upsert};

use crate::{ExceptionCount, PipelineError, RunContext, RunReport, context::contract};

const LEDGER: &str = "gold.exception_ledger";

/// One exception a run found.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) date: DateKst,
    pub(crate) domain: &'static str,
    pub(crate) exception_type: &'static str,
    pub(crate) severity: &'static str,
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
        ("severity", text(&|f| Some(f.severity.to_owned())), false),
        ("source_table", text(&|f| Some(f.source_table.clone())), true),
        ("window_start_ts", time(&|f| f.window.start), true),
        ("window_end_ts", time(&|f| f.window.end), true),
        ("metric", text(&|f| Some(f.metric.to_owned())), true),
        ("metric_value", Arc::new(values), true),
        ("message", text(&|f| Some(f.message.to_string())), true),
        ("run_id", text(&|_| Some(run.run_id.to_string())), false),
        ("rule_id", text(&|f| f.rule_id.clone()), true),
        ("generated_at", time(&|_| run.now), false),
        ("state", text(&|_| Some("OPEN".to_owned())), true),
        ("subject", text(&|f| f.subject.clone()), true),
    ])?)
}

/// What a run judged: open findings of these kinds that it did not find again are closed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judged {
    /// Business days.
    pub(crate) dates: Vec<DateKst>,
    /// Exception types.
    pub(crate) types: Vec<&'static str>,
    /// Judged windows (start, end in microseconds) when the exceptions are per window; all windows when empty.
    pub(crate) windows: Vec<(i64, i64)>,
    /// The subjects judged; `None` for all of them.
    pub(crate) subjects: Option<BTreeSet<String>>,
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
    for attempt in 0.. {
        let mut dates: Vec<DateKst> = judged.dates.clone();
        dates.extend(dates_of(&found)?);
        let files = table.files_of(&dates)?;
        if files.is_empty() && found.iter().all(|b| b.num_rows() == 0) {
            return Ok(());
        }
        let mut rows = found.clone();
        if !files.is_empty() {
            register(
                &ctx,
                "stored_exceptions",
                ctx.read_table(table.scan(files.clone()))?.collect().await?,
            )?;
            register(&ctx, "found_exceptions", found.clone())?;
            rows.extend(closings(run, &ctx, &judged).await?);
        }
        let upsert = Upsert::begin(&ctx, &table, Scope::of(files, Conflict::Append)).await?;
        let mut writer = upsert.writer()?;
        for batch in &rows {
            writer.write(batch).await?;
        }
        let part = writer.finish().await?;
        let staged = upsert.finish(&ctx, vec![part]).await?;
        match staged.commit(metadata(run)).await {
            Err(e) if e.is_conflict() && attempt < 10 => table = run.table(LEDGER).await?,
            Err(e) => return Err(e.into()),
            Ok((table, outcome)) => {
                if outcome.changed() > 0 {
                    report.wrote(&table);
                }
                report.exceptions.extend(counted(&rows)?);
                report.tables.push(crate::TableReport {
                    table: LEDGER.to_owned(),
                    rows: outcome.inserted + outcome.unchanged,
                    outcome,
                    ..Default::default()
                });
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The subjects that exceptions of a type, of the days of a window, were ever recorded for.
pub(crate) async fn subjects(
    run: &RunContext,
    ctx: &SessionContext,
    exception_type: &str,
    window: UtcWindow,
) -> Result<DataFrame, PipelineError> {
    let table = run.table(LEDGER).await?;
    let days: Vec<DateKst> = window.dates_kst().collect();
    Ok(ctx
        .read_table(table.scan(table.files_of(&days)?))?
        .filter(col("exception_type").eq(lit(exception_type)))?
        .select_columns(&["subject"])?)
}

/// The commit metadata of a run.
pub(crate) fn metadata(run: &RunContext) -> Vec<(String, serde_json::Value)> {
    vec![(nsc_lake::RUN_ID.to_owned(), run.run_id.as_str().into())]
}

/// Registers batches of the exception ledger (or none) as a table.
fn register(ctx: &SessionContext, name: &str, batches: Vec<RecordBatch>) -> Result<(), PipelineError> {
    let schema = batches
        .first()
        .map_or_else(|| contract(LEDGER).map(|c| c.arrow_schema()), |b| Ok(b.schema()))?;
    let batches = batches
        .into_iter()
        .filter(|b| b.num_rows() > 0)
        .collect::<Vec<_>>();
    let nullable = Arc::new(datafusion::arrow::datatypes::Schema::new(
        schema
            .fields()
            .iter()
            .map(|f| f.as_ref().clone().with_nullable(true))
            .collect::<Vec<_>>(),
    ));
    let batches = batches
        .into_iter()
        .map(|b| aligned(&b, &nullable))
        .collect::<Result<Vec<_>, _>>()?;
    ctx.deregister_table(name)?;
    ctx.register_table(name, Arc::new(MemTable::try_new(nullable, vec![batches])?))?;
    Ok(())
}

fn aligned(
    batch: &RecordBatch,
    schema: &datafusion::arrow::datatypes::SchemaRef,
) -> Result<RecordBatch, PipelineError> {
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

/// Closing rows of open findings in the judged scope that were not found again.
async fn closings(
    run: &RunContext,
    ctx: &SessionContext,
    judged: &Judged,
) -> Result<Vec<RecordBatch>, PipelineError> {
    if judged.types.is_empty() || judged.dates.is_empty() {
        return Ok(Vec::new());
    }
    let types: Vec<String> = judged.types.iter().map(|t| format!("'{t}'")).collect();
    let dates: Vec<String> = judged.dates.iter().map(|d| format!("DATE '{d}'")).collect();
    let windows: Vec<String> = judged.windows.iter().map(|(a, b)| format!("'{a}-{b}'")).collect();
    let windows = if windows.is_empty() {
        "true".to_owned()
    } else {
        format!("window_key IN ({})", windows.join(", "))
    };
    let subjects = match &judged.subjects {
        None => "true",
        Some(subjects) => {
            let subjects: StringArray = subjects.iter().map(Some).collect();
            let subjects = RecordBatch::try_from_iter([("subject", Arc::new(subjects) as ArrayRef)])?;
            ctx.deregister_table("judged_subjects")?;
            ctx.register_batch("judged_subjects", subjects)?;
            "subject IN (SELECT subject FROM judged_subjects)"
        }
    };
    let sql = include_str!("exception_closings.sql")
        .replace("{types}", &types.join(", "))
        .replace("{dates}", &dates.join(", "))
        .replace("{windows}", &windows)
        .replace("{subjects}", subjects)
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
        let text = |name: &str| -> Result<_, PipelineError> {
            let column = batch
                .column_by_name(name)
                .ok_or_else(|| nsc_lake::LakeError::Missing {
                    table: format!("{LEDGER}.{name}"),
                })?;
            Ok(cast(column, &DataType::Utf8)?)
        };
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
