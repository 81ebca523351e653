//! Per-file statistics for the Delta log, taken from the Parquet footer.
//!
//! Only the contract's statistics columns: keys, dates and times. Money never gets statistics here, since
//! common readers take decimal bounds through floats and then skip files they must read.

use deltalake::kernel::Add;
use nsc_core::{DateKst, UtcMicros};
use parquet::basic::LogicalType;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

/// Bounds of one column chunk in the form the log stores.
fn bounds(chunk: &ColumnChunkMetaData) -> Option<(Value, Value)> {
    let logical = chunk.column_descr().logical_type_ref();
    match chunk.statistics()? {
        Statistics::Int32(s) => {
            let day = |v: &i32| json!(DateKst::from_days(*v).to_string());
            let plain = |v: &i32| json!(v);
            let show: &dyn Fn(&i32) -> Value = if matches!(logical, Some(LogicalType::Date)) {
                &day
            } else {
                &plain
            };
            Some((show(s.min_opt()?), show(s.max_opt()?)))
        }
        Statistics::Int64(s) => {
            let instant = |v: &i64| json!(UtcMicros::new(*v).to_string());
            let plain = |v: &i64| json!(v);
            let show: &dyn Fn(&i64) -> Value = if matches!(logical, Some(LogicalType::Timestamp { .. })) {
                &instant
            } else {
                &plain
            };
            Some((show(s.min_opt()?), show(s.max_opt()?)))
        }
        Statistics::ByteArray(s) if matches!(logical, Some(LogicalType::String)) => Some((
            json!(s.min_opt()?.as_utf8().ok()?),
            json!(s.max_opt()?.as_utf8().ok()?),
        )),
        _ => None,
    }
}

/// The smaller (or greater) of two bounds of one type; instants compare as text only within one width,
/// so they are read back.
fn pick(a: Value, b: Value, smaller: bool) -> Value {
    let a_first = match (&a, &b) {
        (Value::String(x), Value::String(y)) => match (UtcMicros::parse(x), UtcMicros::parse(y)) {
            (Some(x), Some(y)) => x <= y,
            _ => x <= y,
        },
        (x, y) => x.as_i64() <= y.as_i64(),
    };
    if a_first == smaller { a } else { b }
}

/// The `stats` text of an add action: row count, null counts and bounds of the named columns.
pub(crate) fn of_file(metadata: &ParquetMetaData, columns: &[&str]) -> String {
    let mut nulls = Map::new();
    let mut min: Map<String, Value> = Map::new();
    let mut max: Map<String, Value> = Map::new();
    for group in metadata.row_groups() {
        for chunk in group.columns() {
            let name = chunk.column_path().string();
            if !columns.contains(&name.as_str()) {
                continue;
            }
            if let Some(count) = chunk.statistics().and_then(Statistics::null_count_opt) {
                let before = nulls.get(&name).and_then(Value::as_u64).unwrap_or(0);
                nulls.insert(name.clone(), json!(before + count));
            }
            if let Some((low, high)) = bounds(chunk) {
                let low = match min.remove(&name) {
                    Some(before) => pick(before, low, true),
                    None => low,
                };
                let high = match max.remove(&name) {
                    Some(before) => pick(before, high, false),
                    None => high,
                };
                min.insert(name.clone(), low);
                max.insert(name, high);
            }
        }
    }
    json!({ "numRecords": metadata.file_metadata().num_rows(), "minValues": min, "maxValues": max, "nullCount": nulls }).to_string()
}

/// Rows an add action says its file holds.
pub(crate) fn rows_of(add: &Add) -> u64 {
    add.stats
        .as_deref()
        .and_then(|s| serde_json::from_str::<Value>(s).ok())
        .and_then(|s| s.get("numRecords").and_then(Value::as_u64))
        .unwrap_or(0)
}
