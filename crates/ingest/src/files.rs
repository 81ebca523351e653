//! The data files one parser thread writes, and the table they are for.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use nsc_lake::{LakeError, Staged, StagedWriter, Table};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::columns::Registry;

/// The table as the threads of one load see it: it grows when one of them meets a new field.
pub(crate) struct Target {
    table: Mutex<Table>,
    registry: Arc<Registry>,
    runtime: Handle,
}

impl Target {
    /// Must be called inside the runtime that storage is used with.
    pub(crate) fn new(table: Table, registry: Arc<Registry>) -> Self {
        Self {
            table: Mutex::new(table),
            registry,
            runtime: Handle::current(),
        }
    }

    /// The table as it is now.
    pub(crate) async fn table(&self) -> Table {
        self.table.lock().await.clone()
    }

    /// A writer that knows every column of a batch. A file is written by one schema, so columns must be in the
    /// table before their first value is; that commit adds no row, and repeating it adds nothing.
    async fn writer(&self, batch: &SchemaRef) -> Result<(StagedWriter, SchemaRef), LakeError> {
        let mut table = self.table.lock().await;
        if !covers(&table.schema(), batch) {
            add_columns(&mut table, &self.registry.added()).await?;
        }
        let schema = table.schema();
        // A writer would leave out a column it does not know, and its values with it.
        match batch.fields().iter().find(|f| schema.index_of(f.name()).is_err()) {
            None => Ok((table.writer()?, schema)),
            Some(lost) => Err(LakeError::Corrupt {
                what: format!("column {} of {}", lost.name(), table.name()),
                reason: "it could not be added".to_owned(),
            }),
        }
    }
}

/// Adds columns a load brings. Their names were chosen on the table as it was when the load began: when another
/// load has since added one that differs only by case, this is a conflict and the input must be read again.
pub(crate) async fn add_columns(table: &mut Table, names: &[String]) -> Result<(), LakeError> {
    if names.is_empty() {
        return Ok(());
    }
    table.reload().await?;
    collision(table, names)?;
    let Err(error) = table.add_text_columns(names).await else {
        return Ok(());
    };
    // The other load may have been faster by a moment only.
    table.reload().await?;
    collision(table, names)?;
    Err(error)
}

fn collision(table: &Table, names: &[String]) -> Result<(), LakeError> {
    let schema = table.schema();
    for name in names.iter().filter(|n| schema.index_of(n).is_err()) {
        if let Some(taken) = schema
            .fields()
            .iter()
            .find(|f| f.name().to_lowercase() == name.to_lowercase())
        {
            let reason = format!(
                "it added column {}, which differs from {name} only by case",
                taken.name()
            );
            return Err(LakeError::Conflict {
                table: table.name(),
                reason,
            });
        }
    }
    Ok(())
}

fn covers(stored: &SchemaRef, batch: &SchemaRef) -> bool {
    batch.fields().iter().all(|f| stored.index_of(f.name()).is_ok())
}

/// Files being written by one thread. All methods block; they belong on a blocking thread.
pub(crate) struct Files {
    target: Arc<Target>,
    open: Option<(StagedWriter, SchemaRef)>,
    closed: Staged,
}

impl Files {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            open: None,
            closed: Staged::default(),
        }
    }

    /// Writes a batch, whose columns the table may not have yet.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        let target = Arc::clone(&self.target);
        target.runtime.block_on(async {
            let (mut writer, schema) = match self.open.take() {
                Some((writer, schema)) if covers(&schema, &batch.schema()) => (writer, schema),
                Some((writer, _)) => {
                    self.close(writer).await?;
                    target.writer(&batch.schema()).await?
                }
                None => target.writer(&batch.schema()).await?,
            };
            let written = writer.write(batch).await;
            self.open = Some((writer, schema));
            written
        })
    }

    async fn close(&mut self, writer: StagedWriter) -> Result<(), LakeError> {
        let files = writer.finish().await?;
        self.closed = std::mem::take(&mut self.closed).merge(files);
        Ok(())
    }

    /// Completes the files. What was completed is handed over even when the last could not be.
    pub(crate) fn finish(mut self) -> (Staged, Result<(), LakeError>) {
        let target = Arc::clone(&self.target);
        let closed = match self.open.take() {
            Some((writer, _)) => target.runtime.block_on(self.close(writer)),
            None => Ok(()),
        };
        (self.closed, closed)
    }
}
