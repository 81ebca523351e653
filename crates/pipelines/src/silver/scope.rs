//! Which stored Silver rows the rows of a run stand for.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{JoinType, ScalarValue};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{Conflict, DataFile, Scope, Table};
use nsc_transforms::silver::text_key;

use super::bronze::BronzeInput;
use crate::held_rows::in_memory;
use crate::{PipelineError, RunContext};

/// The table orders stand in.
pub(super) const ORDERS: &str = "silver.order_events";
/// The table items stand in.
pub(super) const ITEMS: &str = "silver.order_items";
/// The table products stand in.
pub(super) const PRODUCTS: &str = "silver.products";

/// A timestamp literal.
pub(crate) fn instant(t: UtcMicros) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(
        Some(t.micros()),
        Some("UTC".into()),
    ))
}

/// The scope of a window: dated tables are replaced within it (or merged by version, when `conflict` says so), keyed
/// dimensions always merged by version.
pub(super) async fn of_window(
    ctx: &SessionContext,
    table: &Table,
    members: &[&BronzeInput],
    window: UtcWindow,
    conflict: Conflict,
) -> Result<Scope, PipelineError> {
    let files = table.files()?;
    let (time, end_inclusive) = match table.contract().name {
        "wallet_snapshot" => ("snapshot_ts", true),
        "ledger_entries" | "order_events" => ("event_time", false),
        _ => return dimension(ctx, files, members).await,
    };
    let last = if end_inclusive {
        window.end
    } else {
        window.end.plus(-1)
    };
    let (first_day, last_day) = (window.start.date_kst(), last.date_kst());
    let inside = |f: &DataFile| {
        f.partition_date()
            .is_some_and(|d| first_day <= d && d <= last_day)
    };
    let (files, outside): (Vec<_>, Vec<_>) = files.into_iter().partition(inside);
    let rows = col(time)
        .gt_eq(instant(window.start))
        .and(col(time).lt_eq(instant(last)));
    // A snapshot's key holds its time: it cannot have moved to another day.
    let outside = if end_inclusive { Vec::new() } else { outside };
    Ok(Scope::of(files, conflict).filtered(rows).or_outside(outside))
}

/// Items and products: only files whose key range overlaps the new rows'.
async fn dimension(
    ctx: &SessionContext,
    files: Vec<DataFile>,
    members: &[&BronzeInput],
) -> Result<Scope, PipelineError> {
    let mut kept = Vec::new();
    if !files.is_empty() {
        for input in members {
            let key = if input.plan.source == "order_items" {
                "item_id"
            } else {
                "product_id"
            };
            let Some(rows) = input.window_rows(ctx)? else {
                continue;
            };
            let value = rows.parse_sql_expr(&format!("nsc_integer({key})"))?;
            kept.extend(overlapping(files.clone(), key, rows, value).await?);
        }
    }
    Ok(Scope::of(kept, Conflict::Newest))
}

/// Files that may hold a key between the smallest and the greatest `value` of some rows.
pub(crate) async fn overlapping(
    files: Vec<DataFile>,
    key: &str,
    rows: DataFrame,
    value: Expr,
) -> Result<Vec<DataFile>, PipelineError> {
    let bounds = vec![min(value.clone()).alias("low"), max(value).alias("high")];
    let range = rows.aggregate(vec![], bounds)?.collect().await?;
    let value = |i: usize| {
        range
            .first()
            .and_then(|b| ScalarValue::try_from_array(b.column(i), 0).ok())
    };
    let (Some(ScalarValue::Int64(Some(low))), Some(ScalarValue::Int64(Some(high)))) = (value(0), value(1))
    else {
        return Ok(Vec::new());
    };
    Ok(files
        .into_iter()
        .filter(|f| f.may_hold_integer(key, low, high))
        .collect())
}

fn payments_among(orders: DataFrame) -> Result<DataFrame, PipelineError> {
    Ok(orders.filter(col("order_source").eq(lit("PAYMENT_ORDERS")))?)
}

/// What entries take from the payment orders among Silver orders: `order_ref`, `order_status`, `order_merchant`.
pub(crate) fn named_orders(orders: DataFrame) -> Result<DataFrame, PipelineError> {
    Ok(payments_among(orders)?.select(vec![
        col("order_ref"),
        col("status").alias("order_status"),
        col("merchant_name").alias("order_merchant"),
    ])?)
}

/// The files of the days that hold an order of those refs, found by the orders' keys alone.
pub(crate) async fn files_of_orders(
    run: &RunContext,
    ctx: &SessionContext,
    orders: &Table,
    refs: DataFrame,
) -> Result<Vec<DataFile>, PipelineError> {
    let column = refs.schema().field(0).name().clone();
    let wanted = refs
        .filter(col(&column).is_not_null())?
        .select(vec![text_key(col(&column)).alias("wanted")])?
        .collect()
        .await?;
    files_with(run, ctx, orders, orders.files()?, "order_key", &wanted).await
}

/// Of some files of a table those of days that may hold some values in a column.
pub(super) async fn files_with(
    run: &RunContext,
    ctx: &SessionContext,
    table: &Table,
    files: Vec<DataFile>,
    column: &str,
    wanted: &[RecordBatch],
) -> Result<Vec<DataFile>, PipelineError> {
    let values = |files| ctx.read_table(table.scan(files))?.select_columns(&[column]);
    let name = format!("{}.{column}", table.name());
    Ok(run.lake.files_of_days_with(&name, files, values, wanted).await?)
}

/// The days of some orders (the first column).
pub(super) async fn days_of_orders(
    run: &RunContext,
    ctx: &SessionContext,
    refs: DataFrame,
) -> Result<Vec<DateKst>, PipelineError> {
    let refs = refs.distinct()?.cache().await?;
    if refs.clone().count().await? == 0 {
        return Ok(Vec::new());
    }
    let orders = run.table(ORDERS).await?;
    let files = files_of_orders(run, ctx, &orders, refs).await?;
    Ok(files.iter().filter_map(DataFile::partition_date).collect())
}

/// The days with an order of one of some products (`product_id`).
pub(super) async fn days_that_sold(
    run: &RunContext,
    ctx: &SessionContext,
    products: Vec<RecordBatch>,
) -> Result<Vec<DateKst>, PipelineError> {
    if products.iter().all(|b| b.num_rows() == 0) {
        return Ok(Vec::new());
    }
    let sold = in_memory(ctx, products)?.select(vec![col("product_id").alias("sold")])?;
    let items = run.table(ITEMS).await?;
    let named = ctx
        .read_table(items.scan_all()?)?
        .select_columns(&["order_ref", "product_id"])?
        .join(sold, JoinType::LeftSemi, &["product_id"], &["sold"], None)?
        .select_columns(&["order_ref"])?;
    days_of_orders(run, ctx, named).await
}

/// The columns [`payment_versions`] reads.
pub(crate) const VERSIONED: &[&str] = &[
    "order_source",
    "order_ref",
    "status",
    "merchant_name",
    "source_updated_at",
    "source_extracted_at",
    "ingested_at",
    "source_ref",
    "load_id",
];

/// What [`named_orders`] says and `version` (the greatest is the newest) of the payment orders among Silver orders.
pub(crate) fn payment_versions(orders: DataFrame) -> Result<DataFrame, PipelineError> {
    let orders = payments_among(orders)?;
    let version = orders.parse_sql_expr(
        "nsc_version_key(source_updated_at, source_extracted_at, ingested_at, load_id, source_ref)",
    )?;
    let text = |name: &str| cast(col(name), DataType::Utf8View);
    Ok(orders.select(vec![
        text("order_ref").alias("order_ref"),
        text("status").alias("order_status"),
        text("merchant_name").alias("order_merchant"),
        version.alias("version"),
    ])?)
}

/// The orders that the Bronze entries name, each once: as staged, else the newest version among the others.
pub(super) fn orders_named_by(
    entries: DataFrame,
    others: Vec<DataFrame>,
    staged: Option<DataFrame>,
) -> Result<Option<DataFrame>, PipelineError> {
    let mut others = others.into_iter();
    let Some(first) = others.next() else {
        return Ok(staged);
    };
    let others = others.try_fold(first, DataFrame::union)?;
    let named = entries.select(vec![col("related_id")])?.distinct()?;
    let mut found = others.join(named, JoinType::LeftSemi, &["order_ref"], &["related_id"], None)?;
    if let Some(staged) = &staged {
        let known = staged
            .clone()
            .select(vec![col("order_ref").alias("staged_ref")])?;
        found = found.join(known, JoinType::LeftAnti, &["order_ref"], &["staged_ref"], None)?;
    }
    let newest = |name: &str| found.parse_sql_expr(&format!("last_value({name} ORDER BY version) AS {name}"));
    let newest = vec![newest("order_status")?, newest("order_merchant")?];
    let found = found.aggregate(vec![col("order_ref")], newest)?;
    Ok(Some(match staged {
        Some(staged) => found.union(staged.select(vec![
            cast(col("order_ref"), DataType::Utf8View).alias("order_ref"),
            cast(col("order_status"), DataType::Utf8View).alias("order_status"),
            cast(col("order_merchant"), DataType::Utf8View).alias("order_merchant"),
        ])?)?,
        None => found,
    }))
}
