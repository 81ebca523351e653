//! The text of every second of a day, made once: most of a line is time stamps.

use crate::calendar::{DAY_US, SECOND_US, naive, push_seconds};
use crate::text::push_padded;

/// Minutes kept before the day's start and after its end, for what is extracted or arrives there.
const MINUTES_BEFORE: i64 = 2;
const MINUTES_AFTER: i64 = 30;

/// `YYYY-MM-DDTHH:MM:SS`
type SecondText = [u8; 19];
/// `bYYYYMMDD-HHM0`: loads come in ten-minute batches.
type BatchText = [u8; 14];

/// A stretch of seconds in which a source loads nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    /// First second without a load.
    pub(crate) from: usize,
    /// First second with loads again.
    pub(crate) to: usize,
}

impl Gap {
    pub(crate) fn contains(self, second: usize) -> bool {
        (self.from..self.to).contains(&second)
    }
}

/// When a line was extracted and loaded. Seconds count from the table's start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) extracted: usize,
    pub(crate) ingested: usize,
    pub(crate) micros: u32,
}

/// Texts of the seconds around one day.
pub(crate) struct ClockText {
    first_second: i64,
    seconds: Vec<SecondText>,
    batches: Vec<BatchText>,
}

impl ClockText {
    /// Texts of the day that starts at `start_us`.
    pub(crate) fn new(start_us: i64) -> Self {
        let first_second = start_us.div_euclid(SECOND_US) - MINUTES_BEFORE * 60;
        let minutes = MINUTES_BEFORE + DAY_US / (60 * SECOND_US) + MINUTES_AFTER;
        let mut seconds = Vec::with_capacity(minutes as usize * 60);
        let mut batches = Vec::with_capacity(minutes as usize);
        let mut text = Vec::with_capacity(19);
        for second in first_second..first_second + minutes * 60 {
            text.clear();
            push_seconds(&mut text, second);
            let mut fixed = [0; 19];
            fixed.copy_from_slice(&text);
            if seconds.len() % 60 == 0 {
                batches.push(batch_of(&fixed));
            }
            seconds.push(fixed);
        }
        Self {
            first_second,
            seconds,
            batches,
        }
    }

    /// The table's index of the second this instant falls in.
    pub(crate) fn index(&self, at_us: i64) -> usize {
        usize::try_from(at_us.div_euclid(SECOND_US) - self.first_second).unwrap_or(0)
    }

    /// The second of this index.
    pub(crate) fn second(&self, index: usize) -> &[u8] {
        &self.seconds[index]
    }

    /// `second` as a text of its own, with `fraction` (or nothing) and a `Z` behind it.
    pub(crate) fn instant(&self, index: usize, fraction: &str) -> String {
        format!("{}{fraction}Z", String::from_utf8_lossy(self.second(index)))
    }

    /// The batch that loads the second of this index.
    pub(crate) fn batch(&self, index: usize) -> &[u8] {
        &self.batches[index / 60]
    }

    /// An instant to the microsecond; one before the table (an old payment's) is worked out.
    pub(crate) fn push_instant(&self, out: &mut Vec<u8>, at_us: i64) {
        let second = at_us.div_euclid(SECOND_US);
        if second < self.first_second {
            out.extend_from_slice(naive(at_us).as_bytes());
        } else {
            out.extend_from_slice(&self.seconds[(second - self.first_second) as usize]);
            out.push(b'.');
            push_padded(out, at_us.rem_euclid(SECOND_US).unsigned_abs(), 6);
        }
        out.push(b'Z');
    }

    /// The four load fields every table ends with, from `"ingested_at"` to the line's end.
    pub(crate) fn push_load_fields(&self, out: &mut Vec<u8>, arrival: Arrival, system: &str) {
        out.extend_from_slice(b"\"ingested_at\":\"");
        out.extend_from_slice(self.second(arrival.ingested));
        out.push(b'.');
        push_padded(out, u64::from(arrival.micros), 6);
        out.extend_from_slice(b"Z\",\"source_extracted_at\":\"");
        out.extend_from_slice(self.second(arrival.extracted));
        out.extend_from_slice(b"Z\",\"batch_id\":\"");
        out.extend_from_slice(self.batch(arrival.ingested));
        out.extend_from_slice(b"\",\"source_system\":\"");
        out.extend_from_slice(system.as_bytes());
        out.extend_from_slice(b"\"}\n");
    }
}

fn batch_of(second: &SecondText) -> BatchText {
    let [y0, y1, y2, y3, _, m0, m1, _, d0, d1, _, h0, h1, _, tens, ..] = *second;
    [b'b', y0, y1, y2, y3, m0, m1, d0, d1, b'-', h0, h1, tens, b'0']
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::CivilDate;

    #[test]
    fn a_day_has_its_seconds_and_batches() {
        let start = CivilDate {
            year: 2026,
            month: 1,
            day: 5,
        }
        .days()
            * DAY_US;
        let clock = ClockText::new(start);
        assert_eq!(clock.second(clock.index(start)), b"2026-01-05T00:00:00");
        assert_eq!(clock.batch(clock.index(start - 1)), b"b20260104-2350");
        assert_eq!(
            clock.instant(clock.index(start + DAY_US + 61_000_000), ".5"),
            "2026-01-06T00:01:01.5Z"
        );
        let mut out = Vec::new();
        clock.push_instant(&mut out, start + 1);
        assert_eq!(out, b"2026-01-05T00:00:00.000001Z");
    }
}
