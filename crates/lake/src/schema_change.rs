//! Changes of a table's schema: columns that it lacks, and what its columns say of themselves.

use arrow::datatypes::{DataType, Field};
use deltalake::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, MetadataExt, StructField, StructType};
use deltalake::protocol::DeltaOperation;
use nsc_contracts::{SchemaDifference, TableContract};

use crate::{LakeError, Retry, Table};

/// Where Delta keeps what a column says of itself: every reader shows it.
const COMMENT: &str = "comment";

/// A field as the log keeps it.
pub(crate) fn stored_field(field: &Field) -> Result<StructField, LakeError> {
    Ok(field.try_into_kernel()?)
}

/// A field with the contract's description of it as its comment; one that has a comment keeps it, whoever wrote it.
pub(crate) fn described(contract: &TableContract, field: StructField) -> StructField {
    let column = contract.columns.iter().find(|c| c.name == field.name());
    match column {
        Some(column) if !field.metadata().contains_key(COMMENT) => {
            field.add_metadata([(COMMENT, column.description)])
        }
        _ => field,
    }
}

/// What [`Table::migrate`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migration {
    /// Columns that were added.
    pub added: Vec<String>,
    /// How many columns were given the contract's description.
    pub described: usize,
}

/// A schema before and after a change, and what the log says of it.
struct Change {
    schema: StructType,
    operation: DeltaOperation,
}

impl Table {
    /// Adds nullable text columns (Bronze schema evolution); those that exist are left alone.
    ///
    /// # Errors
    /// Storage errors; a lost race is retried on the newest version.
    pub async fn add_text_columns(&mut self, names: &[String]) -> Result<(), LakeError> {
        let fields = names
            .iter()
            .map(|n| Field::new(n, DataType::Utf8, true))
            .collect();
        self.add_columns(fields).await
    }

    /// Adds the nullable columns the contract has and the table lacks, and the descriptions of those that have none; no row
    /// is written again.
    ///
    /// # Errors
    /// [`LakeError::Schema`] when the table differs in any other way.
    pub async fn migrate(&mut self) -> Result<Migration, LakeError> {
        let differences = self.differences()?;
        let is_missing = |d: &SchemaDifference| matches!(d, SchemaDifference::MissingNullable(_));
        if !differences.iter().all(is_missing) {
            return Err(LakeError::Schema {
                table: self.name(),
                differences,
            });
        }
        let missing = |name: &str| {
            differences
                .iter()
                .any(|d| matches!(d, SchemaDifference::MissingNullable(c) if c == name))
        };
        let columns: Vec<_> = self
            .contract()
            .columns
            .iter()
            .filter(|c| missing(c.name))
            .collect();
        self.add_columns(columns.iter().map(|c| c.arrow_field()).collect())
            .await?;
        Ok(Migration {
            added: columns.iter().map(|c| c.name.to_owned()).collect(),
            described: self.describe().await?,
        })
    }

    async fn add_columns(&mut self, fields: Vec<Field>) -> Result<(), LakeError> {
        self.change_schema(|table, stored| {
            let schema = table.schema();
            let new = fields
                .iter()
                .filter(|f| schema.field_with_name(f.name()).is_err());
            let added: Vec<StructField> = new
                .map(|field| Ok(described(table.contract(), stored_field(field)?)))
                .collect::<Result<_, LakeError>>()?;
            if added.is_empty() {
                return Ok(None);
            }
            let all = StructType::try_new(stored.fields().cloned().chain(added.iter().cloned()));
            Ok(Some(Change {
                schema: all.map_err(|e| LakeError::delta(&table.name(), e.into()))?,
                operation: DeltaOperation::AddColumn { fields: added },
            }))
        })
        .await
    }

    /// Gives the columns without a comment the contract's; returns how many they were.
    async fn describe(&mut self) -> Result<usize, LakeError> {
        let mut count = 0;
        self.change_schema(|table, stored| {
            let fields: Vec<_> = stored
                .fields()
                .cloned()
                .map(|f| described(table.contract(), f))
                .collect();
            let is_new = |(now, before): &(&StructField, &StructField)| now != before;
            let changed = fields.iter().zip(stored.fields()).filter(is_new);
            let changed: Vec<StructField> = changed.map(|(now, _)| now.clone()).collect();
            count = changed.len();
            if changed.is_empty() {
                return Ok(None);
            }
            let schema = StructType::try_new(fields);
            Ok(Some(Change {
                schema: schema.map_err(|e| LakeError::delta(&table.name(), e.into()))?,
                operation: DeltaOperation::UpdateFieldMetadata { fields: changed },
            }))
        })
        .await?;
        Ok(count)
    }

    /// Commits another schema, worked out anew from what is stored when another writer was faster; `None` leaves it as it is.
    async fn change_schema(
        &mut self,
        mut change: impl FnMut(&Self, &StructType) -> Result<Option<Change>, LakeError>,
    ) -> Result<(), LakeError> {
        let name = self.name();
        let fail = |e| LakeError::delta(&name, e);
        let mut retry = Retry::default();
        loop {
            let delta = self.delta().clone();
            let state = delta.snapshot().map_err(fail)?;
            let Some(Change { schema, operation }) = change(self, state.snapshot().schema().as_ref())? else {
                return Ok(());
            };
            self.before_commit().await?;
            let metadata = state.metadata().clone().with_schema(&schema);
            let metadata = metadata.map_err(|e| fail(e.into()))?;
            let committed = CommitBuilder::from(CommitProperties::default())
                .with_actions(vec![Action::Metadata(metadata)])
                .build(Some(state.snapshot()), self.log_store(), operation)
                .await;
            match committed.map_err(fail) {
                Err(e) if retry.is_worth_it(&e).await => self.reload().await?,
                Err(e) => return Err(e),
                Ok(_) => return self.reload().await,
            }
        }
    }
}
