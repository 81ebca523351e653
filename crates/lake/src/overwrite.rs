//! Replaces the rows of some files as a whole, unless the new rows are the same multiset.

use std::future::Future;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::stored_rows::Comparison;
use crate::writer::{Staged, StagedWriter};
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
        for part in in_parts(ctx.read_table(self.scan(files.clone()))?, |stream| {
            Multiset::of(stream, Arc::clone(&compared))
        })
        .await?
        {
            before.absorb(part);
        }
        let mut now = Multiset::default();
        let mut staged = Staged::default();
        let table = &*self;
        for (part, files) in in_parts(rows, |stream| {
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
            transaction: None,
            metadata,
        })
        .await?;
        Ok(outcome)
    }
}

/// Every part of a plan in a task of its own.
async fn in_parts<T, F>(
    rows: DataFrame,
    work: impl Fn(SendableRecordBatchStream) -> F,
) -> Result<Vec<T>, LakeError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, LakeError>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for stream in rows.execute_stream_partitioned().await? {
        tasks.spawn(work(stream));
    }
    let mut parts = Vec::new();
    while let Some(part) = tasks.join_next().await {
        parts.push(part.map_err(|e| LakeError::Corrupt {
            what: "a part of a plan".to_owned(),
            reason: e.to_string(),
        })??);
    }
    Ok(parts)
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
