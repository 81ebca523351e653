//! Replaces the rows of some files as a whole, unless the new rows are the same multiset.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use serde_json::Value;

use crate::stored_rows::Comparison;
use crate::writer::{Staged, StagedWriter};
use crate::{Commit, DataFile, LakeError, Table, UpsertOutcome, each_part, fingerprint};

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

    async fn of(mut stream: SendableRecordBatchStream, columns: Arc<[&str]>) -> Result<Self, LakeError> {
        let mut all = Self::default();
        while let Some(batch) = stream.try_next().await? {
            all.add(&batch, &columns)?;
        }
        Ok(all)
    }

    fn absorb(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl Table {
    /// Replaces everything in `files` by `rows` in one commit; when the rows are the same (lineage aside) nothing
    /// is committed and what was staged is deleted again: the rows are computed once, and held never.
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
        let compared: Arc<[&'static str]> = Comparison::of(self.contract()).compared.into();
        let mut before = Multiset::default();
        for part in each_part::of(ctx.read_table(self.scan(files.clone()))?, |stream| {
            Multiset::of(stream, Arc::clone(&compared))
        })
        .await?
        {
            before.absorb(part);
        }
        let mut now = Multiset::default();
        let mut staged = Staged::default();
        let table = &*self;
        for (part, files) in each_part::of(rows, |stream| {
            let (writer, compared) = (table.writer(), Arc::clone(&compared));
            async move { written(stream, writer?, &compared).await }
        })
        .await?
        {
            now.absorb(part);
            staged = staged.merge(files);
        }
        if before == now {
            staged.discard().await?;
            return Ok(UpsertOutcome {
                unchanged: before.rows,
                ..UpsertOutcome::default()
            });
        }
        let outcome = UpsertOutcome {
            inserted: now.rows,
            deleted: before.rows,
            ..UpsertOutcome::default()
        };
        self.commit(Commit {
            staged,
            removed: files,
            metadata,
            ..Commit::default()
        })
        .await?;
        Ok(outcome)
    }
}

async fn written(
    mut stream: SendableRecordBatchStream,
    mut writer: StagedWriter,
    compared: &[&str],
) -> Result<(Multiset, Staged), LakeError> {
    let mut rows = Multiset::default();
    while let Some(batch) = stream.try_next().await? {
        rows.add(&batch, compared)?;
        writer.write(&batch).await?;
    }
    Ok((rows, writer.finish().await?))
}
