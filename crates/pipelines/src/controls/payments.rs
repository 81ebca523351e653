//! B-3 and B-4: payment orders of a day by merchant, from Bronze (lakehouse contract 4).
//!
//! The newest version of an order decides its day. Versions stand in the Bronze files that can hold rows of the day, unless
//! one corrects `created_at` by more than the files are chosen by (docs/decisions/0014): then Silver has the order on
//! another day, or on none, and its version there counts as well; or the quarantine has it (`refused.rs`).

use std::time::Instant;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::logical_expr::{cast, col};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::control::Stage;
use nsc_core::DateKst;
use nsc_lake::{DataFile, Table};
use nsc_transforms::controls::{payment_day, payment_orders_of_day};
use nsc_transforms::vocabulary::Aliases;

use crate::held_rows::in_memory;
use crate::loads;
use crate::silver::refused;
use crate::silver::{self, scope};
use crate::{PipelineError, RunContext, RunReport};

use super::{Day, materialise};

/// Bronze payment orders, and the files of them that can hold rows of a day.
pub(crate) async fn files_of_day(
    run: &RunContext,
    date: DateKst,
) -> Result<(Table, Vec<DataFile>), PipelineError> {
    let bronze = run.table("bronze.payment_orders_raw").await?;
    let files = bronze
        .files()?
        .into_iter()
        .filter(|f| silver::bronze::may_hold(f, "payment_orders", date.window()))
        .collect();
    Ok((bronze, files))
}

/// One day's controls of payments.
pub(crate) struct Payments<'a> {
    pub(crate) day: &'a Day<'a>,
    pub(crate) statuses: &'a Aliases,
}

impl Payments<'_> {
    /// Computes them; gives its report back.
    pub(crate) async fn run(
        &self,
        ctx: &SessionContext,
        mut report: RunReport,
    ) -> Result<RunReport, PipelineError> {
        let since = Instant::now();
        let (run, day) = (self.day.run, self.day.day);
        let (bronze, files) = files_of_day(run, day.date).await?;
        report.read(&bronze);
        let taken_back = loads::taken_back(run, ctx, &bronze.name()).await?;
        let counting = taken_back.without(ctx.read_table(bronze.scan(files))?)?;
        ctx.register_table("payment_orders_raw", counting.into_view())?;
        let of_day = payment_orders_of_day(ctx, day, self.statuses).await?;
        let of_day = materialise(ctx, "payment_orders_of_day", of_day).await?;
        let moved = self.versions_of_other_days(ctx, &bronze, of_day).await?;
        ctx.register_table("payment_versions_elsewhere", moved.into_view())?;
        materialise(ctx, "payment_day", payment_day(ctx).await?).await?;
        self.day
            .judge(ctx, Stage::Payments, Vec::new(), &mut report)
            .await?;
        report.step(format!("B-3 B-4 {}", day.date), since, 0, 0);
        Ok(report)
    }

    /// `order_id`, `version` of the orders that Bronze has on the day and Silver elsewhere, or refused. Most days have none,
    /// and then no other day is read.
    async fn versions_of_other_days(
        &self,
        ctx: &SessionContext,
        bronze: &Table,
        of_day: DataFrame,
    ) -> Result<DataFrame, PipelineError> {
        let run = self.day.run;
        let orders = run.table("silver.order_events").await?;
        let here = orders.files_of(&[self.day.day.date])?;
        let ids = of_day
            .clone()
            .select(vec![cast(col("order_id"), DataType::Utf8View).alias("order_ref")])?;
        let refused = refused::versions_of(run, ctx, bronze, ids).await?;
        let missing = missing(of_day, ctx.read_table(orders.scan(here))?).await?;
        let files = if missing.iter().all(|b| b.num_rows() == 0) {
            Vec::new()
        } else {
            scope::files_of_orders(run, ctx, &orders, in_memory(ctx, missing.clone())?).await?
        };
        let stored = orders
            .rows_with(ctx, files, &["order_ref"], &missing, scope::VERSIONED)
            .await?;
        let found = scope::payment_versions(stored)?
            .select(vec![col("order_ref").alias("order_id"), col("version")])?;
        let found = match refused {
            Some(refused) => found.union(refused)?,
            None => found,
        };
        Ok(found.cache().await?)
    }
}

/// `order_ref` of the orders that Bronze has on the day and `stored`, Silver's orders of the day, does not: they have moved, or
/// were refused.
async fn missing(of_day: DataFrame, stored: DataFrame) -> Result<Vec<RecordBatch>, PipelineError> {
    let id = cast(col("order_id"), DataType::Utf8View).alias("order_ref");
    let stored = scope::named_orders(stored)?.select(vec![col("order_ref").alias("stored_ref")])?;
    let of_day = of_day.select(vec![id])?;
    let missing = of_day.join(stored, JoinType::LeftAnti, &["order_ref"], &["stored_ref"], None)?;
    Ok(missing.collect().await?)
}
