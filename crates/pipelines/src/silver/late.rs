//! Rows that are merged by version instead of by day: late arrivals of a scheduled run, and orders without a
//! business day (lakehouse contract 3, "Which rows a window takes").
//!
//! Each late day is a change of its own, streamed: memory follows the stored day it is merged into, not how
//! much arrived late.

use std::collections::BTreeSet;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Date32Type;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Conflict, DataFile, Scope, Table, Upsert};
use nsc_transforms::silver::{Kind, Selection, classified, with_order_status};

use super::affected::{Affected, Change};
use super::bronze::BronzeInput;
use super::changed_orders::ChangedOrders;
use super::commit::add_outcome;
use super::conflicts::Conflicts;
use super::drain::stamp;
use super::scope;
use super::stage::{SilverRules, in_memory, repeated};
use crate::exceptions::metadata;
use crate::{PipelineError, RunContext, RunReport};

/// What remains after the window's commit.
pub(super) struct Late {
    pub(super) rules: SilverRules,
    pub(super) undated: Vec<RecordBatch>,
}

/// What a run finds out about the rest of the lake while it merges.
pub(super) struct Findings {
    pub(super) conflicts: Conflicts,
    pub(super) affected: Affected,
    /// Payment orders that were merged.
    pub(super) orders: ChangedOrders,
}

/// Rows of one table to be merged by version.
struct LateRows<'a> {
    run: &'a RunContext,
    ctx: &'a SessionContext,
    silver: &'static str,
    rule_id: Option<&'a str>,
    rows: DataFrame,
}

impl Late {
    /// Merges the window's orders without a day.
    pub(super) async fn merge_undated(
        &self,
        run: &RunContext,
        findings: &mut Findings,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let ctx = run.session()?;
        if self.undated.iter().all(|b| b.num_rows() == 0) {
            return Ok(());
        }
        let rows = in_memory(&ctx, self.undated.clone())?;
        LateRows {
            run,
            ctx: &ctx,
            silver: "silver.order_events",
            rule_id: None,
            rows,
        }
        .merge(findings, report)
        .await
    }

    /// Merges late rows of every source, and announces the days they change.
    pub(super) async fn merge(
        &self,
        run: &RunContext,
        inputs: &[BronzeInput],
        window: UtcWindow,
        findings: &mut Findings,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        self.merge_undated(run, findings, report).await?;
        let ctx = run.session()?;
        for input in inputs {
            let Some(bronze) = input.rows(&ctx, input.late_files())? else {
                continue;
            };
            let is_ledger = input.plan.source == "transaction_ledger";
            let repeated = repeated(input.plan, &bronze).await?;
            if is_ledger && let Some(keys) = repeated.clone() {
                let earlier = UtcWindow {
                    start: UtcMicros::new(i64::MIN),
                    end: window.start,
                };
                let (keys, allowed) = (in_memory(&ctx, keys)?, &self.rules.allowed_types);
                let files = input.late_files();
                findings
                    .conflicts
                    .among(bronze.clone(), files, keys, allowed, earlier)
                    .await?;
            }
            let rows = self.plan(run, &ctx, input, bronze, repeated, window).await?;
            if is_ledger {
                let table = run.table(input.plan.silver).await?;
                let files = table.files()?;
                findings
                    .conflicts
                    .with_stored(&ctx, rows.clone(), &table, files)
                    .await?;
            }
            LateRows {
                run,
                ctx: &ctx,
                silver: input.plan.silver,
                rule_id: is_ledger.then_some(self.rules.allowed_rule.as_str()),
                rows,
            }
            .merge(findings, report)
            .await?;
        }
        let files = run.table("silver.ledger_entries").await?.files()?;
        self.restate(run, &ctx, files, findings, report).await
    }

    /// Gives stored entries in some files of the ledger the status of the orders that changed.
    pub(super) async fn restate(
        &self,
        run: &RunContext,
        ctx: &SessionContext,
        files: Vec<DataFile>,
        findings: &mut Findings,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let table = run.table("silver.ledger_entries").await?;
        let orders = std::mem::take(&mut findings.orders);
        let files = orders.files_naming(ctx, &table, files).await?;
        findings
            .affected
            .announce(
                Change::NamedOrders,
                files.iter().filter_map(DataFile::partition_date),
            )
            .await?;
        let scope = Scope::of(files, Conflict::Newest);
        orders
            .update_entries(run, ctx, &table, scope, &self.rules.allowed_rule, report)
            .await
    }

    /// The valid newest late rows of a source.
    async fn plan(
        &self,
        run: &RunContext,
        ctx: &SessionContext,
        input: &BronzeInput,
        bronze: DataFrame,
        repeated: Option<Vec<RecordBatch>>,
        window: UtcWindow,
    ) -> Result<DataFrame, PipelineError> {
        let keys = repeated.map(|k| in_memory(ctx, k)).transpose()?;
        let mut rows = classified(
            input.plan,
            bronze.clone(),
            keys,
            Selection::LateFor(window),
            &self.rules.allowed_types,
        )?;
        if input.plan.source == "transaction_ledger" {
            // Late orders were merged before.
            let orders = run.table("silver.order_events").await?;
            let files =
                scope::files_of_orders(ctx, &orders, bronze.clone().select_columns(&["related_id"])?).await?;
            let stored = scope::payment_versions(ctx.read_table(orders.scan(files))?)?;
            if let Some(statuses) = scope::order_statuses(bronze, vec![stored], None)? {
                rows = with_order_status(rows, statuses)?;
            }
        }
        Ok(rows.filter(col("kind").eq(lit(Kind::Row as i8)))?)
    }
}

impl LateRows<'_> {
    /// Merges the rows day by day.
    async fn merge(&self, findings: &mut Findings, report: &mut RunReport) -> Result<(), PipelineError> {
        let table = self.run.table(self.silver).await?;
        let Some(column) = table.contract().partition.first().copied() else {
            return self.merge_dimension(&table, findings, report).await;
        };
        for day in days_of(self.rows.clone(), column).await? {
            let value = lit(ScalarValue::Date32(day.map(DateKst::days)));
            let of_day = if day.is_some() {
                col(column).eq(value)
            } else {
                col(column).is_null()
            };
            let table = self.run.table(self.silver).await?;
            let (files, elsewhere) = table
                .files()?
                .into_iter()
                .partition(|f| f.partition_date() == day);
            let scope = Scope::of(files, Conflict::Newest).or_elsewhere(elsewhere);
            let rows = self.rows.clone().filter(of_day)?;
            self.merge_into(&table, scope, rows, day, findings, report)
                .await?;
        }
        Ok(())
    }

    async fn merge_dimension(
        &self,
        table: &Table,
        findings: &mut Findings,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let Some(key) = table.contract().key.first().copied() else {
            return Ok(());
        };
        let files = scope::overlapping(table.files()?, key, self.rows.clone(), col(key)).await?;
        let scope = Scope::of(files, Conflict::Newest);
        self.merge_into(table, scope, self.rows.clone(), None, findings, report)
            .await
    }

    async fn merge_into(
        &self,
        table: &Table,
        scope: Scope,
        rows: DataFrame,
        day: Option<DateKst>,
        findings: &mut Findings,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let upsert = Upsert::begin(self.ctx, table, scope).await?;
        let mut writer = upsert.writer()?;
        let mut stream = rows.execute_stream().await?;
        while let Some(batch) = stream.try_next().await? {
            // Rows kept from the window's own stream carry their run already.
            let stamped = if batch.column_by_name("run_id").is_some() {
                batch
            } else {
                stamp(&batch, self.run.run_id.as_str(), self.rule_id)?
            };
            writer.write(&stamped).await?;
        }
        let part = writer.finish().await?;
        let staged = upsert.finish(self.ctx, vec![part]).await?;
        findings
            .affected
            .announce_staged(self.silver, &staged, day.as_slice())
            .await?;
        if self.silver == "silver.order_events" {
            findings.orders.take(self.ctx, &staged).await?;
        }
        let (table, outcome) = staged.commit(metadata(self.run)).await?;
        if outcome.changed() > 0 {
            report.wrote(&table);
        }
        add_outcome(report, self.silver, outcome);
        Ok(())
    }
}

async fn days_of(rows: DataFrame, column: &str) -> Result<BTreeSet<Option<DateKst>>, PipelineError> {
    let batches = rows.select_columns(&[column])?.distinct()?.collect().await?;
    let days = batches.iter().flat_map(|b| {
        b.column(0)
            .as_primitive::<Date32Type>()
            .iter()
            .map(|d| d.map(DateKst::from_days))
            .collect::<Vec<_>>()
    });
    Ok(days.collect())
}
