//! Rows that are merged by version instead of by day: late arrivals of a scheduled run, and orders without a
//! business day (lakehouse contract 3, "Which rows a window takes").

use std::collections::BTreeSet;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Date32Type;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::{DateKst, UtcWindow};
use nsc_lake::{Conflict, DataFile, Scope, Table, Upsert};
use nsc_transforms::silver::{Kind, Selection, classified, with_order_status};

use super::bronze::BronzeInput;
use super::commit::add_outcome;
use super::conflicts::Conflicts;
use super::scope;
use super::stage::{SilverRules, in_memory, repeated, stamp};
use crate::exceptions::metadata;
use crate::{PipelineError, RunContext, RunReport};

/// What remains after the window's commit.
pub(super) struct Late {
    pub(super) rules: SilverRules,
    pub(super) undated: Vec<RecordBatch>,
}

/// Column of a Silver table's business day.
fn day_column(table: &Table) -> Option<&'static str> {
    table.contract().partition.first().copied()
}

impl Late {
    /// Merges the window's orders without a day.
    pub(super) async fn merge_undated(self, run: &RunContext, report: &mut RunReport) -> Result<(), PipelineError> {
        let ctx = run.session()?;
        merge(run, &ctx, "silver.order_events", self.undated, report).await.map(|_| ())
    }

    /// Merges late rows of every source, and notes the days they change.
    pub(super) async fn merge(
        mut self,
        run: &RunContext,
        inputs: &[BronzeInput],
        window: UtcWindow,
        conflicts: &mut Conflicts,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let ctx = run.session()?;
        let mut affected = BTreeSet::new();
        let mut orders = std::mem::take(&mut self.undated);
        for input in inputs {
            let Some(rows) = input.late_rows(&ctx)? else { continue };
            let late = self.rows_of(run, &ctx, input, rows, window).await?;
            match input.plan.silver {
                // Both sources of orders are merged as one change.
                "silver.order_events" if input.plan.source == "payment_orders" => orders.extend(late),
                "silver.order_events" => {
                    orders.extend(late);
                    affected.extend(merge(run, &ctx, input.plan.silver, std::mem::take(&mut orders), report).await?);
                }
                "silver.ledger_entries" => {
                    disagreements(run, &ctx, &late, conflicts).await?;
                    affected.extend(merge(run, &ctx, input.plan.silver, late, report).await?);
                }
                other => affected.extend(merge(run, &ctx, other, late, report).await?),
            }
        }
        affected.extend(merge(run, &ctx, "silver.order_events", orders, report).await?);
        report.affected_days = affected.into_iter().filter(|d| *d < window.start.date_kst()).collect();
        Ok(())
    }

    /// The valid newest late rows of a source.
    async fn rows_of(&self, run: &RunContext, ctx: &SessionContext, input: &BronzeInput, rows: DataFrame, window: UtcWindow) -> Result<Vec<RecordBatch>, PipelineError> {
        let keys = repeated(input.plan, &rows).await?.map(|k| in_memory(ctx, k)).transpose()?;
        let named = rows.clone();
        let mut plan = classified(input.plan, rows, keys, Selection::LateFor(window), &self.rules.allowed_types)?;
        if input.plan.source == "transaction_ledger" {
            let orders = run.table("silver.order_events").await?;
            let stored = scope::payment_statuses(ctx.read_table(orders.scan_all()?)?)?;
            plan = with_order_status(plan, scope::named_orders(named, stored, None)?)?;
        }
        let rows = plan.filter(col("kind").eq(lit(Kind::Row as i8)))?.collect().await?;
        let rule = (input.plan.source == "transaction_ledger").then_some(self.rules.allowed_rule.as_str());
        rows.iter().filter(|b| b.num_rows() > 0).map(|b| stamp(b, run.run_id.as_str(), rule)).collect()
    }
}

/// Merges rows by version; returns the business days of the rows when anything changed.
async fn merge(run: &RunContext, ctx: &SessionContext, name: &str, rows: Vec<RecordBatch>, report: &mut RunReport) -> Result<BTreeSet<DateKst>, PipelineError> {
    if rows.iter().all(|b| b.num_rows() == 0) {
        return Ok(BTreeSet::new());
    }
    let table = run.table(name).await?;
    let days = days_of(&table, &rows);
    let of_days = |f: &DataFile| days.contains(&f.partition_date());
    let (files, elsewhere) = match day_column(&table) {
        Some(_) => table.files()?.into_iter().partition(of_days),
        None => (table.files()?, Vec::new()),
    };
    let upsert = Upsert::begin(ctx, &table, Scope { files, rows: None, elsewhere, conflict: Conflict::Newest }).await?;
    let mut writer = upsert.writer()?;
    for batch in &rows {
        writer.write(batch).await?;
    }
    let part = writer.finish().await?;
    let (table, outcome) = upsert.finish(ctx, vec![part]).await?.commit(metadata(run)).await?;
    if outcome.changed() > 0 {
        report.wrote(&table);
    }
    add_outcome(report, name, outcome);
    Ok(if outcome.changed() > 0 { days.into_iter().flatten().collect() } else { BTreeSet::new() })
}

fn days_of(table: &Table, rows: &[RecordBatch]) -> BTreeSet<Option<DateKst>> {
    let Some(column) = day_column(table) else { return BTreeSet::new() };
    let columns = rows.iter().filter_map(|b| b.column_by_name(column));
    columns.flat_map(|c| c.as_primitive::<Date32Type>().iter().map(|d| d.map(DateKst::from_days)).collect::<BTreeSet<_>>()).collect()
}

/// Late entries that disagree with a stored entry of the same tx_id.
async fn disagreements(run: &RunContext, ctx: &SessionContext, late: &[RecordBatch], conflicts: &mut Conflicts) -> Result<(), PipelineError> {
    if late.is_empty() {
        return Ok(());
    }
    let table = run.table("silver.ledger_entries").await?;
    let ids = late.iter().filter_map(|b| b.column_by_name("tx_id"));
    let mut range: Option<(String, String)> = None;
    for column in ids {
        let text = datafusion::arrow::compute::cast(column, &datafusion::arrow::datatypes::DataType::Utf8)?;
        for id in text.as_string::<i32>().iter().flatten() {
            range = Some(match range.take() {
                None => (id.to_owned(), id.to_owned()),
                Some((low, high)) => (if id < low.as_str() { id.to_owned() } else { low }, if id > high.as_str() { id.to_owned() } else { high }),
            });
        }
    }
    let Some((low, high)) = range else { return Ok(()) };
    let files: Vec<_> = table.files()?.into_iter().filter(|f| f.may_hold_text("tx_id", &low, &high)).collect();
    if files.is_empty() {
        return Ok(());
    }
    conflicts.with_stored(in_memory(ctx, late.to_vec())?, ctx.read_table(table.scan(files))?).await
}
