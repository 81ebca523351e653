//! One open Delta table and its commits.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::object_store::ObjectStoreUrl;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Remove, Transaction};
use deltalake::logstore::LogStoreRef;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, TableProperty};
use futures::TryStreamExt;
use nsc_contracts::{SchemaDifference, TableContract};
use nsc_core::DateKst;
use serde_json::Value;
use twox_hash::XxHash3_64;

use crate::data_file::DataFile;
use crate::features::{Direction, Features};
use crate::lease::Lease;
use crate::log_guard::Hidden;
use crate::schema_change::{described, stored_field};
use crate::writer::{Staged, StagedWriter};
use crate::{FilesTable, LakeError};

/// A checkpoint every ten commits or so keeps opening a table fast however long its history is. Each table has its own
/// number: most are written once a night, and with one for all every tenth night would write all the checkpoints.
fn checkpoint_interval(contract: &TableContract) -> usize {
    let place = nsc_contracts::tables().position(|t| t.full_name() == contract.full_name());
    8 + place.unwrap_or_default() % 5
}

/// A loaded Delta table of the contract, at one version.
#[derive(Debug, Clone)]
pub struct Table {
    delta: DeltaTable,
    contract: &'static TableContract,
    /// The data files of the loaded version, once they were asked for: the log keeps them as JSON.
    files: Arc<OnceLock<Vec<DataFile>>>,
    place: Place,
    /// What must be held for the table to be changed.
    lease: Option<Lease>,
}

/// Where a table is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The name of its store in a session.
    store_url: ObjectStoreUrl,
    /// Files of its log that are passed over.
    hidden: Hidden,
}

impl Place {
    /// The place with some name, which no other table has.
    pub(crate) fn new(name: &str, hidden: Hidden) -> Result<Self, LakeError> {
        let hash = XxHash3_64::oneshot(name.as_bytes());
        Ok(Self {
            store_url: ObjectStoreUrl::parse(format!("nsc://table-{hash:016x}"))?,
            hidden,
        })
    }
}

/// One atomic change of a table.
#[derive(Debug, Default)]
pub struct Commit {
    /// New data files.
    pub staged: Staged,
    /// Data files that are no longer part of the table.
    pub removed: Vec<DataFile>,
    /// Application transactions (id, version) recorded with the change.
    pub transactions: Vec<(String, i64)>,
    /// What `nsc table history` shows of the change.
    pub metadata: Vec<(String, Value)>,
    /// It is one of very many: no checkpoint is made and no log cleaned up with it, whoever commits them sees to that
    /// beside them.
    pub is_one_of_many: bool,
}

impl Table {
    pub(crate) fn new(delta: DeltaTable, place: Place, contract: &'static TableContract) -> Self {
        Self {
            delta,
            contract,
            files: Arc::default(),
            place,
            lease: None,
        }
    }

    /// The same table, changed only while a lease is held.
    pub(crate) fn under(self, lease: Option<Lease>) -> Self {
        Self { lease, ..self }
    }

    /// Creates the table from its contract.
    pub(crate) async fn create(
        store: LogStoreRef,
        place: Place,
        contract: &'static TableContract,
    ) -> Result<Self, LakeError> {
        let name = contract.full_name();
        let columns = contract
            .columns
            .iter()
            .map(|column| stored_field(&column.arrow_field()));
        let columns = columns.map(|field| field.map(|field| described(contract, field)));
        let created = DeltaTable::new(store)
            .create()
            .with_table_name(contract.name)
            .with_comment(contract.description)
            .with_columns(columns.collect::<Result<Vec<_>, _>>()?)
            .with_partition_columns(contract.partition.iter().map(|p| (*p).to_owned()))
            .with_configuration_property(TableProperty::CheckpointInterval, Some(checkpoint_interval(contract).to_string()))
            .with_configuration_property(TableProperty::DataSkippingStatsColumns, Some(contract.statistics.join(",")))
            // A second creator that was faster left the same table behind.
            .with_save_mode(SaveMode::Ignore)
            .await
            .map_err(|e| LakeError::delta(&name, e))?;
        Ok(Self::new(created, place, contract))
    }

    /// The contract of this table.
    #[must_use]
    pub fn contract(&self) -> &'static TableContract {
        self.contract
    }

    /// `<layer>.<name>`.
    #[must_use]
    pub fn name(&self) -> String {
        self.contract.full_name()
    }

    /// The loaded version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.delta.version().unwrap_or_default()
    }

    /// The Delta table underneath, for maintenance operations of the library.
    #[must_use]
    pub fn delta(&self) -> &DeltaTable {
        &self.delta
    }

    /// The stored columns, partition columns in their declared place, text as `Utf8`.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let Ok(snapshot) = self.delta.snapshot() else {
            return self.contract.arrow_schema();
        };
        let stored = snapshot.snapshot().arrow_schema();
        let declared = |name: &str| self.contract.columns.iter().find(|c| c.name == name);
        let fields: Vec<Field> = stored
            .fields()
            .iter()
            .map(|f| match declared(f.name()) {
                Some(column) => column.arrow_field().with_nullable(f.is_nullable()),
                None => Field::new(f.name(), DataType::Utf8, true),
            })
            .collect();
        Arc::new(Schema::new(fields))
    }

    /// Files of the log that cannot be read and are passed over, because the commits say the same.
    #[must_use]
    pub fn passed_over(&self) -> Vec<String> {
        self.place.hidden.names()
    }

    /// The name of the table's store in a session.
    pub(crate) fn store_url(&self) -> &ObjectStoreUrl {
        &self.place.store_url
    }

    /// Whether rows of the table may be read, or written, by this code.
    ///
    /// # Errors
    /// [`LakeError::Unsupported`] naming every feature that stands against it.
    pub fn check_features(&self, direction: Direction) -> Result<(), LakeError> {
        let (protocol, metadata) = self.protocol_and_metadata()?;
        let features = Features {
            protocol: &protocol,
            metadata: &metadata,
        };
        match features.against(direction, self.contract).as_slice() {
            [] => Ok(()),
            found => Err(self.unsupported(direction, found.join("; "))),
        }
    }

    fn unsupported(&self, direction: Direction, feature: String) -> LakeError {
        LakeError::Unsupported {
            table: self.name(),
            direction,
            feature,
        }
    }

    fn protocol_and_metadata(&self) -> Result<(Value, Value), LakeError> {
        let name = self.name();
        let state = self.delta.snapshot().map_err(|e| LakeError::delta(&name, e))?;
        let json = |value: Result<Value, serde_json::Error>| {
            value.map_err(|e| LakeError::Corrupt {
                what: format!("protocol of {name}"),
                reason: e.to_string(),
            })
        };
        Ok((
            json(serde_json::to_value(state.protocol()))?,
            json(serde_json::to_value(state.metadata()))?,
        ))
    }

    /// What must hold before a commit: every feature is implemented, and the run still holds its pipeline.
    ///
    /// # Errors
    /// [`LakeError::Unsupported`], [`LakeError::LeaseLost`], storage errors.
    pub(crate) async fn before_commit(&self) -> Result<(), LakeError> {
        self.check_features(Direction::Write)?;
        match &self.lease {
            Some(lease) => lease.assure().await,
            None => Ok(()),
        }
    }

    /// Compares the stored schema with the contract.
    ///
    /// # Errors
    /// [`LakeError::Unsupported`]; [`LakeError::Schema`] listing every difference.
    pub(crate) fn check_contract(&self) -> Result<(), LakeError> {
        self.check_features(Direction::Read)?;
        let differences = self.differences()?;
        if differences.is_empty() {
            Ok(())
        } else {
            Err(LakeError::Schema {
                table: self.name(),
                differences,
            })
        }
    }

    /// What separates the stored schema from the contract.
    ///
    /// # Errors
    /// When the table is not loaded.
    pub fn differences(&self) -> Result<Vec<SchemaDifference>, LakeError> {
        let snapshot = self
            .delta
            .snapshot()
            .map_err(|e| LakeError::delta(&self.name(), e))?;
        Ok(self.contract.differences(&snapshot.snapshot().arrow_schema()))
    }

    /// The data files of this version.
    ///
    /// # Errors
    /// [`LakeError::Unsupported`] for deletion vectors, which this reader does not apply.
    pub fn files(&self) -> Result<Vec<DataFile>, LakeError> {
        Ok(self.known_files()?.to_vec())
    }

    /// The same, not copied.
    pub(crate) fn known_files(&self) -> Result<&[DataFile], LakeError> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let files = self.logged_files()?;
        Ok(self.files.get_or_init(|| files))
    }

    fn logged_files(&self) -> Result<Vec<DataFile>, LakeError> {
        self.check_features(Direction::Read)?;
        let snapshot = self
            .delta
            .snapshot()
            .map_err(|e| LakeError::delta(&self.name(), e))?;
        let log = snapshot.snapshot().log_data();
        log.iter()
            .map(|view| {
                if view.deletion_vector_descriptor().is_some() {
                    return Err(self.unsupported(Direction::Read, "deletion vectors".to_owned()));
                }
                DataFile::from_view(&view).map_err(|reason| LakeError::Corrupt {
                    what: format!("{} {}", self.name(), view.path()),
                    reason,
                })
            })
            .collect()
    }

    /// Those of the data files that lie in the partitions of some days.
    ///
    /// # Errors
    /// As [`Table::files`].
    pub fn files_of(&self, days: &[DateKst]) -> Result<Vec<DataFile>, LakeError> {
        let of_days = |f: &DataFile| f.partition_date().is_some_and(|d| days.contains(&d));
        Ok(self
            .known_files()?
            .iter()
            .filter(|f| of_days(f))
            .cloned()
            .collect())
    }

    /// This version as a DataFusion table over some of its files.
    #[must_use]
    pub fn scan(&self, files: Vec<DataFile>) -> Arc<FilesTable> {
        Arc::new(FilesTable::new(self, files))
    }

    /// This version as a DataFusion table over all of its files.
    ///
    /// # Errors
    /// As [`Table::files`].
    pub fn scan_all(&self) -> Result<Arc<FilesTable>, LakeError> {
        Ok(self.scan(self.files()?))
    }

    /// The store rooted at the table's directory.
    #[must_use]
    pub fn object_store(&self) -> Arc<object_store::DynObjectStore> {
        self.delta.object_store()
    }

    pub(crate) fn log_store(&self) -> LogStoreRef {
        self.delta.log_store()
    }

    /// The highest version an application transaction was recorded with.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn application_version(&self, app_id: &str) -> Result<Option<i64>, LakeError> {
        let snapshot = self
            .delta
            .snapshot()
            .map_err(|e| LakeError::delta(&self.name(), e))?;
        snapshot
            .transaction_version(self.log_store().as_ref(), app_id)
            .await
            .map_err(|e| LakeError::delta(&self.name(), e))
    }

    /// Loads the newest version.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn reload(&mut self) -> Result<(), LakeError> {
        let (name, before) = (self.name(), self.version());
        self.delta
            .update_state()
            .await
            .map_err(|e| LakeError::delta(&name, e))?;
        if self.version() != before {
            self.files = Arc::default();
        }
        Ok(())
    }

    /// A writer of new data files; nothing is visible before they are committed. Several may run at once.
    ///
    /// # Errors
    /// [`LakeError::Unsupported`] when the table's partition column is not a date, or this code may not write the table.
    pub fn writer(&self) -> Result<StagedWriter, LakeError> {
        self.check_features(Direction::Write)?;
        StagedWriter::new(self)
    }

    /// Commits new files to the end of the table.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] when one of the application transactions was committed meanwhile.
    pub async fn commit_append(
        &mut self,
        staged: Staged,
        transactions: impl IntoIterator<Item = (String, i64)>,
        metadata: Vec<(String, Value)>,
    ) -> Result<u64, LakeError> {
        self.commit(Commit {
            staged,
            removed: Vec::new(),
            transactions: transactions.into_iter().collect(),
            metadata,
            is_one_of_many: false,
        })
        .await
    }

    /// Commits one change: all of it or nothing. Returns the new version, or the current one when there is
    /// nothing to change.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] when another writer changed what this change is based on; those of
    /// [`Table::check_features`]; [`LakeError::LeaseLost`].
    pub async fn commit(&mut self, commit: Commit) -> Result<u64, LakeError> {
        if commit.staged.is_empty() && commit.removed.is_empty() && commit.transactions.is_empty() {
            return Ok(self.version());
        }
        self.before_commit().await?;
        if !commit.removed.is_empty() && self.is_append_only()? {
            return Err(self.unsupported(Direction::Write, "append-only rows (delta.appendOnly)".to_owned()));
        }
        let name = self.name();
        let replaces = !commit.removed.is_empty();
        let mode = if replaces {
            SaveMode::Overwrite
        } else {
            SaveMode::Append
        };
        let operation = DeltaOperation::Write {
            mode,
            partition_by: Some(self.contract.partition.iter().map(|p| (*p).to_owned()).collect()),
            predicate: None,
        };
        let mut actions: Vec<Action> = commit
            .removed
            .iter()
            .map(|f| Action::Remove(Remove::from(f)))
            .collect();
        actions.extend(commit.staged.into_adds().into_iter().map(Action::Add));
        let mut properties = CommitProperties::default()
            .with_metadata(commit.metadata)
            .with_application_transactions(
                commit
                    .transactions
                    .into_iter()
                    .map(|(id, v)| Transaction::new(id, v))
                    .collect(),
            );
        if commit.is_one_of_many {
            properties = properties
                .with_create_checkpoint(false)
                .with_cleanup_expired_logs(Some(false));
        }
        if replaces {
            // Somebody may have put the files together that are taken out here (OPTIMIZE): the library lets that pass, and
            // their rows would stand twice. So what replaces files comes right after the version it has seen, or not at all.
            properties = properties.with_max_retries(0);
        }
        let state = self.delta.snapshot().map_err(|e| LakeError::delta(&name, e))?;
        let reference: &dyn TableReference = state.snapshot();
        let done = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(reference), self.log_store(), operation)
            .await
            .map_err(|e| LakeError::delta(&name, e))?;
        self.reload().await?;
        Ok(done.version())
    }

    fn is_append_only(&self) -> Result<bool, LakeError> {
        let (protocol, metadata) = self.protocol_and_metadata()?;
        let features = Features {
            protocol: &protocol,
            metadata: &metadata,
        };
        Ok(features.is_append_only())
    }

    /// The newest commits first, at most so many, or all that the log still has: version, time, operation, metadata.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn history(&self, limit: Option<usize>) -> Result<Vec<HashMap<String, Value>>, LakeError> {
        let commits: Vec<_> = self
            .delta
            .history(limit)
            .try_collect()
            .await
            .map_err(|e| LakeError::delta(&self.name(), e))?;
        commits
            .into_iter()
            .map(|c| match serde_json::to_value(c) {
                Ok(Value::Object(fields)) => Ok(fields.into_iter().collect()),
                other => Err(LakeError::Corrupt {
                    what: format!("{} history", self.name()),
                    reason: format!("{other:?}"),
                }),
            })
            .collect()
    }
}
