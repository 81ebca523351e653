//! The same work on each of several data files, as many at once as the session has threads.

use std::future::Future;

use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};

use crate::{DataFile, LakeError};

/// Does `work` on every file; the results come in the order of the files.
///
/// # Errors
/// The first error of `work`, and that of a task that was stopped.
pub(crate) async fn of<T, W, F>(
    ctx: &SessionContext,
    files: Vec<DataFile>,
    work: W,
) -> Result<Vec<T>, LakeError>
where
    T: Send + 'static,
    W: Fn(SessionContext, DataFile) -> F,
    F: Future<Output = Result<T, LakeError>> + Send + 'static,
{
    let at_once = ctx.state().config().target_partitions().max(1);
    let tasks: Vec<F> = files.into_iter().map(|file| work(ctx.clone(), file)).collect();
    futures::stream::iter(tasks)
        .map(|task| async { tokio::spawn(task).await? })
        .buffered(at_once)
        .try_collect()
        .await
}
