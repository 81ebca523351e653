//! The status of a ledger entry: that of the payment order named by `related_id`, else its own.

use datafusion::common::JoinType;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, col};
use datafusion::prelude::DataFrame;

use crate::TransformError;

/// `entries` (with `related_id` and `status`) with the status of the payment orders they name.
/// `orders` has one row per order: `order_ref`, `order_status`.
///
/// # Errors
/// When the plan cannot be built.
pub fn with_order_status(entries: DataFrame, orders: DataFrame) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan("silver.ledger_entries status")(e);
    let names: Vec<String> = entries
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    // The orders are the smaller side: they are held, the entries stream past them.
    let joined = orders
        .select(vec![col("order_ref").alias("named_order"), col("order_status")])
        .and_then(|o| o.join(entries, JoinType::Right, &["named_order"], &["related_id"], None))
        .map_err(failed)?;
    let columns: Vec<Expr> = names
        .iter()
        .map(|n| {
            if n == "status" {
                coalesce(vec![col("order_status"), col("status")]).alias("status")
            } else {
                col(n.as_str())
            }
        })
        .collect();
    joined.select(columns).map_err(failed)
}
