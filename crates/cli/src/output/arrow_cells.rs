//! Arrow columns as cells: decimals exact, times RFC 3339 (in UTC, unless another zone was asked for), dates ISO, nested
//! values as JSON.

use arrow::array::timezone::Tz;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value};

use super::{Cell, Column};

/// Headings for a schema.
pub(crate) fn columns_of(schema: &Schema) -> Vec<Column> {
    let heading = |f: &arrow::datatypes::FieldRef| {
        let number = f.data_type().is_numeric();
        if number {
            Column::number(f.name())
        } else {
            Column::text(f.name())
        }
    };
    schema.fields().iter().map(heading).collect()
}

/// Reads a batch row by row.
pub(crate) struct BatchCells<'a> {
    columns: Vec<Reader<'a>>,
    rows: usize,
}

impl<'a> BatchCells<'a> {
    /// Prepares every column once.
    pub(crate) fn new(batch: &'a RecordBatch) -> Result<Self, ArrowError> {
        let columns = batch
            .columns()
            .iter()
            .map(|c| Reader::new(c.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            columns,
            rows: batch.num_rows(),
        })
    }

    /// The rows in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Result<Vec<Cell>, ArrowError>> {
        (0..self.rows).map(|row| self.columns.iter().map(|c| c.cell(row)).collect())
    }
}

struct Reader<'a> {
    array: &'a dyn Array,
    /// For every type without an arm of its own.
    text: Option<ArrayFormatter<'a>>,
    /// Of an instant.
    zone: Option<Tz>,
}

/// Whether a column's zone is the one in which the lake keeps its instants.
fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "Z" | "+00:00")
}

/// Times are formatted here: an instant in a zone with the zone's offset, a time without one as a clock on the wall shows it:
/// it must not look like an instant.
fn timestamp_text(value: i64, unit: TimeUnit, zone: Option<Tz>) -> String {
    let per_second = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let nanos = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let instant = u32::try_from(nanos)
        .ok()
        .and_then(|n| DateTime::from_timestamp(value.div_euclid(per_second), n));
    let Some(instant) = instant else {
        return format!("{value} {unit:?}");
    };
    let digits = match nanos {
        0 => SecondsFormat::Secs,
        n if n % 1_000 == 0 => SecondsFormat::Micros,
        _ => SecondsFormat::Nanos,
    };
    match zone {
        Some(zone) => instant.with_timezone(&zone).to_rfc3339_opts(digits, true),
        None => {
            let text = instant.to_rfc3339_opts(digits, true);
            text.trim_end_matches('Z').to_owned()
        }
    }
}

const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_duration_format(DurationFormat::ISO8601);

impl<'a> Reader<'a> {
    fn new(array: &'a dyn Array) -> Result<Self, ArrowError> {
        let (text, zone) = match array.data_type() {
            DataType::Timestamp(_, Some(zone)) => (None, Some(zone.parse()?)),
            DataType::Timestamp(_, None) => (None, None),
            _ => (Some(ArrayFormatter::try_new(array, &OPTIONS)?), None),
        };
        Ok(Self { array, text, zone })
    }

    fn text(&self, row: usize) -> Result<String, ArrowError> {
        self.text
            .as_ref()
            .map_or_else(|| Ok(String::new()), |t| t.value(row).try_to_string())
    }

    fn timestamp(&self, row: usize, unit: TimeUnit) -> String {
        let array = self.array;
        let value = match unit {
            TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(row),
            TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(row),
            TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
            TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row),
        };
        timestamp_text(value, unit, self.zone)
    }

    fn cell(&self, row: usize) -> Result<Cell, ArrowError> {
        let array = self.array;
        if array.is_null(row) {
            return Ok(Cell::Null);
        }
        Ok(match array.data_type() {
            DataType::Null => Cell::Null,
            DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
            DataType::Int8 => Cell::Int(array.as_primitive::<Int8Type>().value(row).into()),
            DataType::Int16 => Cell::Int(array.as_primitive::<Int16Type>().value(row).into()),
            DataType::Int32 => Cell::Int(array.as_primitive::<Int32Type>().value(row).into()),
            DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
            DataType::UInt8 => Cell::UInt(array.as_primitive::<UInt8Type>().value(row).into()),
            DataType::UInt16 => Cell::UInt(array.as_primitive::<UInt16Type>().value(row).into()),
            DataType::UInt32 => Cell::UInt(array.as_primitive::<UInt32Type>().value(row).into()),
            DataType::UInt64 => Cell::UInt(array.as_primitive::<UInt64Type>().value(row)),
            DataType::Float32 => Cell::Float(array.as_primitive::<Float32Type>().value(row).into()),
            DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
            DataType::Timestamp(unit, Some(zone)) if is_utc(zone) => {
                Cell::Instant(self.timestamp(row, *unit))
            }
            // A time of the wall, or of a zone that somebody has asked for.
            DataType::Timestamp(unit, _) => Cell::Exact(self.timestamp(row, *unit)),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Cell::Text(self.text(row)?),
            DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::Struct(_)
            | DataType::Map(..) => Cell::Json(nested(array, row)?),
            _ => Cell::Exact(self.text(row)?),
        })
    }
}

fn nested(array: &dyn Array, row: usize) -> Result<Value, ArrowError> {
    match array.data_type() {
        DataType::List(_) => all_of(array.as_list::<i32>().value(row).as_ref()),
        DataType::LargeList(_) => all_of(array.as_list::<i64>().value(row).as_ref()),
        DataType::FixedSizeList(..) => all_of(array.as_fixed_size_list().value(row).as_ref()),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let pairs = fields
                .iter()
                .zip(columns)
                .map(|(f, c)| Ok((f.name().clone(), one(c.as_ref(), row)?)));
            pairs
                .collect::<Result<Map<_, _>, ArrowError>>()
                .map(Value::Object)
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let keys = Reader::new(keys.as_ref())?;
            let pairs =
                (0..entries.len()).map(|at| Ok((keys.cell(at)?.to_string(), one(values.as_ref(), at)?)));
            pairs
                .collect::<Result<Map<_, _>, ArrowError>>()
                .map(Value::Object)
        }
        _ => one(array, row),
    }
}

fn one(array: &dyn Array, row: usize) -> Result<Value, ArrowError> {
    Ok(Reader::new(array)?.cell(row)?.to_json())
}

fn all_of(values: &dyn Array) -> Result<Value, ArrowError> {
    let reader = Reader::new(values)?;
    (0..values.len())
        .map(|at| Ok(reader.cell(at)?.to_json()))
        .collect::<Result<Vec<_>, ArrowError>>()
        .map(Value::Array)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Float64Builder;
    use arrow::array::{
        ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, ListArray, MapBuilder, RecordBatch,
        StringBuilder, StringViewArray, TimestampMicrosecondArray, UInt64Array,
    };
    use arrow::datatypes::Int32Type;

    use super::{BatchCells, columns_of};
    use crate::output::Align;

    #[test]
    fn every_type_of_the_contract_prints_exactly() {
        let decimal = Decimal128Array::from(vec![Some(-10), None])
            .with_precision_and_scale(38, 2)
            .unwrap();
        let times = TimestampMicrosecondArray::from(vec![1_767_625_200_000_000, 1_767_625_200_000_001])
            .with_timezone("UTC");
        let mut map = MapBuilder::new(None, StringBuilder::new(), Float64Builder::new());
        map.keys().append_value("crit");
        map.values().append_value(0.01);
        map.append(true).unwrap();
        map.append(true).unwrap();
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("dec2", Arc::new(decimal)),
            ("ts", Arc::new(times)),
            ("date", Arc::new(Date32Array::from(vec![20_458, 0]))),
            ("text", Arc::new(StringViewArray::from(vec![Some("한빛"), None]))),
            ("int", Arc::new(Int32Array::from(vec![1, 2]))),
            ("big", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
            ("float", Arc::new(Float64Array::from(vec![0.1, f64::INFINITY]))),
            ("map", Arc::new(map.finish())),
            ("list", Arc::new(list)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let cells = BatchCells::new(&batch).unwrap();
        let rows: Vec<String> = cells
            .rows()
            .map(|r| {
                r.unwrap()
                    .iter()
                    .map(|c| c.to_json().to_string())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(
            rows,
            [
                r#""-0.10" "2026-01-05T15:00:00Z" "2026-01-05" "한빛" 1 18446744073709551615 0.1 {"crit":0.01} [1,null]"#,
                r#"null "2026-01-05T15:00:00.000001Z" "1970-01-01" null 2 0 "inf" {} null"#,
            ]
        );
        let right = columns_of(&batch.schema())
            .iter()
            .filter(|c| c.align == Align::Right)
            .count();
        assert_eq!(right, 4);
    }
}
