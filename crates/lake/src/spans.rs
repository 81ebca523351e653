//! Spans of time that have been processed and make no whole business day yet.

use nsc_core::{UtcMicros, UtcWindow};
use serde::{Deserialize, Serialize};

use crate::Days;

/// Spans in order that do not touch, as they are written to `gold.pipeline_state`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spans(Vec<(UtcMicros, UtcMicros)>);

impl Spans {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a window, and takes out the business days that are whole now.
    #[must_use]
    pub fn complete(&mut self, window: UtcWindow) -> Days {
        self.0.push((window.start, window.end));
        self.0.sort_unstable();
        let mut joined: Vec<(UtcMicros, UtcMicros)> = Vec::new();
        for (start, end) in self.0.drain(..) {
            match joined.last_mut() {
                Some(before) if start <= before.1 => before.1 = before.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        let mut days = Days::default();
        for (start, end) in joined {
            let begun = start.date_kst();
            let first = if begun.start() == start {
                begun
            } else {
                begun.next()
            };
            let last = end.date_kst().previous();
            if last < first {
                self.0.push((start, end));
                continue;
            }
            days.insert_range(first, last);
            self.0
                .extend((start < first.start()).then(|| (start, first.start())));
            self.0.extend((last.end() < end).then(|| (last.end(), end)));
        }
        days
    }
}

#[cfg(test)]
mod tests {
    use nsc_core::{DateKst, UtcMicros, UtcWindow};

    use super::Spans;

    /// Hours of the days from 2026-01-05 (KST) on, as a window.
    fn hours(from: i64, to: i64) -> UtcWindow {
        let at = |hour: i64| DateKst::from_days(20_458).start().plus(hour * 3_600_000_000);
        UtcWindow {
            start: at(from),
            end: at(to),
        }
    }

    fn completed(windows: &[(i64, i64)]) -> (Vec<i32>, usize) {
        let mut spans = Spans::default();
        let mut days = crate::Days::default();
        for (from, to) in windows {
            days.absorb(&spans.complete(hours(*from, *to)));
        }
        (days.iter().map(|d| d.days() - 20_458).collect(), spans.0.len())
    }

    #[test]
    fn pieces_make_a_day_when_they_leave_no_gap_in_whatever_order() {
        assert_eq!(completed(&[(0, 24)]), (vec![0], 0));
        assert_eq!(completed(&[(0, 6), (6, 24)]), (vec![0], 0));
        assert_eq!(completed(&[(12, 24), (6, 13), (0, 6)]), (vec![0], 0));
        assert_eq!(completed(&[(0, 6), (7, 24)]), (vec![], 2));
        assert_eq!(completed(&[(0, 6), (7, 24), (6, 7)]), (vec![0], 0));
    }

    #[test]
    fn what_is_over_a_days_edge_is_kept_for_the_next_one() {
        assert_eq!(completed(&[(-3, 30)]), (vec![0], 2));
        assert_eq!(completed(&[(-3, 30), (30, 48)]), (vec![0, 1], 1));
        assert_eq!(completed(&[(1, 100)]), (vec![1, 2, 3], 2));
    }

    #[test]
    fn spans_read_back_as_they_were_written() {
        let mut spans = Spans::default();
        assert!(spans.complete(hours(1, 2)).is_empty());
        let text = serde_json::to_string(&spans).unwrap();
        assert_eq!(text, r#"[["2026-01-04T16:00:00Z","2026-01-04T17:00:00Z"]]"#);
        assert_eq!(serde_json::from_str::<Spans>(&text).unwrap(), spans);
        assert!(serde_json::from_str::<UtcMicros>("\"soon\"").is_err());
    }
}
