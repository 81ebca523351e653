//! Civil dates and the text of instants. Instants are microseconds since 1970-01-01T00:00:00Z.

use crate::text::{ascii, push_padded, push_unsigned};

pub(crate) const SECOND_US: i64 = 1_000_000;
pub(crate) const MINUTE_US: i64 = 60 * SECOND_US;
pub(crate) const DAY_US: i64 = 86_400 * SECOND_US;
/// Korea Standard Time is UTC+9 all year round.
pub(crate) const KST_OFFSET_US: i64 = 9 * 60 * MINUTE_US;

/// A date of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CivilDate {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

impl CivilDate {
    /// A `YYYY-MM-DD` text that names a day that exists.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let number = |part: &[u8]| {
            part.iter().try_fold(0_i64, |sum, digit| {
                digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
            })
        };
        let date = Self {
            year: number(&bytes[..4])?,
            month: number(&bytes[5..7])?,
            day: number(&bytes[8..])?,
        };
        // A day that does not exist (02-30, month 13) comes back from its number as another one.
        (Self::from_days(date.days()) == date).then_some(date)
    }

    /// Days since 1970-01-01. Counts years from March, so that the leap day ends them.
    pub(crate) fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_from_march = (self.month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The inverse of [`Self::days`].
    pub(crate) fn from_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// The date so many days later.
    pub(crate) fn plus_days(self, days: i64) -> Self {
        Self::from_days(self.days() + days)
    }

    /// `YYYY-MM-DD`.
    pub(crate) fn iso(self) -> String {
        let mut out = Vec::with_capacity(10);
        push_date(&mut out, self);
        ascii(out)
    }

    /// The date as the number `YYYYMMDD`.
    pub(crate) fn compact(self) -> u32 {
        (self.year * 10_000 + self.month * 100 + self.day).unsigned_abs() as u32
    }
}

fn push_date(out: &mut Vec<u8>, date: CivilDate) {
    push_padded(out, date.year.unsigned_abs(), 4);
    out.push(b'-');
    push_padded(out, date.month.unsigned_abs(), 2);
    out.push(b'-');
    push_padded(out, date.day.unsigned_abs(), 2);
}

/// `YYYY-MM-DDTHH:MM:SS`, of seconds since the epoch.
pub(crate) fn push_seconds(out: &mut Vec<u8>, seconds: i64) {
    push_date(out, CivilDate::from_days(seconds.div_euclid(86_400)));
    let of_day = seconds.rem_euclid(86_400).unsigned_abs();
    out.push(b'T');
    push_padded(out, of_day / 3600, 2);
    out.push(b':');
    push_padded(out, of_day / 60 % 60, 2);
    out.push(b':');
    push_padded(out, of_day % 60, 2);
}

/// `YYYY-MM-DDTHH:MM:SS.ffffff` with no zone.
pub(crate) fn naive(at_us: i64) -> String {
    let mut out = Vec::with_capacity(26);
    push_seconds(&mut out, at_us.div_euclid(SECOND_US));
    out.push(b'.');
    push_padded(&mut out, at_us.rem_euclid(SECOND_US).unsigned_abs(), 6);
    ascii(out)
}

/// `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
pub(crate) fn utc(at_us: i64) -> String {
    naive(at_us) + "Z"
}

/// The same instant written with another zone: `2026-01-05T09:00:00.000000+09:00`.
pub(crate) fn with_offset(at_us: i64, offset_minutes: i64) -> String {
    let mut out = naive(at_us + offset_minutes * MINUTE_US).into_bytes();
    out.push(if offset_minutes < 0 { b'-' } else { b'+' });
    let minutes = offset_minutes.unsigned_abs();
    push_padded(&mut out, minutes / 60, 2);
    out.push(b':');
    push_padded(&mut out, minutes % 60, 2);
    ascii(out)
}

/// `pYYYYMMDD`: the batch of a day's product load.
pub(crate) fn product_batch(date: CivilDate) -> String {
    let mut out = vec![b'p'];
    push_unsigned(&mut out, u64::from(date.compact()));
    ascii(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip_over_four_centuries() {
        let first = CivilDate {
            year: 1890,
            month: 1,
            day: 1,
        }
        .days();
        for days in first..first + 146_097 {
            let date = CivilDate::from_days(days);
            assert_eq!(date.days(), days);
            assert_eq!(CivilDate::parse(&date.iso()), Some(date));
        }
    }

    #[test]
    fn known_days() {
        assert_eq!(
            CivilDate {
                year: 1970,
                month: 1,
                day: 1
            }
            .days(),
            0
        );
        assert_eq!(
            CivilDate {
                year: 2026,
                month: 1,
                day: 5
            }
            .days(),
            20_458
        );
        assert_eq!(CivilDate::from_days(20_458).compact(), 20_260_105);
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-05",
            "20260105",
            "",
            "2026-01-0５",
        ] {
            assert_eq!(CivilDate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn instants_as_text() {
        let at = 20_458 * DAY_US + 3_723_000_045;
        assert_eq!(utc(at), "2026-01-05T01:02:03.000045Z");
        assert_eq!(with_offset(at, 540), "2026-01-05T10:02:03.000045+09:00");
        assert_eq!(with_offset(at, -330), "2026-01-04T19:32:03.000045-05:30");
        assert_eq!(utc(-1), "1969-12-31T23:59:59.999999Z");
    }
}
