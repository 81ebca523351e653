//! The plans of the guardrail: one pass over a source's Bronze rows.

use datafusion::common::Result as PlanResult;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{Expr, cast, ident, lit, when};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::UtcMicros;

use super::row_key::row_key;
use super::{AllowedValues, GuardrailSource};
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

/// The time by which a row belongs to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeline {
    /// When it was appended: what a run beside the sources judges.
    Arrival,
    /// When it happened, as Silver takes rows; when it was appended, where it does not say. What a look back judges: history
    /// is loaded in a moment, and would otherwise be one heap in a desert.
    Event,
}

/// The instant of a row.
fn instant_of(rows: &DataFrame, source: GuardrailSource, timeline: Timeline) -> PlanResult<Expr> {
    if timeline == Timeline::Arrival {
        return Ok(ident("ingested_at"));
    }
    let instant = rows.parse_sql_expr(match source {
        // A created_at that is present but broken is not replaced by its alias.
        GuardrailSource::Ledger => {
            "coalesce(CASE WHEN nsc_is_missing(created_at) THEN nsc_timestamp(event_time) \
             ELSE nsc_timestamp(created_at) END, ingested_at)"
        }
        GuardrailSource::Wallets => "coalesce(source_extracted_at, ingested_at)",
        GuardrailSource::PaymentOrders => "coalesce(nsc_timestamp(created_at), ingested_at)",
    })?;
    Ok(cast(instant, crate::functions::utc_micros()))
}

/// The newest instant of `rows` before another one, as `newest`; null when there is none.
///
/// # Errors
/// When the plan is refused.
pub fn newest_before(
    rows: DataFrame,
    source: GuardrailSource,
    timeline: Timeline,
    before: UtcMicros,
) -> Result<DataFrame, TransformError> {
    let plan = |rows: DataFrame| -> PlanResult<DataFrame> {
        let instant = instant_of(&rows, source, timeline)?;
        rows.select(vec![instant.alias("instant")])?
            .filter(ident("instant").lt(lit(crate::output::instant(before))))?
            .aggregate(vec![], vec![max(ident("instant")).alias("newest")])
    };
    plan(rows).map_err(TransformError::plan("guardrail freshness"))
}

/// The rows of a source as [`WindowCounter`](super::WindowCounter) counts them: `instant`, `key` (null without one; equal for repeats), `is_bad`.
/// Reads `rows`.
///
/// # Errors
/// When the plan is refused: the table or one of the source's columns is absent.
pub async fn measures(
    ctx: &SessionContext,
    source: GuardrailSource,
    timeline: Timeline,
    allowed: &AllowedValues,
) -> Result<DataFrame, TransformError> {
    let plan = |rows: DataFrame| -> PlanResult<DataFrame> {
        let instant = cast(
            instant_of(&rows, source, timeline)?,
            crate::functions::utc_micros(),
        );
        let (has_key, columns) = key_of(&rows, source)?;
        let key = when(has_key, row_key(columns)).end()?;
        let is_bad = broken(&rows, source, allowed)?;
        rows.select(vec![
            instant.alias("instant"),
            key.alias("key"),
            is_bad.alias("is_bad"),
        ])
    };
    let rows = ctx
        .table("rows")
        .await
        .map_err(TransformError::plan("guardrail measures"))?;
    plan(rows).map_err(TransformError::plan("guardrail measures"))
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
            let ty = "coalesce(nsc_clean(\"type\"), nsc_clean(entry_type))";
            let ty = rows.parse_sql_expr(&allowed.words.column("entry_type", ty))?;
            fields
                .or(ty.clone().is_null())
                .or(outside(ty, &allowed.words.allowed_types))
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
            let status = rows.parse_sql_expr(&allowed.words.column("status", "nsc_clean(status)"))?;
            fields.or(status
                .clone()
                .is_not_null()
                .and(outside(status, &allowed.payment_statuses)))
        }
    })
}
