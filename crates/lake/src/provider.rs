//! Chosen files of a table version as a DataFusion table: a plain Parquet scan with partition values.
//!
//! The library's own provider cannot be told which files to read and does not travel to executors; this one
//! can and does (docs/decisions/0003).

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::{ScalarValue, Statistics, ToDFSchema, stats::Precision};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType, utils::conjunction};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::DynObjectStore;

use crate::data_reader::DataReaders;
use crate::{DataFile, Table};

/// A read-only table over some data files.
#[derive(Debug)]
pub struct FilesTable {
    name: String,
    schema: SchemaRef,
    partition: Vec<String>,
    files: Vec<DataFile>,
    store_url: ObjectStoreUrl,
    store: Arc<DynObjectStore>,
}

/// Text is read as views: one buffer a page and no copy a value.
fn reading_type(field: &Field) -> Field {
    match field.data_type() {
        DataType::Utf8 => field.clone().with_data_type(DataType::Utf8View),
        _ => field.clone(),
    }
}

impl FilesTable {
    /// As the pipelines and queries see it. A Bronze column that has a name of the engine's own (`__common_expr_1`, of a load
    /// before such fields got another name) is not read: it would end every plan.
    pub(crate) fn new(table: &Table, files: Vec<DataFile>) -> Self {
        let mut seen = Self::whole(table, files);
        if table.contract().schema_evolves() {
            let fields = seen.schema.fields().iter();
            let kept: Vec<_> = fields.filter(|f| !f.name().starts_with("__")).cloned().collect();
            seen.schema = Arc::new(Schema::new(kept));
        }
        seen
    }

    /// With every column that is stored.
    pub(crate) fn whole(table: &Table, files: Vec<DataFile>) -> Self {
        let partition: Vec<String> = table
            .contract()
            .partition
            .iter()
            .map(|p| (*p).to_owned())
            .collect();
        let stored = table.schema();
        let (in_path, in_file): (Vec<_>, Vec<_>) = stored
            .fields()
            .iter()
            .map(|f| reading_type(f))
            .partition(|f| partition.contains(f.name()));
        // DataFusion reads partition columns last.
        let schema = Arc::new(Schema::new(
            in_file.into_iter().chain(in_path).collect::<Vec<_>>(),
        ));
        Self {
            name: table.name(),
            schema,
            partition,
            files,
            store_url: table.store_url().clone(),
            store: table.object_store(),
        }
    }

    /// Rows the log counts in these files.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.files.iter().filter_map(|f| f.rows).sum()
    }

    fn table_schema(&self) -> TableSchema {
        let (in_path, in_file): (Vec<_>, Vec<_>) = self
            .schema
            .fields()
            .iter()
            .cloned()
            .partition(|f| self.partition.contains(f.name()));
        TableSchema::builder(Arc::new(Schema::new(in_file)))
            .with_table_partition_cols(in_path)
            .build()
    }

    fn partitioned_file(&self, file: &DataFile) -> Result<PartitionedFile> {
        let values = self
            .partition
            .iter()
            .map(|column| {
                let ty = self.schema.field_with_name(column)?.data_type();
                match file.partition.get(column).and_then(Option::as_deref) {
                    Some(text) => ScalarValue::try_from_string(text.to_owned(), ty),
                    None => ScalarValue::try_new_null(ty),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(PartitionedFile::new(file.path.clone(), file.size).with_partition_values(values))
    }
}

#[async_trait]
impl TableProvider for FilesTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Parquet statistics skip row groups; the filter itself is applied above the scan.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        let rows = self
            .files
            .iter()
            .map(|f| f.rows)
            .sum::<Option<u64>>()
            .and_then(|n| usize::try_from(n).ok());
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = rows.map_or(Precision::Absent, Precision::Exact);
        Some(statistics)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.files.is_empty() {
            let schema = match projection {
                Some(indices) => Arc::new(self.schema.project(indices)?),
                None => Arc::clone(&self.schema),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        state
            .runtime_env()
            .register_object_store(self.store_url.as_ref(), Arc::clone(&self.store));
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        let readers = DataReaders::new(&self.name, Arc::clone(&self.store), footers);
        let mut source = ParquetSource::new(self.table_schema())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::new(readers));
        if let Some(filter) = conjunction(filters.to_vec()) {
            let schema = Arc::clone(&self.schema).to_dfschema()?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        let mut files = self
            .files
            .iter()
            .map(|f| self.partitioned_file(f))
            .collect::<Result<Vec<_>>>()?;
        files.sort_by_key(|f| std::cmp::Reverse(f.object_meta.size));
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let config = FileScanConfigBuilder::new(self.store_url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(
                self.statistics()
                    .unwrap_or_else(|| Statistics::new_unknown(&self.schema)),
            )
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
