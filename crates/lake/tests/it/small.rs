//! A small Bronze table and ways to look at it and to harm it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use nsc_contracts::TableContract;
use nsc_core::UtcMicros;
use nsc_lake::{Lake, LakeError, LakeOptions, SessionOptions, Table, session};

/// The table's name.
pub(crate) const PRODUCTS: &str = "bronze.products_raw";

pub(crate) fn contract() -> &'static TableContract {
    nsc_contracts::table(PRODUCTS).unwrap()
}

/// A lake as another process would open it: nothing is remembered.
pub(crate) fn lake(root: &Path) -> Lake {
    Lake::open(&root.to_string_lossy(), LakeOptions::default()).unwrap()
}

/// One row an id, loaded at an instant.
pub(crate) fn rows(ids: &[&str], at: UtcMicros) -> RecordBatch {
    let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let refs = ids.iter().map(|id| format!("file:p.jsonl#{id}")).collect();
    let times = TimestampMicrosecondArray::from(vec![at.micros(); ids.len()]).with_timezone("UTC");
    let dates = Date32Array::from(vec![at.utc_day(); ids.len()]);
    RecordBatch::try_from_iter([
        ("product_id", text(ids)),
        ("ingested_at", Arc::new(times) as ArrayRef),
        ("source_ref", text(refs)),
        ("ingest_date", Arc::new(dates) as ArrayRef),
    ])
    .unwrap()
}

pub(crate) fn at(text: &str) -> UtcMicros {
    UtcMicros::parse(text).unwrap()
}

/// Adds rows in a commit of their own.
pub(crate) async fn append(lake: &Lake, ids: &[&str], time: &str) -> Result<Table, LakeError> {
    let mut table = lake.table(contract()).await?;
    let mut writer = table.writer()?;
    writer.write(&rows(ids, at(time))).await?;
    let staged = writer.finish().await?;
    table.commit_append(staged, None, Vec::new()).await?;
    Ok(table)
}

/// The ids of the table, sorted.
pub(crate) async fn ids(lake: &Lake) -> Result<Vec<String>, LakeError> {
    let table = lake.existing(contract()).await?.unwrap();
    let ctx = session(&SessionOptions::default())?;
    let rows = ctx
        .read_table(table.scan_all()?)?
        .select_columns(&["product_id"])?;
    let mut ids: Vec<String> = Vec::new();
    for batch in rows.collect().await? {
        let column = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)?;
        ids.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    ids.sort();
    Ok(ids)
}

/// The directory of the table's log.
pub(crate) fn log(root: &Path) -> PathBuf {
    root.join("bronze/products_raw/_delta_log")
}

pub(crate) fn commit_file(root: &Path, version: u64) -> PathBuf {
    log(root).join(format!("{version:020}.json"))
}

/// Data files on the disk.
pub(crate) fn data_files(root: &Path) -> usize {
    let table = root.join("bronze/products_raw");
    let days = std::fs::read_dir(table).unwrap().map(|e| e.unwrap().path());
    days.filter(|d| d.is_dir() && !d.ends_with("_delta_log"))
        .map(|d| std::fs::read_dir(d).unwrap().count())
        .sum()
}
