//! Conversions between types as they stand in a plan, whether written or put there by the engine to make two types equal.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable};

/// One conversion.
pub(super) struct Conversion<'a> {
    /// What is converted.
    pub(super) value: &'a Expr,
    /// Its type.
    pub(super) from: DataType,
    /// The type it becomes.
    pub(super) to: DataType,
    /// Whether what cannot be converted is null and no error.
    pub(super) is_try: bool,
}

impl<'a> Conversion<'a> {
    /// The conversion that an expression is.
    pub(super) fn of(expr: &'a Expr, schema: &DFSchema) -> Option<Self> {
        let (value, to, is_try) = match expr {
            Expr::Cast(cast) => (cast.expr.as_ref(), cast.field.data_type().clone(), false),
            Expr::TryCast(cast) => (cast.expr.as_ref(), cast.field.data_type().clone(), true),
            Expr::ScalarFunction(call) => {
                let is_try = match call.name() {
                    "arrow_cast" | "cast_to_type" => false,
                    "arrow_try_cast" | "try_cast_to_type" => true,
                    _ => return None,
                };
                (call.args.first()?, expr.get_type(schema).ok()?, is_try)
            }
            _ => return None,
        };
        Some(Self {
            from: value.get_type(schema).ok()?,
            value,
            to,
            is_try,
        })
    }
}
