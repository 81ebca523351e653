//! The sum of the different values: each counts once, however often it stands in the group or the window.

use std::collections::HashMap;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::i256;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Accumulator;

use super::only;
use super::unit::{Unit, add, for_each};

/// The values seen, and how often: a window takes them back one by one.
#[derive(Debug)]
pub(super) struct DistinctTotal {
    unit: Unit,
    seen: HashMap<i256, u64>,
}

impl DistinctTotal {
    pub(super) fn new(unit: Unit) -> Self {
        Self {
            unit,
            seen: HashMap::new(),
        }
    }
}

impl Accumulator for DistinctTotal {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each(only(values)?, |_, value| {
            *self.seen.entry(value).or_default() += 1;
            Ok(())
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for values in only(states)?.as_list::<i32>().iter().flatten() {
            self.update_batch(&[values])?;
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for_each(only(values)?, |_, value| {
            if let Some(times) = self.seen.get_mut(&value) {
                *times -= 1;
                if *times == 0 {
                    self.seen.remove(&value);
                }
            }
            Ok(())
        })
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.unit.partials(self.seen.keys().copied().collect(), None);
        Ok(vec![
            SingleRowListArrayBuilder::new(Arc::clone(&values)).build_list_scalar(),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let total = self
            .seen
            .keys()
            .try_fold(i256::ZERO, |sum, value| add(sum, *value))?;
        self.unit.scalar((!self.seen.is_empty()).then_some(total))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.seen.capacity() * size_of::<(i256, u64)>()
    }
}
