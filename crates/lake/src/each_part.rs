//! The same work on every part of a plan's rows, each in a task of its own.

use std::future::Future;

use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::DataFrame;
use tokio::task::JoinSet;

use crate::LakeError;

/// Runs the plan and does `work` on each part; results come as they are ready. The first error ends all.
///
/// # Errors
/// The engine's, the first error of `work`, and that of a task that was stopped.
pub(crate) async fn of<T, F>(
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
        parts.push(part??);
    }
    Ok(parts)
}
