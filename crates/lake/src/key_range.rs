//! Smallest and greatest value of the first key column among new rows: which other files may hold the keys.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, max, max_string_view, min, min_string_view};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use nsc_core::UtcMicros;

use crate::{DataFile, LakeError};

/// The range of a text, integer or time key; any other kind overlaps everything.
#[derive(Debug, Default)]
pub(crate) enum KeyRange {
    #[default]
    Empty,
    Text(String, String),
    Integer(i64, i64),
    Instant(UtcMicros, UtcMicros),
    Unknown,
}

impl KeyRange {
    pub(crate) fn include(&mut self, column: &ArrayRef) -> Result<(), LakeError> {
        let of_batch = match column.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                let text = cast(column, &DataType::Utf8View)?;
                let text = text.as_string_view();
                match (min_string_view(text), max_string_view(text)) {
                    (Some(low), Some(high)) => Self::Text(low.to_owned(), high.to_owned()),
                    _ => Self::Empty,
                }
            }
            DataType::Int64 => {
                let numbers = column.as_primitive::<Int64Type>();
                match (min(numbers), max(numbers)) {
                    (Some(low), Some(high)) => Self::Integer(low, high),
                    _ => Self::Empty,
                }
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let times = column.as_primitive::<TimestampMicrosecondType>();
                match (min(times), max(times)) {
                    (Some(low), Some(high)) => Self::Instant(UtcMicros::new(low), UtcMicros::new(high)),
                    _ => Self::Empty,
                }
            }
            _ => Self::Unknown,
        };
        self.absorb(of_batch);
        Ok(())
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        let mine = std::mem::take(self);
        *self = match (mine, other) {
            (Self::Empty, x) | (x, Self::Empty) => x,
            (Self::Text(a, b), Self::Text(c, d)) => Self::Text(a.min(c), b.max(d)),
            (Self::Integer(a, b), Self::Integer(c, d)) => Self::Integer(a.min(c), b.max(d)),
            (Self::Instant(a, b), Self::Instant(c, d)) => Self::Instant(a.min(c), b.max(d)),
            _ => Self::Unknown,
        };
    }

    pub(crate) fn overlaps(&self, file: &DataFile, column: &str) -> bool {
        match self {
            Self::Empty => false,
            Self::Text(low, high) => file.may_hold_text(column, low, high),
            Self::Integer(low, high) => file.may_hold_integer(column, *low, *high),
            Self::Instant(low, high) => file.may_hold_instant(column, *low, *high),
            Self::Unknown => true,
        }
    }
}
