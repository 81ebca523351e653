//! What a sum is given back as, and how values of its type become 256-bit numbers and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, Int64Array, PrimitiveArray, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, Int64Type, UInt64Type, i256,
};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::error::DataFusionError;

/// A sum that its type does not hold. The engine hands it on as it is, for whoever asked.
#[derive(Debug, thiserror::Error)]
#[error("a sum is over {limit}: {digits}{scale}")]
pub struct TooManyDigits {
    limit: String,
    digits: String,
    scale: String,
}

impl TooManyDigits {
    fn of(limit: String, sum: i256, scale: i8) -> DataFusionError {
        DataFusionError::External(Box::new(Self {
            limit,
            digits: sum.to_string(),
            scale: if scale == 0 {
                String::new()
            } else {
                format!("e-{scale}")
            },
        }))
    }
}

/// The type of a sum; its values have the same scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Decimal128(u8, i8),
    Decimal256(u8, i8),
    Int64,
    UInt64,
}

impl Unit {
    /// `None` for a type the engine itself sums (floats, durations, intervals).
    pub(super) fn of(sum: &DataType) -> Option<Self> {
        match sum {
            DataType::Decimal128(precision, scale) => Some(Self::Decimal128(*precision, *scale)),
            DataType::Decimal256(precision, scale) => Some(Self::Decimal256(*precision, *scale)),
            DataType::Int64 => Some(Self::Int64),
            DataType::UInt64 => Some(Self::UInt64),
            _ => None,
        }
    }

    const fn scale(self) -> i8 {
        match self {
            Self::Decimal128(_, scale) | Self::Decimal256(_, scale) => scale,
            Self::Int64 | Self::UInt64 => 0,
        }
    }

    /// The type of a partial sum.
    pub(super) const fn wide(self) -> DataType {
        DataType::Decimal256(76, self.scale())
    }

    /// A partial sum as the engine hands it on.
    pub(super) const fn partial(self, sum: Option<i256>) -> ScalarValue {
        ScalarValue::Decimal256(sum, 76, self.scale())
    }

    /// Partial sums as the engine hands them on.
    pub(super) fn partials(self, sums: Vec<i256>, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(Decimal256Array::new(sums.into(), nulls).with_data_type(self.wide()))
    }

    /// One sum.
    ///
    /// # Errors
    /// When its type does not hold it.
    pub(super) fn scalar(self, sum: Option<i256>) -> Result<ScalarValue> {
        Ok(match self {
            Self::Decimal128(precision, scale) => {
                let sum = sum.map(|s| decimal128(s, precision, scale)).transpose()?;
                ScalarValue::Decimal128(sum, precision, scale)
            }
            Self::Decimal256(precision, scale) => {
                let sum = sum.map(|s| decimal256(s, precision, scale)).transpose()?;
                ScalarValue::Decimal256(sum, precision, scale)
            }
            Self::Int64 => ScalarValue::Int64(sum.map(int64).transpose()?),
            Self::UInt64 => ScalarValue::UInt64(sum.map(uint64).transpose()?),
        })
    }

    /// Many sums.
    ///
    /// # Errors
    /// When its type does not hold one of them.
    pub(super) fn array(self, sums: Vec<i256>, nulls: NullBuffer) -> Result<ArrayRef> {
        Ok(match self {
            Self::Decimal128(precision, scale) => {
                let units = all(sums, |s| decimal128(s, precision, scale))?;
                let units = Decimal128Array::new(units.into(), Some(nulls));
                Arc::new(units.with_precision_and_scale(precision, scale)?)
            }
            Self::Decimal256(precision, scale) => {
                let units = all(sums, |s| decimal256(s, precision, scale))?;
                let units = Decimal256Array::new(units.into(), Some(nulls));
                Arc::new(units.with_precision_and_scale(precision, scale)?)
            }
            Self::Int64 => Arc::new(Int64Array::new(all(sums, int64)?.into(), Some(nulls))),
            Self::UInt64 => Arc::new(UInt64Array::new(all(sums, uint64)?.into(), Some(nulls))),
        })
    }
}

fn all<T>(sums: Vec<i256>, narrow: impl Fn(i256) -> Result<T>) -> Result<Vec<T>> {
    sums.into_iter().map(narrow).collect()
}

fn decimal128(sum: i256, precision: u8, scale: i8) -> Result<i128> {
    let most = 10_i128.pow(u32::from(precision.min(38))).unsigned_abs();
    sum.to_i128()
        .filter(|units| units.unsigned_abs() < most)
        .ok_or_else(|| TooManyDigits::of(format!("{precision} digits"), sum, scale))
}

fn decimal256(sum: i256, precision: u8, scale: i8) -> Result<i256> {
    let most = i256::from_i128(10).checked_pow(u32::from(precision));
    most.filter(|most| sum < *most && sum > most.wrapping_neg())
        .map(|_| sum)
        .ok_or_else(|| TooManyDigits::of(format!("{precision} digits"), sum, scale))
}

fn int64(sum: i256) -> Result<i64> {
    let narrow = sum.to_i128().and_then(|s| i64::try_from(s).ok());
    narrow.ok_or_else(|| TooManyDigits::of("what a bigint holds".to_owned(), sum, 0))
}

fn uint64(sum: i256) -> Result<u64> {
    let narrow = sum.to_i128().and_then(|s| u64::try_from(s).ok());
    narrow.ok_or_else(|| TooManyDigits::of("what an unsigned bigint holds".to_owned(), sum, 0))
}

/// Adds a value to a sum of the same scale.
///
/// # Errors
/// When 256 bits do not hold the result: only values of some 76 digits get there.
pub(super) fn add(sum: i256, value: i256) -> Result<i256> {
    sum.checked_add(value)
        .ok_or_else(|| TooManyDigits::of("76 digits".to_owned(), sum, 0))
}

/// Calls `each` with the row and the value of every row that has one.
///
/// # Errors
/// Those of `each`, and a type that is no argument and no partial sum.
pub(super) fn for_each(array: &ArrayRef, each: impl FnMut(usize, i256) -> Result<()>) -> Result<()> {
    if let Some(values) = array.as_primitive_opt::<Decimal128Type>() {
        visit(values, i256::from_i128, each)
    } else if let Some(values) = array.as_primitive_opt::<Decimal256Type>() {
        visit(values, |v| v, each)
    } else if let Some(values) = array.as_primitive_opt::<Int64Type>() {
        visit(values, |v| i256::from_i128(v.into()), each)
    } else if let Some(values) = array.as_primitive_opt::<UInt64Type>() {
        visit(values, |v| i256::from_i128(v.into()), each)
    } else {
        Err(exec_datafusion_err!("a sum got {}", array.data_type()))
    }
}

fn visit<T: ArrowPrimitiveType>(
    values: &PrimitiveArray<T>,
    wide: impl Fn(T::Native) -> i256,
    mut each: impl FnMut(usize, i256) -> Result<()>,
) -> Result<()> {
    for (row, value) in values.iter().enumerate() {
        if let Some(value) = value {
            each(row, wide(value))?;
        }
    }
    Ok(())
}
