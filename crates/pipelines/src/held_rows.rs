//! Rows that are held in memory, as the engine takes them.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::prelude::{DataFrame, SessionContext};

use crate::PipelineError;

/// The first column of some batches under another name.
pub(crate) fn renamed(batches: &[RecordBatch], name: &str) -> Result<Vec<RecordBatch>, PipelineError> {
    let renamed = batches
        .iter()
        .map(|b| RecordBatch::try_from_iter([(name, Arc::clone(b.column(0)))]));
    Ok(renamed.collect::<Result<_, _>>()?)
}

/// Batches as a table of the session; their schemas may differ in nullability and in how text is kept.
pub(crate) fn in_memory(ctx: &SessionContext, batches: Vec<RecordBatch>) -> Result<DataFrame, PipelineError> {
    let fields = batches.first().map(|b| {
        b.schema()
            .fields()
            .iter()
            .map(|f| f.as_ref().clone().with_nullable(true))
            .collect::<Vec<_>>()
    });
    let schema = Arc::new(Schema::new(fields.unwrap_or_default()));
    let batches = batches
        .iter()
        .map(|b| in_schema(b, &schema))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ctx.read_table(Arc::new(MemTable::try_new(schema, vec![batches])?))?)
}

/// The same rows in another spelling of the schema (nullability, form of text).
fn in_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, PipelineError> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(c, f)| compute::cast(c, f.data_type()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
