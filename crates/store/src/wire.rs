//! Money and instants as PostgreSQL sends and takes them: `numeric(18,2)` and `timestamptz`, without a float, a
//! text or a calendar between.

use nsc_core::{Money, UtcMicros};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Decode, Encode, Type};

/// Built-in types have fixed numbers; by name they would be looked up on every connection.
const NUMERIC: PgTypeInfo = PgTypeInfo::with_oid(Oid(1700));
const NUMERIC_ARRAY: PgTypeInfo = PgTypeInfo::with_oid(Oid(1231));
const TIMESTAMPTZ: PgTypeInfo = PgTypeInfo::with_oid(Oid(1184));
const TIMESTAMPTZ_ARRAY: PgTypeInfo = PgTypeInfo::with_oid(Oid(1185));

/// PostgreSQL counts from 2000-01-01; microseconds between the two epochs.
const EPOCH_OFFSET_MICROS: i64 = 946_684_800 * 1_000_000;
/// 4714-11-24 BC, the first instant PostgreSQL has; its last is after what `i64` microseconds since 1970 can say.
const FIRST_OF_CALENDAR: i64 = -211_813_488_000_000_000;
/// `numeric` counts in digits of this size.
const BASE: i128 = 10_000;
const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;

/// A `numeric(18,2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount(pub(crate) Money);

/// A `timestamptz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) UtcMicros);

impl Instant {
    /// `-infinity`: before every stored instant.
    pub(crate) const FIRST: Self = Self(UtcMicros::new(i64::MIN));
    /// `infinity`: after every stored instant.
    pub(crate) const LAST: Self = Self(UtcMicros::new(i64::MAX));

    /// What is sent. The two ends of `i64` are PostgreSQL's infinities; what lies before its calendar becomes the
    /// first of them, so that any bound a caller gives is on the right side of every stored instant.
    fn sent(self) -> i64 {
        match self.0.micros() {
            i64::MAX => i64::MAX,
            micros => match micros.saturating_sub(EPOCH_OFFSET_MICROS) {
                before if before < FIRST_OF_CALENDAR => i64::MIN,
                within => within,
            },
        }
    }
}

impl Type<Postgres> for Amount {
    fn type_info() -> PgTypeInfo {
        NUMERIC
    }
}

impl PgHasArrayType for Amount {
    fn array_type_info() -> PgTypeInfo {
        NUMERIC_ARRAY
    }
}

impl Encode<'_, Postgres> for Amount {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let units = self.0.units();
        let (mut whole, hundredths) = (
            units.unsigned_abs() as i128 / 100,
            units.unsigned_abs() as i128 % 100,
        );
        // Least significant first; two decimals fill the upper half of one digit.
        let mut digits = vec![(hundredths * 100) as u16];
        while whole > 0 {
            digits.push((whole % BASE) as u16);
            whole /= BASE;
        }
        let weight = digits.len() as i16 - 2;
        let significant = digits.iter().position(|d| *d != 0).unwrap_or(digits.len());
        let sent = digits.get(significant..).unwrap_or_default();
        buf.extend_from_slice(&(sent.len() as u16).to_be_bytes());
        buf.extend_from_slice(&weight.to_be_bytes());
        buf.extend_from_slice(&(if units < 0 { NEGATIVE } else { POSITIVE }).to_be_bytes());
        buf.extend_from_slice(&2_u16.to_be_bytes());
        for digit in sent.iter().rev() {
            buf.extend_from_slice(&digit.to_be_bytes());
        }
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for Amount {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => Ok(Self(
                money_of(value.as_bytes()?).ok_or("not an amount of numeric(18,2)")?,
            )),
            PgValueFormat::Text => Ok(Self(Money::parse(value.as_str()?)?)),
        }
    }
}

/// Reads the binary form; `None` for NaN, infinity, a third decimal or anything too long.
fn money_of(bytes: &[u8]) -> Option<Money> {
    let mut words = bytes
        .chunks_exact(2)
        .filter_map(|w| Some(u16::from_be_bytes(w.try_into().ok()?)));
    let (_count, weight, sign, _scale) = (words.next()?, words.next()? as i16, words.next()?, words.next()?);
    if sign != POSITIVE && sign != NEGATIVE {
        return None;
    }
    let mut units: i128 = 0;
    let mut power = i32::from(weight);
    for digit in words {
        let digit = i128::from(digit);
        units = match power {
            0.. => units.checked_add(
                digit
                    .checked_mul(BASE.checked_pow(power as u32)?)?
                    .checked_mul(100)?,
            )?,
            -1 if digit % 100 == 0 => units.checked_add(digit / 100)?,
            _ => return None,
        };
        power -= 1;
    }
    Money::from_units(if sign == NEGATIVE { -units } else { units })
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        TIMESTAMPTZ
    }
}

impl PgHasArrayType for Instant {
    fn array_type_info() -> PgTypeInfo {
        TIMESTAMPTZ_ARRAY
    }
}

impl Encode<'_, Postgres> for Instant {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buf.extend_from_slice(&self.sent().to_be_bytes());
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for Instant {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        // Infinities become the ends of `i64` again.
        let micros = if micros == i64::MIN {
            micros
        } else {
            micros.saturating_add(EPOCH_OFFSET_MICROS)
        };
        Ok(Self(UtcMicros::new(micros)))
    }
}
