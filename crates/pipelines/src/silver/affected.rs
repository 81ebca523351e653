//! The days outside its window that a run changes: what B and C computed from them is out of date.
//!
//! A day is announced in `gold.pipeline_state` before the change is committed, so that a run that dies in between
//! still leaves word of it (`nsc_lake::Repeats`).

use std::collections::BTreeSet;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::JoinType;
use datafusion::logical_expr::{Expr, Operator, binary_expr, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Days, PipelineState, PipelineStates, Repeats, StagedUpsert};

use super::scope::{ITEMS, PRODUCTS, days_of_orders, days_that_sold, overlapping, payment_statuses};
use crate::gate::{ANALYTICS, CONTROLS, SILVER};
use crate::{Period, PipelineError, RunContext, RunReport};

/// What changed on a day, and so who has to compute it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Entries or snapshots: B, and every later day it has judged as well, since supply and positions chain.
    Balances,
    /// Orders: B and C.
    Orders,
    /// The orders that entries of the day name: B.
    NamedOrders,
    /// Items of the day's orders: C, where it has computed the day.
    Items,
}

impl Change {
    /// What a change of a Silver table's rows of a day means; `None` for tables without days.
    pub(super) fn of(silver: &str) -> Option<Self> {
        match silver {
            "silver.ledger_entries" | "silver.wallet_snapshot" => Some(Self::Balances),
            "silver.order_events" => Some(Self::Orders),
            _ => None,
        }
    }
}

/// What a run has announced so far.
pub(super) struct Affected {
    run: RunContext,
    ctx: SessionContext,
    window: UtcWindow,
    /// Whether days Silver has not processed count as well: a scheduled run completes them.
    is_scheduled: bool,
    /// Days Silver has processed.
    processed: Days,
    /// Days B has judged.
    judged: Days,
    /// Days C has computed.
    analysed: Days,
    repeats: Repeats,
    days: BTreeSet<DateKst>,
}

impl Affected {
    pub(super) async fn begin(
        run: &RunContext,
        ctx: &SessionContext,
        window: UtcWindow,
        period: Period,
    ) -> Result<Self, PipelineError> {
        let states = PipelineStates::load(&run.lake, ctx).await?.unwrap_or_default();
        let silver = states.get(SILVER).cloned();
        let silver = silver.unwrap_or_else(|| PipelineState::never(SILVER));
        Ok(Self {
            run: run.clone(),
            ctx: ctx.clone(),
            window,
            is_scheduled: period == Period::Scheduled,
            processed: silver.processed_dates,
            judged: states
                .get(CONTROLS)
                .map(|s| s.processed_dates.clone())
                .unwrap_or_default(),
            analysed: states
                .get(ANALYTICS)
                .map(|s| s.processed_dates.clone())
                .unwrap_or_default(),
            repeats: silver.repeats,
            days: BTreeSet::new(),
        })
    }

    /// Announces a change of some days. Those of the window are somebody's concern once B and C have computed them: a first
    /// run of theirs comes anyway.
    pub(super) async fn announce(
        &mut self,
        change: Change,
        days: impl IntoIterator<Item = DateKst>,
    ) -> Result<(), PipelineError> {
        let all: BTreeSet<DateKst> = days.into_iter().collect();
        let window: BTreeSet<DateKst> = self.window.dates_kst().collect();
        let is_known = |d: &DateKst| match change {
            Change::Items => self.analysed.contains(*d),
            _ => self.is_scheduled || self.processed.contains(*d),
        };
        let outside: BTreeSet<DateKst> = all
            .iter()
            .copied()
            .filter(|d| !window.contains(d) && is_known(d))
            .collect();
        let inside = all.intersection(&window).copied();
        let mut controls = BTreeSet::new();
        if change != Change::Items {
            controls.clone_from(&outside);
            controls.extend(inside.clone().filter(|d| self.judged.contains(*d)));
        }
        if change == Change::Balances
            && let Some(first) = all.first().copied()
        {
            controls.extend(self.judged.iter().filter(|d| first <= *d));
        }
        let mut analytics = BTreeSet::new();
        if matches!(change, Change::Orders | Change::Items) {
            analytics.clone_from(&outside);
            analytics.extend(inside.filter(|d| self.analysed.contains(*d)));
        }
        let mut repeats = self.repeats.clone();
        repeats.announce(CONTROLS, controls.iter().copied());
        repeats.announce(ANALYTICS, analytics.iter().copied());
        if repeats != self.repeats {
            PipelineStates::update(&self.run.lake, &self.ctx, |states| {
                let row = states.row(SILVER);
                row.updated_at = self.run.now;
                row.repeats.announce(CONTROLS, controls.iter().copied());
                row.repeats.announce(ANALYTICS, analytics.iter().copied());
            })
            .await?;
            self.repeats = repeats;
        }
        self.days.extend(outside);
        Ok(())
    }

    /// Announces what a staged change of a Silver table means for other days: those its rows left, `own` ones, and those
    /// beyond that the commit has to say, which are returned.
    pub(super) async fn announce_staged(
        &mut self,
        silver: &str,
        staged: &StagedUpsert,
        orders: Option<&StagedUpsert>,
        own: &[DateKst],
    ) -> Result<Days, PipelineError> {
        let beyond = self.days_beyond(silver, staged, orders).await?;
        if silver == ITEMS {
            self.announce(Change::Items, beyond.iter()).await?;
            return Ok(beyond);
        }
        let Some(change) = Change::of(silver).filter(|_| staged.outcome().changed() > 0) else {
            return Ok(beyond);
        };
        let mut days = staged.days_left().clone();
        days.extend(own);
        days.extend(beyond.iter());
        self.announce(change, days).await?;
        Ok(beyond)
    }

    /// The days beyond those of its rows that a staged change of a Silver table matters for. A snapshot on midnight closes a
    /// day and opens the next; an item is of the day of its order, where that is not one of the `orders` staged in the same
    /// run; a product is of every day that sold it.
    pub(super) async fn days_beyond(
        &self,
        silver: &str,
        staged: &StagedUpsert,
        orders: Option<&StagedUpsert>,
    ) -> Result<Days, PipelineError> {
        Ok(match silver {
            "silver.wallet_snapshot" => self.closed_days(staged).await?.into_iter().collect(),
            ITEMS => self.days_of_items(staged, orders).await?.into_iter().collect(),
            PRODUCTS => self.days_that_sold(staged).await?.into_iter().collect(),
            _ => Days::default(),
        })
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
            let known = payment_statuses(self.ctx.read_table(orders)?)?;
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
