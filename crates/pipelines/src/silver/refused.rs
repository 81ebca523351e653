//! Versions of payment orders that Silver refuses for their amount. B-3 and B-4 count from Bronze, where a bad amount
//! excludes no version: the newest one decides the day of its order, and Silver does not know it. The quarantine does.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::logical_expr::{cast as cast_to, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use nsc_contracts::reason;
use nsc_core::{DateKst, UtcMicros};
use nsc_lake::{DataFile, Table};
use serde_json::Value;

use super::scope::files_of_orders;
use crate::held_rows::{in_memory, renamed};
use crate::loads;
use crate::{PipelineError, RunContext};

const PAYMENT_ORDERS: &str = "payment_orders_raw";

/// What the quarantine knows of a refused version.
struct Refused {
    order_id: String,
    created_at: Option<UtcMicros>,
    source_ref: Option<String>,
}

impl Refused {
    /// From the fields of a quarantined row.
    fn of(record: &str, source_ref: Option<&str>) -> Option<Self> {
        let fields: Value = serde_json::from_str(record).ok()?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        Some(Self {
            order_id: text("order_id")?.to_owned(),
            created_at: text("created_at").and_then(UtcMicros::parse),
            source_ref: source_ref.map(str::to_owned),
        })
    }
}

/// The order of a quarantined record, and the day it would be of.
pub(crate) fn order_of(record: &str) -> Option<(String, Option<DateKst>)> {
    let refused = Refused::of(record, None)?;
    Some((refused.order_id, refused.created_at.map(UtcMicros::date_kst)))
}

/// All refused versions in the quarantine.
async fn quarantined(run: &RunContext, ctx: &SessionContext) -> Result<Vec<Refused>, PipelineError> {
    let table = run.table("silver.bad_records").await?;
    let files = table.files()?.into_iter();
    let files = files.filter(|f| f.may_hold_text("source_table", PAYMENT_ORDERS, PAYMENT_ORDERS));
    let mut rows = ctx
        .read_table(table.scan(files.collect()))?
        .filter(col("source_table").eq(lit(PAYMENT_ORDERS)))?
        .filter(col("reason").eq(lit(reason::INVALID_AMOUNT)))?
        .select_columns(&["record_json", "source_ref"])?
        .execute_stream()
        .await?;
    let mut found = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        let text = |i: usize| cast(batch.column(i), &DataType::Utf8);
        let (records, refs) = (text(0)?, text(1)?);
        let (records, refs) = (records.as_string::<i32>(), refs.as_string::<i32>());
        found.extend((0..batch.num_rows()).filter_map(|i| {
            let source_ref = refs.is_valid(i).then(|| refs.value(i));
            Refused::of(records.value(i), source_ref)
        }));
    }
    Ok(found)
}

/// The days of some refused orders, and those on which earlier versions of them stand or stood: what B counted there may be
/// out of date.
pub(crate) async fn days_of(
    run: &RunContext,
    ctx: &SessionContext,
    refused: &BTreeSet<(String, Option<DateKst>)>,
) -> Result<BTreeSet<DateKst>, PipelineError> {
    if refused.is_empty() {
        return Ok(BTreeSet::new());
    }
    let orders: BTreeSet<&String> = refused.iter().map(|(order, _)| order).collect();
    let ids = orders.iter().map(|order| Some(*order));
    let refs = in_memory(ctx, vec![column("order_ref", ids)?])?;
    let stored = run.table("silver.order_events").await?;
    let files = files_of_orders(run, ctx, &stored, refs).await?;
    let mut days: BTreeSet<DateKst> = files.iter().filter_map(DataFile::partition_date).collect();
    let earlier = quarantined(run, ctx).await?.into_iter();
    let earlier = earlier.filter(|r| orders.contains(&r.order_id));
    days.extend(earlier.filter_map(|r| r.created_at).map(UtcMicros::date_kst));
    days.extend(refused.iter().filter_map(|(_, day)| *day));
    Ok(days)
}

/// `order_id`, `version` of the refused versions of some orders (`order_ref`), wherever they stand in Bronze. Most days have
/// none, and then Bronze is not read.
pub(crate) async fn versions_of(
    run: &RunContext,
    ctx: &SessionContext,
    bronze: &Table,
    orders: DataFrame,
) -> Result<Option<DataFrame>, PipelineError> {
    let all = quarantined(run, ctx).await?;
    if all.is_empty() {
        return Ok(None);
    }
    let ids = column("refused_order", all.iter().map(|r| Some(&r.order_id)))?;
    let refs = column("source_ref", all.iter().map(|r| r.source_ref.as_ref()))?;
    let columns = [("refused_order", ids.column(0)), ("source_ref", refs.column(0))];
    let columns = columns.map(|(name, c)| (name, Arc::clone(c)));
    let known = in_memory(ctx, vec![RecordBatch::try_from_iter(columns)?])?;
    let known = known.join(
        orders,
        JoinType::LeftSemi,
        &["refused_order"],
        &["order_ref"],
        None,
    )?;
    let refs = known.select_columns(&["source_ref"])?.collect().await?;
    if refs.iter().all(|b| b.num_rows() == 0) {
        return Ok(None);
    }
    let read = [
        "order_id",
        "updated_at",
        "source_extracted_at",
        "ingested_at",
        "source_ref",
        loads::LOAD_ID,
    ];
    let refs = renamed(&refs, "source_ref")?;
    let rows = bronze
        .rows_with(ctx, bronze.files()?, &["source_ref"], &refs, &read)
        .await?;
    let taken_back = loads::taken_back(run, ctx, &bronze.name()).await?;
    let rows = taken_back.without(rows)?;
    let version = rows.parse_sql_expr(
        "nsc_version_key(nsc_timestamp(updated_at), source_extracted_at, ingested_at, load_id, source_ref)",
    )?;
    Ok(Some(rows.select(vec![
        cast_to(col("order_id"), DataType::Utf8View).alias("order_id"),
        version.alias("version"),
    ])?))
}

fn column<'a>(
    name: &str,
    texts: impl Iterator<Item = Option<&'a String>>,
) -> Result<RecordBatch, PipelineError> {
    let texts: StringViewArray = texts.collect();
    Ok(RecordBatch::try_from_iter_with_nullable([(
        name,
        Arc::new(texts) as ArrayRef,
        true,
    )])?)
}
