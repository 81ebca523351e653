//! The plans of the guardrail: one pass over a source's Bronze rows, counted by window.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::common::Result as PlanResult;
use datafusion::functions_aggregate::expr_fn::{count, max, sum};
use datafusion::logical_expr::{Expr, cast, ident, lit, when};
use datafusion::prelude::{DataFrame, SessionContext};

use super::{AllowedValues, GuardrailSource, Windows};
use crate::TransformError;

/// The load's own fields: a copy that differs only here is still a copy.
const LOAD_FIELDS: &[&str] = &[
    "ingested_at",
    "source_extracted_at",
    "batch_id",
    "source_system",
    "source_ref",
    "ingest_date",
    "load_id",
];

/// What one window of one source holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowCounts {
    /// Rows.
    pub event_count: i64,
    /// Rows with a key.
    pub keyed_rows: i64,
    /// Rows with a key that the window has already seen.
    pub repeats: i64,
    /// Rows that break the Bronze contract.
    pub bad_rows: i64,
}

/// Counts by window: `window_index`, `event_count`, `keyed_rows`, `repeats`, `bad_rows` (all bigint); a window
/// without rows has no row. Reads `rows`.
///
/// # Errors
/// When the plan is refused: the table or one of the source's columns is absent.
pub async fn measures(
    ctx: &SessionContext,
    source: GuardrailSource,
    windows: &Windows,
    allowed: &AllowedValues,
) -> Result<DataFrame, TransformError> {
    let rows = ctx
        .table("rows")
        .await
        .map_err(TransformError::plan("guardrail measures"))?;
    plan_measures(rows, source, windows, allowed).map_err(TransformError::plan("guardrail measures"))
}

fn plan_measures(
    rows: DataFrame,
    source: GuardrailSource,
    windows: &Windows,
    allowed: &AllowedValues,
) -> PlanResult<DataFrame> {
    let (has_key, keys) = key_of(&rows, source)?;
    let one_if = |condition: Expr| when(condition, lit(1_i64)).otherwise(lit(0_i64));
    let mut columns = vec![
        windows.holding_expr(ident("ingested_at")).alias("window_index"),
        has_key.alias("has_key"),
        one_if(broken(&rows, source, allowed)?)?.alias("is_bad"),
    ];
    let mut by_key = vec![ident("window_index"), ident("has_key")];
    for (at, key) in keys.into_iter().enumerate() {
        let name = format!("key_{at}");
        columns.push(key.alias(&name));
        by_key.push(ident(name));
    }
    let keyed = when(ident("has_key"), ident("copies")).otherwise(lit(0_i64))?;
    let repeats = when(ident("has_key"), ident("copies") - lit(1_i64)).otherwise(lit(0_i64))?;
    rows.select(columns)?
        .filter(ident("window_index").is_not_null())?
        .aggregate(
            by_key,
            vec![
                count(lit(1_i64)).alias("copies"),
                sum(ident("is_bad")).alias("bad"),
            ],
        )?
        .aggregate(
            vec![ident("window_index")],
            vec![
                sum(ident("copies")).alias("event_count"),
                sum(keyed).alias("keyed_rows"),
                sum(repeats).alias("repeats"),
                sum(ident("bad")).alias("bad_rows"),
            ],
        )
}

/// Whether a row has a key, and the key.
fn key_of(rows: &DataFrame, source: GuardrailSource) -> PlanResult<(Expr, Vec<Expr>)> {
    Ok(match source {
        GuardrailSource::Ledger => {
            let id = rows.parse_sql_expr("nsc_clean(tx_id)")?;
            (id.clone().is_not_null(), vec![id])
        }
        GuardrailSource::Wallets => {
            let user = rows.parse_sql_expr("nsc_clean(user_id)")?;
            let time = rows.parse_sql_expr("coalesce(source_extracted_at, ingested_at)")?;
            (user.clone().is_not_null(), vec![user, time])
        }
        GuardrailSource::PaymentOrders => {
            let names = rows.schema().fields().iter().map(|f| f.name().as_str());
            let keys = names
                .filter(|name| !LOAD_FIELDS.contains(name))
                .map(ident)
                .collect();
            (rows.parse_sql_expr("NOT nsc_is_missing(order_id)")?, keys)
        }
    })
}

/// Whether a row breaks the Bronze contract: required fields, exact money, amount > 0, balances >= 0, allowed values
/// (a missing payment status is fine), a line that is not a JSON object.
fn broken(rows: &DataFrame, source: GuardrailSource, allowed: &AllowedValues) -> PlanResult<Expr> {
    let outside = |value: Expr, list: &[String]| {
        let listed: Vec<Expr> = list.iter().map(|s| lit(s.as_str())).collect();
        if listed.is_empty() {
            lit(true)
        } else {
            value.in_list(listed, true)
        }
    };
    Ok(match source {
        GuardrailSource::Ledger => {
            let fields = rows.parse_sql_expr(
                "_corrupt_record IS NOT NULL OR nsc_is_missing(tx_id) OR nsc_is_missing(wallet_id) \
                 OR coalesce(nsc_money(amount) <= CAST(0 AS DECIMAL(38, 2)), true)",
            )?;
            let ty = rows.parse_sql_expr("coalesce(nsc_clean(\"type\"), nsc_clean(entry_type))")?;
            fields
                .or(ty.clone().is_null())
                .or(outside(ty, &allowed.entry_types))
        }
        GuardrailSource::Wallets => rows.parse_sql_expr(
            "_corrupt_record IS NOT NULL OR nsc_is_missing(user_id) \
             OR coalesce(nsc_money(balance) < CAST(0 AS DECIMAL(38, 2)), true) \
             OR coalesce(nsc_money(frozen_amount) < CAST(0 AS DECIMAL(38, 2)), true)",
        )?,
        GuardrailSource::PaymentOrders => {
            let fields = rows.parse_sql_expr(
                "_corrupt_record IS NOT NULL OR nsc_is_missing(order_id) \
                 OR coalesce(nsc_money(amount) <= CAST(0 AS DECIMAL(38, 2)), true)",
            )?;
            let status = rows.parse_sql_expr("nsc_clean(status)")?;
            fields.or(status
                .clone()
                .is_not_null()
                .and(outside(status, &allowed.payment_statuses)))
        }
    })
}

/// How far the source had come: `window_index` (the first window that ends at or after the row), `newest_ingested_at`.
/// Reads only `ingested_at` of `rows`; its batches go to [`newest_at_ends`](super::newest_at_ends).
///
/// # Errors
/// When the plan is refused.
pub async fn newest(ctx: &SessionContext, windows: &Windows) -> Result<DataFrame, TransformError> {
    let plan = |rows: DataFrame| -> PlanResult<DataFrame> {
        let ingested = cast(ident("ingested_at"), crate::functions::utc_micros());
        rows.select(vec![
            windows
                .ending_after_expr(ident("ingested_at"))
                .alias("window_index"),
            ingested.alias("ingested_at"),
        ])?
        .filter(ident("window_index").is_not_null())?
        .aggregate(
            vec![ident("window_index")],
            vec![max(ident("ingested_at")).alias("newest_ingested_at")],
        )
    };
    let rows = ctx
        .table("rows")
        .await
        .map_err(TransformError::plan("guardrail freshness"))?;
    plan(rows).map_err(TransformError::plan("guardrail freshness"))
}

/// The counts of every window, in their order, zeros where nothing arrived. `batches` are those of [`measures`].
///
/// # Errors
/// When the batches are not those of the plan.
pub fn counts(windows: &Windows, batches: &[RecordBatch]) -> Result<Vec<WindowCounts>, TransformError> {
    let missing = |column: &str| TransformError::Column {
        what: "guardrail measures",
        column: column.to_owned(),
    };
    let mut all = vec![WindowCounts::default(); windows.as_slice().len()];
    for batch in batches {
        let column = |name: &'static str| {
            batch
                .column_by_name(name)
                .and_then(|c| c.as_primitive_opt::<Int64Type>())
                .ok_or_else(|| missing(name))
        };
        let (index, events) = (column("window_index")?, column("event_count")?);
        let (keyed, repeats, bad) = (column("keyed_rows")?, column("repeats")?, column("bad_rows")?);
        for row in 0..batch.num_rows() {
            let slot = usize::try_from(index.value(row))
                .ok()
                .and_then(|i| all.get_mut(i))
                .ok_or_else(|| missing("window_index"))?;
            *slot = WindowCounts {
                event_count: events.value(row),
                keyed_rows: keyed.value(row),
                repeats: repeats.value(row),
                bad_rows: bad.value(row),
            };
        }
    }
    Ok(all)
}
