//! Exact money: `DECIMAL(38,2)`, held as a whole number of hundredths.

use std::fmt;

/// Largest magnitude `DECIMAL(38,2)` can hold, in hundredths: 38 nines.
const MAX_UNITS: i128 = 10_i128.pow(38) - 1;

/// An exact amount in hundredths of a won; the value of a `DECIMAL(38,2)` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i128);

/// Why a text is not exact money. The row that holds it is quarantined, never rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number: `NaN`, `12,000`, `1_000`, full-width digits.
    #[error("not a decimal number")]
    NotANumber,
    /// Not a whole number of hundredths: `10.005`.
    #[error("more than two decimal places")]
    TooPrecise,
    /// More than 38 digits at scale 2.
    #[error("over 38 digits")]
    Overflow,
}

impl Money {
    /// Zero won.
    pub const ZERO: Self = Self(0);

    /// From hundredths; `None` past 38 digits.
    #[must_use]
    pub fn from_units(units: i128) -> Option<Self> {
        (-MAX_UNITS..=MAX_UNITS).contains(&units).then_some(Self(units))
    }

    /// The amount in hundredths, as a `DECIMAL(38,2)` array stores it.
    #[must_use]
    pub const fn units(self) -> i128 {
        self.0
    }

    /// Reads the text of a JSON number or string: surrounding ASCII blanks, a sign, `.5`, `5.` and exponents are
    /// taken, and the value must be exact in two decimals (lakehouse contract 1, "Money is exact").
    /// A no-break space is no blank here: like a full-width digit it looks right and is none of a number's characters.
    ///
    /// # Errors
    /// See [`MoneyError`]; the text is never rounded or cut.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let bytes = text.as_bytes().trim_ascii();
        let (negative, rest) = match bytes.split_first() {
            Some((b'-', rest)) => (true, rest),
            Some((b'+', rest)) => (false, rest),
            _ => (false, bytes),
        };
        let units = unsigned_units(rest)?;
        Ok(Self(if negative { -units } else { units }))
    }

    /// Sum that refuses to wrap.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::from_units)
    }
}

/// The digits, point and exponent after the sign, as hundredths.
fn unsigned_units(bytes: &[u8]) -> Result<i128, MoneyError> {
    let mut mantissa: i128 = 0;
    let mut digits_seen = false;
    let mut point_seen = false;
    // Power of ten that `mantissa` is to be multiplied with.
    let mut scale: i64 = 0;
    let mut at = 0;
    // Zeros are held back until a digit follows, so that "1.000...0" of any length stays exact.
    let mut pending_zeros: u32 = 0;
    while let Some(&b) = bytes.get(at) {
        match b {
            b'0' => {
                digits_seen = true;
                if mantissa != 0 {
                    pending_zeros += 1;
                }
                scale -= i64::from(point_seen);
            }
            b'1'..=b'9' => {
                digits_seen = true;
                mantissa = shifted(mantissa, pending_zeros + 1)?
                    .checked_add(i128::from(b - b'0'))
                    .ok_or(MoneyError::Overflow)?;
                pending_zeros = 0;
                scale -= i64::from(point_seen);
            }
            b'.' if !point_seen => point_seen = true,
            b'e' | b'E' if digits_seen => {
                scale = scale.saturating_add(exponent(bytes.get(at + 1..).unwrap_or_default())?);
                at = bytes.len();
                break;
            }
            _ => return Err(MoneyError::NotANumber),
        }
        at += 1;
    }
    if !digits_seen || at != bytes.len() {
        return Err(MoneyError::NotANumber);
    }
    if mantissa == 0 {
        return Ok(0);
    }
    // value = mantissa * 10^(scale + pending zeros); hundredths add two more.
    let power = scale.saturating_add(i64::from(pending_zeros)).saturating_add(2);
    let units = if power >= 0 {
        shifted(mantissa, u32::try_from(power).map_err(|_| MoneyError::Overflow)?)?
    } else {
        // A mantissa ends in a non-zero digit, so any negative power leaves a fraction of a hundredth.
        return Err(MoneyError::TooPrecise);
    };
    if units > MAX_UNITS {
        Err(MoneyError::Overflow)
    } else {
        Ok(units)
    }
}

/// `value * 10^power`, or overflow.
fn shifted(value: i128, power: u32) -> Result<i128, MoneyError> {
    if value == 0 {
        return Ok(0);
    }
    10_i128
        .checked_pow(power)
        .and_then(|p| value.checked_mul(p))
        .ok_or(MoneyError::Overflow)
}

/// The text after `e`, saturated: what is beyond 18 digits cannot be money anyway.
fn exponent(bytes: &[u8]) -> Result<i64, MoneyError> {
    let (negative, digits) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, bytes),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(MoneyError::NotANumber);
    }
    let value = digits.iter().fold(0_i64, |n, b| {
        n.saturating_mul(10).saturating_add(i64::from(b - b'0'))
    });
    // Bounded, so that adding it to a scale cannot overflow.
    let value = value.min(1_000_000_000_000);
    Ok(if negative { -value } else { value })
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", units / 100, units % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::{Money, MoneyError};

    fn parsed(text: &str) -> Result<String, MoneyError> {
        Money::parse(text).map(|m| m.to_string())
    }

    #[test]
    fn every_spelling_of_an_exact_amount_is_that_amount() {
        for (text, want) in [
            ("10.500", "10.50"),
            ("1e3", "1000.00"),
            (" 10.00 ", "10.00"),
            ("\t10.00\r\n", "10.00"),
            ("1234.50", "1234.50"),
            ("+5", "5.00"),
            (".5", "0.50"),
            ("5.", "5.00"),
            ("1922378e-2", "19223.78"),
            ("-0.00", "0.00"),
            ("-5.00", "-5.00"),
            ("0e999999999999", "0.00"),
            ("0.000000000000000000000000000000000000000000000000000", "0.00"),
            ("1.0000000000000000000000000000000000000000000000000000", "1.00"),
            ("100e-4", "0.01"),
            ("1E+2", "100.00"),
            (
                "1234567890123456789012345678.90",
                "1234567890123456789012345678.90",
            ),
            (
                "999999999999999999999999999999999999.99",
                "999999999999999999999999999999999999.99",
            ),
            ("000000000000000000000000000000000000000000001", "1.00"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn nothing_is_rounded_or_guessed() {
        use MoneyError::{NotANumber, Overflow, TooPrecise};
        for (text, want) in [
            ("10.005", TooPrecise),
            ("0.001", TooPrecise),
            ("1e-3", TooPrecise),
            ("1e-99999999999999999999", TooPrecise),
            ("1000000000000000000000000000000000000", Overflow),
            ("1e36", Overflow),
            ("1e99999999999999999999", Overflow),
            ("NaN", NotANumber),
            ("Infinity", NotANumber),
            ("12,000", NotANumber),
            ("1_000", NotANumber),
            ("１２", NotANumber),
            ("\u{a0}10.00", NotANumber),
            ("10.00\u{a0}", NotANumber),
            ("\u{3000}10.00", NotANumber),
            ("\u{feff}10.00", NotANumber),
            ("", NotANumber),
            (".", NotANumber),
            ("-", NotANumber),
            ("e5", NotANumber),
            ("1e", NotANumber),
            ("1e+", NotANumber),
            ("1.2.3", NotANumber),
            ("--1", NotANumber),
            ("1 0", NotANumber),
            ("0x10", NotANumber),
            ("1e2.0", NotANumber),
        ] {
            assert_eq!(parsed(text), Err(want), "{text}");
        }
    }
}
