//! One data file in memory, read column by column and row group by row group.
//!
//! For what the engine's scan cannot do: know at which place of the file a row stands.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Date32Array, RecordBatch, new_null_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::catalog::TableProvider;
use nsc_core::DateKst;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};

use crate::error::{damaged, other_size};
use crate::{DataFile, LakeError, Table, fingerprint};

/// A data file of a table, all its bytes at hand.
pub(crate) struct OpenedFile {
    pub(crate) bytes: Bytes,
    pub(crate) metadata: ArrowReaderMetadata,
    /// The same with plain texts: a view of every single value that is picked out would have a buffer of its own.
    plain: ArrowReaderMetadata,
    /// What a scan of the table gives.
    schema: SchemaRef,
    /// The partition column, which is not in the file, and its value.
    partition: Option<(&'static str, Option<i32>)>,
}

impl OpenedFile {
    pub(crate) async fn open(table: &Table, file: &DataFile) -> Result<Self, LakeError> {
        let path = Path::from(file.path.as_str());
        let bytes = table.object_store().get(&path).await?.bytes().await?;
        if bytes.len() as u64 != file.size {
            let reason = other_size(bytes.len() as u64, file.size);
            return Err(damaged(&table.name(), &file.path, &reason));
        }
        let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new())
            .map_err(|e| damaged(&table.name(), &file.path, &e))?;
        let options = ArrowReaderOptions::new().with_schema(plain_texts(metadata.schema()));
        let plain = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options)?;
        let date = file.partition_date().map(DateKst::days);
        let partition = table.contract().partition.first().map(|column| (*column, date));
        Ok(Self {
            bytes,
            metadata,
            plain,
            schema: table.scan(Vec::new()).schema(),
            partition,
        })
    }

    /// Reads every value, and keeps none.
    pub(crate) fn decode(&self) -> Result<(), LakeError> {
        let reader =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), self.metadata.clone());
        for batch in reader.build()? {
            batch?;
        }
        Ok(())
    }

    pub(crate) fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    pub(crate) fn rows_of(&self, group: usize) -> usize {
        let rows = self.metadata.metadata().row_group(group).num_rows();
        usize::try_from(rows).unwrap_or_default()
    }

    /// Some columns of a row group, all rows or the selected ones.
    fn columns(
        &self,
        metadata: &ArrowReaderMetadata,
        group: usize,
        columns: impl IntoIterator<Item = usize>,
        selection: Option<RowSelection>,
    ) -> Result<Vec<RecordBatch>, LakeError> {
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.bytes.clone(), metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
        let mut builder = builder
            .with_projection(mask)
            .with_row_groups(vec![group])
            .with_batch_size(self.rows_of(group).max(1));
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let batches = builder.build()?.collect::<Result<Vec<_>, _>>();
        Ok(batches?)
    }

    /// One column of a row group.
    pub(crate) fn column(&self, group: usize, column: usize) -> Result<ArrayRef, LakeError> {
        let batches = self.columns(&self.metadata, group, [column], None)?;
        let parts: Vec<&dyn Array> = batches.iter().map(|b| b.column(0).as_ref()).collect();
        Ok(concat(&parts)?)
    }

    /// The fingerprints of some columns of a row group, row by row.
    pub(crate) fn fingerprints(&self, group: usize, columns: &[&str]) -> Result<Vec<u128>, LakeError> {
        let values = columns
            .iter()
            .map(|name| {
                let stored = self.metadata.schema().index_of(name).ok();
                let stored = stored.map(|index| self.column(group, index)).transpose()?;
                let field = self.schema.field_with_name(name)?;
                Ok((
                    *name,
                    self.as_scanned(field, stored.as_ref(), self.rows_of(group))?,
                ))
            })
            .collect::<Result<Vec<_>, LakeError>>()?;
        fingerprint::rows(&RecordBatch::try_from_iter(values)?, columns)
    }

    /// Some columns of some rows of a row group, at places in ascending order, as a scan of the table gives them.
    pub(crate) fn rows(
        &self,
        group: usize,
        places: &[usize],
        schema: &SchemaRef,
    ) -> Result<RecordBatch, LakeError> {
        let ranges = places.iter().map(|place| *place..place + 1);
        let selection = RowSelection::from_consecutive_ranges(ranges, self.rows_of(group));
        let stored = self.plain.schema();
        let wanted = schema
            .fields()
            .iter()
            .filter_map(|f| stored.index_of(f.name()).ok());
        let batches = self.columns(&self.plain, group, wanted, Some(selection))?;
        let one = |field: &Field| {
            let parts: Option<Vec<&dyn Array>> = batches
                .iter()
                .map(|b| b.column_by_name(field.name()).map(AsRef::as_ref))
                .collect();
            let parts = parts.filter(|parts| !parts.is_empty());
            let stored = parts.map(|parts| concat(&parts)).transpose()?;
            self.as_scanned(field, stored.as_ref(), places.len())
        };
        let columns = schema.fields().iter().map(|f| one(f)).collect::<Result<_, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }

    /// A column as a scan gives it: the partition's is constant, and one that came to the table later is null.
    fn as_scanned(
        &self,
        field: &Field,
        stored: Option<&ArrayRef>,
        rows: usize,
    ) -> Result<ArrayRef, LakeError> {
        Ok(match (self.partition, stored) {
            (Some((column, date)), _) if column == field.name() => {
                Arc::new(Date32Array::from(vec![date; rows]))
            }
            (_, Some(column)) => cast(column, field.data_type())?,
            (_, None) => new_null_array(field.data_type(), rows),
        })
    }
}

fn plain_texts(schema: &Schema) -> SchemaRef {
    let plain = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8View => field.as_ref().clone().with_data_type(DataType::Utf8),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(plain.collect::<Vec<_>>()))
}
