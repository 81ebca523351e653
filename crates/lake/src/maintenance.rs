//! Table care: compaction, vacuum, checkpoints, retention of whole partitions. None of it changes what a reader sees.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;
use datafusion::prelude::SessionContext;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties, TableReference};
use deltalake::kernel::{Action, Remove};
use deltalake::operations::vacuum::VacuumMode;
use deltalake::protocol::{DeltaOperation, checkpoints};
use futures::TryStreamExt;
use nsc_core::DateKst;

use crate::{DataFile, Direction, FilesTable, LakeError, Table};

/// Files of at least this size are left as they are.
const LARGE_ENOUGH_BYTES: u64 = 96 << 20;

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were replaced.
    pub files_before: usize,
    /// Files that replaced them.
    pub files_after: usize,
    /// Rows moved.
    pub rows: u64,
}

/// What was, or in a dry run would be, removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Files.
    pub files: usize,
    /// Rows, as far as the log counts them.
    pub rows: u64,
}

impl Table {
    /// Rewrites the small files of each partition into large ones, in one commit that changes no row.
    ///
    /// # Errors
    /// Storage errors; [`LakeError::Conflict`] when another writer changed a rewritten file.
    pub async fn compact(&mut self, ctx: &SessionContext) -> Result<Compacted, LakeError> {
        let mut by_partition: BTreeMap<Option<DateKst>, Vec<DataFile>> = BTreeMap::new();
        for file in self.files()?.into_iter().filter(|f| f.size < LARGE_ENOUGH_BYTES) {
            by_partition.entry(file.partition_date()).or_default().push(file);
        }
        by_partition.retain(|_, files| files.len() > 1);
        let mut removed = Vec::new();
        let mut writer = self.writer()?;
        for files in by_partition.into_values() {
            let mut rows = ctx
                .read_table(Arc::new(FilesTable::whole(self, files.clone())))?
                .execute_stream()
                .await?;
            while let Some(batch) = rows.try_next().await? {
                writer.write(&batch).await?;
            }
            removed.extend(files);
        }
        let staged = writer.finish().await?;
        let done = Compacted {
            files_before: removed.len(),
            files_after: staged.data_files().len(),
            rows: staged.rows(),
        };
        if removed.is_empty() {
            return Ok(done);
        }
        // A file without a count in the log cannot contradict what was read from it.
        let expected: Option<u64> = removed.iter().map(|f| f.rows).sum();
        if expected.is_some_and(|rows| rows != done.rows) {
            staged.discard().await?;
            let reason = format!(
                "{} rows were read, the log counts {}",
                done.rows,
                expected.unwrap_or_default()
            );
            return Err(LakeError::Corrupt {
                what: format!("{} while compacting", self.name()),
                reason,
            });
        }
        self.commit_rearranged(&removed, staged).await?;
        Ok(done)
    }

    async fn commit_rearranged(
        &mut self,
        removed: &[DataFile],
        staged: crate::Staged,
    ) -> Result<(), LakeError> {
        let name = self.name();
        let fail = |e| LakeError::delta(&name, e);
        let mut actions: Vec<Action> = removed
            .iter()
            .map(|f| {
                Action::Remove(Remove {
                    data_change: false,
                    ..Remove::from(f)
                })
            })
            .collect();
        actions.extend(staged.into_adds().into_iter().map(|add| {
            Action::Add(deltalake::kernel::Add {
                data_change: false,
                ..add
            })
        }));
        self.before_commit().await?;
        let state = self.delta().snapshot().map_err(fail)?;
        let reference: &dyn TableReference = state.snapshot();
        let operation = DeltaOperation::Optimize {
            predicate: None,
            target_size: 192 << 20,
        };
        CommitBuilder::from(CommitProperties::default())
            .with_actions(actions)
            .build(Some(reference), self.log_store(), operation)
            .await
            .map_err(fail)?;
        self.reload().await
    }

    /// Removes the files that no version of the last `keep_days` needs, those of abandoned writes included.
    /// Without `apply` nothing is removed. Returns the paths.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn vacuum(&self, keep_days: u32, apply: bool) -> Result<Vec<String>, LakeError> {
        self.check_features(Direction::Write)?;
        let (_, done) = self
            .delta()
            .clone()
            .vacuum()
            .with_retention_period(Duration::days(i64::from(keep_days)))
            // Our own floor is checked by the caller; the table's may be longer than what was asked for.
            .with_enforce_retention_duration(false)
            .with_mode(VacuumMode::Full)
            .with_dry_run(!apply)
            .await
            .map_err(|e| LakeError::delta(&self.name(), e))?;
        Ok(done.files_deleted)
    }

    /// Writes a checkpoint of the loaded version.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn checkpoint(&self) -> Result<(), LakeError> {
        self.check_features(Direction::Write)?;
        checkpoints::create_checkpoint(self.delta(), None)
            .await
            .map_err(|e| LakeError::delta(&self.name(), e))
    }

    /// Removes the rows of every partition before a day. Without `apply` nothing is removed.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn expire_before(&mut self, first_kept: DateKst, apply: bool) -> Result<Expired, LakeError> {
        let old = |f: &DataFile| f.partition_date().is_some_and(|d| d < first_kept);
        let removed: Vec<DataFile> = self.files()?.into_iter().filter(old).collect();
        let expired = Expired {
            files: removed.len(),
            rows: removed.iter().filter_map(|f| f.rows).sum(),
        };
        if apply && !removed.is_empty() {
            let metadata = vec![(
                "nsc.retention".to_owned(),
                serde_json::Value::from(first_kept.to_string()),
            )];
            self.commit(crate::Commit {
                removed,
                metadata,
                ..crate::Commit::default()
            })
            .await?;
        }
        Ok(expired)
    }
}
