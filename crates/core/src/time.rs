//! Instants in UTC microseconds, the KST business day, and half-open windows.
//! Follows lakehouse contract 1, "Time".

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds in one second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in one day; KST has no daylight saving, so every business day has this length.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// KST is UTC+9.
const KST_OFFSET_MICROS: i64 = 9 * 3_600 * MICROS_PER_SECOND;
/// Days from 0001-01-01 (day 1) to 1970-01-01.
const EPOCH_FROM_CE: i32 = 719_163;
/// 9999-12-31.
const LAST_DAY: i32 = 2_932_896;

/// A text that is not a timestamp or a date of the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct InvalidTime {
    text: String,
    expected: &'static str,
}

/// An instant: microseconds since 1970-01-01T00:00:00Z, the unit of every stored timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMicros(i64);

impl UtcMicros {
    /// The first instant of the contract: 0001-01-01T00:00:00Z.
    pub const FIRST: Self = Self(DateKst::FIRST.0 as i64 * MICROS_PER_DAY);
    /// The last instant of the contract, 9999-12-31T14:59:59.999999Z: beyond it the business day has a year of five digits,
    /// which no reader of a Delta table takes.
    pub const LAST: Self = Self(DateKst::LAST.end().0 - 1);

    /// From microseconds since the epoch.
    #[must_use]
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads a source timestamp (ground rule "Time"): RFC 3339 with any offset or `Z`, or naive (= UTC), a blank
    /// in place of `T`; digits below the microsecond are cut. `None` for anything else, a leap second and an instant outside
    /// [`Self::FIRST`] to [`Self::LAST`] included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        let head = b.get(..19)?;
        let two =
            |at: usize| -> Option<i64> { Some(digit(*head.get(at)?)? * 10 + digit(*head.get(at + 1)?)?) };
        let marks = head[4] == b'-'
            && head[7] == b'-'
            && matches!(head[10], b'T' | b't' | b' ')
            && head[13] == b':'
            && head[16] == b':';
        let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
        if !marks || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let year = two(0)? * 100 + two(2)?;
        let days = days_from_civil(year, two(5)?, two(8)?)?;
        let (fraction, rest) = fraction_micros(b.get(19..)?)?;
        let offset_seconds = offset_seconds(rest)?;
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset_seconds;
        Some(Self(seconds * MICROS_PER_SECOND + fraction)).filter(|at| at.is_of_the_contract())
    }

    /// Whether the years of its UTC day and of its business day are 1 to 9999.
    #[must_use]
    pub const fn is_of_the_contract(self) -> bool {
        Self::FIRST.0 <= self.0 && self.0 <= Self::LAST.0
    }

    /// The business day this instant falls on.
    #[must_use]
    pub const fn date_kst(self) -> DateKst {
        DateKst(
            self.0
                .saturating_add(KST_OFFSET_MICROS)
                .div_euclid(MICROS_PER_DAY) as i32,
        )
    }

    /// Days since the epoch of the UTC date, as a Date32 column stores it (`ingest_date`).
    #[must_use]
    pub const fn utc_day(self) -> i32 {
        self.0.div_euclid(MICROS_PER_DAY) as i32
    }

    /// The last multiple of `step_micros` at or before this instant.
    #[must_use]
    pub const fn floor_to(self, step_micros: i64) -> Self {
        Self(self.0.div_euclid(step_micros) * step_micros)
    }

    /// This instant moved by some microseconds.
    #[must_use]
    pub const fn plus(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

fn digit(b: u8) -> Option<i64> {
    b.is_ascii_digit().then(|| i64::from(b - b'0'))
}

/// Days since the epoch of a proleptic Gregorian date; `None` when there is no such day or the year is 0.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if year < 1 || day < 1 || day > length {
        return None;
    }
    // Counted from March, so that the leap day comes last.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    Some(365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 719_469)
}

/// The optional `.digits`, cut to microseconds, and what follows.
fn fraction_micros(b: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = b.split_first() else {
        return Some((0, b));
    };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let (taken, rest) = digits.split_at(count);
    let micros = (0..6).fold(0, |n, i| n * 10 + taken.get(i).map_or(0, |b| i64::from(b - b'0')));
    Some((micros, rest))
}

/// `""`, `Z` or `+09:00`, in seconds east of UTC.
fn offset_seconds(b: &[u8]) -> Option<i64> {
    match b {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = digit(*h1)? * 10 + digit(*h2)?;
            let minutes = digit(*m1)? * 10 + digit(*m2)?;
            let seconds = (hours <= 23 && minutes <= 59).then_some(hours * 3_600 + minutes * 60)?;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

impl fmt::Display for UtcMicros {
    /// RFC 3339 in UTC; the fraction only when there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_micros(self.0) {
            Some(t) if self.0.rem_euclid(MICROS_PER_SECOND) == 0 => {
                write!(f, "{}", t.format("%Y-%m-%dT%H:%M:%SZ"))
            }
            Some(t) => write!(f, "{}", t.format("%Y-%m-%dT%H:%M:%S%.6fZ")),
            None => write!(f, "{}us", self.0),
        }
    }
}

impl std::str::FromStr for UtcMicros {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or_else(|| InvalidTime {
            text: text.to_owned(),
            expected: "an RFC 3339 time such as 2026-01-05T15:20:00Z",
        })
    }
}

impl Serialize for UtcMicros {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcMicros {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A KST business day, as days since the epoch (the value of a Date32 column).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateKst(i32);

impl DateKst {
    /// A day before every day a time can name.
    pub const BEGINNING: Self = Self(i32::MIN);
    /// The first day of the contract, 0001-01-01.
    pub const FIRST: Self = Self(1 - EPOCH_FROM_CE);
    /// The last day of the contract, 9999-12-31.
    pub const LAST: Self = Self(LAST_DAY);

    /// From days since the epoch.
    #[must_use]
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since the epoch.
    #[must_use]
    pub const fn days(self) -> i32 {
        self.0
    }

    /// Midnight KST at which the day begins.
    #[must_use]
    pub const fn start(self) -> UtcMicros {
        UtcMicros(self.0 as i64 * MICROS_PER_DAY - KST_OFFSET_MICROS)
    }

    /// Midnight KST at which the day is over.
    #[must_use]
    pub const fn end(self) -> UtcMicros {
        self.next().start()
    }

    /// The day as a half-open window.
    #[must_use]
    pub const fn window(self) -> UtcWindow {
        UtcWindow {
            start: self.start(),
            end: self.end(),
        }
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The day before.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0 - 1)
    }
}

impl fmt::Display for DateKst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self
            .0
            .checked_add(EPOCH_FROM_CE)
            .and_then(NaiveDate::from_num_days_from_ce_opt)
        {
            Some(d) => write!(f, "{:04}-{:02}-{:02}", d.year(), d.month(), d.day()),
            None => write!(f, "day {}", self.0),
        }
    }
}

impl std::str::FromStr for DateKst {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTime {
            text: text.to_owned(),
            expected: "a date such as 2026-01-05",
        };
        let shaped = text.len() == 10
            && text.bytes().enumerate().all(|(i, b)| {
                if i == 4 || i == 7 {
                    b == b'-'
                } else {
                    b.is_ascii_digit()
                }
            });
        if !shaped {
            return Err(invalid());
        }
        let number = |range: std::ops::Range<usize>| text.get(range).and_then(|s| s.parse::<i64>().ok());
        let days = match (number(0..4), number(5..7), number(8..10)) {
            (Some(y), Some(m), Some(d)) => days_from_civil(y, m, d),
            _ => None,
        };
        days.and_then(|d| i32::try_from(d).ok())
            .map(Self)
            .ok_or_else(invalid)
    }
}

impl<'de> Deserialize<'de> for DateKst {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for DateKst {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// A half-open span of time, `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct UtcWindow {
    /// First instant inside.
    pub start: UtcMicros,
    /// First instant after.
    pub end: UtcMicros,
}

impl UtcWindow {
    /// The business days the window touches, oldest first.
    pub fn dates_kst(self) -> impl Iterator<Item = DateKst> {
        let last = self.end.plus(-1).date_kst();
        let first = self.start.date_kst();
        (first.days()..=last.days()).map(DateKst::from_days)
    }
}

impl fmt::Display for UtcWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::{DateKst, UtcMicros};

    fn shown(text: &str) -> Option<String> {
        UtcMicros::parse(text).map(|t| t.to_string())
    }

    #[test]
    fn every_spelling_of_an_instant_is_that_instant() {
        for (text, want) in [
            ("2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z"),
            ("2026-01-05 00:00:00", "2026-01-05T00:00:00Z"),
            ("2026-01-05T00:00:00+09:00", "2026-01-04T15:00:00Z"),
            ("2026-01-04t18:30:00.5-05:30", "2026-01-05T00:00:00.500000Z"),
            ("2026-01-05T00:00:00.123456987Z", "2026-01-05T00:00:00.123456Z"),
            ("2024-02-29T23:59:59.999999z", "2024-02-29T23:59:59.999999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999+09:00", "9999-12-31T14:59:59.999999Z"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_timestamp_is_not_guessed() {
        for text in [
            "",
            "not-a-time",
            "2026-01-05",
            "1767571200",
            "2026-01-05T00:00:60Z",
            "2026-13-45T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T00:00:00+0900",
            "2026-01-05T00:00:00.Z",
            "2026-01-05T00:00Z",
            " 2026-01-05T00:00:00Z",
            "2026-01-05T00:00:00Z ",
            "2026-01-05T00:00:00+24:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+09:00",
            "9999-12-31T23:59:59-01:00",
            "9999-12-31T15:00:00Z",
            "9999-12-31T23:59:59Z",
            "2026-1-05T00:00:00Z",
            "２026-01-05T00:00:00Z",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn the_business_day_turns_at_15_utc() {
        let last = UtcMicros::parse("2026-01-05T14:59:59.999999Z").map(UtcMicros::date_kst);
        let first = UtcMicros::parse("2026-01-05T15:00:00Z").map(UtcMicros::date_kst);
        assert_eq!(last.map(|d| d.to_string()).as_deref(), Some("2026-01-05"));
        assert_eq!(first.map(|d| d.to_string()).as_deref(), Some("2026-01-06"));
    }

    #[test]
    fn the_first_and_the_last_instant_are_of_days_with_years_of_four_digits() {
        let shown = |at: UtcMicros| (at.to_string(), at.date_kst().to_string());
        let of = |at: &str, day: &str| (at.to_owned(), day.to_owned());
        assert_eq!(shown(UtcMicros::FIRST), of("0001-01-01T00:00:00Z", "0001-01-01"));
        assert_eq!(
            shown(UtcMicros::LAST),
            of("9999-12-31T14:59:59.999999Z", "9999-12-31")
        );
        for (day, text) in [(DateKst::FIRST, "0001-01-01"), (DateKst::LAST, "9999-12-31")] {
            assert_eq!(text.parse(), Ok(day));
        }
        assert!(!UtcMicros::LAST.plus(1).is_of_the_contract());
        assert!(!UtcMicros::FIRST.plus(-1).is_of_the_contract());
        for text in ["10000-01-01", "0000-12-31", "+9999-12-31"] {
            assert!(text.parse::<DateKst>().is_err(), "{text}");
        }
    }

    #[test]
    fn dates_round_trip_over_four_centuries() {
        for days in -150_000..150_000 {
            let date = DateKst::from_days(days);
            assert_eq!(date.to_string().parse(), Ok(date));
            assert_eq!(date.start().date_kst(), date);
            assert_eq!(date.end().plus(-1).date_kst(), date);
        }
        assert!("2026-02-30".parse::<DateKst>().is_err());
        assert!("2026-1-5".parse::<DateKst>().is_err());
        assert!("2026-01-0５".parse::<DateKst>().is_err());
    }
}
