//! Sets of business days, kept as ranges: a year of days is one range, and a gap shows.

use nsc_core::{DateKst, InvalidTime};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Business days as closed ranges in order, as they are written to `gold.pipeline_state`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Days(Vec<(DateKst, DateKst)>);

impl<'de> Deserialize<'de> for Days {
    /// Days outside of the calendar, as versions before wrote them, are left out: nothing can be stored for them.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let mut ranges = Vec::new();
        for (first, last) in Vec::<(String, String)>::deserialize(d)? {
            let first = within_calendar(&first).map_err(D::Error::custom)?;
            let last = within_calendar(&last).map_err(D::Error::custom)?;
            match (first, last) {
                (Edge::After, _) | (_, Edge::Before) => {
                    tracing::warn!("days outside of the years 1 to 9999 are left out");
                }
                (first, last) => ranges.push((first.or(DateKst::FIRST), last.or(DateKst::LAST))),
            }
        }
        Ok(Self(ranges))
    }
}

/// Where a day that was written lies.
enum Edge {
    Before,
    Day(DateKst),
    After,
}

impl Edge {
    fn or(self, bound: DateKst) -> DateKst {
        match self {
            Self::Day(day) => day,
            Self::Before | Self::After => bound,
        }
    }
}

fn within_calendar(text: &str) -> Result<Edge, InvalidTime> {
    text.parse().map(Edge::Day).or_else(|error| {
        let mut parts = text.trim_start_matches('-').split('-');
        let numbers =
            [parts.next(), parts.next(), parts.next()].map(|p| p.and_then(|p| p.parse::<u32>().ok()));
        match (numbers, parts.next()) {
            ([Some(year), Some(_), Some(_)], None) if year > 9999 && !text.starts_with('-') => {
                Ok(Edge::After)
            }
            ([Some(year), Some(_), Some(_)], None) if year == 0 || text.starts_with('-') => Ok(Edge::Before),
            _ => Err(error),
        }
    })
}

impl Days {
    /// One day.
    #[must_use]
    pub fn of(day: DateKst) -> Self {
        Self(vec![(day, day)])
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a day is among them.
    #[must_use]
    pub fn contains(&self, day: DateKst) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < day);
        self.0.get(at).is_some_and(|(first, _)| *first <= day)
    }

    /// Adds a day, joining neighbouring ranges.
    pub fn insert(&mut self, day: DateKst) {
        self.insert_range(day, day);
    }

    /// Adds all days from `first` to `last`, both included, at the cost of one range however many days it has.
    pub fn insert_range(&mut self, first: DateKst, last: DateKst) {
        // Ranges that overlap or touch the new one become part of it.
        let from = self.0.partition_point(|(_, l)| l.next() < first);
        let to = self.0.partition_point(|(f, _)| *f <= last.next()).max(from);
        let mut joined = (first, last);
        for (f, l) in self.0.drain(from..to) {
            joined = (joined.0.min(f), joined.1.max(l));
        }
        self.0.insert(from, joined);
    }

    /// Adds the days of another set.
    pub fn absorb(&mut self, other: &Self) {
        for (first, last) in &other.0 {
            self.insert_range(*first, *last);
        }
    }

    /// The days, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = DateKst> + '_ {
        self.0
            .iter()
            .flat_map(|(first, last)| (first.days()..=last.days()).map(DateKst::from_days))
    }

    /// The days as ranges, both ends included, oldest first.
    pub fn ranges(&self) -> impl Iterator<Item = (DateKst, DateKst)> + '_ {
        self.0.iter().copied()
    }

    /// The days that are missing between the first of them and `end` (exclusive). However far back the first one lies,
    /// there are no more ranges than there are here.
    #[must_use]
    pub fn gaps_before(&self, end: DateKst) -> Self {
        let next = self.0.iter().skip(1).map(|(first, _)| *first).chain([end]);
        let gaps = self.0.iter().zip(next).filter_map(|((_, last), next)| {
            let (first, last) = (last.next(), next.min(end).previous());
            (first <= last).then_some((first, last))
        });
        Self(gaps.collect())
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
            let gaps = days.gaps_before(DateKst::from_days(end));
            gaps.iter().map(DateKst::days).collect::<Vec<_>>()
        };
        assert_eq!(gaps(10), [3, 4, 8, 9]);
        assert_eq!((gaps(4), gaps(6)), (vec![3], vec![3, 4]));
        assert!(gaps(1).is_empty() && Days::default().gaps_before(DateKst::from_days(9)).is_empty());
    }

    #[test]
    fn centuries_between_two_days_are_one_gap() {
        let days = of(&[-719_162, 20_458]);
        let gaps = days.gaps_before(DateKst::from_days(20_460));
        assert_eq!(gaps.0, [range(-719_161, 20_457), range(20_459, 20_459)]);
        let mut all = days.clone();
        all.absorb(&gaps);
        assert_eq!(all.0, [range(-719_162, 20_459)]);
    }

    #[test]
    fn a_range_joins_every_range_it_touches_and_no_other() {
        for (first, last, wanted) in [
            (3, 4, vec![range(1, 7), range(10, 11)]),
            (2, 6, vec![range(1, 7), range(10, 11)]),
            (0, 20, vec![range(0, 20)]),
            (
                13,
                14,
                vec![range(1, 2), range(5, 7), range(10, 11), range(13, 14)],
            ),
            (12, 12, vec![range(1, 2), range(5, 7), range(10, 12)]),
            (
                -9,
                -1,
                vec![range(-9, -1), range(1, 2), range(5, 7), range(10, 11)],
            ),
        ] {
            let mut days = of(&[1, 2, 5, 6, 7, 10, 11]);
            days.insert_range(DateKst::from_days(first), DateKst::from_days(last));
            assert_eq!(days.0, wanted, "{first}..{last}");
        }
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

    #[test]
    fn days_outside_of_the_calendar_are_left_out_and_anything_else_is_an_error() {
        let read = |json: &str| serde_json::from_str::<Days>(json).map(|d| d.0);
        assert_eq!(
            read(r#"[["2026-01-05","2026-01-05"],["10000-01-01","10000-01-01"]]"#).unwrap(),
            [range(20_458, 20_458)]
        );
        assert_eq!(
            read(r#"[["0000-12-31","0001-01-01"],["9999-12-31","10000-01-01"]]"#).unwrap(),
            [(DateKst::FIRST, DateKst::FIRST), (DateKst::LAST, DateKst::LAST)]
        );
        for text in [
            r#"[["2026-13-01","2026-01-05"]]"#,
            r#"[["x","y"]]"#,
            r#"[["2026-01-05"]]"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
