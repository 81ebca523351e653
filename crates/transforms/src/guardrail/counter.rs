//! The rows of a source, counted by window as they stream past.

use std::collections::HashSet;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use foldhash::fast::RandomState;
use nsc_core::UtcMicros;

use super::Windows;
use crate::TransformError;

/// What one window of one source holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WindowCounts {
    /// Rows.
    pub event_count: i64,
    /// Rows with a key.
    pub keyed_rows: i64,
    /// Rows with a key that the window has already seen.
    pub repeats: i64,
    /// Rows that break the Bronze contract.
    pub bad_rows: i64,
}

/// Counts of some windows; holds a number for each key of their rows.
#[derive(Debug)]
pub struct WindowCounter {
    windows: Windows,
    counts: Vec<WindowCounts>,
    /// The newest instant at or before each window's end, and not before the end of the window before it.
    newest: Vec<Option<UtcMicros>>,
    /// The keys of each window. A key is a seeded hash already, so that a quick hasher does; and a set of each window grows
    /// by little, where one of all windows is moved as a whole.
    seen: Vec<HashSet<i128, RandomState>>,
}

impl WindowCounter {
    /// Of windows in which nothing has been counted.
    #[must_use]
    pub fn new(windows: Windows) -> Self {
        let count = windows.as_slice().len();
        Self {
            windows,
            counts: vec![WindowCounts::default(); count],
            newest: vec![None; count],
            seen: vec![HashSet::default(); count],
        }
    }

    /// Counts some rows of [`measures`](super::measures). A row of a window's closing instant is not in it, and makes its
    /// freshness exact.
    ///
    /// # Errors
    /// When the rows are not those of the plan.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), TransformError> {
        let missing = |column: &str| TransformError::Column {
            what: "guardrail measures",
            column: column.to_owned(),
        };
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(name));
        let instants = column("instant")?
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(|| missing("instant"))?;
        let keys = column("key")?
            .as_primitive_opt::<Decimal128Type>()
            .ok_or_else(|| missing("key"))?;
        let bad = column("is_bad")?
            .as_boolean_opt()
            .ok_or_else(|| missing("is_bad"))?;
        for i in (0..batch.num_rows()).filter(|i| instants.is_valid(*i)) {
            let at = UtcMicros::new(instants.value(i));
            if let Some(slot) = self.windows.ending_after(at).and_then(|w| self.newest.get_mut(w)) {
                *slot = (*slot).max(Some(at));
            }
            let Some(window) = self.windows.holding(at) else {
                continue;
            };
            let (Some(counts), Some(seen)) = (self.counts.get_mut(window), self.seen.get_mut(window)) else {
                continue;
            };
            counts.event_count += 1;
            counts.bad_rows += i64::from(bad.is_valid(i) && bad.value(i));
            if keys.is_valid(i) {
                counts.keyed_rows += 1;
                counts.repeats += i64::from(!seen.insert(keys.value(i)));
            }
        }
        Ok(())
    }

    /// Whether the first window knows its newest instant without those before it.
    #[must_use]
    pub fn begins_with_a_row(&self) -> bool {
        let start = self.windows.as_slice().first().map(|w| w.start);
        let newest = self.newest.first().copied().flatten();
        start.zip(newest).is_some_and(|(start, newest)| start <= newest)
    }

    /// The windows' counts, and the newest instant of the source at or before each end. `before` is the newest one before the
    /// first window.
    #[must_use]
    pub fn finish(self, before: Option<UtcMicros>) -> Vec<(WindowCounts, Option<UtcMicros>)> {
        let running = self.newest.into_iter().scan(before, |so_far, newest| {
            *so_far = (*so_far).max(newest);
            Some(*so_far)
        });
        self.counts.into_iter().zip(running).collect()
    }
}
