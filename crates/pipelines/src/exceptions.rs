//! The exception ledger: a finding is added once, and closed when a re-run no longer finds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use nsc_core::DateKst;
use nsc_lake::{Conflict, Scope, Upsert};

use crate::{ExceptionCount, PipelineError, RunContext, RunReport, context::contract};

const LEDGER: &str = "gold.exception_ledger";

/// What a run judged: open findings of these kinds that it did not find again are closed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Judged {
    /// Business days.
    pub(crate) dates: Vec<DateKst>,
    /// Exception types.
    pub(crate) types: Vec<&'static str>,
    /// Judged windows (start, end in microseconds) when the exceptions are per window; all windows when empty.
    pub(crate) windows: Vec<(i64, i64)>,
}

/// Appends what was found and the closings, in one commit.
pub(crate) async fn record(run: &RunContext, found: Vec<RecordBatch>, judged: Judged, report: &mut RunReport) -> Result<(), PipelineError> {
    let ctx = run.session()?;
    let mut table = run.table(LEDGER).await?;
    for attempt in 0.. {
        let mut dates: Vec<DateKst> = judged.dates.clone();
        dates.extend(dates_of(&found)?);
        let files: Vec<_> = table.files()?.into_iter().filter(|f| f.partition_date().is_some_and(|d| dates.contains(&d))).collect();
        if files.is_empty() && found.iter().all(|b| b.num_rows() == 0) {
            return Ok(());
        }
        let mut rows = found.clone();
        if !files.is_empty() {
            register(&ctx, "stored_exceptions", ctx.read_table(table.scan(files.clone()))?.collect().await?)?;
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
                report.tables.push(crate::TableReport { table: LEDGER.to_owned(), rows: outcome.inserted + outcome.unchanged, outcome, ..Default::default() });
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The commit metadata of a run.
pub(crate) fn metadata(run: &RunContext) -> Vec<(String, serde_json::Value)> {
    vec![("nsc.runId".to_owned(), run.run_id.as_str().into())]
}

/// Registers batches of the exception ledger (or none) as a table.
fn register(ctx: &SessionContext, name: &str, batches: Vec<RecordBatch>) -> Result<(), PipelineError> {
    let schema = batches.first().map_or_else(|| contract(LEDGER).map(|c| c.arrow_schema()), |b| Ok(b.schema()))?;
    let batches = batches.into_iter().filter(|b| b.num_rows() > 0).collect::<Vec<_>>();
    let nullable = Arc::new(datafusion::arrow::datatypes::Schema::new(
        schema.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
    ));
    let batches = batches.into_iter().map(|b| aligned(&b, &nullable)).collect::<Result<Vec<_>, _>>()?;
    ctx.deregister_table(name)?;
    ctx.register_table(name, Arc::new(MemTable::try_new(nullable, vec![batches])?))?;
    Ok(())
}

fn aligned(batch: &RecordBatch, schema: &datafusion::arrow::datatypes::SchemaRef) -> Result<RecordBatch, PipelineError> {
    let columns = schema
        .fields()
        .iter()
        .map(|f| match batch.column_by_name(f.name()) {
            Some(c) => cast(c, f.data_type()),
            None => Ok(datafusion::arrow::array::new_null_array(f.data_type(), batch.num_rows())),
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Closing rows of open findings in the judged scope that were not found again.
async fn closings(run: &RunContext, ctx: &SessionContext, judged: &Judged) -> Result<Vec<RecordBatch>, PipelineError> {
    if judged.types.is_empty() || judged.dates.is_empty() {
        return Ok(Vec::new());
    }
    let types: Vec<String> = judged.types.iter().map(|t| format!("'{t}'")).collect();
    let dates: Vec<String> = judged.dates.iter().map(|d| format!("DATE '{d}'")).collect();
    let windows: Vec<String> = judged.windows.iter().map(|(a, b)| format!("'{a}-{b}'")).collect();
    let windows = if windows.is_empty() { "true".to_owned() } else { format!("window_key IN ({})", windows.join(", ")) };
    let sql = include_str!("exception_closings.sql")
        .replace("{types}", &types.join(", "))
        .replace("{dates}", &dates.join(", "))
        .replace("{windows}", &windows)
        .replace("{now}", &run.now.micros().to_string())
        .replace("{run_id}", run.run_id.as_str());
    Ok(ctx.sql(&sql).await?.collect().await?)
}

fn dates_of(batches: &[RecordBatch]) -> Result<Vec<DateKst>, PipelineError> {
    let mut dates: Vec<DateKst> = Vec::new();
    for batch in batches {
        if let Some(column) = batch.column_by_name("date_kst") {
            dates.extend(column.as_primitive::<Date32Type>().iter().flatten().map(DateKst::from_days));
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
            let column = batch.column_by_name(name).ok_or_else(|| nsc_lake::LakeError::Missing { table: format!("{LEDGER}.{name}") })?;
            Ok(cast(column, &DataType::Utf8)?)
        };
        let (kind, severity, state) = (text("exception_type")?, text("severity")?, text("state")?);
        let dates = batch.column_by_name("date_kst").map(|c| c.as_primitive::<Date32Type>().clone());
        for i in 0..batch.num_rows() {
            let at = |a: &dyn Array| a.as_string::<i32>().value(i).to_owned();
            let date = DateKst::from_days(dates.as_ref().map_or(0, |d| d.value(i)));
            *counts.entry((date, at(&kind), at(&severity), at(&state))).or_default() += 1;
        }
    }
    Ok(counts.into_iter().map(|((date_kst, exception_type, severity, state), count)| ExceptionCount { date_kst, exception_type, severity, state, count }).collect())
}
