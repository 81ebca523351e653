//! Payment orders that changed, and the stored entries that name them: what an entry takes from its order is that of the
//! newest version, on whatever day the entry stands (lakehouse contract 3, "status").

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions::string::expr_fn::concat_ws;
use datafusion::logical_expr::{Expr, Operator, binary_expr, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_lake::{DataFile, Scope, StagedUpsert, Table, Upsert};
use nsc_transforms::silver::OF_ORDER;

use super::row_stream::stamp;
use super::rules::SilverRules;
use super::scope::{files_with, named_orders};
use crate::held_rows::in_memory;
use crate::loads;
use crate::{PipelineError, RunContext, RunReport, TableReport};

const ENTRIES: &str = "silver.ledger_entries";

/// Payment orders as they are now: `order_ref`, `order_status`, `order_merchant`, `is_known`.
#[derive(Debug, Default)]
pub(super) struct ChangedOrders(Vec<RecordBatch>);

impl ChangedOrders {
    /// The payment orders among the new rows of a change of `silver.order_events`: each once, and newer than what is
    /// stored.
    pub(super) async fn of(ctx: &SessionContext, upsert: &StagedUpsert) -> Result<Self, PipelineError> {
        let rows = upsert.scan();
        if rows.row_count() == 0 {
            return Ok(Self::default());
        }
        let orders = named_orders(ctx.read_table(rows)?)?.with_column("is_known", lit(true))?;
        Ok(Self(orders.collect().await?))
    }

    /// Orders of which some may be known no more.
    pub(super) fn with(orders: Vec<RecordBatch>) -> Self {
        Self(orders)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|b| b.num_rows() == 0)
    }

    /// Of some files of the ledger those of days that may have an entry that names one of the orders.
    pub(super) async fn files_naming(
        &self,
        run: &RunContext,
        ctx: &SessionContext,
        ledger: &Table,
        files: Vec<DataFile>,
    ) -> Result<Vec<DataFile>, PipelineError> {
        files_with(run, ctx, ledger, files, "related_id", &self.refs()?).await
    }

    /// The same for days that this run changes, of which no set of values would last: their rows are looked at.
    pub(super) async fn files_naming_now(
        &self,
        ctx: &SessionContext,
        ledger: &Table,
        files: Vec<DataFile>,
    ) -> Result<Vec<DataFile>, PipelineError> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let refs = in_memory(ctx, self.refs()?)?;
        Ok(ledger.files_holding(ctx, files, "related_id", refs).await?)
    }

    fn refs(&self) -> Result<Vec<RecordBatch>, PipelineError> {
        let refs = self
            .0
            .iter()
            .filter_map(|b| Some((b, b.schema().index_of("order_ref").ok()?)));
        let refs = refs.map(|(b, at)| b.project(&[at]));
        Ok(refs.collect::<Result<_, _>>()?)
    }

    /// Gives the stored entries of a scope that name one of the orders what they take from it; without one, their own status.
    pub(super) async fn update_entries(
        &self,
        run: &RunContext,
        ctx: &SessionContext,
        table: &Table,
        scope: Scope,
        rules: &SilverRules,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        if self.is_empty() || scope.files.is_empty() {
            return Ok(());
        }
        let stored = ctx.read_table(table.scan(scope.files.clone()))?;
        let Some(restated) = self.restated(run, ctx, stored.clone(), rules).await? else {
            return Ok(());
        };
        let columns: Vec<_> = table
            .contract()
            .columns
            .iter()
            .map(|c| c.name)
            .filter(|name| !["run_id", "rule_id"].contains(name))
            .map(|name| {
                if OF_ORDER.contains(&name) {
                    col(format!("new_{name}")).alias(name)
                } else {
                    col(name)
                }
            })
            .collect();
        let changed = stored
            .join(
                in_memory(ctx, restated)?,
                JoinType::Inner,
                &["tx_id", "wallet_id"],
                &["of_tx", "of_wallet"],
                None,
            )?
            .select(columns)?
            .collect()
            .await?;
        let upsert = Upsert::begin(ctx, table, scope.for_rows(table, &changed)?).await?;
        let mut writer = upsert.writer()?;
        for batch in &changed {
            writer
                .write(&stamp(batch, run.run_id.as_str(), Some(&rules.allowed_rule))?)
                .await?;
        }
        let part = writer.finish().await?;
        let staged = upsert.finish(ctx, vec![part]).await?;
        // No balance follows from an order.
        let staged = staged.changing_only(&OF_ORDER);
        let (table, outcome) = staged.commit(run.commit_metadata()).await?;
        report.wrote(&table);
        // These rows were counted as unchanged.
        let line = line_of(report, ENTRIES);
        line.outcome.updated += outcome.updated;
        line.outcome.unchanged = line.outcome.unchanged.saturating_sub(outcome.updated);
        Ok(())
    }

    /// `of_tx`, `of_wallet` and the new values of [`OF_ORDER`] of the entries that take something else from their order now,
    /// found by few columns: the others are read only when there are any.
    async fn restated(
        &self,
        run: &RunContext,
        ctx: &SessionContext,
        stored: DataFrame,
        rules: &SilverRules,
    ) -> Result<Option<Vec<RecordBatch>>, PipelineError> {
        let orders = in_memory(ctx, self.0.clone())?;
        let named = stored
            .select_columns(&[
                "tx_id",
                "wallet_id",
                "related_id",
                "has_order",
                "merchant_name",
                "payment_status",
                "source_ref",
                "load_id",
            ])?
            .join(orders, JoinType::Inner, &["related_id"], &["order_ref"], None)?
            .filter(differs("has_order", "is_known").or(
                differs("merchant_name", "order_merchant").or(differs("payment_status", "order_status")),
            ))?
            .select(vec![
                col("tx_id").alias("of_tx"),
                col("wallet_id").alias("of_wallet"),
                col("order_status").alias("new_status"),
                col("is_known").alias("new_has_order"),
                col("order_merchant").alias("new_merchant_name"),
                col("order_status").alias("new_payment_status"),
                bronze_row().alias("bronze_row"),
            ])?
            .collect()
            .await?;
        if named.iter().all(|b| b.num_rows() == 0) {
            return Ok(None);
        }
        let has_lost = |b: &RecordBatch| b.column_by_name("new_status").is_none_or(|c| c.null_count() > 0);
        let restated = if named.iter().any(has_lost) {
            with_own_status(run, ctx, named, rules).await?
        } else {
            in_memory(ctx, named)?
        };
        Ok(Some(restated.collect().await?))
    }
}

/// A table's line of the report, an empty one when it has none yet.
fn line_of<'a>(report: &'a mut RunReport, name: &str) -> &'a mut TableReport {
    let known = report.tables.iter().position(|t| t.table == name);
    let at = known.unwrap_or_else(|| {
        report.tables.push(TableReport {
            table: name.to_owned(),
            ..TableReport::default()
        });
        report.tables.len() - 1
    });
    &mut report.tables[at]
}

fn differs(now: &str, new: &str) -> Expr {
    binary_expr(col(now), Operator::IsDistinctFrom, col(new))
}

/// What names a Bronze row, as one value that is never null: its load, if it has one, and its place in it.
fn bronze_row() -> Expr {
    let parts = ["load_id", "source_ref"].map(|name| cast(col(name), DataType::Utf8));
    concat_ws(lit("/"), parts.to_vec())
}

/// Entries whose order has no status (any more) with the one they came with, which only Bronze knows.
async fn with_own_status(
    run: &RunContext,
    ctx: &SessionContext,
    named: Vec<RecordBatch>,
    rules: &SilverRules,
) -> Result<DataFrame, PipelineError> {
    let bronze = run.table("bronze.transaction_ledger_raw").await?;
    let named = in_memory(ctx, named)?;
    let taken_back = loads::taken_back(run, ctx, &bronze.name()).await?;
    let rows = taken_back.without(ctx.read_table(bronze.scan_all()?)?)?;
    let own = rows
        .clone()
        .select(vec![
            bronze_row().alias("own_row"),
            col("tx_id").alias("own_tx"),
            col("wallet_id").alias("own_wallet"),
            rows.parse_sql_expr(&rules.words.statuses.sql("nsc_clean(status)"))?
                .alias("own_status"),
            col("ingested_at"),
        ])?
        .join(
            named
                .clone()
                .filter(col("new_status").is_null())?
                .select(vec![col("bronze_row").alias("wanted_row")])?,
            JoinType::LeftSemi,
            &["own_row"],
            &["wanted_row"],
            None,
        )?;
    // Rows loaded before loads had ids share a position with those of another file of the same name.
    let newest = own.parse_sql_expr("last_value(own_status ORDER BY ingested_at) AS own_status")?;
    let own = own.aggregate(
        vec![col("own_row"), col("own_tx"), col("own_wallet")],
        vec![newest],
    )?;
    let restated = named
        .join(
            own,
            JoinType::Left,
            &["bronze_row", "of_tx", "of_wallet"],
            &["own_row", "own_tx", "own_wallet"],
            None,
        )?
        .with_column("new_status", coalesce(vec![col("new_status"), col("own_status")]))?;
    Ok(restated)
}
