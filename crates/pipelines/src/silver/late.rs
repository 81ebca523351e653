//! Rows that are merged by version instead of by day: late arrivals of a scheduled run, and orders without a
//! business day (lakehouse contract 3, "Which rows a window takes").
//!
//! Late days are merged a lot at a time, each lot a change of its own, streamed: memory follows the stored rows of
//! the lot's days, not how much arrived late.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Date32Type;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Conflict, DataFile, Scope, Table, Upsert};
use nsc_transforms::silver::{Kind, Selection, classified, with_named_orders};

use super::affected::Affected;
use super::bronze::BronzeInput;
use super::changed_orders::ChangedOrders;
use super::conflicts::Conflicts;
use super::row_stream::stamp;
use super::rules::SilverRules;
use super::scope;
use super::scope::ORDERS;
use super::stage::repeated;
use crate::held_rows::in_memory;
use crate::{PipelineError, RunContext, RunReport};

/// Days merged in one change: each has a file open.
const DAYS_AT_ONCE: usize = 32;
/// Stored rows compared in one change, unless a single day has more.
const ROWS_AT_ONCE: u64 = 1 << 20;
/// Late Bronze rows up to which they are classified once and held, instead of once a lot.
const ROWS_HELD: u64 = 200_000;

/// What remains after the window's commit.
pub(super) struct Late {
    pub(super) rules: SilverRules,
    pub(super) undated: Vec<RecordBatch>,
}

/// Rows of one table to be merged by version.
struct LateRows<'a> {
    run: &'a RunContext,
    ctx: &'a SessionContext,
    late: &'a Late,
    silver: &'static str,
    rule_id: Option<&'a str>,
    rows: DataFrame,
}

impl Late {
    /// Merges the window's orders without a day.
    pub(super) async fn merge_undated(
        &self,
        run: &RunContext,
        affected: &mut Affected,
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
            late: self,
            silver: ORDERS,
            rule_id: None,
            rows,
        }
        .merge(affected, report)
        .await
    }

    /// Merges late rows of every source.
    pub(super) async fn merge(
        &self,
        run: &RunContext,
        inputs: &[BronzeInput],
        window: UtcWindow,
        affected: &mut Affected,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        self.merge_undated(run, affected, report).await?;
        let ctx = run.session()?;
        for input in inputs {
            let Some(bronze) = input.late_rows(&ctx)? else {
                continue;
            };
            let is_ledger = input.plan.source == "transaction_ledger";
            let repeated = repeated(input.plan, &bronze).await?;
            let mut rows = self
                .plan(run, &ctx, input, bronze.clone(), repeated.clone(), window)
                .await?;
            let count: Option<u64> = input.late_files().iter().map(|f| f.rows).sum();
            if count.is_some_and(|n| n <= ROWS_HELD) {
                rows = rows.cache().await?;
            }
            if is_ledger {
                self.contradictions(run, &ctx, input, bronze, repeated, rows.clone(), window, report)
                    .await?;
            }
            LateRows {
                run,
                ctx: &ctx,
                late: self,
                silver: input.plan.silver,
                rule_id: is_ledger.then_some(self.rules.allowed_rule.as_str()),
                rows,
            }
            .merge(affected, report)
            .await?;
        }
        Ok(())
    }

    /// Records what late entries contradict: one another, or what is stored.
    #[expect(clippy::too_many_arguments, reason = "the parts of one merge, used once")]
    async fn contradictions(
        &self,
        run: &RunContext,
        ctx: &SessionContext,
        ledger: &BronzeInput,
        bronze: DataFrame,
        repeated: Option<Vec<RecordBatch>>,
        rows: DataFrame,
        window: UtcWindow,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let mut conflicts = Conflicts::default();
        let words = &self.rules.words;
        if let Some(keys) = repeated {
            let earlier = UtcWindow {
                start: UtcMicros::new(i64::MIN),
                end: window.start,
            };
            let (keys, files) = (in_memory(ctx, keys)?, ledger.late_files());
            conflicts.among(bronze, files, keys, words, earlier).await?;
        }
        let table = run.table(ledger.plan.silver).await?;
        let files = table.files()?;
        conflicts.with_stored(ctx, rows, &table, files).await?;
        conflicts.record(run, ledger, words, report).await
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
            &self.rules.words,
        )?;
        if input.plan.source == "transaction_ledger" {
            // Late orders were merged before.
            let orders = run.table("silver.order_events").await?;
            let files =
                scope::files_of_orders(run, ctx, &orders, bronze.clone().select_columns(&["related_id"])?)
                    .await?;
            let stored = scope::payment_versions(ctx.read_table(orders.scan(files))?)?;
            if let Some(named) = scope::orders_named_by(bronze, vec![stored], None)? {
                rows = with_named_orders(rows, named)?;
            }
        }
        Ok(rows.filter(col("kind").eq(lit(Kind::Row as i8)))?)
    }
}

/// Gives stored entries in some files of the ledger what they take from the orders they name.
pub(super) async fn restate(
    run: &RunContext,
    ctx: &SessionContext,
    files: Vec<DataFile>,
    orders: &ChangedOrders,
    rules: &SilverRules,
    affected: &mut Affected,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    if files.is_empty() {
        return Ok(());
    }
    let table = run.table("silver.ledger_entries").await?;
    affected.note(files.iter().filter_map(DataFile::partition_date));
    let scope = Scope::of(files, Conflict::Newest);
    orders
        .update_entries(run, ctx, &table, scope, rules, report)
        .await
}

/// The same on whatever day they stand.
pub(super) async fn restate_everywhere(
    run: &RunContext,
    ctx: &SessionContext,
    orders: &ChangedOrders,
    rules: &SilverRules,
    affected: &mut Affected,
    report: &mut RunReport,
) -> Result<(), PipelineError> {
    let ledger = run.table("silver.ledger_entries").await?;
    let files = orders.files_naming(run, ctx, &ledger, ledger.files()?).await?;
    restate(run, ctx, files, orders, rules, affected, report).await
}

impl LateRows<'_> {
    /// Merges the rows, some days at a time.
    async fn merge(&self, affected: &mut Affected, report: &mut RunReport) -> Result<(), PipelineError> {
        let table = self.run.table(self.silver).await?;
        let Some(column) = table.contract().partition.first().copied() else {
            return self.merge_dimension(&table, affected, report).await;
        };
        let days = days_of(self.rows.clone(), column).await?;
        for lot in lots(&table.files()?, days) {
            let table = self.run.table(self.silver).await?;
            let (files, outside) = table
                .files()?
                .into_iter()
                .partition(|f| lot.contains(&f.partition_date()));
            let scope = Scope::of(files, Conflict::Newest).or_outside(outside);
            let rows = self.rows.clone().filter(is_of(column, &lot))?;
            self.merge_into(&table, scope, rows, affected, report).await?;
        }
        Ok(())
    }

    async fn merge_dimension(
        &self,
        table: &Table,
        affected: &mut Affected,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let Some(key) = table.contract().key.first().copied() else {
            return Ok(());
        };
        let files = scope::overlapping(table.files()?, key, self.rows.clone(), col(key)).await?;
        let scope = Scope::of(files, Conflict::Newest);
        self.merge_into(table, scope, self.rows.clone(), affected, report)
            .await
    }

    async fn merge_into(
        &self,
        table: &Table,
        scope: Scope,
        rows: DataFrame,
        affected: &mut Affected,
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
        let beyond = affected.staged(self.silver, &staged, None).await?;
        if self.silver == ORDERS {
            // Before the orders, for the reason of `commit::all`.
            let orders = ChangedOrders::of(self.ctx, &staged).await?;
            restate_everywhere(self.run, self.ctx, &orders, &self.late.rules, affected, report).await?;
        }
        let (table, outcome) = staged.reaching(beyond).commit(self.run.commit_metadata()).await?;
        report.committed(&table, outcome);
        Ok(())
    }
}

/// The days in lots that are merged at once: few enough that their files can be open and their stored rows compared.
fn lots(stored: &[DataFile], days: BTreeSet<Option<DateKst>>) -> Vec<BTreeSet<Option<DateKst>>> {
    let mut rows: BTreeMap<Option<DateKst>, u64> = BTreeMap::new();
    for file in stored {
        *rows.entry(file.partition_date()).or_default() += file.rows.unwrap_or_default();
    }
    let mut lots: Vec<BTreeSet<Option<DateKst>>> = Vec::new();
    let mut room = 0;
    for day in days {
        let rows = rows.get(&day).copied().unwrap_or_default();
        match lots.last_mut().filter(|l| l.len() < DAYS_AT_ONCE && rows <= room) {
            Some(lot) => {
                lot.insert(day);
                room -= rows;
            }
            None => {
                lots.push(BTreeSet::from([day]));
                room = ROWS_AT_ONCE.saturating_sub(rows);
            }
        }
    }
    lots
}

/// Whether a row is of one of some days.
fn is_of(column: &str, days: &BTreeSet<Option<DateKst>>) -> Expr {
    let dates = days.iter().flatten();
    let dates = dates.map(|d| lit(ScalarValue::Date32(Some(d.days()))));
    let is_dated = col(column).in_list(dates.collect(), false);
    if days.contains(&None) {
        is_dated.or(col(column).is_null())
    } else {
        is_dated
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
