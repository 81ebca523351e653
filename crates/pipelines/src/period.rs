//! Which time a run is about (lakehouse contract 4, "Parameters").

use nsc_core::{DateKst, UtcMicros, UtcWindow};
use serde::Serialize;

use crate::PipelineError;

/// The contract's `run_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunMode {
    /// From where the last success ended.
    Incremental,
    /// An explicit window, or yesterday.
    Backfill,
}

/// The time a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Period {
    /// Nothing given: yesterday (KST), and for Silver what arrived late; for A from its last end.
    Scheduled,
    /// An explicit window.
    Window(UtcWindow),
    /// An explicit window of A that goes on from the last one: its caller keeps the schedule, and says which windows are due.
    Incremental(UtcWindow),
}

impl Period {
    /// Whole business days, both ends included.
    ///
    /// # Errors
    /// When the last day is before the first.
    pub fn dates(first: DateKst, last: DateKst) -> Result<Self, PipelineError> {
        Self::window(first.start(), last.end())
    }

    /// An explicit window.
    ///
    /// # Errors
    /// When it is empty or reversed.
    pub fn window(start: UtcMicros, end: UtcMicros) -> Result<Self, PipelineError> {
        if end <= start {
            return Err(PipelineError::Window {
                reason: format!("it ends at {end}, not after its start {start}"),
            });
        }
        Ok(Self::Window(UtcWindow { start, end }))
    }

    /// The window of a daily pipeline; yesterday by default.
    ///
    /// # Errors
    /// When the window is not over at `now`.
    pub(crate) fn daily(self, now: UtcMicros) -> Result<UtcWindow, PipelineError> {
        let window = match self {
            Self::Scheduled => now.date_kst().previous().window(),
            Self::Window(w) | Self::Incremental(w) => w,
        };
        not_too_early(window)?;
        if window.end > now {
            return Err(PipelineError::Future {
                date: window.end.plus(-1).date_kst(),
                now,
            });
        }
        Ok(window)
    }

    /// The business days of a control run: the window must be made of whole days.
    ///
    /// # Errors
    /// When an edge is not midnight KST, or a day is not over.
    pub(crate) fn days(self, now: UtcMicros) -> Result<Vec<DateKst>, PipelineError> {
        let window = self.daily(now)?;
        let on_edge = |t: UtcMicros| t.date_kst().start() == t;
        if !on_edge(window.start) || !on_edge(window.end) {
            return Err(PipelineError::Window {
                reason: format!("{window} is not made of whole business days (midnight KST is 15:00Z)"),
            });
        }
        Ok(window.dates_kst().collect())
    }
}

/// Refuses windows before 1970, which no source has rows of: such a time is a slip.
///
/// # Errors
/// When the window begins there.
pub(crate) fn not_too_early(window: UtcWindow) -> Result<(), PipelineError> {
    let first = DateKst::from_days(0);
    if window.start >= first.start() {
        return Ok(());
    }
    Err(PipelineError::Window {
        reason: format!("it begins before {first}; is --now or the date mistyped?"),
    })
}
