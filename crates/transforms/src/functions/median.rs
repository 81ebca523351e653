//! `median`, in place of the engine's own: the middle between two values keeps its last digit.
//!
//! The engine answers in the type of the values, so that the middle of 0.01 and 0.02 is 0.01, and of 1 and 2 is 1. Here
//! decimals and integers are asked for with one more decimal, which holds every half.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::functions_aggregate::median::median_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility,
};

/// `median(x)`: see the module.
#[must_use]
pub fn exact_median_udaf() -> AggregateUDF {
    AggregateUDF::from(Median {
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Median {
    signature: Signature,
}

impl AggregateUDFImpl for Median {
    fn name(&self) -> &str {
        "median"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        use DataType as D;
        let [ty] = given else {
            return plan_err!("median takes one argument, not {}", given.len());
        };
        Ok(vec![match ty {
            D::Decimal32(precision, scale) | D::Decimal64(precision, scale) => {
                D::Decimal128(precision + 1, scale + 1)
            }
            D::Decimal128(precision, scale) if *scale < 38 => {
                D::Decimal128((precision + 1).min(38), scale + 1)
            }
            D::Decimal256(precision, scale) if *scale < 76 => {
                D::Decimal256((precision + 1).min(76), scale + 1)
            }
            integer if integer.is_integer() => D::Decimal128(21, 1),
            D::Float16 | D::Float32 | D::Float64 => ty.clone(),
            D::Null => D::Float64,
            other => return plan_err!("median takes numbers, not {other}"),
        }])
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        median_udaf().return_type(arg_types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        median_udaf().accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        median_udaf().create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        median_udaf().state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        median_udaf().groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        median_udaf().create_groups_accumulator(args)
    }
}
