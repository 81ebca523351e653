//! One data file of a table: where it is, which partition, what the log knows of its columns.

use std::collections::HashMap;

use deltalake::kernel::{Add, LogicalFileView, Remove};
use nsc_core::{DateKst, UtcMicros};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A Parquet file that is part of a table version.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Path relative to the table's directory.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Milliseconds since the epoch.
    pub modified: i64,
    /// Partition column to value, null for the null partition.
    pub partition: HashMap<String, Option<String>>,
    /// Rows, when the log says.
    pub rows: Option<u64>,
    min: Map<String, Value>,
    max: Map<String, Value>,
    nulls: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoggedStatistics {
    num_records: Option<u64>,
    min_values: Map<String, Value>,
    max_values: Map<String, Value>,
    null_count: Map<String, Value>,
}

impl DataFile {
    pub(crate) fn from_view(view: &LogicalFileView) -> Result<Self, String> {
        let logged: LoggedStatistics = match view.stats() {
            Some(json) => serde_json::from_str(&json).map_err(|e| e.to_string())?,
            None => LoggedStatistics::default(),
        };
        Ok(Self {
            path: view.object_store_path().to_string(),
            size: u64::try_from(view.size()).map_err(|e| e.to_string())?,
            modified: view.modification_time(),
            partition: view.partition_values_map(),
            rows: logged.num_records,
            min: logged.min_values,
            max: logged.max_values,
            nulls: logged.null_count,
        })
    }

    /// A file that is written but not committed.
    pub(crate) fn from_add(add: &Add) -> Self {
        let logged: LoggedStatistics = add
            .stats
            .as_deref()
            .and_then(|s| serde_json::from_str(s).ok())
            .unwrap_or_default();
        Self {
            path: add.path.clone(),
            size: u64::try_from(add.size).unwrap_or_default(),
            modified: add.modification_time,
            partition: add.partition_values.clone(),
            rows: logged.num_records,
            min: logged.min_values,
            max: logged.max_values,
            nulls: logged.null_count,
        }
    }

    /// A file that was part of the table.
    pub(crate) fn from_remove(remove: &Remove) -> Self {
        Self {
            path: remove.path.clone(),
            size: remove
                .size
                .and_then(|s| u64::try_from(s).ok())
                .unwrap_or_default(),
            modified: remove.deletion_timestamp.unwrap_or_default(),
            partition: remove.partition_values.clone().unwrap_or_default(),
            rows: None,
            min: Map::new(),
            max: Map::new(),
            nulls: Map::new(),
        }
    }

    /// The date of the file's partition; `None` for the null partition or an unpartitioned table.
    #[must_use]
    pub fn partition_date(&self) -> Option<DateKst> {
        self.partition
            .values()
            .next()
            .and_then(|v| v.as_deref())
            .and_then(|d| d.parse().ok())
    }

    /// Whether a value of a text column between `low` and `high` (inclusive) may be in the file.
    /// True when the log does not say.
    #[must_use]
    pub fn may_hold_text(&self, column: &str, low: &str, high: &str) -> bool {
        let min = self.min.get(column).and_then(Value::as_str);
        let max = self.max.get(column).and_then(Value::as_str);
        !self.is_all_null(column) && min.is_none_or(|m| m <= high) && max.is_none_or(|m| m >= low)
    }

    /// The one value of a text column in every row, when the log says that there is just one.
    #[must_use]
    pub fn only_text(&self, column: &str) -> Option<&str> {
        let has_no_null = self.nulls.get(column).and_then(Value::as_u64) == Some(0);
        let is_one = has_no_null && self.min.get(column) == self.max.get(column);
        let value = self.min.get(column).and_then(Value::as_str);
        value.filter(|_| is_one)
    }

    /// The greatest value of a text column, as far as the log says.
    #[must_use]
    pub fn greatest_text(&self, column: &str) -> Option<&str> {
        self.max.get(column).and_then(Value::as_str)
    }

    /// Whether a value of an integer column between `low` and `high` (inclusive) may be in the file.
    #[must_use]
    pub fn may_hold_integer(&self, column: &str, low: i64, high: i64) -> bool {
        let min = self.min.get(column).and_then(Value::as_i64);
        let max = self.max.get(column).and_then(Value::as_i64);
        min.is_none_or(|m| m <= high) && max.is_none_or(|m| m >= low)
    }

    /// Whether an instant between `first` and `last` (inclusive) may be in the file.
    #[must_use]
    pub fn may_hold_instant(&self, column: &str, first: UtcMicros, last: UtcMicros) -> bool {
        let bound =
            |of: &Map<String, Value>| of.get(column).and_then(Value::as_str).and_then(UtcMicros::parse);
        // Other writers keep milliseconds in the log: the true maximum may be up to one more.
        let max = bound(&self.max).map(|t| t.plus(999));
        !self.is_all_null(column)
            && bound(&self.min).is_none_or(|m| m <= last)
            && max.is_none_or(|m| m >= first)
    }

    /// Whether the log says that the column holds nothing.
    #[must_use]
    pub fn is_all_null(&self, column: &str) -> bool {
        self.rows.is_some() && self.nulls.get(column).and_then(Value::as_u64) == self.rows
    }
}

impl From<&DataFile> for Remove {
    fn from(file: &DataFile) -> Self {
        Self {
            path: file.path.clone(),
            data_change: true,
            deletion_timestamp: Some(file.modified.max(crate::writer::wall_clock_millis())),
            extended_file_metadata: Some(true),
            partition_values: Some(file.partition.clone()),
            size: i64::try_from(file.size).ok(),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
        }
    }
}
