//! The rows of one partition on their way into a data file, and the memory all of them may hold together.
//!
//! An open Parquet writer costs some megabytes however few rows it has got (each column has its encoder, dictionary and
//! compressor). A load over a year of dates would have hundreds of them open. So rows are held back as they are until they
//! are worth a writer, and when all writers of the process together hold too much, complete files are made of what is held
//! (docs/decisions/0027).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use object_store::buffered::BufWriter;
use object_store::{DynObjectStore, path::Path};
use parquet::arrow::AsyncArrowWriter;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;

use crate::LakeError;

/// Bytes that all writers of the process may hold together before they make files of what they hold.
const ALL_WRITERS_BYTES: usize = 160 << 20;
/// Bytes a writer may hold whatever the others do.
const ONE_WRITER_BYTES: usize = 8 << 20;
/// Rows of this size are worth a Parquet writer of their own.
const WORTH_A_WRITER_BYTES: usize = 4 << 20;
/// What a Parquet writer holds beside its rows.
const PARQUET_WRITER_BYTES: usize = 6 << 20;
/// What is written is buffered up to this size, then uploaded in parts of it.
const UPLOAD_BYTES: usize = 10 << 20;

/// Bytes held by all writers of the process.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// What one writer holds of the memory of all.
#[derive(Debug, Default)]
pub(crate) struct HeldBytes(usize);

impl HeldBytes {
    pub(crate) fn replace(&mut self, before: usize, now: usize) {
        HELD.fetch_add(now, Ordering::Relaxed);
        HELD.fetch_sub(before, Ordering::Relaxed);
        self.0 = (self.0 + now).saturating_sub(before);
    }

    /// Whether this writer should make a file of what it holds.
    pub(crate) fn is_too_much(&self) -> bool {
        self.0 > ONE_WRITER_BYTES && HELD.load(Ordering::Relaxed) > ALL_WRITERS_BYTES
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Where files are written, and how.
pub(crate) struct Sink {
    pub(crate) store: Arc<DynObjectStore>,
    pub(crate) properties: WriterProperties,
}

struct OpenFile {
    schema: SchemaRef,
    writer: AsyncArrowWriter<BufWriter>,
}

/// Rows of one partition that are not in a complete file yet.
pub(crate) struct PartitionRows {
    path: String,
    waiting: Vec<RecordBatch>,
    waiting_bytes: usize,
    file: Option<OpenFile>,
    /// The number of the writer's last call that brought rows.
    pub(crate) written_at: u64,
}

impl PartitionRows {
    /// Rows for a new file.
    pub(crate) fn new(path: String) -> Self {
        Self {
            path,
            waiting: Vec::new(),
            waiting_bytes: 0,
            file: None,
            written_at: 0,
        }
    }

    /// Bytes in memory.
    pub(crate) fn held(&self) -> usize {
        let file = self.file.as_ref().map_or(0, |file| {
            let buffered = file.writer.bytes_written().min(UPLOAD_BYTES);
            PARQUET_WRITER_BYTES + file.writer.memory_size() + buffered
        });
        file + self.waiting_bytes
    }

    /// Bytes of the file as it would be now.
    pub(crate) fn file_bytes(&self) -> usize {
        let file = self.file.as_ref().map(|f| &f.writer);
        file.map_or(0, |w| w.bytes_written() + w.in_progress_size())
    }

    /// Takes rows.
    pub(crate) async fn write(&mut self, batch: &RecordBatch, sink: &Sink) -> Result<(), LakeError> {
        if self.file.is_some() {
            return self.encode(batch, sink).await;
        }
        let batch = alone(batch)?;
        self.waiting_bytes += batch.get_array_memory_size();
        self.waiting.push(batch);
        if self.waiting_bytes < WORTH_A_WRITER_BYTES {
            return Ok(());
        }
        self.encode_waiting(sink).await
    }

    async fn encode_waiting(&mut self, sink: &Sink) -> Result<(), LakeError> {
        self.waiting_bytes = 0;
        for batch in std::mem::take(&mut self.waiting) {
            self.encode(&batch, sink).await?;
        }
        Ok(())
    }

    async fn encode(&mut self, batch: &RecordBatch, sink: &Sink) -> Result<(), LakeError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let out = BufWriter::with_capacity(
                    Arc::clone(&sink.store),
                    Path::from(self.path.as_str()),
                    UPLOAD_BYTES,
                );
                let schema = batch.schema();
                let writer =
                    AsyncArrowWriter::try_new(out, Arc::clone(&schema), Some(sink.properties.clone()))?;
                self.file.insert(OpenFile { schema, writer })
            }
        };
        if file.schema == batch.schema() {
            return Ok(file.writer.write(batch).await?);
        }
        // Text arrived in its other form: the file keeps the form it began with.
        let columns = batch
            .columns()
            .iter()
            .zip(file.schema.fields())
            .map(|(c, f)| cast(c, f.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&file.schema), columns)?;
        Ok(file.writer.write(&batch).await?)
    }

    /// Completes the file: its path, its size and what its footer says.
    pub(crate) async fn finish(
        mut self,
        sink: &Sink,
    ) -> Result<Option<(String, usize, ParquetMetaData)>, LakeError> {
        self.encode_waiting(sink).await?;
        let Some(mut file) = self.file else {
            return Ok(None);
        };
        let metadata = file.writer.finish().await?;
        Ok(Some((self.path, file.writer.bytes_written(), metadata)))
    }
}

/// The rows with nothing else in their buffers: a view keeps the whole page it came from in memory.
fn alone(batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let own = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
        _ => Arc::clone(column),
    };
    let columns = batch.columns().iter().map(own).collect();
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}
