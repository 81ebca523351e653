//! B-3, B-4 and B-6: what the operators watch.

use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{Expr, col, in_list, lit, when};
use datafusion::prelude::{DataFrame, SessionContext};

use super::{ControlDay, StatusRule};
use crate::TransformError;
use crate::functions::rate_expr;
use crate::output::{finish, plan, text};
use crate::vocabulary::Aliases;

/// The payment orders whose newest version is of the day: `order_id`, `merchant_name`, `status`, `version`. Reads Bronze
/// `payment_orders_raw`; its statuses are given as what they stand for.
///
/// # Errors
/// When the plan is refused: the table or one of its columns is absent.
pub async fn payment_orders_of_day(
    ctx: &SessionContext,
    day: &ControlDay,
    statuses: &Aliases,
) -> Result<DataFrame, TransformError> {
    let params = vec![
        ("date", ScalarValue::Date32(Some(day.date.days()))),
        ("status_aliases", ScalarValue::Utf8(Some(statuses.lines()))),
    ];
    let sql = include_str!("../sql/payment_orders_of_day.sql");
    plan(ctx, "payment_orders_of_day", sql, params).await
}

/// The day's payment orders by merchant and status. Reads `payment_orders_of_day`, less the orders that
/// `payment_versions_elsewhere` (`order_id`, `version`) has a newer version of.
///
/// # Errors
/// When the plan is refused.
pub async fn payment_day(ctx: &SessionContext) -> Result<DataFrame, TransformError> {
    let sql = include_str!("../sql/payment_day.sql");
    plan(ctx, "payment_day", sql, Vec::new()).await
}

/// B-3, `gold.ops_payment_failure_daily`: one row per merchant with an order of the day. Reads `payment_day`.
///
/// # Errors
/// When the plan is refused.
pub async fn payment_failure(
    ctx: &SessionContext,
    day: &ControlDay,
    rule: &StatusRule,
) -> Result<DataFrame, TransformError> {
    by_merchant(
        ctx,
        day,
        rule,
        "gold.ops_payment_failure_daily",
        "failed_cnt",
        "failure_rate",
    )
    .await
}

/// B-4, `gold.ops_payment_refund_daily`: one row per merchant with an order of the day. Reads `payment_day`.
///
/// # Errors
/// When the plan is refused.
pub async fn payment_refund(
    ctx: &SessionContext,
    day: &ControlDay,
    rule: &StatusRule,
) -> Result<DataFrame, TransformError> {
    by_merchant(
        ctx,
        day,
        rule,
        "gold.ops_payment_refund_daily",
        "refunded_cnt",
        "refund_rate",
    )
    .await
}

async fn by_merchant(
    ctx: &SessionContext,
    day: &ControlDay,
    rule: &StatusRule,
    table: &'static str,
    count: &'static str,
    rate: &'static str,
) -> Result<DataFrame, TransformError> {
    let failed = TransformError::plan;
    let listed: Vec<Expr> = rule.statuses.iter().map(|s| lit(s.as_str())).collect();
    let matches = if listed.is_empty() {
        lit(false)
    } else {
        in_list(col("status"), listed, false)
    };
    let matching = when(matches, col("order_cnt"))
        .otherwise(lit(0_i64))
        .map_err(failed(table))?;
    let counts = ctx
        .table("payment_day")
        .await
        .and_then(|df| {
            df.aggregate(
                vec![col("merchant_name")],
                vec![
                    sum(col("order_cnt")).alias("total_cnt"),
                    sum(matching).alias(count),
                ],
            )
        })
        .and_then(|df| df.with_column(rate, rate_expr(col(count), col("total_cnt"))))
        .map_err(failed(table))?;
    finish(counts, table, day.stamps(Some(&rule.rule_id)))
}

/// B-6, `gold.admin_tx_search`: one row per entry of the day. Reads `entries`. No rule judges it.
///
/// # Errors
/// When the plan is refused.
pub async fn admin_tx_search(ctx: &SessionContext, day: &ControlDay) -> Result<DataFrame, TransformError> {
    const TABLE: &str = "gold.admin_tx_search";
    let df = plan(ctx, TABLE, include_str!("../sql/admin_tx_search.sql"), Vec::new()).await?;
    finish(
        df,
        TABLE,
        vec![
            ("run_id", text(Some(day.run_id.as_str()))),
            ("rule_id", text(None)),
        ],
    )
}
