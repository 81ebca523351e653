//! Sets of business days, kept as ranges: a year of days is one range, and a gap shows.

use nsc_core::DateKst;
use serde::{Deserialize, Serialize};

/// Business days as closed ranges in order, as they are written to `gold.pipeline_state`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Days(Vec<(DateKst, DateKst)>);

impl Days {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a day is among them.
    #[must_use]
    pub fn contains(&self, day: DateKst) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&day))
    }

    /// Adds a day, joining neighbouring ranges.
    pub fn insert(&mut self, day: DateKst) {
        self.0.push((day, day));
        self.0.sort_unstable();
        let mut joined: Vec<(DateKst, DateKst)> = Vec::new();
        for (first, last) in self.0.drain(..) {
            match joined.last_mut() {
                Some(before) if first <= before.1.next() => before.1 = before.1.max(last),
                _ => joined.push((first, last)),
            }
        }
        self.0 = joined;
    }

    /// Takes a day out.
    pub fn remove(&mut self, day: DateKst) {
        let mut kept = Vec::new();
        for (first, last) in self.0.drain(..) {
            if first <= day && day <= last {
                kept.extend((first < day).then(|| (first, day.previous())));
                kept.extend((day < last).then(|| (day.next(), last)));
            } else {
                kept.push((first, last));
            }
        }
        self.0 = kept;
    }

    /// The days, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = DateKst> + '_ {
        self.0
            .iter()
            .flat_map(|(first, last)| (first.days()..=last.days()).map(DateKst::from_days))
    }

    /// Days that are missing between the first of them and `end` (exclusive).
    pub fn gaps_before(&self, end: DateKst) -> impl Iterator<Item = DateKst> + '_ {
        let first = self.0.first().map_or(end, |(first, _)| *first);
        (first.days()..end.days())
            .map(DateKst::from_days)
            .filter(|day| !self.contains(*day))
    }
}

impl Extend<DateKst> for Days {
    fn extend<T: IntoIterator<Item = DateKst>>(&mut self, days: T) {
        for day in days {
            self.insert(day);
        }
    }
}

impl FromIterator<DateKst> for Days {
    fn from_iter<T: IntoIterator<Item = DateKst>>(days: T) -> Self {
        let mut all = Self::default();
        all.extend(days);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(days: &[i32]) -> Days {
        days.iter().copied().map(DateKst::from_days).collect()
    }

    fn range(first: i32, last: i32) -> (DateKst, DateKst) {
        (DateKst::from_days(first), DateKst::from_days(last))
    }

    #[test]
    fn days_are_kept_as_ranges_with_their_gaps() {
        let days = of(&[5, 7, 1, 6, 2, 7]);
        assert_eq!(days.0, [range(1, 2), range(5, 7)]);
        assert!(days.contains(DateKst::from_days(6)));
        assert!(!days.contains(DateKst::from_days(3)));
        let gaps = |end| {
            days.gaps_before(DateKst::from_days(end))
                .map(DateKst::days)
                .collect::<Vec<_>>()
        };
        assert_eq!(gaps(10), [3, 4, 8, 9]);
        assert!(
            gaps(1).is_empty()
                && Days::default()
                    .gaps_before(DateKst::from_days(9))
                    .next()
                    .is_none()
        );
    }

    #[test]
    fn a_day_taken_out_leaves_its_neighbours() {
        let mut days = of(&[1, 2, 3, 4]);
        days.remove(DateKst::from_days(2));
        assert_eq!(days.0, [range(1, 1), range(3, 4)]);
        for day in [1, 3, 4, 9] {
            days.remove(DateKst::from_days(day));
        }
        assert!(days.is_empty());
    }

    #[test]
    fn days_read_back_as_they_were_written() {
        let days = of(&[20_458, 20_459, 20_470]);
        let text = serde_json::to_string(&days).unwrap();
        assert_eq!(
            text,
            r#"[["2026-01-05","2026-01-06"],["2026-01-17","2026-01-17"]]"#
        );
        assert_eq!(serde_json::from_str::<Days>(&text).unwrap(), days);
    }
}
