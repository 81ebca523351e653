//! Sums that are exact or an error: `nsc_sum_money` of the plans, and the `sum` of those who write SQL themselves.
//!
//! DataFusion's own `SUM` of a decimal or an integer wraps silently past the bits of its type. These add in 256 bits,
//! which no number of rows a machine can hold overflows, and check only the end: the order of the rows can neither cause
//! nor hide an error. A result that its type does not hold is an error, never a wrapped or rounded number.

mod distinct;
mod total;
mod unit;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature, Volatility,
};

use super::{DEC2, Parameter};
use distinct::DistinctTotal;
use total::{Total, Totals};
pub use unit::TooManyDigits;
use unit::Unit;

/// `nsc_sum_money(amount)`: see the module.
#[must_use]
pub fn sum_money_udaf() -> AggregateUDF {
    AggregateUDF::from(Sum {
        form: Form::Money,
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

/// `sum(x)`, in place of the engine's own: decimals and integers are exact or an error, in every place an aggregate may
/// stand (groups, window frames, `DISTINCT`, `FILTER`). Floats, durations and intervals are the engine's.
#[must_use]
pub fn exact_sum_udaf() -> AggregateUDF {
    AggregateUDF::from(Sum {
        form: Form::Any,
        signature: sum_udaf().signature().clone(),
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    /// One `DECIMAL(38,2)`.
    Money,
    /// What the engine's `SUM` takes.
    Any,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    form: Form,
    signature: Signature,
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        match self.form {
            Form::Money => "nsc_sum_money",
            Form::Any => "sum",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match self.form {
            Form::Money => Ok(DEC2),
            Form::Any => sum_udaf().return_type(arg_types),
        }
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [ty] if Parameter::Money.accepts(ty).is_some() => Ok(vec![DEC2]),
            _ => plan_err!("{} takes one DECIMAL(38,2), not {given:?}", self.name()),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(match Unit::of(args.return_type()) {
            Some(unit) if args.is_distinct => Box::new(DistinctTotal::new(unit)),
            Some(unit) => Box::new(Total::new(unit)),
            None => sum_udaf().accumulator(args)?,
        })
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match Unit::of(args.return_type()) {
            Some(_) => self.accumulator(args),
            None => sum_udaf().create_sliding_accumulator(args),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let Some(unit) = Unit::of(args.return_type()) else {
            return sum_udaf().state_fields(args);
        };
        Ok(vec![Arc::new(if args.is_distinct {
            let name = format!("{}[distinct]", args.name);
            Field::new_list(name, Field::new_list_field(unit.wide(), true), true)
        } else {
            Field::new(format!("{}[sum]", args.name), unit.wide(), true)
        })])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        match Unit::of(args.return_type()) {
            Some(_) => !args.is_distinct,
            None => sum_udaf().groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        match Unit::of(args.return_type()) {
            Some(unit) => Ok(Box::new(Totals::new(unit))),
            None => sum_udaf().create_groups_accumulator(args),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The one argument of a sum.
fn only(arrays: &[ArrayRef]) -> Result<&ArrayRef> {
    match arrays {
        [one] => Ok(one),
        _ => plan_err!("a sum takes one argument, not {}", arrays.len()),
    }
}
