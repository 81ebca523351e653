//! The last step of every plan: exactly the contract's columns, in order, in the contract's types.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::{ColumnType, TableContract, table};

use crate::TransformError;

/// A value for a `$name` of a statement.
pub type Parameter = (&'static str, ScalarValue);

/// Plans a statement with its named parameters.
pub(crate) async fn plan(
    ctx: &SessionContext,
    what: &'static str,
    sql: &str,
    params: Vec<Parameter>,
) -> Result<DataFrame, TransformError> {
    let df = ctx.sql(sql).await.map_err(TransformError::plan(what))?;
    if params.is_empty() {
        return Ok(df);
    }
    df.with_param_values(params).map_err(TransformError::plan(what))
}

/// The contract's columns of `full_name`, each from the value given in `constants`, else from the plan's column.
pub(crate) fn finish(
    df: DataFrame,
    full_name: &'static str,
    constants: Vec<(&'static str, Expr)>,
) -> Result<DataFrame, TransformError> {
    let contract = table(full_name).ok_or_else(|| TransformError::Column {
        what: full_name,
        column: "(contract)".to_owned(),
    })?;
    finish_table(df, contract, constants)
}

/// [`finish`], of a table that is at hand.
pub(crate) fn finish_table(
    df: DataFrame,
    contract: &'static TableContract,
    constants: Vec<(&'static str, Expr)>,
) -> Result<DataFrame, TransformError> {
    let missing = |column: &str| TransformError::Column {
        what: contract.name,
        column: column.to_owned(),
    };
    let mut constants = constants;
    let mut columns = Vec::with_capacity(contract.columns.len());
    for column in contract.columns {
        let constant = constants
            .iter()
            .position(|(name, _)| *name == column.name)
            .map(|at| constants.swap_remove(at).1);
        let expr = match constant {
            Some(value) => value,
            None => {
                let field = df
                    .schema()
                    .field_with_unqualified_name(column.name)
                    .map_err(|_| missing(column.name))?;
                converted(col(column.name), field.data_type(), column.ty)
                    .ok_or_else(|| missing(column.name))?
            }
        };
        columns.push(expr.alias(column.name));
    }
    if let Some((name, _)) = constants.first() {
        return Err(missing(name));
    }
    df.select(columns).map_err(TransformError::plan(contract.name))
}

/// A column in the contract's type, when that changes no value. Money and rates must already be exact.
fn converted(column: Expr, found: &DataType, declared: ColumnType) -> Option<Expr> {
    let wanted = declared.arrow();
    let is_text = |ty: &DataType| matches!(ty, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    if *found == wanted || (is_text(found) && declared == ColumnType::Text) {
        return Some(column);
    }
    let exact = match declared {
        ColumnType::Dec2 | ColumnType::Dec6 => matches!(found, DataType::Null),
        ColumnType::Timestamp => matches!(found, DataType::Timestamp(..) | DataType::Null),
        ColumnType::BigInt | ColumnType::Int => found.is_integer() || matches!(found, DataType::Null),
        ColumnType::Text => matches!(found, DataType::Null | DataType::Dictionary(..)),
        _ => matches!(found, DataType::Null),
    };
    exact.then(|| cast(column, wanted))
}

/// A text literal; `None` is a null of the text type.
pub(crate) fn text(value: Option<&str>) -> Expr {
    lit(ScalarValue::Utf8(value.map(str::to_owned)))
}

/// A day literal.
pub(crate) fn date(day: nsc_core::DateKst) -> Expr {
    lit(ScalarValue::Date32(Some(day.days())))
}

/// An instant as a parameter or literal.
pub(crate) fn instant(at: nsc_core::UtcMicros) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(at.micros()), Some("UTC".into()))
}

/// Money, in hundredths, as a parameter or literal; clamped to 38 digits (thresholds may be beyond any amount).
#[must_use]
pub fn money(units: i128) -> ScalarValue {
    let max = crate::functions::MAX_38_DIGITS;
    ScalarValue::Decimal128(Some(units.clamp(-max, max)), 38, 2)
}
