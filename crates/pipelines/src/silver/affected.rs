//! The days outside its window that a run changes, and what a change matters for beyond the days of its rows: the commit says
//! it (`StagedUpsert::reaching`), and whoever reads the table computes those days again.

use std::collections::BTreeSet;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::JoinType;
use datafusion::logical_expr::{Expr, Operator, binary_expr, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Days, PipelineStates, StagedUpsert};

use super::scope::{ITEMS, PRODUCTS, days_of_orders, days_that_sold, named_orders, overlapping};
use crate::gate::SILVER;
use crate::{Period, PipelineError, RunContext, RunReport};

/// The days outside its window that a run has changed so far.
pub(super) struct Affected {
    run: RunContext,
    ctx: SessionContext,
    window: UtcWindow,
    /// Whether days Silver has not processed count as well: a scheduled run completes them.
    is_scheduled: bool,
    /// Days Silver has processed.
    processed: Days,
    days: BTreeSet<DateKst>,
}

impl Affected {
    pub(super) fn begin(
        run: &RunContext,
        ctx: &SessionContext,
        states: &PipelineStates,
        window: UtcWindow,
        period: Period,
    ) -> Self {
        let silver = states.get(SILVER);
        Self {
            run: run.clone(),
            ctx: ctx.clone(),
            window,
            is_scheduled: period == Period::Scheduled,
            processed: silver.map(|s| s.processed_dates.clone()).unwrap_or_default(),
            days: BTreeSet::new(),
        }
    }

    /// Notes days whose rows, or what follows from them, change. Those of the window are what the run is about, and what an
    /// explicit window changes of a day that was never processed is not yet a day's result.
    pub(super) fn note(&mut self, days: impl IntoIterator<Item = DateKst>) {
        let window: BTreeSet<DateKst> = self.window.dates_kst().collect();
        let is_known = |d: &DateKst| self.is_scheduled || self.processed.contains(*d);
        let outside = days.into_iter().filter(|d| !window.contains(d) && is_known(d));
        self.days.extend(outside);
    }

    /// Notes what a staged change of a Silver table means for other days, and returns those beyond its rows, which the commit
    /// has to say. A snapshot on midnight closes a day and opens the next; an item is of the day of its order, where that is
    /// not one of the `orders` staged in the same run; a product is of every day that sold it.
    pub(super) async fn staged(
        &mut self,
        silver: &str,
        staged: &StagedUpsert,
        orders: Option<&StagedUpsert>,
    ) -> Result<Days, PipelineError> {
        let beyond: Days = match silver {
            "silver.wallet_snapshot" => self.closed_days(staged).await?.into_iter().collect(),
            ITEMS => self.days_of_items(staged, orders).await?.into_iter().collect(),
            PRODUCTS => self.days_that_sold(staged).await?.into_iter().collect(),
            _ => Days::default(),
        };
        self.note(beyond.iter());
        if staged.outcome().changed() > 0 {
            self.note(staged.days_left().iter().copied());
            self.note(staged.days_changed());
        }
        Ok(beyond)
    }

    /// The days of the orders that staged items name, and of those they were of before. Orders of `beside`, staged in the same
    /// run, change their days themselves.
    async fn days_of_items(
        &self,
        items: &StagedUpsert,
        beside: Option<&StagedUpsert>,
    ) -> Result<Vec<DateKst>, PipelineError> {
        let new = items.scan();
        if new.row_count() == 0 {
            return Ok(Vec::new());
        }
        let rows = self.ctx.read_table(new)?;
        let mut named = if items.outcome().updated > 0 {
            self.orders_of_changed(rows).await?
        } else {
            rows.select_columns(&["order_ref"])?
        };
        named = named.distinct()?;
        let orders = beside.map(StagedUpsert::scan).filter(|o| o.row_count() > 0);
        if let Some(orders) = orders {
            let known = named_orders(self.ctx.read_table(orders)?)?;
            let known = known.select(vec![col("order_ref").alias("known")])?;
            named = named.join(known, JoinType::LeftAnti, &["order_ref"], &["known"], None)?;
        }
        days_of_orders(&self.run, &self.ctx, named).await
    }

    /// The days that sold products of which a staged change says something else than before.
    async fn days_that_sold(&self, products: &StagedUpsert) -> Result<Vec<DateKst>, PipelineError> {
        let new = products.scan();
        if new.row_count() == 0 {
            return Ok(Vec::new());
        }
        let mut changed = self
            .ctx
            .read_table(new)?
            .select_columns(&["product_id", "category"])?;
        if products.outcome().updated > 0 {
            let stored = self.run.table(PRODUCTS).await?;
            let was = self.ctx.read_table(stored.scan_all()?)?.select(vec![
                col("product_id").alias("was_id"),
                col("category").alias("was_category"),
            ])?;
            let differs = binary_expr(col("category"), Operator::IsDistinctFrom, col("was_category"));
            changed = changed
                .join(was, JoinType::Left, &["product_id"], &["was_id"], None)?
                .filter(differs)?;
        }
        let ids = changed.select_columns(&["product_id"])?.collect().await?;
        days_that_sold(&self.run, &self.ctx, ids).await
    }

    /// `order_ref` of the items that say something else than what is stored of them, now and before: an item may have been
    /// another order's. A dump that is delivered anew brings every item, and changes few.
    async fn orders_of_changed(&self, items: DataFrame) -> Result<DataFrame, PipelineError> {
        const FACTS: [&str; 5] = [
            "item_id",
            "order_ref",
            "product_id",
            "quantity",
            "price_at_purchase",
        ];
        let stored = self.run.table(ITEMS).await?;
        let files = overlapping(stored.files()?, "item_id", items.clone(), col("item_id")).await?;
        let keys = items.clone().select_columns(&["item_id"])?.collect().await?;
        let before = stored
            .rows_with(&self.ctx, files, &["item_id"], &keys, &FACTS)
            .await?;
        let was = |name: &str| format!("was_{name}");
        let before = before.select(FACTS.map(|f| col(f).alias(was(f))))?;
        let changed = items.select(FACTS.map(col))?.join(
            before,
            JoinType::Left,
            &["item_id"],
            &["was_item_id"],
            None,
        )?;
        let differs = FACTS
            .map(|f| binary_expr(col(f), Operator::IsDistinctFrom, col(was(f))))
            .into_iter()
            .reduce(Expr::or)
            .unwrap_or_else(|| lit(true));
        let changed = changed.filter(differs)?;
        let text = |name: &str| cast(col(name), DataType::Utf8View).alias("order_ref");
        let before = changed.clone().select(vec![text("was_order_ref")])?;
        let named = changed.select(vec![text("order_ref")])?.union(before)?;
        Ok(named.filter(col("order_ref").is_not_null())?)
    }

    /// The processed days that end with a snapshot among some new ones. (The day before the first has nothing to close.)
    async fn closed_days(&self, staged: &StagedUpsert) -> Result<Vec<DateKst>, PipelineError> {
        let new = staged.scan();
        if new.row_count() == 0 {
            return Ok(Vec::new());
        }
        let times = self
            .ctx
            .read_table(new)?
            .select_columns(&["snapshot_ts"])?
            .distinct()?
            .collect()
            .await?;
        let times = times.iter().flat_map(|b| {
            let column = b.column(0).as_primitive::<TimestampMicrosecondType>();
            column
                .values()
                .iter()
                .map(|t| UtcMicros::new(*t))
                .collect::<Vec<_>>()
        });
        Ok(times
            .filter(|t| t.date_kst().start() == *t)
            .map(|t| t.date_kst().previous())
            .filter(|d| self.processed.contains(*d))
            .collect())
    }

    /// Days Silver has processed.
    pub(super) fn processed(&self) -> &Days {
        &self.processed
    }

    /// Puts the days into the report.
    pub(super) fn report(self, report: &mut RunReport) {
        report.affected_days = self.days.into_iter().collect();
    }
}
