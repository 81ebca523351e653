//! The windows of a run, and which of them an instant belongs to.

use nsc_core::{UtcMicros, UtcWindow};

use crate::TransformError;

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
    pub(super) fn holding(&self, at: UtcMicros) -> Option<usize> {
        let index = self.0.partition_point(|w| w.end <= at);
        self.0.get(index).filter(|w| w.start <= at).map(|_| index)
    }

    /// The first window that ends at or after the instant.
    pub(super) fn ending_after(&self, at: UtcMicros) -> Option<usize> {
        let index = self.0.partition_point(|w| w.end < at);
        (index < self.0.len()).then_some(index)
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
