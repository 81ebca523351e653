//! From a statement's text to its rows.

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::Column;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::Expr;
use datafusion::prelude::{DataFrame, SessionContext};
use datafusion_functions_json::JSON_UNION_DATA_TYPE;
use datafusion_functions_json::functions::json_union_to_text;
use futures::TryStreamExt;
use nsc_contracts::TableContract;
use nsc_core::{ErrorCode, OperatorError};
use nsc_lake::{Lake, LakeError, SessionOptions, session};

use crate::error::QueryError;
use crate::look_log::LookLog;
use crate::{catalog, exact, statement, time_travel};

/// A session over the lake, for one statement after the other.
pub struct Engine {
    ctx: SessionContext,
    lake: Lake,
    looks: Option<LookLog>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("lake", &self.lake)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens no table yet.
    ///
    /// # Errors
    /// When the engine cannot use its spill directory.
    pub fn new(lake: Lake, options: &SessionOptions) -> Result<Self, QueryError> {
        let mut ctx = session(options)?;
        catalog::register(&ctx, &lake).map_err(|e| statement::failed(&e))?;
        time_travel::register(&ctx, &lake);
        exact::register(&ctx);
        datafusion_functions_json::register_all(&mut ctx).map_err(|e| statement::failed(&e))?;
        Ok(Self {
            ctx,
            lake,
            looks: None,
        })
    }

    /// The same session, each statement of [`Self::stream`] written down before it is answered.
    #[must_use]
    pub fn recorded(mut self, looks: Option<LookLog>) -> Self {
        self.looks = looks;
        self
    }

    /// The lake underneath.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Whether a text is one statement that is allowed. Nothing is run.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(text: &str) -> Result<(), QueryError> {
        statement::parse(text)?;
        Ok(())
    }

    /// What a statement asks for, and the tables that it names.
    async fn frame(&self, text: &str) -> Result<(DataFrame, Vec<&'static TableContract>), QueryError> {
        let parsed = statement::parse(text)?;
        let state = self.ctx.state();
        let named = state.resolve_table_references(&parsed).unwrap_or_default();
        match statement::plan(&state, parsed).await {
            Ok(plan) => {
                let known = named.iter().filter_map(|r| catalog::known(r.schema(), r.table()));
                let frame = readable(DataFrame::new(state, plan)).map_err(|e| statement::failed(&e))?;
                Ok((frame, known.collect()))
            }
            Err(refusal) => {
                let mut refusal = refusal;
                for reference in named {
                    match catalog::known(reference.schema(), reference.table()) {
                        // "table not found" of a table the contract has: it was never written.
                        Some(contract) => self.refuse_missing(contract).await?,
                        None if statement::is_of_table(&refusal, reference.table()) => {
                            refusal = statement::unknown_table(reference.schema(), reference.table());
                        }
                        None => {}
                    }
                }
                Err(refusal.into())
            }
        }
    }

    /// Runs a statement; its rows come batch by batch.
    ///
    /// # Errors
    /// When it is no single query, or the engine refuses it.
    pub async fn stream(&self, text: &str) -> Result<RowStream, QueryError> {
        Self::check(text)?;
        if let Some(looks) = &self.looks {
            looks.record(self.lake.root().as_str(), text)?;
        }
        let (frame, tables) = self.frame(text).await?;
        let schema = SchemaRef::new(frame.schema().as_arrow().clone());
        statement::refuse_unknown_zone(&schema)?;
        let batches = frame.execute_stream().await.map_err(|e| statement::failed(&e))?;
        Ok(RowStream {
            schema,
            batches,
            lake: self.lake.clone(),
            tables,
        })
    }

    /// Runs a statement of our own and keeps its rows; it carries its own limit. A table that was never written
    /// has no rows, nor columns.
    ///
    /// # Errors
    /// When the engine refuses it.
    pub async fn rows(&self, text: &str) -> Result<Rows, QueryError> {
        let frame = match self.frame(text).await {
            Ok((frame, _)) => frame,
            Err(refused) if refused.code() == ErrorCode::TableMissing => return Ok(Rows::none()),
            Err(refused) => return Err(refused),
        };
        let schema = SchemaRef::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await.map_err(|e| statement::failed(&e))?;
        Ok(Rows { schema, batches })
    }

    async fn refuse_missing(&self, contract: &'static TableContract) -> Result<(), QueryError> {
        match self.lake.existing(contract).await? {
            Some(_) => Ok(()),
            None => Err(LakeError::Missing {
                table: contract.full_name(),
            }
            .into()),
        }
    }
}

/// JSON that was picked out of a text (`message->'x'`) as the text it is: it may hold values of any type, which no format shows.
fn readable(frame: DataFrame) -> Result<DataFrame, DataFusionError> {
    let is_json = |field: &FieldRef| *field.data_type() == *JSON_UNION_DATA_TYPE;
    if !frame.schema().fields().iter().any(is_json) {
        return Ok(frame);
    }
    let columns = frame.schema().iter().map(|(qualifier, field)| {
        let column = Expr::Column(Column::from((qualifier, field)));
        if is_json(field) {
            json_union_to_text(column).alias(field.name())
        } else {
            column
        }
    });
    let columns: Vec<Expr> = columns.collect();
    frame.select(columns)
}

/// The rows of a statement on their way.
pub struct RowStream {
    schema: SchemaRef,
    batches: SendableRecordBatchStream,
    lake: Lake,
    /// What the statement names.
    tables: Vec<&'static TableContract>,
}

impl std::fmt::Debug for RowStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowStream")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl RowStream {
    /// The columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows; `None` behind the last.
    ///
    /// # Errors
    /// When the engine cannot go on.
    pub async fn next_batch(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        match self.batches.try_next().await {
            Ok(batch) => Ok(batch),
            Err(error) => Err(self.explained(error).await),
        }
    }

    /// The engine does not say whose bytes it could not make sense of: the tables of the statement are read to find out.
    async fn explained(&self, error: DataFusionError) -> QueryError {
        let error = LakeError::from(error);
        if error.is_of_content() {
            if let Ok(Some(damaged)) = self.lake.damaged_file(self.tables.iter().copied()).await {
                return damaged.into();
            }
            return error.into();
        }
        match error {
            LakeError::Engine(error) => statement::failed(&error).into(),
            lake => lake.into(),
        }
    }
}

/// The rows of a statement, all of them.
#[derive(Debug, Clone)]
pub struct Rows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Rows {
    /// No rows, of no columns.
    #[must_use]
    pub fn none() -> Self {
        Self {
            schema: SchemaRef::new(datafusion::arrow::datatypes::Schema::empty()),
            batches: Vec::new(),
        }
    }

    /// The columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows, in order.
    #[must_use]
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The values of a column as text, each once in the order of the rows, nulls left out; none where there is no such column.
    #[must_use]
    pub fn texts(&self, column: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for values in self.batches.iter().filter_map(|b| b.column_by_name(column)) {
            let Ok(texts) = cast(values, &DataType::Utf8) else {
                continue;
            };
            for text in texts.as_string::<i32>().iter().flatten() {
                if !found.iter().any(|known| known == text) {
                    found.push(text.to_owned());
                }
            }
        }
        found
    }

    /// The first value of a column as text.
    #[must_use]
    pub fn first_text(&self, column: &str) -> Option<String> {
        self.texts(column).into_iter().next()
    }
}
