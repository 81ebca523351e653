//! Numbers that leave their type are an error: the engine's own `+`, `-`, `*` and unary `-` wrap integers, and decimals may have
//! a digit more than their type says, which whoever prints them leaves out.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Decimal256Type};
use datafusion::arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

use super::rewriting::rewritten;

/// Computes sums, differences, products and negatives of integers with a check, and checks those and quotients of decimals.
#[derive(Debug)]
pub(super) struct CheckedArithmetic;

impl AnalyzerRule for CheckedArithmetic {
    fn name(&self) -> &str {
        "checked_arithmetic"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        rewritten(plan, |expr, schema| Ok(checked(expr, schema)))
    }
}

fn checked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let wraps =
        |ty: &DataType| ty.is_integer() || matches!(ty, DataType::Interval(_) | DataType::Duration(_));
    let (left, op, right) = match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => (left, op, right),
        Expr::Negative(value) if value.get_type(schema).is_ok_and(|ty| wraps(&ty)) => {
            return Transformed::yes(function(Operation::Negate, 1).call(vec![*value]));
        }
        _ => return Transformed::no(expr),
    };
    let operation = match op {
        Operator::Plus => Some(Operation::Add),
        Operator::Minus => Some(Operation::Subtract),
        Operator::Multiply => Some(Operation::Multiply),
        _ => None,
    };
    let integer = |expr: &Expr| expr.get_type(schema).is_ok_and(|ty| ty.is_integer());
    if let Some(operation) = operation.filter(|_| integer(&left) && integer(&right)) {
        return Transformed::yes(function(operation, 2).call(vec![*left, *right]));
    }
    let computed = Expr::BinaryExpr(BinaryExpr { left, op, right });
    let is_arithmetic = operation.is_some() || op == Operator::Divide;
    if is_arithmetic && computed.get_type(schema).is_ok_and(|ty| ty.is_decimal()) {
        return Transformed::yes(function(Operation::Fits, 1).call(vec![computed]));
    }
    Transformed::no(computed)
}

/// The decimals themselves, when each has no more digits than their type says.
fn fitting(values: ArrayRef) -> Result<ArrayRef> {
    let fits = match values.data_type() {
        DataType::Decimal128(precision, _) => values
            .as_primitive::<Decimal128Type>()
            .validate_decimal_precision(*precision),
        DataType::Decimal256(precision, _) => values
            .as_primitive::<Decimal256Type>()
            .validate_decimal_precision(*precision),
        // Narrower ones are computed in these.
        _ => Ok(()),
    };
    fits.map_err(|e| ArrowError::ArithmeticOverflow(e.to_string()))?;
    Ok(values)
}

fn function(operation: Operation, arguments: usize) -> ScalarUDF {
    ScalarUDF::from(Checked {
        operation,
        signature: Signature::any(arguments, Volatility::Immutable),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Negate,
    /// A decimal is given back as it is.
    Fits,
}

/// One checked operation over numbers of one type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operation: Operation,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Add => "checked_add",
            Operation::Subtract => "checked_subtract",
            Operation::Multiply => "checked_multiply",
            Operation::Negate => "checked_negate",
            Operation::Fits => "checked_digits",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [ty] => Ok(ty.clone()),
            [left, right] if left == right => Ok(left.clone()),
            _ => exec_err!("{} got {arguments:?}", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match (self.operation, args.args.as_slice()) {
            (Operation::Add, [left, right]) => apply(left, right, numeric::add),
            (Operation::Subtract, [left, right]) => apply(left, right, numeric::sub),
            (Operation::Multiply, [left, right]) => apply(left, right, numeric::mul),
            (Operation::Negate, [ColumnarValue::Array(values)]) => {
                Ok(ColumnarValue::Array(numeric::neg(values.as_ref())?))
            }
            (Operation::Negate, [ColumnarValue::Scalar(value)]) => {
                let negative = numeric::neg(value.to_array()?.as_ref())?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&negative, 0)?))
            }
            (Operation::Fits, [ColumnarValue::Array(values)]) => {
                Ok(ColumnarValue::Array(fitting(Arc::clone(values))?))
            }
            (Operation::Fits, [ColumnarValue::Scalar(value)]) => {
                fitting(value.to_array()?)?;
                Ok(ColumnarValue::Scalar(value.clone()))
            }
            _ => exec_err!("{} got {} arguments", self.name(), args.args.len()),
        }
    }
}
