//! What a ledger entry takes from the payment order named by `related_id` (lakehouse contract 3, "status"): whoever reads
//! entries needs no order beside them.

use datafusion::common::JoinType;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Expr, col};
use datafusion::prelude::DataFrame;

use crate::TransformError;

/// The columns of `silver.ledger_entries` that follow from the order.
pub const OF_ORDER: [&str; 4] = ["status", "has_order", "merchant_name", "payment_status"];

/// `entries` (with `related_id` and the columns of [`OF_ORDER`]) with what they take from the orders they name.
/// `orders` has one row per payment order: `order_ref`, `order_status`, `order_merchant`.
///
/// # Errors
/// When the plan cannot be built.
pub fn with_named_orders(entries: DataFrame, orders: DataFrame) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan("silver.ledger_entries of orders")(e);
    let names: Vec<String> = entries
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    // The orders are the smaller side: they are held, the entries stream past them.
    let orders = orders.select(vec![
        col("order_ref").alias("named_order"),
        col("order_status"),
        col("order_merchant"),
    ]);
    let joined = orders
        .and_then(|o| o.join(entries, JoinType::Right, &["named_order"], &["related_id"], None))
        .map_err(failed)?;
    let columns: Vec<Expr> = names
        .iter()
        .map(|name| match name.as_str() {
            "status" => coalesce(vec![col("order_status"), col("status")]).alias(name),
            "has_order" => col("named_order").is_not_null().alias(name),
            "merchant_name" => col("order_merchant").alias(name),
            "payment_status" => col("order_status").alias(name),
            other => col(other),
        })
        .collect();
    joined.select(columns).map_err(failed)
}
