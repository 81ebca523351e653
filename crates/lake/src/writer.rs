//! Writes data files before their commit: nothing is visible until the add actions reach the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Date32Type, Schema, SchemaRef};
use deltalake::kernel::Add;
use nsc_contracts::TableContract;
use nsc_core::DateKst;
use object_store::{DynObjectStore, ObjectStoreExt, path::Path};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use uuid::Uuid;

use crate::partition_rows::{HeldBytes, PartitionRows, Sink};
use crate::{DataFile, Direction, LakeError, Table, calendar, statistics};

/// A file is closed and a new one begun at this size.
const TARGET_FILE_BYTES: usize = 192 << 20;
/// Rows of a partition that is idle become a file of their own from this size on.
const WORTH_A_FILE_BYTES: usize = 1 << 20;
/// Rows held back per open file before a row group is written.
const ROW_GROUP_ROWS: usize = 256 << 10;
/// Who wrote a file, by its footer.
pub(crate) const CREATED_BY: &str = "nsc";
/// Partition directory of the null value, as Hive and every Delta writer name it.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Milliseconds of the machine's clock: file times belong to the storage, not to the run.
#[expect(
    clippy::disallowed_methods,
    reason = "file and tombstone times are the storage's, retention is measured against them"
)]
pub(crate) fn wall_clock_millis() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or(0)
}

/// Data files written and not yet committed.
#[derive(Default)]
pub struct Staged {
    adds: Vec<Add>,
    store: Option<Arc<DynObjectStore>>,
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged").field("files", &self.adds.len()).finish()
    }
}

impl Staged {
    /// One complete file.
    pub(crate) fn of(add: Add, store: Arc<DynObjectStore>) -> Self {
        Self {
            adds: vec![add],
            store: Some(store),
        }
    }

    /// Both together.
    #[must_use]
    pub fn merge(mut self, mut other: Self) -> Self {
        self.adds.append(&mut other.adds);
        self.store = self.store.or(other.store);
        self
    }

    /// Rows in the files.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.adds.iter().map(statistics::rows_of).sum()
    }

    /// Bytes of the files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.adds.iter().filter_map(|a| u64::try_from(a.size).ok()).sum()
    }

    /// True when there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.adds.is_empty()
    }

    pub(crate) fn into_adds(self) -> Vec<Add> {
        self.adds
    }

    /// The files as a scan reads them.
    pub(crate) fn data_files(&self) -> Vec<DataFile> {
        self.adds.iter().map(DataFile::from_add).collect()
    }

    /// Deletes the files: the change they were written for will not happen.
    ///
    /// # Errors
    /// When the storage refuses; files left behind are removed by `nsc table vacuum`.
    pub async fn discard(self) -> Result<(), LakeError> {
        let Some(store) = self.store else { return Ok(()) };
        for add in self.adds {
            store.delete(&Path::from(add.path)).await?;
        }
        Ok(())
    }
}

/// Writes rows of one table into new files, one at a time for each partition value.
pub struct StagedWriter {
    contract: &'static TableContract,
    schema: SchemaRef,
    sink: Sink,
    open: BTreeMap<Option<i32>, PartitionRows>,
    held: HeldBytes,
    /// Calls of [`Self::write`].
    writes: u64,
    done: Vec<Add>,
}

impl StagedWriter {
    pub(crate) fn new(table: &Table) -> Result<Self, LakeError> {
        let contract = table.contract();
        let schema = table.schema();
        if let Some(column) = contract.partition.first()
            && schema.field_with_name(column)?.data_type() != &DataType::Date32
        {
            return Err(LakeError::Unsupported {
                table: table.name(),
                direction: Direction::Write,
                feature: format!("a partition column that is not a date ({column})"),
            });
        }
        let properties = properties(contract)?.build();
        Ok(Self {
            contract,
            schema,
            sink: Sink {
                store: table.object_store(),
                properties,
            },
            open: BTreeMap::new(),
            held: HeldBytes::default(),
            writes: 0,
            done: Vec::new(),
        })
    }

    /// Writes rows; columns are found by name, missing nullable ones become null, unknown ones are an error.
    ///
    /// # Errors
    /// [`LakeError::Null`] for null where the contract forbids it; storage errors.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.writes += 1;
        let batch = self.arranged(batch)?;
        let Some(partition) = self.contract.partition.first() else {
            return self.write_partition(None, &batch).await;
        };
        let index = batch.schema().index_of(partition)?;
        let dates = batch.column(index).as_primitive::<Date32Type>().clone();
        let mut rest = batch;
        rest.remove_column(index);
        let first = dates.is_valid(0).then(|| dates.value(0));
        let same = |i: usize| (dates.is_valid(i).then(|| dates.value(i))) == first;
        if (1..dates.len()).all(same) {
            return self.write_partition(first, &rest).await;
        }
        let mut order: Vec<u32> = (0..).take(dates.len()).collect();
        let date_of = |row: u32| dates.is_valid(row as usize).then(|| dates.value(row as usize));
        order.sort_by_key(|row| date_of(*row));
        for rows in order.chunk_by(|a, b| date_of(*a) == date_of(*b)) {
            let date = rows.first().and_then(|row| date_of(*row));
            let of_date = take_record_batch(&rest, &UInt32Array::from(rows.to_vec()))?;
            self.write_partition(date, &of_date).await?;
        }
        Ok(())
    }

    /// The batch with the table's columns in the table's order.
    fn arranged(&self, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
        let mut fields = Vec::with_capacity(self.schema.fields().len());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let column = match batch.column_by_name(field.name()) {
                Some(c)
                    if c.data_type() == field.data_type()
                        || matches!(
                            (c.data_type(), field.data_type()),
                            (DataType::Utf8View, DataType::Utf8)
                        ) =>
                {
                    Arc::clone(c)
                }
                Some(c) => cast(c, field.data_type())?,
                None => new_null_array(field.data_type(), batch.num_rows()),
            };
            if !field.is_nullable() && column.null_count() > 0 {
                return Err(LakeError::Null {
                    table: self.contract.full_name(),
                    column: field.name().clone(),
                });
            }
            calendar::check(&self.contract.full_name(), field.name(), &column)?;
            fields.push(field.as_ref().clone().with_data_type(column.data_type().clone()));
            columns.push(column);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }

    async fn write_partition(&mut self, date: Option<i32>, batch: &RecordBatch) -> Result<(), LakeError> {
        let contract = self.contract;
        let rows = self
            .open
            .entry(date)
            .or_insert_with(|| PartitionRows::new(new_path(contract, date)));
        let before = rows.held();
        rows.written_at = self.writes;
        rows.write(batch, &self.sink).await?;
        self.held.replace(before, rows.held());
        if rows.file_bytes() > TARGET_FILE_BYTES {
            self.close(date).await?;
        }
        while self.open.len() > 1 && self.held.is_too_much() {
            let date = self.to_be_closed();
            self.close(date).await?;
        }
        Ok(())
    }

    /// The partition whose rows become a file to make room: the largest that got no rows of this batch, or the largest of
    /// all when what the others hold is not worth a file.
    fn to_be_closed(&self) -> Option<i32> {
        let largest = |idle: bool| {
            self.open
                .iter()
                .filter(|(_, rows)| !idle || rows.written_at < self.writes)
                .map(|(date, rows)| (rows.held(), *date))
                .max()
        };
        let idle = largest(true).filter(|(held, _)| *held >= WORTH_A_FILE_BYTES);
        idle.or_else(|| largest(false)).and_then(|(_, date)| date)
    }

    async fn close(&mut self, date: Option<i32>) -> Result<(), LakeError> {
        let Some(rows) = self.open.remove(&date) else {
            return Ok(());
        };
        self.held.replace(rows.held(), 0);
        if let Some((path, size, metadata)) = rows.finish(&self.sink).await? {
            self.done.push(add(self.contract, path, date, size, &metadata));
        }
        Ok(())
    }

    /// Completes the files.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn finish(mut self) -> Result<Staged, LakeError> {
        let dates: Vec<Option<i32>> = self.open.keys().copied().collect();
        for date in dates {
            self.close(date).await?;
        }
        Ok(Staged {
            adds: self.done,
            store: Some(self.sink.store),
        })
    }
}

/// A path of its own for a new file of a partition.
pub(crate) fn new_path(contract: &TableContract, date: Option<i32>) -> String {
    let name = format!("part-{}.zstd.parquet", Uuid::now_v7());
    match (contract.partition.first(), date) {
        (None, _) => name,
        (Some(column), None) => format!("{column}={NULL_PARTITION}/{name}"),
        (Some(column), Some(days)) => format!("{column}={}/{name}", DateKst::from_days(days)),
    }
}

/// The log's action for a complete file.
pub(crate) fn add(
    contract: &TableContract,
    path: String,
    date: Option<i32>,
    size: usize,
    metadata: &ParquetMetaData,
) -> Add {
    let partition = contract.partition.first().map(|column| {
        let day = date.map(|d| DateKst::from_days(d).to_string());
        ((*column).to_owned(), day)
    });
    Add {
        size: i64::try_from(size).unwrap_or(i64::MAX),
        path,
        partition_values: partition.into_iter().collect(),
        modification_time: wall_clock_millis(),
        data_change: true,
        stats: Some(statistics::of_file(metadata, contract.statistics)),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

/// Columns whose values hardly repeat: a dictionary would only be built and thrown away.
const UNIQUE_TEXT: &[&str] = &[
    "tx_id",
    "paired_tx_id",
    "source_ref",
    "record_json",
    "message",
    "user_key",
    "related_id",
    "order_ref",
];

pub(crate) fn properties(contract: &TableContract) -> Result<WriterPropertiesBuilder, LakeError> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by(CREATED_BY.to_owned());
    for column in contract.statistics {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(*column), EnabledStatistics::Chunk);
    }
    for column in UNIQUE_TEXT {
        builder = builder
            .set_column_dictionary_enabled(ColumnPath::from(*column), false)
            .set_column_encoding(ColumnPath::from(*column), Encoding::DELTA_BYTE_ARRAY);
    }
    Ok(builder)
}
