//! Small tables in, readable rows out.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::MemTable;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};
use nsc_core::UtcMicros;

/// Stands for null in a cell.
pub(crate) const NULL: &str = "~";

/// A session as the pipelines make it, with small batches so that every merge of partial results is exercised.
pub(crate) fn session() -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(2)
        .with_batch_size(8)
        .set_bool("datafusion.sql_parser.parse_float_as_decimal", true);
    let ctx = SessionContext::new_with_config(config);
    nsc_transforms::functions::register(&ctx);
    ctx
}

pub(crate) fn at(text: &str) -> UtcMicros {
    UtcMicros::parse(text).unwrap_or_else(|| panic!("{text} is no instant"))
}

/// The type a short name stands for.
fn data_type(name: &str) -> DataType {
    match name {
        "text" => DataType::Utf8,
        "ts" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "dec2" => DataType::Decimal128(38, 2),
        "date" => DataType::Date32,
        "bigint" => DataType::Int64,
        "int" => DataType::Int32,
        "bool" => DataType::Boolean,
        other => panic!("no type {other}"),
    }
}

fn array(ty: &DataType, cells: Vec<Option<&str>>) -> ArrayRef {
    if matches!(ty, DataType::Timestamp(..)) {
        let times = cells.into_iter().map(|c| c.map(|c| at(c).micros()));
        return Arc::new(times.collect::<TimestampMicrosecondArray>().with_timezone("UTC"));
    }
    arrow::compute::cast(&StringArray::from(cells), ty).unwrap()
}

/// A batch from `"name type, name type"` and rows of cells separated by `|`; `~` is null, blanks around a cell are cut
/// (a quoted cell keeps them).
pub(crate) fn batch(columns: &str, rows: &[&str]) -> RecordBatch {
    let columns: Vec<(&str, DataType)> = columns
        .split(',')
        .map(|c| c.trim().split_once(' ').unwrap())
        .map(|(n, t)| (n, data_type(t)))
        .collect();
    let cells: Vec<Vec<Option<&str>>> = rows
        .iter()
        .map(|row| row.split('|').map(cell).collect())
        .collect();
    for row in &cells {
        assert_eq!(row.len(), columns.len(), "{row:?}");
    }
    let fields: Vec<Field> = columns
        .iter()
        .map(|(n, t)| Field::new(*n, t.clone(), true))
        .collect();
    let arrays = columns
        .iter()
        .enumerate()
        .map(|(i, (_, t))| array(t, cells.iter().map(|r| r[i]).collect()))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn cell(text: &str) -> Option<&str> {
    let text = text.trim();
    if text == NULL {
        return None;
    }
    Some(
        text.strip_prefix('"')
            .and_then(|t| t.strip_suffix('"'))
            .unwrap_or(text),
    )
}

/// Registers a batch, split in two partitions; replaces a table of that name.
pub(crate) fn register(ctx: &SessionContext, name: &str, batch: RecordBatch) {
    let half = batch.num_rows() / 2;
    let parts = vec![
        vec![batch.slice(0, half)],
        vec![batch.slice(half, batch.num_rows() - half)],
    ];
    let _ = ctx.deregister_table(name).unwrap();
    ctx.register_table(name, Arc::new(MemTable::try_new(batch.schema(), parts).unwrap()))
        .unwrap();
}

/// Materialises a plan under a name, as the pipelines do with the shared intermediates.
pub(crate) async fn materialise(ctx: &SessionContext, name: &str, df: DataFrame) {
    let cached = df.cache().await.unwrap();
    let _ = ctx.deregister_table(name).unwrap();
    ctx.register_table(name, cached.into_view()).unwrap();
}

pub(crate) async fn collect(df: DataFrame) -> RecordBatch {
    let schema: Schema = df.schema().as_arrow().clone();
    let batches = df.collect().await.unwrap();
    match batches.first() {
        Some(first) => arrow::compute::concat_batches(&first.schema(), &batches).unwrap(),
        None => RecordBatch::new_empty(Arc::new(schema)),
    }
}

/// The rows as `a | b | c`, sorted; nulls as `~`, instants as RFC 3339.
pub(crate) fn rows(batch: &RecordBatch, columns: &[&str]) -> Vec<String> {
    let options = FormatOptions::new()
        .with_null(NULL)
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let arrays: Vec<ArrayRef> = columns
        .iter()
        .map(|c| {
            batch
                .column_by_name(c)
                .unwrap_or_else(|| panic!("no {c}"))
                .clone()
        })
        .collect();
    let formats: Vec<ArrayFormatter> = arrays
        .iter()
        .map(|a| ArrayFormatter::try_new(a.as_ref(), &options).unwrap())
        .collect();
    let mut rows: Vec<String> = (0..batch.num_rows())
        .map(|r| {
            formats
                .iter()
                .map(|f| f.value(r).to_string())
                .collect::<Vec<_>>()
                .join(" | ")
        })
        .collect();
    rows.sort();
    rows
}

pub(crate) async fn shown(df: DataFrame, columns: &[&str]) -> Vec<String> {
    rows(&collect(df).await, columns)
}

/// One value of one expression.
pub(crate) async fn value(ctx: &SessionContext, sql: &str) -> Result<String, String> {
    let df = ctx
        .sql(&format!("SELECT {sql} AS v"))
        .await
        .map_err(|e| e.to_string())?;
    let batches = df.collect().await.map_err(|e| e.to_string())?;
    Ok(rows(&batches[0], &["v"]).remove(0))
}

/// Asserts that a plan has exactly the contract's columns and types.
pub(crate) fn assert_contract(df: &DataFrame, full_name: &str) {
    let contract = nsc_contracts::table(full_name).unwrap();
    let names: Vec<&str> = df.schema().fields().iter().map(|f| f.name().as_str()).collect();
    let declared: Vec<&str> = contract.columns.iter().map(|c| c.name).collect();
    assert_eq!(names, declared, "{full_name}");
    let as_text = |t: &DataType| {
        if matches!(t, DataType::Utf8View | DataType::LargeUtf8) {
            DataType::Utf8
        } else {
            t.clone()
        }
    };
    for (field, column) in df.schema().fields().iter().zip(contract.columns) {
        assert_eq!(
            as_text(field.data_type()),
            column.ty.arrow(),
            "{full_name}.{}",
            column.name
        );
    }
}

/// Null must not stand where the contract forbids it.
pub(crate) fn assert_required(batch: &RecordBatch, full_name: &str) {
    for column in nsc_contracts::table(full_name)
        .unwrap()
        .columns
        .iter()
        .filter(|c| !c.nullable)
    {
        let nulls = batch.column_by_name(column.name).map(|a| a.null_count());
        assert_eq!(nulls, Some(0), "{full_name}.{}", column.name);
    }
}
