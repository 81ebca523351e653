//! Amounts and times alone, each held against a second reader.

use chrono::DateTime;
use nsc_core::{Money, UtcMicros};

use crate::{Outcome, prints_readably};

/// An amount prints back to itself and is worth what its digits say.
pub(crate) fn check_amount(data: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(data) else {
        return Outcome::Refused;
    };
    let read = Money::parse(text);
    if let Ok(money) = read {
        assert_eq!(Money::parse(&money.to_string()), Ok(money), "{text:?}");
        assert_eq!(
            Money::from_units(money.units()),
            Some(money),
            "{text:?} is over 38 digits"
        );
    }
    if let Some(hundredths) = by_shifting_digits(text.trim_ascii()) {
        let worth = hundredths.parse().ok().and_then(Money::from_units);
        assert_eq!(read.ok(), worth, "{text:?}");
    }
    Outcome::of(read.is_ok())
}

/// The hundredths of a plain decimal number, by moving its point; `None` for what this reader leaves to the other:
/// no number, an exponent of three digits, a fraction of a hundredth.
fn by_shifting_digits(text: &str) -> Option<String> {
    let (sign, unsigned) = match text.split_at_checked(1) {
        Some(("-", rest)) => ("-", rest),
        Some(("+", rest)) => ("", rest),
        _ => ("", text),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !are_digits(&digits) || exponent_digits.len() > 2 || !are_digits(exponent_digits)
    {
        return None;
    }
    let point = whole.len() as i64 + exponent.parse::<i64>().ok()? + 2;
    let point = usize::try_from(point).unwrap_or(0);
    // a point moved before the first digit leaves only a fraction, which is nothing or too precise
    let (kept, cut) = digits.split_at(point.min(digits.len()));
    if cut.bytes().any(|b| b != b'0') {
        return None;
    }
    let kept = format!("{kept}{}", "0".repeat(point - kept.len()));
    let significant = kept.trim_start_matches('0');
    Some(if significant.is_empty() {
        "0".to_owned()
    } else {
        format!("{sign}{significant}")
    })
}

/// A time prints back to itself, and chrono's RFC 3339 says the same where it applies.
pub(crate) fn check_time(data: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(data) else {
        return Outcome::Refused;
    };
    let read = UtcMicros::parse(text);
    if let Some(time) = read
        && prints_readably(time)
    {
        assert_eq!(UtcMicros::parse(&time.to_string()), Some(time), "{text:?}");
    }
    // chrono also has a year 0 and leap seconds, so only what both read is compared
    if let (Some(time), Ok(other)) = (read, DateTime::parse_from_rfc3339(text)) {
        assert_eq!(time.micros(), other.timestamp_micros(), "{text:?}");
    }
    Outcome::of(read.is_some())
}
