//! What B-3 and B-4 count: the payment orders of a day.

use datafusion::common::ScalarValue;
use datafusion::prelude::{DataFrame, SessionContext};

use super::ControlDay;
use crate::TransformError;
use crate::output::plan;
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
