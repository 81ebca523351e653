//! `nsc_sum_money`: a sum of money that is exact or an error.
//!
//! DataFusion's `SUM` of a decimal wraps silently past 128 bits. This one adds in 256 bits, which no number of rows a
//! machine can hold overflows, and checks only the end: the order of the rows can neither cause nor hide an error. A
//! result over 38 digits is an error, never a wrapped or rounded number.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Field, FieldRef, i256};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
    Volatility,
};

use super::{DEC2, MAX_38_DIGITS, Parameter};

/// The type of a partial sum.
const WIDE: DataType = DataType::Decimal256(76, 2);

/// `nsc_sum_money(amount)`: see the module.
#[must_use]
pub fn sum_money_udaf() -> AggregateUDF {
    AggregateUDF::from(SumMoney {
        signature: Signature::user_defined(Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SumMoney {
    signature: Signature,
}

impl AggregateUDFImpl for SumMoney {
    fn name(&self) -> &str {
        "nsc_sum_money"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DEC2)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [ty] if Parameter::Money.accepts(ty).is_some() => Ok(vec![DEC2]),
            _ => plan_err!("nsc_sum_money takes one DECIMAL(38,2), not {given:?}"),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("nsc_sum_money has no DISTINCT form");
        }
        Ok(Box::new(Total::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(
            format!("{}[sum]", args.name),
            WIDE,
            true,
        ))])
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Totals::default()))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// The sum as money, or the error.
fn checked(sum: i256) -> Result<i128> {
    sum.to_i128()
        .filter(|units| units.unsigned_abs() <= MAX_38_DIGITS.unsigned_abs())
        .ok_or_else(|| exec_datafusion_err!("a sum of money is over 38 digits: {sum} hundredths"))
}

fn amounts(values: &[ArrayRef]) -> Result<&Decimal128Array> {
    let array = values
        .first()
        .and_then(|a| a.as_primitive_opt::<Decimal128Type>());
    array.ok_or_else(|| exec_datafusion_err!("nsc_sum_money got no DECIMAL(38,2)"))
}

fn partial_sums(states: &[ArrayRef]) -> Result<&Decimal256Array> {
    let array = states
        .first()
        .and_then(|a| a.as_primitive_opt::<Decimal256Type>());
    array.ok_or_else(|| exec_datafusion_err!("nsc_sum_money got no partial sum"))
}

/// One sum, over no GROUP BY.
#[derive(Debug, Default)]
struct Total(Option<i256>);

impl Total {
    fn add(&mut self, value: i256) {
        self.0 = Some(self.0.unwrap_or(i256::ZERO).wrapping_add(value));
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        amounts(values)?
            .iter()
            .flatten()
            .for_each(|v| self.add(i256::from_i128(v)));
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        partial_sums(states)?.iter().flatten().for_each(|v| self.add(v));
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Decimal256(self.0, 76, 2)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Decimal128(self.0.map(checked).transpose()?, 38, 2))
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// One sum per group.
#[derive(Debug, Default)]
struct Totals {
    sums: Vec<i256>,
    /// Whether the group has seen a value.
    seen: Vec<bool>,
}

impl Totals {
    fn add_all(
        &mut self,
        values: impl Iterator<Item = Option<i256>>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_groups, i256::ZERO);
        self.seen.resize(total_groups, false);
        for (row, (value, group)) in values.zip(groups).enumerate() {
            let Some(value) = value else { continue };
            if filter.is_some_and(|f| f.is_null(row) || !f.value(row)) {
                continue;
            }
            let (Some(sum), Some(seen)) = (self.sums.get_mut(*group), self.seen.get_mut(*group)) else {
                return Err(exec_datafusion_err!(
                    "nsc_sum_money got group {group} of {total_groups}"
                ));
            };
            *sum = sum.wrapping_add(value);
            *seen = true;
        }
        Ok(())
    }

    fn take(&mut self, emit_to: EmitTo) -> (Vec<i256>, NullBuffer) {
        let seen = emit_to.take_needed(&mut self.seen);
        (emit_to.take_needed(&mut self.sums), NullBuffer::from(seen))
    }
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        let values = amounts(values)?.iter().map(|v| v.map(i256::from_i128));
        self.add_all(values, groups, filter, total_groups)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.add_all(partial_sums(states)?.iter(), groups, None, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sums, nulls) = self.take(emit_to);
        let units = sums.into_iter().map(checked).collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(
            Decimal128Array::new(units.into(), Some(nulls)).with_data_type(DEC2),
        ))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, nulls) = self.take(emit_to);
        Ok(vec![Arc::new(
            Decimal256Array::new(sums.into(), Some(nulls)).with_data_type(WIDE),
        )])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = amounts(values)?;
        let sums: Vec<i256> = values.values().iter().map(|v| i256::from_i128(*v)).collect();
        let kept = filter
            .map(|f| NullBuffer::new(BooleanBuffer::from_iter(f.iter().map(|keep| keep == Some(true)))));
        let nulls = NullBuffer::union(values.nulls(), kept.as_ref());
        Ok(vec![Arc::new(
            Decimal256Array::new(sums.into(), nulls).with_data_type(WIDE),
        )])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i256>() + self.seen.capacity()
    }
}
