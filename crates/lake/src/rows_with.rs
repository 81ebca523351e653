//! The rows of some files that have one of some values in some columns: those columns are read, and of the others only what
//! stands in the rows that are found.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;

use crate::fingerprint::{self, FingerprintSet};
use crate::opened_file::OpenedFile;
use crate::{DataFile, LakeError, Table, each_file};

impl Table {
    /// `columns` of the rows whose values in `by` are those of some row of `wanted`, in memory: for few of many rows. A null
    /// is a value like any other.
    ///
    /// # Errors
    /// Storage and engine errors, and an unknown column.
    pub async fn rows_with(
        &self,
        ctx: &SessionContext,
        files: Vec<DataFile>,
        by: &'static [&'static str],
        wanted: &[RecordBatch],
        columns: &[&str],
    ) -> Result<DataFrame, LakeError> {
        let mut set = FingerprintSet::default();
        for batch in wanted {
            set.extend(fingerprint::rows(batch, by)?);
        }
        let all = self.scan(Vec::new()).schema();
        let indices = columns.iter().map(|c| all.index_of(c));
        let schema = Arc::new(all.project(&indices.collect::<Result<Vec<_>, _>>()?)?);
        let shared = Arc::new((self.clone(), set));
        let found = each_file::of(ctx, files, |ctx, file| {
            let (shared, schema) = (Arc::clone(&shared), Arc::clone(&schema));
            async move {
                let (table, set) = shared.as_ref();
                of_file(&ctx, table, &file, by, set, &schema).await
            }
        })
        .await?;
        Ok(ctx.read_table(Arc::new(MemTable::try_new(schema, vec![found.concat()])?))?)
    }
}

/// The rows of one file, with the columns of `schema`.
pub(crate) async fn of_file(
    ctx: &SessionContext,
    table: &Table,
    file: &DataFile,
    by: &[&str],
    wanted: &FingerprintSet,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>, LakeError> {
    if wanted.is_empty() || !holds_any(ctx, table, file, by, wanted).await? {
        return Ok(Vec::new());
    }
    let opened = OpenedFile::open(table, file).await?;
    let mut batches = Vec::new();
    for group in 0..opened.row_groups() {
        let values = opened.fingerprints(group, by)?;
        let places: Vec<usize> = (0..)
            .zip(&values)
            .filter_map(|(place, value)| wanted.contains(value).then_some(place))
            .collect();
        if !places.is_empty() {
            batches.push(opened.rows(group, &places, schema)?);
        }
    }
    Ok(batches)
}

/// Whether a file holds one of the values: most files of a history do not, and of them nothing else is read.
async fn holds_any(
    ctx: &SessionContext,
    table: &Table,
    file: &DataFile,
    columns: &[&str],
    wanted: &FingerprintSet,
) -> Result<bool, LakeError> {
    let mut stream = ctx
        .read_table(table.scan(vec![file.clone()]))?
        .select_columns(columns)?
        .execute_stream()
        .await?;
    while let Some(batch) = stream.try_next().await? {
        let values = fingerprint::rows(&batch, columns)?;
        if values.iter().any(|value| wanted.contains(value)) {
            return Ok(true);
        }
    }
    Ok(false)
}
