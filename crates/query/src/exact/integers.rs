//! Integers that leave their type are an error: the engine's own `+`, `-`, `*` and unary `-` wrap.

use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::DataType;
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

/// Computes sums, differences, products and negatives of integers with a check.
#[derive(Debug)]
pub(super) struct CheckedIntegers;

impl AnalyzerRule for CheckedIntegers {
    fn name(&self) -> &str {
        "checked_integers"
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
    match operation.filter(|_| integer(&left) && integer(&right)) {
        Some(operation) => Transformed::yes(function(operation, 2).call(vec![*left, *right])),
        None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
    }
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
}

/// One checked operation over integers of one type.
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
            _ => exec_err!("{} got {} arguments", self.name(), args.args.len()),
        }
    }
}
