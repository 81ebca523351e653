//! Replaces the rows of some files as a whole, unless the new rows are the same multiset.

use arrow::array::RecordBatch;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use serde_json::Value;

use crate::stored_rows::Comparison;
use crate::{Commit, DataFile, LakeError, Table, UpsertOutcome, fingerprint};

/// Order-independent fingerprint of a multiset of rows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Multiset {
    rows: u64,
    sum: u128,
}

impl Multiset {
    fn add(&mut self, batch: &RecordBatch, columns: &[&str]) -> Result<(), LakeError> {
        for row in fingerprint::rows(batch, columns)? {
            self.rows += 1;
            self.sum = self.sum.wrapping_add(row);
        }
        Ok(())
    }

    async fn of(rows: DataFrame, columns: &[&str]) -> Result<Self, LakeError> {
        let mut all = Self::default();
        let mut stream = rows.execute_stream().await?;
        while let Some(batch) = stream.try_next().await? {
            all.add(&batch, columns)?;
        }
        Ok(all)
    }
}

impl Table {
    /// Replaces everything in `files` by `rows` in one commit; when the rows are the same (lineage aside) nothing
    /// is written.
    ///
    /// # Errors
    /// Storage and engine errors; [`LakeError::Conflict`] when another writer changed the table meanwhile.
    pub async fn overwrite(
        &mut self,
        ctx: &SessionContext,
        files: Vec<DataFile>,
        rows: DataFrame,
        metadata: Vec<(String, Value)>,
    ) -> Result<UpsertOutcome, LakeError> {
        let compared = Comparison::of(self.contract()).compared;
        let mut before = Multiset::default();
        if !files.is_empty() {
            before = Multiset::of(ctx.read_table(self.scan(files.clone()))?, &compared).await?;
            if before == Multiset::of(rows.clone(), &compared).await? {
                return Ok(UpsertOutcome {
                    unchanged: before.rows,
                    ..UpsertOutcome::default()
                });
            }
        }
        let mut writer = self.writer()?;
        let mut stream = rows.execute_stream().await?;
        while let Some(batch) = stream.try_next().await? {
            writer.write(&batch).await?;
        }
        let staged = writer.finish().await?;
        let outcome = UpsertOutcome {
            inserted: staged.rows(),
            deleted: before.rows,
            ..UpsertOutcome::default()
        };
        self.commit(Commit {
            staged,
            removed: files,
            transaction: None,
            metadata,
        })
        .await?;
        Ok(outcome)
    }
}
