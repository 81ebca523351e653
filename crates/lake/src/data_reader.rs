//! Readers of data files whose errors say which file of which table cannot be read, and why.
//!
//! The engine's own errors name at most the position of a byte.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{DynObjectStore, Error as StoreError, ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use crate::LakeError;
use crate::error::{damaged, other_size};

/// Makes the readers of one table's files. A file is looked into several times in a run: its footer is read once.
#[derive(Debug)]
pub(crate) struct DataReaders {
    table: Arc<str>,
    store: Arc<DynObjectStore>,
    cached: CachedParquetFileReaderFactory,
}

impl DataReaders {
    pub(crate) fn new(table: &str, store: Arc<DynObjectStore>, footers: Arc<FileMetadataCache>) -> Self {
        Self {
            table: table.into(),
            cached: CachedParquetFileReaderFactory::new(Arc::clone(&store) as Arc<dyn ObjectStore>, footers),
            store,
        }
    }
}

impl ParquetFileReaderFactory for DataReaders {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let named = NamedFile {
            table: Arc::clone(&self.table),
            store: Arc::clone(&self.store),
            path: file.object_meta.location.clone(),
            size: file.object_meta.size,
        };
        let inner = self
            .cached
            .create_reader(partition_index, file, metadata_size_hint, metrics)?;
        Ok(Box::new(DataReader { named, inner }))
    }
}

/// One data file as the log knows it.
struct NamedFile {
    table: Arc<str>,
    store: Arc<DynObjectStore>,
    path: Path,
    size: u64,
}

impl NamedFile {
    /// What an error of reading the file means. The storage is asked only now: nothing is looked at while all goes well.
    async fn explain(&self, error: ParquetError) -> ParquetError {
        let lost = match self.store.head(&self.path).await {
            Ok(found) if found.size != self.size => damaged(
                &self.table,
                self.path.as_ref(),
                &other_size(found.size, self.size),
            ),
            Ok(_) if is_of_content(&error) => damaged(&self.table, self.path.as_ref(), &error),
            Err(StoreError::NotFound { .. }) => LakeError::DataFilesMissing {
                table: self.table.to_string(),
                files: vec![self.path.to_string()],
            },
            _ => return error,
        };
        ParquetError::External(Box::new(lost))
    }
}

/// Whether the bytes came and mean nothing. The cache of footers hands errors of the storage on as text.
fn is_of_content(error: &ParquetError) -> bool {
    !matches!(error, ParquetError::External(_)) && !error.to_string().contains("Object Store error")
}

struct DataReader {
    named: NamedFile,
    inner: Box<dyn AsyncFileReader + Send>,
}

impl AsyncFileReader for DataReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        let read = self.inner.get_bytes(range);
        explained(&self.named, read)
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        let read = self.inner.get_byte_ranges(ranges);
        explained(&self.named, read)
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        let read = self.inner.get_metadata(options);
        explained(&self.named, read)
    }
}

fn explained<'a, T: Send + 'a>(
    named: &'a NamedFile,
    read: BoxFuture<'a, parquet::errors::Result<T>>,
) -> BoxFuture<'a, parquet::errors::Result<T>> {
    async move {
        match read.await {
            Ok(read) => Ok(read),
            Err(error) => Err(named.explain(error).await),
        }
    }
    .boxed()
}
