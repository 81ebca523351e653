//! The windows of a run, and which of them an instant belongs to.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result as PlanResult, exec_datafusion_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use nsc_core::{UtcMicros, UtcWindow};

use crate::TransformError;
use crate::functions::utc_micros;

/// Sorted, disjoint, non-empty windows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Windows(Vec<UtcWindow>);

impl Windows {
    /// Takes the windows of a run.
    ///
    /// # Errors
    /// When there is none, one is empty or reversed, or they are unsorted or overlap.
    pub fn new(windows: Vec<UtcWindow>) -> Result<Self, TransformError> {
        if windows.is_empty() {
            return Err(TransformError::Windows("there is none".to_owned()));
        }
        if let Some(w) = windows.iter().find(|w| w.start >= w.end) {
            return Err(TransformError::Windows(format!("{w} is empty")));
        }
        if let Some((a, b)) = windows
            .iter()
            .zip(windows.iter().skip(1))
            .find(|(a, b)| a.end > b.start)
        {
            return Err(TransformError::Windows(format!("{a} does not end before {b}")));
        }
        Ok(Self(windows))
    }

    /// Consecutive windows of one length over a span; a rest shorter than that is left for the next run.
    ///
    /// # Errors
    /// When not one whole window fits.
    pub fn consecutive(span: UtcWindow, length_micros: i64) -> Result<Self, TransformError> {
        let mut windows = Vec::new();
        let mut start = span.start;
        while length_micros > 0 && start.plus(length_micros) <= span.end {
            windows.push(UtcWindow {
                start,
                end: start.plus(length_micros),
            });
            start = start.plus(length_micros);
        }
        Self::new(windows)
    }

    /// The windows, oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[UtcWindow] {
        &self.0
    }

    /// The window that holds the instant.
    fn holding(&self, at: UtcMicros) -> Option<usize> {
        let index = self.0.partition_point(|w| w.end <= at);
        self.0.get(index).filter(|w| w.start <= at).map(|_| index)
    }

    /// The first window that ends at or after the instant.
    fn ending_after(&self, at: UtcMicros) -> Option<usize> {
        let index = self.0.partition_point(|w| w.end < at);
        (index < self.0.len()).then_some(index)
    }

    /// Index of the window that holds `instant`, null outside all of them.
    pub(super) fn holding_expr(&self, instant: Expr) -> Expr {
        ScalarUDF::from(WindowOf::new(self, Side::Holding)).call(vec![instant])
    }

    /// Index of the first window that ends at or after `instant`, null after the last.
    pub(super) fn ending_after_expr(&self, instant: Expr) -> Expr {
        ScalarUDF::from(WindowOf::new(self, Side::EndingAfter)).call(vec![instant])
    }
}

/// For each window, the newest `ingested_at` of the source at or before its end. `batches` are those of
/// [`newest`](super::newest); `before` is the newest one before the first window's start.
///
/// # Errors
/// When the batches are not those of the plan.
pub fn newest_at_ends(
    windows: &Windows,
    batches: &[RecordBatch],
    before: Option<UtcMicros>,
) -> Result<Vec<Option<UtcMicros>>, TransformError> {
    let missing = |column: &str| TransformError::Column {
        what: "guardrail freshness",
        column: column.to_owned(),
    };
    let mut inside = vec![None; windows.0.len()];
    for batch in batches {
        let cells = batch
            .column_by_name("window_index")
            .and_then(|c| c.as_primitive_opt::<Int64Type>())
            .ok_or_else(|| missing("window_index"))?;
        let times = batch
            .column_by_name("newest_ingested_at")
            .and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>())
            .ok_or_else(|| missing("newest_ingested_at"))?;
        for (cell, time) in cells.iter().zip(times) {
            let slot = cell
                .and_then(|c| usize::try_from(c).ok())
                .and_then(|c| inside.get_mut(c))
                .ok_or_else(|| missing("window_index"))?;
            *slot = (*slot).max(time.map(UtcMicros::new));
        }
    }
    let running = inside.into_iter().scan(before, |so_far, newest| {
        *so_far = (*so_far).max(newest);
        Some(*so_far)
    });
    Ok(running.collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    Holding,
    EndingAfter,
}

/// A function of one instant that knows the windows of the run.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WindowOf {
    windows: Windows,
    side: Side,
    signature: Signature,
}

impl WindowOf {
    fn new(windows: &Windows, side: Side) -> Self {
        Self {
            windows: windows.clone(),
            side,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn index(&self, micros: i64) -> Option<i64> {
        let at = UtcMicros::new(micros);
        let index = match self.side {
            Side::Holding => self.windows.holding(at),
            Side::EndingAfter => self.windows.ending_after(at),
        };
        index.and_then(|i| i64::try_from(i).ok())
    }
}

impl ScalarUDFImpl for WindowOf {
    fn name(&self) -> &str {
        match self.side {
            Side::Holding => "nsc_window_holding",
            Side::EndingAfter => "nsc_window_ending_after",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Int64)
    }

    fn coerce_types(&self, given: &[DataType]) -> PlanResult<Vec<DataType>> {
        match given {
            [DataType::Timestamp(..)] => Ok(vec![utc_micros()]),
            _ => plan_err!("{} takes one timestamp, not {given:?}", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let instants = arrays
            .first()
            .and_then(|a| a.as_primitive_opt::<TimestampMicrosecondType>());
        let instants = instants.ok_or_else(|| exec_datafusion_err!("{} got no timestamp", self.name()))?;
        let indices: Int64Array = instants.iter().map(|at| self.index(at?)).collect();
        Ok(ColumnarValue::Array(Arc::new(indices) as ArrayRef))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64, end: i64) -> UtcWindow {
        UtcWindow {
            start: UtcMicros::new(start),
            end: UtcMicros::new(end),
        }
    }

    #[test]
    fn an_instant_on_an_edge_opens_its_window_and_is_at_the_end_of_the_one_before() {
        let w = Windows::new(vec![window(0, 10), window(10, 20), window(30, 40)]).unwrap();
        let holding = [-1, 0, 9, 10, 19, 20, 29, 30, 40].map(|t| w.holding(UtcMicros::new(t)));
        assert_eq!(
            holding,
            [
                None,
                Some(0),
                Some(0),
                Some(1),
                Some(1),
                None,
                None,
                Some(2),
                None
            ]
        );
        let ending = [-1, 0, 10, 11, 20, 21, 40, 41].map(|t| w.ending_after(UtcMicros::new(t)));
        assert_eq!(
            ending,
            [
                Some(0),
                Some(0),
                Some(0),
                Some(1),
                Some(1),
                Some(2),
                Some(2),
                None
            ]
        );
    }

    #[test]
    fn only_sorted_disjoint_windows_are_taken() {
        assert!(Windows::new(vec![]).is_err());
        assert!(Windows::new(vec![window(5, 5)]).is_err());
        assert!(Windows::new(vec![window(0, 10), window(9, 20)]).is_err());
        assert!(Windows::new(vec![window(10, 20), window(0, 10)]).is_err());
        assert_eq!(
            Windows::consecutive(window(0, 35), 10).unwrap().as_slice().len(),
            3
        );
        assert!(Windows::consecutive(window(0, 9), 10).is_err());
        assert!(Windows::consecutive(window(0, 9), 0).is_err());
    }
}
