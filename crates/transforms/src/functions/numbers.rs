//! Functions over amounts and counts: exact integer arithmetic, half-up, never through a float.

use arrow::array::{
    Date32Array, Decimal128Array, Decimal256Array, Int64Array, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, i256};
use datafusion::common::{Result, exec_err};
use nsc_core::{UtcMicros, sign_of};

use super::{DEC2, DEC6, MAX_38_DIGITS};

/// One, at the scale of a rate.
const ONE_RATE: i128 = 1_000_000;

pub(super) fn date_kst(instants: &TimestampMicrosecondArray) -> Date32Array {
    instants.unary(|micros| UtcMicros::new(micros).date_kst().days())
}

pub(super) fn signed(types: &StringViewArray, amounts: &Decimal128Array) -> Decimal128Array {
    let values = types
        .iter()
        .zip(amounts)
        .map(|(ty, amount)| Some(amount? * i128::from(sign_of(ty?)?)));
    values.collect::<Decimal128Array>().with_data_type(DEC2)
}

/// `numerator / denominator` in millionths, half-up; 0 over 0 rows.
pub(crate) fn rate_millionths(numerator: i64, denominator: i64) -> i128 {
    let (n, d) = (i128::from(numerator).abs(), i128::from(denominator).abs());
    if d == 0 {
        return 0;
    }
    let rate = (n * ONE_RATE * 2 + d) / (d * 2);
    if (numerator < 0) == (denominator < 0) {
        rate
    } else {
        -rate
    }
}

pub(super) fn rate(numerators: &Int64Array, denominators: &Int64Array) -> Result<Decimal128Array> {
    let values: Decimal128Array = arrow::compute::binary(numerators, denominators, rate_millionths)?;
    Ok(values.with_data_type(DEC6))
}

/// `|a| / |b|` in millionths, half-up; `None` when b is 0 or the quotient is over 38 digits.
fn ratio_millionths(a: i128, b: i128) -> Option<i128> {
    let (a, b) = (a.checked_abs()?, b.checked_abs()?);
    if b == 0 {
        return None;
    }
    let narrow = a
        .checked_mul(ONE_RATE * 2)
        .and_then(|n| n.checked_add(b))
        .zip(b.checked_mul(2));
    let quotient = match narrow {
        Some((numerator, denominator)) => numerator / denominator,
        None => {
            let twice = i256::from_i128(2);
            let numerator = i256::from_i128(a)
                .checked_mul(i256::from_i128(ONE_RATE * 2))?
                .checked_add(i256::from_i128(b))?;
            numerator
                .checked_div(i256::from_i128(b).checked_mul(twice)?)?
                .to_i128()?
        }
    };
    (quotient <= MAX_38_DIGITS).then_some(quotient)
}

pub(super) fn ratio(a: &Decimal128Array, b: &Decimal128Array) -> Decimal128Array {
    let values = a.iter().zip(b).map(|(a, b)| ratio_millionths(a?, b?));
    values.collect::<Decimal128Array>().with_data_type(DEC6)
}

pub(super) fn exact(amounts: &Decimal128Array) -> Result<Decimal128Array> {
    if let Some(over) = amounts
        .iter()
        .flatten()
        .find(|v| v.unsigned_abs() > MAX_38_DIGITS.unsigned_abs())
    {
        return exec_err!("an amount of money is over 38 digits: {over} hundredths");
    }
    Ok(amounts.clone().with_data_type(DEC2))
}

pub(super) fn abs(amounts: &Decimal128Array) -> Decimal128Array {
    // 38 digits are far from i128::MIN.
    let values: Decimal128Array = amounts.unary(i128::wrapping_abs);
    values.with_data_type(DEC2)
}

pub(super) fn line_value(prices: &Decimal128Array, quantities: &Int64Array) -> Result<Decimal256Array> {
    // 38 + 19 digits: far below the 76 of the result.
    let product =
        |price, quantity| i256::from_i128(price).wrapping_mul(i256::from_i128(i128::from(quantity)));
    let values: Decimal256Array = arrow::compute::binary(prices, quantities, product)?;
    Ok(values.with_data_type(DataType::Decimal256(76, 2)))
}

#[cfg(test)]
mod tests {
    use super::{MAX_38_DIGITS, rate_millionths, ratio_millionths};

    #[test]
    fn rates_are_rounded_half_up() {
        for (n, d, want) in [
            (1, 3, 333_333),
            (2, 3, 666_667),
            (1, 2_000_000, 1),
            (1, 2_000_001, 0),
            (0, 5, 0),
            (5, 0, 0),
            (7, 7, 1_000_000),
            (i64::MAX, 1, i128::from(i64::MAX) * 1_000_000),
            (i64::MIN, -1, i128::from(i64::MIN) * -1_000_000),
            (-1, 2_000_000, -1),
        ] {
            assert_eq!(rate_millionths(n, d), want, "{n}/{d}");
        }
    }

    #[test]
    fn ratios_are_exact_at_both_ends() {
        let m = MAX_38_DIGITS;
        for (a, b, want) in [
            (1, 3, Some(333_333)),
            (-2, 3, Some(666_667)),
            (1, -2_000_000, Some(1)),
            (5, 0, None),
            (0, 5, Some(0)),
            (m, m, Some(1_000_000)),
            (m, m - 1, Some(1_000_000)),
            (m - 1, m, Some(1_000_000)),
            (m, 1, None),
            (m, 1_000_000, Some(m)),
            (m, 999_999, None),
            (1, m, Some(0)),
            (m / 2 + 1, m, Some(500_000)),
        ] {
            assert_eq!(ratio_millionths(a, b), want, "{a}/{b}");
        }
    }
}
