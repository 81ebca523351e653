//! Rows that are merged by version instead of by day: late arrivals of a scheduled run, and orders without a
//! business day (lakehouse contract 3, "Which rows a window takes").
//!
//! Each late day is a change of its own, streamed: memory follows the stored day it is merged into, not how
//! much arrived late.

use std::collections::BTreeSet;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::Date32Type;
use datafusion::common::{JoinType, ScalarValue};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use nsc_core::{DateKst, UtcWindow};
use nsc_lake::{Conflict, Scope, Table, Upsert};
use nsc_transforms::silver::{Kind, Selection, classified, with_order_status};

use super::bronze::BronzeInput;
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
        .merge(report)
        .await
        .map(|_| ())
    }

    /// Merges late rows of every source, and notes the days they change.
    pub(super) async fn merge(
        &self,
        run: &RunContext,
        inputs: &[BronzeInput],
        window: UtcWindow,
        conflicts: &mut Conflicts,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        self.merge_undated(run, report).await?;
        let ctx = run.session()?;
        let (mut affected, mut balances) = (BTreeSet::new(), BTreeSet::new());
        for input in inputs {
            let Some(bronze) = input.late_rows(&ctx)? else {
                continue;
            };
            let rows = self.plan(run, &ctx, input, bronze, window).await?;
            let rule_id =
                (input.plan.source == "transaction_ledger").then_some(self.rules.allowed_rule.as_str());
            if input.plan.source == "transaction_ledger" {
                disagreements(run, &ctx, rows.clone(), conflicts).await?;
            }
            let days = LateRows {
                run,
                ctx: &ctx,
                silver: input.plan.silver,
                rule_id,
                rows,
            }
            .merge(report)
            .await?;
            match input.plan.source {
                "transaction_ledger" | "user_wallets" => balances.extend(days),
                _ => affected.extend(days),
            }
        }
        let earlier = |d: &DateKst| *d < window.start.date_kst();
        report.balances_changed_from = report
            .balances_changed_from
            .into_iter()
            .chain(balances.iter().copied().filter(earlier))
            .min();
        let opened_by_midnight = report.affected_days.iter().copied().collect();
        report.affected_days = (&(&affected | &balances) | &opened_by_midnight)
            .into_iter()
            .filter(earlier)
            .collect();
        Ok(())
    }

    /// The valid newest late rows of a source.
    async fn plan(
        &self,
        run: &RunContext,
        ctx: &SessionContext,
        input: &BronzeInput,
        bronze: DataFrame,
        window: UtcWindow,
    ) -> Result<DataFrame, PipelineError> {
        let keys = repeated(input.plan, &bronze)
            .await?
            .map(|k| in_memory(ctx, k))
            .transpose()?;
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

/// A snapshot on the window's start closes the day before. When it arrives after that day's run, that day's
/// controls are to be repeated: returns the day before when there is such a snapshot.
pub(super) async fn closed_late(
    run: &RunContext,
    ctx: &SessionContext,
    inputs: &[BronzeInput],
    window: UtcWindow,
) -> Result<Option<DateKst>, PipelineError> {
    let Some(input) = inputs.iter().find(|i| i.plan.source == "user_wallets") else {
        return Ok(None);
    };
    let Some(bronze) = input.late_rows(ctx)? else {
        return Ok(None);
    };
    let on_edge = col("snapshot_ts").eq(scope::instant(window.start));
    let arrived = classified(input.plan, bronze, None, Selection::Window(window), &[])?
        .filter(col("kind").eq(lit(Kind::Row as i8)).and(on_edge.clone()))?;
    let table = run.table("silver.wallet_snapshot").await?;
    let day = window.start.date_kst();
    let files = table.files_of(&[day])?;
    let stored = ctx.read_table(table.scan(files))?.filter(on_edge)?.select(vec![
        col("user_id").alias("stored_user"),
        col("balance_total").alias("stored_total"),
    ])?;
    let new = arrived.select_columns(&["user_id", "balance_total"])?.join(
        stored,
        JoinType::LeftAnti,
        &["user_id", "balance_total"],
        &["stored_user", "stored_total"],
        None,
    )?;
    Ok((new.count().await? > 0).then(|| day.previous()))
}

impl LateRows<'_> {
    /// Merges the rows day by day; returns the days on which something changed.
    async fn merge(&self, report: &mut RunReport) -> Result<BTreeSet<DateKst>, PipelineError> {
        let table = self.run.table(self.silver).await?;
        let Some(column) = table.contract().partition.first().copied() else {
            self.merge_dimension(&table, report).await?;
            return Ok(BTreeSet::new());
        };
        let mut changed = BTreeSet::new();
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
            if self
                .merge_into(&table, scope, self.rows.clone().filter(of_day)?, report)
                .await?
            {
                changed.extend(day);
            }
        }
        Ok(changed)
    }

    async fn merge_dimension(&self, table: &Table, report: &mut RunReport) -> Result<(), PipelineError> {
        let Some(key) = table.contract().key.first().copied() else {
            return Ok(());
        };
        let files = scope::overlapping(table.files()?, key, self.rows.clone(), col(key)).await?;
        self.merge_into(
            table,
            Scope::of(files, Conflict::Newest),
            self.rows.clone(),
            report,
        )
        .await
        .map(|_| ())
    }

    async fn merge_into(
        &self,
        table: &Table,
        scope: Scope,
        rows: DataFrame,
        report: &mut RunReport,
    ) -> Result<bool, PipelineError> {
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
        let (table, outcome) = upsert
            .finish(self.ctx, vec![part])
            .await?
            .commit(metadata(self.run))
            .await?;
        if outcome.changed() > 0 {
            report.wrote(&table);
        }
        add_outcome(report, self.silver, outcome);
        Ok(outcome.changed() > 0)
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

/// Late entries that disagree with a stored entry of the same tx_id.
async fn disagreements(
    run: &RunContext,
    ctx: &SessionContext,
    late: DataFrame,
    conflicts: &mut Conflicts,
) -> Result<(), PipelineError> {
    let table = run.table("silver.ledger_entries").await?;
    let ids: Vec<Expr> = vec![min(col("tx_id")).alias("low"), max(col("tx_id")).alias("high")];
    let range = late.clone().aggregate(vec![], ids)?.collect().await?;
    let bound = |i: usize| {
        range
            .first()
            .filter(|b| b.column(i).is_valid(0))
            .and_then(|b| ScalarValue::try_from_array(b.column(i), 0).ok())
    };
    let (Some(low), Some(high)) = (bound(0), bound(1)) else {
        return Ok(());
    };
    let (low, high) = (
        low.try_as_str().flatten().unwrap_or_default().to_owned(),
        high.try_as_str().flatten().unwrap_or_default().to_owned(),
    );
    let files: Vec<_> = table
        .files()?
        .into_iter()
        .filter(|f| f.may_hold_text("tx_id", &low, &high))
        .collect();
    if files.is_empty() {
        return Ok(());
    }
    conflicts
        .with_stored(late, ctx.read_table(table.scan(files))?)
        .await
}
