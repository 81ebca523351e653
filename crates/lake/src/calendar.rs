//! Times and dates that every reader of a table can show: of the years 1 to 9999.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use nsc_core::{DateKst, UtcMicros};

use crate::LakeError;

/// Refuses a column of times or dates that holds one outside of the calendar.
///
/// # Errors
/// [`LakeError::OutsideCalendar`] naming the value.
pub(crate) fn check(table: &str, column: &str, values: &ArrayRef) -> Result<(), LakeError> {
    let outside = match values.data_type() {
        DataType::Date32 => {
            let days = values.as_primitive::<Date32Type>();
            let bounds = [min(days), max(days)].into_iter().flatten();
            let mut days = bounds.map(DateKst::from_days);
            days.find(|d| *d < DateKst::FIRST || *d > DateKst::LAST)
                .map(|d| d.to_string())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let times = values.as_primitive::<TimestampMicrosecondType>();
            let bounds = [min(times), max(times)].into_iter().flatten();
            let mut times = bounds.map(UtcMicros::new);
            times.find(|t| !t.is_of_the_contract()).map(|t| t.to_string())
        }
        _ => None,
    };
    match outside {
        None => Ok(()),
        Some(value) => Err(LakeError::OutsideCalendar {
            table: table.to_owned(),
            column: column.to_owned(),
            value,
        }),
    }
}
