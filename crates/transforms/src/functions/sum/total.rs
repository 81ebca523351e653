//! The sum of all values: over everything, over a moving window, and per group.

use std::mem::size_of;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::i256;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

use super::only;
use super::unit::{Unit, add, for_each};

/// One sum; a window takes values back out of it.
#[derive(Debug)]
pub(super) struct Total {
    unit: Unit,
    sum: i256,
    /// Values in the sum: over none it is null.
    count: u64,
}

impl Total {
    pub(super) const fn new(unit: Unit) -> Self {
        Self {
            unit,
            sum: i256::ZERO,
            count: 0,
        }
    }

    fn known(&self) -> Option<i256> {
        (self.count > 0).then_some(self.sum)
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each(only(values)?, |_, value| {
            self.sum = add(self.sum, value)?;
            self.count += 1;
            Ok(())
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each(only(values)?, |_, value| {
            self.sum = add(self.sum, value.wrapping_neg())?;
            self.count = self.count.saturating_sub(1);
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.unit.partial(self.known())])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.unit.scalar(self.known())
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// One sum per group.
#[derive(Debug)]
pub(super) struct Totals {
    unit: Unit,
    sums: Vec<i256>,
    /// Whether the group has seen a value.
    seen: Vec<bool>,
}

impl Totals {
    pub(super) const fn new(unit: Unit) -> Self {
        Self {
            unit,
            sums: Vec::new(),
            seen: Vec::new(),
        }
    }

    fn add_all(
        &mut self,
        values: &ArrayRef,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.sums.resize(total_groups, i256::ZERO);
        self.seen.resize(total_groups, false);
        for_each(values, |row, value| {
            if filter.is_some_and(|f| f.is_null(row) || !f.value(row)) {
                return Ok(());
            }
            let slot = groups
                .get(row)
                .and_then(|group| self.sums.get_mut(*group).zip(self.seen.get_mut(*group)));
            let (sum, seen) = slot.ok_or_else(|| {
                exec_datafusion_err!("row {row} of a sum has none of {total_groups} groups")
            })?;
            *sum = add(*sum, value)?;
            *seen = true;
            Ok(())
        })
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
        self.add_all(only(values)?, groups, filter, total_groups)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total_groups: usize) -> Result<()> {
        self.add_all(only(states)?, groups, None, total_groups)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let (sums, nulls) = self.take(emit_to);
        self.unit.array(sums, nulls)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, nulls) = self.take(emit_to);
        Ok(vec![self.unit.partials(sums, Some(nulls))])
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = only(values)?;
        let mut sums = vec![i256::ZERO; values.len()];
        for_each(values, |row, value| {
            if let Some(sum) = sums.get_mut(row) {
                *sum = value;
            }
            Ok(())
        })?;
        let kept = filter
            .map(|f| NullBuffer::new(BooleanBuffer::from_iter(f.iter().map(|keep| keep == Some(true)))));
        let nulls = NullBuffer::union(values.nulls(), kept.as_ref());
        Ok(vec![self.unit.partials(sums, nulls)])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<i256>() + self.seen.capacity()
    }
}
