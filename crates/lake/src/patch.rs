//! Rows replaced within a data file: columns that stay as they are move into the new file as the bytes they were.
//!
//! A correction changes a few columns of a few rows that lie all over a day. Most of what writing a file costs is
//! encoding and compressing, so only columns that differ are written anew (docs/decisions/0023). The rows keep their
//! places; a file that loses rows is written as a whole elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{cast, concat_batches, interleave, take};
use datafusion::prelude::SessionContext;
use nsc_core::DateKst;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::writer::SerializedFileWriter;

use crate::fingerprint::{FingerprintMap, FingerprintSet};
use crate::opened_file::OpenedFile;
use crate::writer::{self, Staged};
use crate::{DataFile, LakeError, Table, each_file, fingerprint};

/// Replaced rows are few when there is at most one in so many; with more of them, hardly a page stays as it is.
const FEW: u64 = 8;

/// New rows of one partition, each for a stored row of the same key.
struct Replacements {
    rows: RecordBatch,
    by_key: FingerprintMap<usize>,
}

/// A row of a row group and the row that replaces it.
struct Place {
    row: usize,
    replacement: usize,
}

/// Writes files anew with their dead rows replaced by the new rows of the same keys. `None` when that is not the shorter
/// way or cannot be done: too many rows, a row that is not replaced but deleted, or one that changes its partition.
pub(crate) async fn files(
    ctx: &SessionContext,
    table: &Table,
    dead: &[(DataFile, FingerprintSet)],
    updates: &Staged,
    key: &'static [&'static str],
) -> Result<Option<Staged>, LakeError> {
    let stored: Option<u64> = dead.iter().map(|(file, _)| file.rows).sum();
    if updates.is_empty() || stored.is_none_or(|rows| updates.rows().saturating_mul(FEW) > rows) {
        return Ok(None);
    }
    let mut by_day: HashMap<Option<DateKst>, Vec<DataFile>> = HashMap::new();
    for file in updates.data_files() {
        by_day.entry(file.partition_date()).or_default().push(file);
    }
    let mut replacements = HashMap::new();
    for (day, files) in by_day {
        let rows = ctx.read_table(table.scan(files))?.collect().await?;
        replacements.insert(day, Arc::new(Replacements::of(&rows, key)?));
    }
    let mut work = HashMap::new();
    for (file, dead) in dead {
        let Some(new) = replacements.get(&file.partition_date()) else {
            return Ok(None);
        };
        if !dead.iter().all(|key| new.by_key.contains_key(key)) {
            return Ok(None);
        }
        work.insert(file.path.clone(), (Arc::clone(new), dead.len()));
    }
    let shared = Arc::new((table.clone(), work));
    let written = each_file::of(ctx, dead.iter().map(|(f, _)| f.clone()).collect(), |_, file| {
        let shared = Arc::clone(&shared);
        async move {
            let (table, work) = shared.as_ref();
            match work.get(&file.path) {
                Some((new, count)) => patched(table, &file, key, new, *count).await,
                None => Ok(None),
            }
        }
    })
    .await?;
    let (done, all) = (written.iter().flatten().count(), written.len());
    let staged = written
        .into_iter()
        .flatten()
        .fold(Staged::default(), Staged::merge);
    if done < all {
        staged.discard().await?;
        return Ok(None);
    }
    Ok(Some(staged))
}

impl Replacements {
    fn of(batches: &[RecordBatch], key: &[&str]) -> Result<Self, LakeError> {
        let Some(first) = batches.first() else {
            return Ok(Self {
                rows: RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty())),
                by_key: FingerprintMap::default(),
            });
        };
        let rows = concat_batches(&first.schema(), batches)?;
        let by_key = fingerprint::rows(&rows, key)?.into_iter().zip(0..).collect();
        Ok(Self { rows, by_key })
    }
}

/// One file with `count` of its rows replaced; `None` when its columns are not those of the new rows, or fewer rows of it
/// than that have a replacement.
async fn patched(
    table: &Table,
    file: &DataFile,
    key: &[&str],
    new: &Replacements,
    count: usize,
) -> Result<Option<Staged>, LakeError> {
    let opened = OpenedFile::open(table, file).await?;
    if !is_plain(table, &opened, &new.rows) {
        return Ok(None);
    }
    let mut places = Vec::new();
    for group in 0..opened.row_groups() {
        let keys = opened.fingerprints(group, key)?;
        let of_group = keys.iter().enumerate().filter_map(|(row, key)| {
            let replacement = *new.by_key.get(key)?;
            Some(Place { row, replacement })
        });
        places.push(of_group.collect::<Vec<_>>());
    }
    if places.iter().map(Vec::len).sum::<usize>() != count {
        return Ok(None);
    }
    let (bytes, metadata) = rewritten(table, &opened, key, &new.rows, &places)?;
    let date = file.partition_date().map(DateKst::days);
    let path = writer::new_path(table.contract(), date);
    let size = bytes.len();
    let store = table.object_store();
    store
        .put(&Path::from(path.as_str()), PutPayload::from(bytes))
        .await?;
    let add = writer::add(table.contract(), path, date, size, &metadata);
    Ok(Some(Staged::of(add, store)))
}

/// Whether the file was written here and has the columns of the new rows.
fn is_plain(table: &Table, opened: &OpenedFile, new: &RecordBatch) -> bool {
    let metadata = opened.metadata.metadata().file_metadata();
    let fields = opened.metadata.schema().fields();
    let partitions = table.contract().partition.len();
    metadata.created_by() == Some(writer::CREATED_BY)
        && metadata.schema_descr().num_columns() == fields.len()
        && fields.len() + partitions == new.num_columns()
        && fields.iter().all(|f| new.column_by_name(f.name()).is_some())
}

/// The new file: its bytes and what its footer says.
fn rewritten(
    table: &Table,
    opened: &OpenedFile,
    key: &[&str],
    new: &RecordBatch,
    places: &[Vec<Place>],
) -> Result<(Vec<u8>, ParquetMetaData), LakeError> {
    let footer = opened.metadata.metadata();
    let file_metadata = footer.file_metadata();
    // Moved columns have no index of their pages: then none has.
    let properties = writer::properties(table.contract())?
        .set_offset_index_disabled(true)
        .set_key_value_metadata(file_metadata.key_value_metadata().cloned())
        .build();
    let schema = Arc::clone(opened.metadata.schema());
    let root = file_metadata.schema_descr().root_schema_ptr();
    let mut bytes = Vec::with_capacity(opened.bytes.len());
    let mut file = SerializedFileWriter::new(&mut bytes, root, Arc::new(properties))?;
    let encoders = ArrowRowGroupWriterFactory::new(&file, Arc::clone(&schema));
    for (group, places) in places.iter().enumerate() {
        let chunks = footer.row_group(group);
        let mut encoders = encoders.create_column_writers(group)?.into_iter();
        let mut written = file.next_row_group()?;
        for (index, field) in schema.fields().iter().enumerate() {
            let encoder = encoders.next();
            let is_same = places.is_empty() || key.contains(&field.name().as_str());
            let changed = match new.column_by_name(field.name()) {
                Some(column) if !is_same => changed(&opened.column(group, index)?, column, places)?,
                _ => None,
            };
            match (changed, encoder) {
                (Some(column), Some(mut encoder)) => {
                    let field = field.as_ref().clone().with_data_type(column.data_type().clone());
                    for leaf in compute_leaves(&field, &column)? {
                        encoder.write(&leaf)?;
                    }
                    encoder.close()?.append_to_row_group(&mut written)?;
                }
                _ => written.append_column(&opened.bytes, moved(chunks.column(index), chunks.num_rows()))?,
            }
        }
        written.close()?;
    }
    let metadata = file.close()?;
    Ok((bytes, metadata))
}

/// A column with its new values, or `None` when they are the old ones.
fn changed(old: &ArrayRef, new: &ArrayRef, places: &[Place]) -> Result<Option<ArrayRef>, LakeError> {
    let new = cast(new, old.data_type())?;
    let index = |of: fn(&Place) -> usize| -> UInt64Array { places.iter().map(|p| of(p) as u64).collect() };
    let before = take(old, &index(|p| p.row), None)?;
    let after = take(&new, &index(|p| p.replacement), None)?;
    let same: BooleanArray = not_distinct(&before, &after)?;
    if same.true_count() == same.len() {
        return Ok(None);
    }
    let mut indices: Vec<(usize, usize)> = (0..old.len()).map(|row| (0, row)).collect();
    for place in places {
        if let Some(index) = indices.get_mut(place.row) {
            *index = (1, place.replacement);
        }
    }
    Ok(Some(interleave(&[old.as_ref(), new.as_ref()], &indices)?))
}

/// What the writer has to know of a column chunk whose bytes it takes over.
fn moved(chunk: &ColumnChunkMetaData, rows: i64) -> ColumnCloseResult {
    ColumnCloseResult {
        bytes_written: u64::try_from(chunk.compressed_size()).unwrap_or_default(),
        rows_written: u64::try_from(rows).unwrap_or_default(),
        metadata: chunk.clone(),
        bloom_filter: None,
        column_index: None,
        offset_index: None,
    }
}
