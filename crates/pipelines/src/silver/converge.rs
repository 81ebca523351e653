//! Loads that were taken back since the last success: what Silver says of their rows' keys is computed again from the rows
//! that count, whatever day they are of (docs/decisions/0039).
//!
//! The window has been committed and late rows are merged when this begins, so it only puts right what follows from rows
//! that no longer count. Everything is found from Bronze and can be done twice: a run that dies in between leaves the loads
//! to be looked at again.

use std::collections::BTreeSet;
use std::time::Instant;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::common::JoinType;
use datafusion::logical_expr::{cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use nsc_core::{DateKst, UtcMicros};
use nsc_lake::{DataFile, Days, Scope, StagedUpsert, Upsert};
use nsc_transforms::silver::{
    Kind, Selection, classified_copies, copies_of, keys_of, silver_columns, with_named_orders,
};

use super::affected::Affected;
use super::bronze::BronzeInput;
use super::changed_orders::ChangedOrders;
use super::conflicts::Conflicts;
use super::late::restate_everywhere;
use super::row_stream::stamp;
use super::rules::SilverRules;
use super::scope::ORDERS;
use super::scope::{self, ITEMS, PRODUCTS, days_of_orders, days_that_sold};
use crate::held_rows::in_memory;
use crate::loads;
use crate::{PipelineError, RunContext, RunReport};

/// How far Silver has got: rows beyond that are the concern of later runs.
pub(super) struct Reach {
    /// The end of what was ever processed.
    pub(super) end: UtcMicros,
    /// The days processed, where those in between were not all of them: in a run of an explicit window.
    pub(super) days: Option<Days>,
}

/// What is computed again, source by source.
pub(super) struct Convergence<'a> {
    pub(super) run: &'a RunContext,
    pub(super) ctx: &'a SessionContext,
    pub(super) rules: &'a SilverRules,
    pub(super) reach: Reach,
}

/// The keys of one source that lost rows.
struct Lost<'a> {
    input: &'a BronzeInput,
    /// Every Bronze row of the keys, those that no longer count as well.
    copies: DataFrame,
    /// The keys of the Silver table.
    keys: Vec<RecordBatch>,
}

impl Convergence<'_> {
    /// Makes Silver say what it would without the loads that were taken back.
    pub(super) async fn run(
        &self,
        inputs: &[BronzeInput],
        affected: &mut Affected,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let since = Instant::now();
        if inputs.iter().all(|i| i.retracted().is_empty()) {
            return Ok(());
        }
        let mut rows = 0;
        // In the order of the plans: orders are right before entries take their status from them.
        for input in inputs.iter().filter(|i| !i.retracted().is_empty()) {
            if let Some(lost) = self.lost(input).await? {
                rows += lost.keys.iter().map(|b| b.num_rows() as u64).sum::<u64>();
                self.source(&lost, affected, report).await?;
            }
        }
        report.step("what was taken back", since, rows, 0);
        Ok(())
    }

    /// `None` when the loads have no row with a key.
    async fn lost<'a>(&self, input: &'a BronzeInput) -> Result<Option<Lost<'a>>, PipelineError> {
        let (Some(table), plan) = (input.table(), input.plan) else {
            return Ok(None);
        };
        let files = loads::files_of(table, input.retracted())?;
        let Some(all) = input.every_row(self.ctx, files)? else {
            return Ok(None);
        };
        let keys = keys_of(plan, loads::rows_of(all, input.retracted())?)?;
        let keys = keys.collect().await?;
        if keys.iter().all(|b| b.num_rows() == 0) {
            return Ok(None);
        }
        let wanted = in_memory(self.ctx, keys)?;
        let files = self.files_with(input, wanted.clone()).await?;
        let Some(all) = input.every_row(self.ctx, files)? else {
            return Ok(None);
        };
        let copies = copies_of(plan, all, wanted)?;
        let names = self.run.table(plan.silver).await?.contract().key;
        let mut keys = self.columns_of(input, copies.clone(), names)?;
        for name in names {
            keys = keys.filter(col(*name).is_not_null())?;
        }
        let keys = keys.distinct()?.collect().await?;
        Ok(Some(Lost { input, copies, keys }))
    }

    /// Bronze files that may hold rows of some keys.
    async fn files_with(&self, input: &BronzeInput, keys: DataFrame) -> Result<Vec<DataFile>, PipelineError> {
        let Some(table) = input.table() else {
            return Ok(Vec::new());
        };
        let column = match input.plan.source {
            "transaction_ledger" => "tx_id",
            "payment_orders" | "orders" => "order_id",
            "user_wallets" => "user_id",
            // Their ids are numbers that may be written in several ways.
            _ => return Ok(table.files()?),
        };
        let first = keys.schema().field(0).name().clone();
        let keys = keys.select(vec![col(first)])?;
        Ok(table
            .files_holding(self.ctx, table.files()?, column, keys)
            .await?)
    }

    fn columns_of(
        &self,
        input: &BronzeInput,
        rows: DataFrame,
        names: &[&str],
    ) -> Result<DataFrame, PipelineError> {
        Ok(silver_columns(input.plan, rows, names, &self.rules.words)?)
    }

    /// One source: its Silver rows are staged and committed.
    async fn source(
        &self,
        lost: &Lost<'_>,
        affected: &mut Affected,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let plan = lost.input.plan;
        let rows = self.newest(lost).await?;
        let mut beyond = BTreeSet::new();
        if plan.source == "payment_orders" {
            // B-3 and B-4 count them from Bronze, refused ones as well.
            beyond = self.days_of(lost, "event_date_kst").await?;
            affected.note(beyond.iter().copied());
        }
        if plan.source == "transaction_ledger" {
            self.contradictions(lost, report).await?;
        }
        let staged = self.stage(lost, rows.clone()).await?;
        beyond.extend(self.days_beyond(lost, &staged, affected).await?);
        if plan.source == "payment_orders" {
            // Before the orders, for the reason of `commit::all`.
            let orders = self.orders_now(lost, rows).await?;
            restate_everywhere(self.run, self.ctx, &orders, self.rules, affected, report).await?;
        }
        let staged = staged.reaching(beyond.into_iter().collect());
        let (table, outcome) = staged.commit(self.run.commit_metadata()).await?;
        report.committed(&table, outcome);
        Ok(())
    }

    /// The newest valid row of each key among those that count, as far as Silver has got.
    async fn newest(&self, lost: &Lost<'_>) -> Result<DataFrame, PipelineError> {
        let plan = lost.input.plan;
        let counting = lost.input.taken_back().without(lost.copies.clone())?;
        let until = Selection::Until(self.reach.end);
        let rows = classified_copies(plan, counting.clone(), until, &self.rules.words)?;
        let mut rows = rows.filter(col("kind").eq(lit(Kind::Row as i8)))?;
        if let Some(days) = &self.reach.days {
            rows = of_days(rows, plan.silver, days)?;
        }
        if plan.source != "transaction_ledger" {
            return Ok(rows);
        }
        let orders = self.run.table(ORDERS).await?;
        let named = counting.clone().select_columns(&["related_id"])?;
        let files = scope::files_of_orders(self.run, self.ctx, &orders, named).await?;
        let stored = scope::payment_versions(self.ctx.read_table(orders.scan(files))?)?;
        Ok(match scope::orders_named_by(counting, vec![stored], None)? {
            Some(named) => with_named_orders(rows, named)?,
            None => rows,
        })
    }

    async fn stage(&self, lost: &Lost<'_>, rows: DataFrame) -> Result<StagedUpsert, PipelineError> {
        let plan = lost.input.plan;
        let rule = (plan.source == "transaction_ledger").then_some(self.rules.allowed_rule.as_str());
        let table = self.run.table(plan.silver).await?;
        let upsert = Upsert::begin(self.ctx, &table, Scope::of_keys(&table, &lost.keys)?).await?;
        let mut writer = upsert.writer()?;
        let mut stream = rows.execute_stream().await?;
        while let Some(batch) = stream.try_next().await? {
            writer
                .write(&stamp(&batch, self.run.run_id.as_str(), rule)?)
                .await?;
        }
        let part = writer.finish().await?;
        Ok(upsert.finish(self.ctx, vec![part]).await?)
    }

    /// Notes the days a change is about; returns those beyond its rows that it matters for.
    async fn days_beyond(
        &self,
        lost: &Lost<'_>,
        staged: &StagedUpsert,
        affected: &mut Affected,
    ) -> Result<Vec<DateKst>, PipelineError> {
        if staged.outcome().changed() == 0 {
            return Ok(Vec::new());
        }
        let changed = staged.days_changed();
        let beyond = match lost.input.plan.silver {
            // One on midnight closes the day before. (The day before the first has nothing to close.)
            "silver.wallet_snapshot" => {
                let closed = changed.iter().copied().map(DateKst::previous);
                closed.filter(|d| affected.processed().contains(*d)).collect()
            }
            PRODUCTS => days_that_sold(self.run, self.ctx, lost.keys.clone()).await?,
            ITEMS => {
                let named = self.columns_of(lost.input, lost.copies.clone(), &["order_ref"])?;
                days_of_orders(self.run, self.ctx, named).await?
            }
            _ => Vec::new(),
        };
        affected.note(changed);
        affected.note(beyond.iter().copied());
        Ok(beyond)
    }

    /// Every order of the keys as it is now, without anything where none is left: whether or not it changes in this run, for one
    /// that died may have changed it.
    async fn orders_now(&self, lost: &Lost<'_>, rows: DataFrame) -> Result<ChangedOrders, PipelineError> {
        let text = |name: &str| cast(col(name), DataType::Utf8View);
        let now = scope::named_orders(rows)?.select(vec![
            text("order_ref").alias("known_ref"),
            text("order_status").alias("order_status"),
            text("order_merchant").alias("order_merchant"),
        ])?;
        let all = in_memory(self.ctx, lost.keys.clone())?
            .select(vec![text("order_ref").alias("order_ref")])?
            .join(now, JoinType::Left, &["order_ref"], &["known_ref"], None)?
            .select(vec![
                col("order_ref"),
                col("order_status"),
                col("order_merchant"),
                col("known_ref").is_not_null().alias("is_known"),
            ])?;
        Ok(ChangedOrders::with(all.collect().await?))
    }

    /// Looks again at what was recorded of contradictions among copies of the keys.
    async fn contradictions(&self, lost: &Lost<'_>, report: &mut RunReport) -> Result<(), PipelineError> {
        let days = self.days_of(lost, "event_date_kst").await?;
        let ids = in_memory(self.ctx, lost.keys.clone())?.select_columns(&["tx_id"])?;
        let ids = ids.distinct()?.collect().await?;
        // Fewer copies contradict nothing that was not recorded before.
        let mut conflicts = Conflicts::default();
        conflicts.reconsider(self.run, self.ctx, &days, &ids).await?;
        conflicts
            .record(self.run, lost.input, &self.rules.words, report)
            .await
    }

    /// The business days of all copies.
    async fn days_of(&self, lost: &Lost<'_>, column: &str) -> Result<BTreeSet<DateKst>, PipelineError> {
        let days = self.columns_of(lost.input, lost.copies.clone(), &[column])?;
        let days = days.distinct()?.collect().await?;
        let found = days.iter().flat_map(|b| {
            let column = b.column(0).as_primitive::<Date32Type>();
            column.iter().flatten().collect::<Vec<_>>()
        });
        Ok(found.map(DateKst::from_days).collect())
    }
}

/// Those of some rows that belong to one of some days, as the windows of those days take them.
fn of_days(rows: DataFrame, silver: &str, days: &Days) -> Result<DataFrame, PipelineError> {
    let taken_by: &[&str] = match silver {
        "silver.wallet_snapshot" => &[
            "snapshot_date_kst",
            "nsc_date_kst(snapshot_ts - INTERVAL '1 microsecond')",
        ],
        "silver.ledger_entries" | "silver.order_events" => {
            &["coalesce(event_date_kst, nsc_date_kst(ingested_at))"]
        }
        _ => &["nsc_date_kst(ingested_at)"],
    };
    let mut ranges = Vec::new();
    for day in taken_by {
        for (first, last) in days.ranges() {
            ranges.push(format!("{day} BETWEEN DATE '{first}' AND DATE '{last}'"));
        }
    }
    if ranges.is_empty() {
        ranges.push("false".to_owned());
    }
    let inside = rows.parse_sql_expr(&ranges.join(" OR "))?;
    Ok(rows.filter(inside)?)
}
