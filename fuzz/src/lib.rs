//! What must hold for whatever a stranger sends: one `check` for each fuzz target. It returns, or it panics and the
//! input is a finding. See `README.md` for the form of the inputs, `scripts/fuzz.sh` for running them.

pub mod event;
mod event_json;
pub mod mutation;
pub mod query;
mod scalar;
pub mod token;
mod token_claims;

use libfuzzer_sys::Corpus;
use nsc_core::UtcMicros;

/// What became of an input that is no finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken as what it claims to be.
    Accepted,
    /// It was refused.
    Refused,
}

impl Outcome {
    const fn of(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::Refused }
    }

    /// Whether libFuzzer may build on the input. There are many more ways to be refused than to be accepted: left to
    /// themselves, refused inputs crowd the others out and what lies behind acceptance is hardly seen (of a million
    /// runs of `token` 7,900 were accepted, 27,000 are now). So of the refused a quarter is kept, by their bytes, to
    /// be repeatable.
    pub fn kept(self, data: &[u8]) -> Corpus {
        let sum = data.iter().fold(data.len() as u32, |sum, b| {
            sum.wrapping_mul(31).wrapping_add(u32::from(*b))
        });
        match self {
            Self::Refused if !(sum >> 4).is_multiple_of(4) => Corpus::Reject,
            _ => Corpus::Keep,
        }
    }
}

/// The defect that is planted with the feature `canary`.
#[cfg(feature = "canary")]
#[track_caller]
fn canary(reached: bool) {
    assert!(!reached, "the planted canary was found");
}

/// Nothing is planted.
#[cfg(not(feature = "canary"))]
fn canary(_reached: bool) {}

/// 0001-01-01T00:00:00Z and the last microsecond of the year 9999.
const FOUR_DIGIT_YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// Whether a time that was read prints as text that is read again. One whose offset leads out of the years 1 to 9999
/// is kept, as an instant, but prints with the year 0000 or +10000, which no reader takes.
fn prints_readably(time: UtcMicros) -> bool {
    const A_DAY: i64 = nsc_core::MICROS_PER_DAY;
    let micros = time.micros();
    let (first, last) = FOUR_DIGIT_YEARS.into_inner();
    assert!(
        (first - A_DAY..=last + A_DAY).contains(&micros),
        "{time} cannot have been written"
    );
    FOUR_DIGIT_YEARS.contains(&micros)
}

/// Whether PostgreSQL can store this text as an id and an index can hold it.
fn is_storable(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0') && text.chars().count() <= 255
}

/// The part before the first line feed, and what follows it.
fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|b| *b == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
