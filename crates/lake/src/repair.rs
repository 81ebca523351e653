//! Takes files out of a table whose partition value is no date of the calendar: one of them, and no engine opens the table.
//!
//! The library cannot open such a table either, so its log is read here, action by action, and one commit of removals is
//! added. No row is invented: the files stay where they are until vacuum, the commit names them and the load they came from.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, MapArray, StructArray};
use arrow::datatypes::DataType;
use bytes::Bytes;
use deltalake::kernel::transaction::TransactionError;
use deltalake::logstore::CommitOrBytes;
use nsc_contracts::TableContract;
use nsc_core::DateKst;
use object_store::path::Path;
use object_store::{DynObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::log_guard::LOG;
use crate::log_health::Log;
use crate::writer::wall_clock_millis;
use crate::{Lake, LakeError};

/// A file with a partition value that is no date.
#[derive(Debug, Clone, PartialEq)]
pub struct Misfiled {
    /// The file, as the log writes it.
    pub path: String,
    /// Its partition value.
    pub partition: String,
    /// Rows, when the log says.
    pub rows: Option<u64>,
    /// The commit that added it, when it is still there.
    pub version: Option<u64>,
    /// The input it was loaded from, when the commit says.
    pub input: Option<String>,
    size: Option<i64>,
}

impl Lake {
    /// Files of a table with a partition value that is no date from 0001-01-01 to 9999-12-31. With `apply` they are taken
    /// out of the table in one commit.
    ///
    /// # Errors
    /// [`LakeError::Missing`]; [`LakeError::DamagedLog`] when the log cannot be read; [`LakeError::Conflict`] when another
    /// writer committed meanwhile; storage errors.
    pub async fn repair(
        &self,
        contract: &'static TableContract,
        apply: bool,
    ) -> Result<Vec<Misfiled>, LakeError> {
        let table = contract.full_name();
        let Some(column) = contract.partition.first() else {
            return Ok(Vec::new());
        };
        if self.has_no_directory_of(contract)? {
            return Err(LakeError::Missing { table });
        }
        let store = self.log_files(contract)?;
        let log = Log::list(store.as_ref()).await?;
        let Some(last) = log.last_commit() else {
            return Err(LakeError::Missing { table });
        };
        let found = misfiled(store.as_ref(), &log, &table, column).await?;
        if apply && !found.is_empty() {
            let bytes = removals(&found, column);
            let log_store = self.log_store(contract)?;
            let done = log_store.write_commit_entry(last + 1, CommitOrBytes::LogBytes(bytes), Uuid::new_v4());
            done.await.map_err(|error| match error {
                TransactionError::VersionAlreadyExists(version) => LakeError::Conflict {
                    table,
                    reason: format!("version {version} exists already"),
                },
                other => LakeError::delta(&table, other.into()),
            })?;
        }
        Ok(found)
    }
}

/// The misfiled files of the newest version.
async fn misfiled(
    store: &DynObjectStore,
    log: &Log<'_>,
    table: &str,
    column: &str,
) -> Result<Vec<Misfiled>, LakeError> {
    let mut live = BTreeMap::new();
    let base = log.newest_checkpoint().await?;
    if let Some((_, names)) = &base {
        for name in names {
            for file in of_checkpoint(read(store, name).await?, column)? {
                live.insert(file.path.clone(), file);
            }
        }
    }
    let first = base.map_or(0, |(version, _)| version + 1);
    for version in first..=log.last_commit().unwrap_or_default() {
        let name = format!("{version:020}.json");
        let damaged = |reason: String| LakeError::DamagedLog {
            table: table.to_owned(),
            file: format!("{LOG}/{name}"),
            reason,
        };
        let bytes = match read(store, &name).await {
            Err(LakeError::Store(object_store::Error::NotFound { .. })) => {
                return Err(damaged("it is missing".to_owned()));
            }
            read => read?,
        };
        let mut added = Vec::new();
        let mut input = None;
        for line in bytes
            .split(|b| *b == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
        {
            let action: Map<String, Value> =
                serde_json::from_slice(line).map_err(|e| damaged(e.to_string()))?;
            if let Some(add) = action.get("add") {
                added.extend(of_add(add, column, version));
            } else if let Some(path) = action.get("remove").and_then(|r| text(r, "path")) {
                live.remove(&path);
            } else if let Some(info) = action.get("commitInfo") {
                input = info.get("ingest").and_then(|load| text(load, "file"));
            }
        }
        for file in added {
            let file = Misfiled {
                input: input.clone(),
                ..file
            };
            live.insert(file.path.clone(), file);
        }
    }
    Ok(live.into_values().collect())
}

async fn read(store: &DynObjectStore, name: &str) -> Result<Bytes, LakeError> {
    let found = store.get(&Path::from_iter([LOG, name])).await?;
    Ok(found.bytes().await?)
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// The null partition is a partition like any other.
fn is_no_date(partition: &str) -> bool {
    partition.parse::<DateKst>().is_err()
}

fn of_add(add: &Value, column: &str, version: u64) -> Option<Misfiled> {
    let partition = text(add.get("partitionValues")?, column).filter(|p| is_no_date(p))?;
    let stats = text(add, "stats").and_then(|s| serde_json::from_str::<Value>(&s).ok());
    Some(Misfiled {
        path: text(add, "path")?,
        partition,
        rows: stats.and_then(|s| s.get("numRecords").and_then(Value::as_u64)),
        version: Some(version),
        input: None,
        size: add.get("size").and_then(Value::as_i64),
    })
}

/// The misfiled files a checkpoint knows.
fn of_checkpoint(bytes: Bytes, column: &str) -> Result<Vec<Misfiled>, LakeError> {
    let mut found = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
        let batch = batch?;
        let Some(adds) = batch.column_by_name("add").and_then(|c| c.as_struct_opt()) else {
            continue;
        };
        for row in (0..adds.len()).filter(|row| adds.is_valid(*row)) {
            let partition = partition_of(adds, row, column).filter(|p| is_no_date(p));
            if let Some((partition, path)) = partition.zip(text_at(adds.column_by_name("path"), row)) {
                found.push(Misfiled {
                    path,
                    partition,
                    rows: None,
                    version: None,
                    input: None,
                    size: None,
                });
            }
        }
    }
    Ok(found)
}

fn partition_of(adds: &StructArray, row: usize, column: &str) -> Option<String> {
    let maps: &MapArray = adds.column_by_name("partitionValues")?.as_map_opt()?;
    let entries = maps.value(row);
    let at = (0..entries.len()).find(|i| text_at(Some(entries.column(0)), *i).as_deref() == Some(column))?;
    text_at(Some(entries.column(1)), at)
}

fn text_at(values: Option<&arrow::array::ArrayRef>, row: usize) -> Option<String> {
    let values = arrow::compute::cast(values?, &DataType::Utf8).ok()?;
    let values = values.as_string::<i32>();
    values.is_valid(row).then(|| values.value(row).to_owned())
}

/// The commit that takes the files out.
fn removals(files: &[Misfiled], column: &str) -> Bytes {
    let now = wall_clock_millis();
    let listed: Vec<Value> = files
        .iter()
        .map(|f| json!({ "path": f.path, "partition": f.partition, "rows": f.rows, "version": f.version, "input": f.input }))
        .collect();
    let info = json!({ "commitInfo": {
        "timestamp": now,
        "operation": "REPAIR",
        "operationParameters": {},
        "nsc.repair": listed,
    }});
    let mut lines = vec![info.to_string()];
    lines.extend(files.iter().map(|f| {
        json!({ "remove": {
            "path": f.path,
            "deletionTimestamp": now,
            "dataChange": true,
            "extendedFileMetadata": f.size.is_some(),
            "partitionValues": { column: f.partition },
            "size": f.size,
        }})
        .to_string()
    }));
    Bytes::from(lines.join("\n"))
}
