//! The audit log: who asked for what and what they got, committed before they get it (serving contract 7).
//!
//! Rows that wait at the same time are committed together: one statement, one transaction, one flush to disk for all of
//! them. While a group is being committed the next one gathers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::audit_columns::AuditColumns;
use crate::audit_row::AuditRow;
use crate::error::StoreError;
use crate::pool::Pool;
use crate::statements;
use crate::store::Store;

/// How rows are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditOptions {
    /// Most rows in one transaction.
    pub max_group: usize,
    /// Transactions that may be under way at once. Each has a connection of its own, besides those of the store, so that
    /// no audit row waits behind lookups.
    pub in_flight: u32,
    /// Most rows waiting; one more is refused.
    pub queue: usize,
    /// Longest a row may wait for its commit.
    pub timeout: Duration,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            max_group: 256,
            in_flight: 2,
            queue: 4096,
            timeout: Duration::from_secs(5),
        }
    }
}

/// The row is not known to be committed: what it is about must not be given away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// Too many rows are waiting.
    #[error("the audit log is full")]
    Full,
    /// The log is shutting down.
    #[error("the audit log is closed")]
    Closed,
    /// The group's transaction failed.
    #[error("the audit row was not committed: {reason}")]
    NotCommitted {
        /// What the database said.
        reason: String,
    },
    /// No commit within the time allowed.
    #[error("the audit row was not committed in time")]
    Timeout,
}

/// Handle to the audit log; cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog {
    waiting: mpsc::Sender<Waiting>,
    timeout: Duration,
    stop: Arc<Notify>,
    ended: watch::Receiver<bool>,
}

/// A row, and whom to tell.
#[derive(Debug)]
struct Waiting {
    row: AuditRow,
    done: oneshot::Sender<Result<(), AuditError>>,
}

impl AuditLog {
    /// Starts the task that commits groups of rows. Must be called in a tokio runtime.
    #[must_use]
    pub fn start(store: Store, options: AuditOptions) -> Self {
        let (waiting, rows) = mpsc::channel(options.queue.max(1));
        let (ending, ended) = watch::channel(false);
        let stop = Arc::new(Notify::new());
        let pool = store.own_pool(options.in_flight.max(1));
        let committer = Committer {
            store,
            pool,
            options,
            rows,
            stop: Arc::clone(&stop),
        };
        tokio::spawn(async move {
            committer.run().await;
            ending.send_replace(true);
        });
        Self {
            waiting,
            timeout: options.timeout,
            stop,
            ended,
        }
    }

    /// Returns when the row is committed, and only then.
    ///
    /// # Errors
    /// When the row is not known to be committed.
    pub async fn record(&self, row: AuditRow) -> Result<(), AuditError> {
        let (done, outcome) = oneshot::channel();
        self.waiting
            .try_send(Waiting { row, done })
            .map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => AuditError::Full,
                mpsc::error::TrySendError::Closed(_) => AuditError::Closed,
            })?;
        match timeout(self.timeout, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(AuditError::Closed),
            Err(_) => Err(AuditError::Timeout),
        }
    }

    /// Refuses new rows and returns when all that wait are committed or given up.
    pub async fn shutdown(&self) {
        self.stop.notify_one();
        let mut ended = self.ended.clone();
        // The sender is gone only after the task ended, which is what is waited for.
        let _ = ended.wait_for(|ended| *ended).await;
    }
}

/// The task that commits.
struct Committer {
    store: Store,
    pool: Pool,
    options: AuditOptions,
    rows: mpsc::Receiver<Waiting>,
    stop: Arc<Notify>,
}

impl Committer {
    async fn run(mut self) {
        let in_flight = self.options.in_flight.max(1);
        let permits = Arc::new(Semaphore::new(in_flight as usize));
        let mut stopping = false;
        loop {
            // First a place for the group, then the group: what comes while none is free joins it.
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                break;
            };
            let mut group = Vec::new();
            let took = tokio::select! {
                biased;
                () = self.stop.notified(), if !stopping => {
                    stopping = true;
                    self.rows.close();
                    continue;
                }
                took = self.rows.recv_many(&mut group, self.options.max_group.max(1)) => took,
            };
            if took == 0 {
                // Every handle is gone, or the log was closed, and nothing waits.
                break;
            }
            let (store, pool) = (self.store.clone(), self.pool.clone());
            tokio::spawn(async move {
                commit(&store, &pool, group).await;
                drop(permit);
            });
        }
        // All places free: nothing is under way any more. The semaphore is never closed.
        let _ = permits.acquire_many(in_flight).await;
        self.pool.close().await;
    }
}

/// Commits a group and tells everyone in it.
async fn commit(store: &Store, pool: &Pool, group: Vec<Waiting>) {
    // Who has given up meanwhile is recorded nevertheless: the attempt was made.
    let (rows, waiting): (Vec<_>, Vec<_>) = group.into_iter().map(|w| (w.row, w.done)).unzip();
    let outcome = insert(store, pool, rows).await.map_err(|e| {
        tracing::error!(
            error = &e as &dyn std::error::Error,
            rows = waiting.len(),
            "audit rows were not committed"
        );
        AuditError::NotCommitted {
            reason: e.to_string(),
        }
    });
    for done in waiting {
        let _ = done.send(outcome.clone());
    }
}

async fn insert(store: &Store, pool: &Pool, rows: Vec<AuditRow>) -> Result<(), StoreError> {
    let mut lease = store.writer(pool).await?;
    // One statement outside of a transaction is a transaction: it has committed when its result is here.
    let query = AuditColumns::of(rows).bound();
    store
        .timed(
            statements::INSERT_AUDIT_ROWS.name,
            query.execute(lease.connection()),
        )
        .await?;
    store.written(lease);
    Ok(())
}
