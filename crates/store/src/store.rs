//! The handle to the database.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use nsc_core::UtcMicros;
use nsc_telemetry::DbMetrics;
use sqlx::postgres::PgRow;
use sqlx::{Either, Execute, Executor};
use tokio::time::timeout;

use crate::connector::Connector;
use crate::error::StoreError;
use crate::migrate::{self, Found};
use crate::options::StoreOptions;
use crate::pool::{Lease, Pool};
use crate::statements::{self, Bound, Statement};
use crate::wire;

/// What is added to the server's own statement timeout before a silent server is given up.
const GRACE: Duration = Duration::from_secs(1);

/// The backoffice database. Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    pool: Pool,
    /// Pools of others to the same database.
    own_pools: Mutex<Vec<Pool>>,
    replica: Option<Pool>,
    statement_timeout: Duration,
    metrics: DbMetrics,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold a password.
        f.debug_struct("Shared")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// How pairing stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairingHealth {
    /// Pairs with one leg.
    pub incomplete: u64,
    /// `event_time` of the oldest of them.
    pub oldest: Option<UtcMicros>,
}

/// How the connections stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections open.
    pub size: u32,
    /// Of these, in use.
    pub checked_out: u32,
    /// Most that may be open.
    pub max: u32,
}

impl Store {
    /// A store that connects when it is first used: the database may be away.
    ///
    /// # Errors
    /// When a URL cannot be understood.
    pub async fn connect(options: &StoreOptions) -> Result<Self, StoreError> {
        Self::with_metrics(options, DbMetrics::noop())
    }

    /// The same, and measures (serving contract 8: `db_*`).
    ///
    /// # Errors
    /// When a URL cannot be understood.
    pub fn with_metrics(options: &StoreOptions, metrics: DbMetrics) -> Result<Self, StoreError> {
        let pool = |url, most| -> Result<Pool, StoreError> {
            let connector = Connector::new(url, &options.application_name, options.statement_timeout)?;
            Ok(Pool::new(connector, most, options.acquire_timeout))
        };
        let replica = match &options.replica_url {
            Some(url) => Some(pool(url.clone().into(), 1)?),
            None => None,
        };
        let pool = pool(options.url.clone(), options.max_connections)?;
        metrics.pool_size(options.max_connections.max(1));
        Ok(Self {
            shared: Arc::new(Shared {
                pool,
                own_pools: Mutex::new(Vec::new()),
                replica,
                statement_timeout: options.statement_timeout,
                metrics,
            }),
        })
    }

    /// The database answers, and its schema and set-up are such that this program can work: the version it needs, or a
    /// later one that took nothing away.
    ///
    /// # Errors
    /// [`StoreError::Schema`], [`StoreError::Encoding`], [`StoreError::Pooler`], or why the database does not answer.
    pub async fn ready(&self) -> Result<(), StoreError> {
        let statement = statements::SCHEMA_VERSION;
        let rows = self.rows(statement, statement.bound()).await?;
        migrate::checked_encoding(statement.only(&rows, 2)?)?;
        migrate::checked_settings(statement.only(&rows, 3)?)?;
        let found = Found {
            version: statement.only(&rows, 0)?,
            contracted: statement.only(&rows, 1)?,
        };
        found.fits()
    }

    /// [`Store::ready`], and the login may read what is asked for and add the audit row without which nothing is
    /// answered.
    ///
    /// # Errors
    /// [`StoreError::Privilege`], or as [`Store::ready`].
    pub async fn ready_to_answer(&self) -> Result<(), StoreError> {
        self.ready().await?;
        let statement = statements::LACKING_FOR_ANSWERS;
        let rows = self.rows(statement, statement.bound()).await?;
        match statement.only(&rows, 0)? {
            Some(lacking) => Err(StoreError::Privilege { lacking }),
            None => Ok(()),
        }
    }

    /// How many pairs wait for their other leg, and since when.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pairing_health(&self) -> Result<PairingHealth, StoreError> {
        let statement = statements::PAIRING_HEALTH;
        let rows = self.rows(statement, statement.bound()).await?;
        let (incomplete, oldest): (i64, Option<wire::Instant>) =
            (statement.only(&rows, 0)?, statement.only(&rows, 1)?);
        Ok(PairingHealth {
            incomplete: incomplete.unsigned_abs(),
            oldest: oldest.map(|t| t.0),
        })
    }

    /// Seconds the replica is behind; none when no replica is configured, or it has replayed nothing yet.
    ///
    /// # Errors
    /// When the replica does not answer.
    pub async fn replication_lag(&self) -> Result<Option<f64>, StoreError> {
        let Some(replica) = &self.shared.replica else {
            return Ok(None);
        };
        let statement = statements::REPLICATION_LAG;
        let (rows, _) = self.sent(replica, statement, statement.bound()).await?;
        let lag: Option<f64> = statement.only(&rows, 0)?;
        if let Some(seconds) = lag {
            self.shared.metrics.replication_lag(seconds);
        }
        Ok(lag)
    }

    /// How the connections stand right now.
    #[must_use]
    pub fn pool_status(&self) -> PoolStatus {
        let (size, checked_out, max) = self.shared.pool.status();
        PoolStatus {
            size,
            checked_out,
            max,
        }
    }

    /// Closes the connections; what is under way is finished first.
    pub async fn close(&self) {
        self.shared.pool.close().await;
        if let Some(replica) = &self.shared.replica {
            replica.close().await;
        }
    }

    /// The rows of a statement, on the main database.
    pub(crate) async fn rows(
        &self,
        statement: Statement,
        bound: Bound<'_>,
    ) -> Result<Vec<PgRow>, StoreError> {
        Ok(self.sent(&self.shared.pool, statement, bound).await?.0)
    }

    /// How many rows a statement changed; one that says the same when it is sent twice.
    pub(crate) async fn changed(&self, statement: Statement, bound: Bound<'_>) -> Result<u64, StoreError> {
        Ok(self.sent(&self.shared.pool, statement, bound).await?.1)
    }

    /// Sends a statement. When the connection turns out to be from before a restart of the server, or does not answer in
    /// longer than the server itself may take, the others are no better: they are closed and the statement is sent once
    /// more.
    async fn sent(
        &self,
        pool: &Pool,
        statement: Statement,
        mut bound: Bound<'_>,
    ) -> Result<(Vec<PgRow>, u64), StoreError> {
        let failed = |source| StoreError::of_statement(statement.name, source);
        let arguments = bound
            .take_arguments()
            .map_err(sqlx::Error::Encode)
            .map_err(failed)?
            .unwrap_or_default();
        let mut first = true;
        loop {
            let mut lease = self.leased(pool.lease()).await?;
            let query = sqlx::query_with(statement.sql, arguments.clone());
            let collected = async {
                let mut stream = lease.connection().fetch_many(query);
                let (mut rows, mut changed) = (Vec::new(), 0);
                while let Some(part) = stream.try_next().await? {
                    match part {
                        Either::Left(done) => changed += done.rows_affected(),
                        Either::Right(row) => rows.push(row),
                    }
                }
                Ok((rows, changed))
            };
            match self.timed(statement.name, collected).await {
                Err(e) if e.is_broken_connection() => {
                    pool.forget_idle();
                    let may_be_better =
                        lease.was_reused() && (first || !matches!(e, StoreError::Timeout { .. }));
                    if !may_be_better {
                        return Err(e);
                    }
                    first = false;
                }
                Err(e) => return Err(e),
                Ok(outcome) => {
                    lease.give_back();
                    self.show_pool();
                    return Ok(outcome);
                }
            }
        }
    }

    /// The connections that all share.
    pub(crate) fn common_pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// Connections of one's own to the same database, so that nobody else's work is waited for; out of those the process may
    /// have.
    pub(crate) fn own_pool(&self, connections: u32) -> Pool {
        let pool = self.shared.pool.part(connections);
        self.shared.metrics.pool_size(self.shared.pool.status().2);
        let mut own_pools = self
            .shared
            .own_pools
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        own_pools.push(pool.clone());
        pool
    }

    /// A connection for a writer.
    pub(crate) async fn writer(&self, pool: &Pool) -> Result<Lease, StoreError> {
        self.leased(pool.lease()).await
    }

    /// Ends a writer's use of its connection: all went well.
    pub(crate) fn written(&self, lease: Lease) {
        lease.give_back();
        self.show_pool();
    }

    /// Waits for a statement, not longer than the server itself would take for it, and measures it.
    pub(crate) async fn timed<T>(
        &self,
        what: &'static str,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let patience = self.shared.statement_timeout + GRACE;
        let outcome = timeout(patience, statement).await;
        self.shared.metrics.query(what, begun.elapsed().as_secs_f64());
        match outcome {
            Ok(done) => done.map_err(|source| {
                let error = StoreError::of_statement(what, source);
                if error.is_read_only() {
                    // It was demoted: what it answers from now on is of the past, to whoever asks.
                    self.forget_idle();
                }
                error
            }),
            Err(_) => {
                // The server would have said so itself by now: the way to it has gone silent, for all connections.
                self.forget_idle();
                Err(StoreError::Timeout {
                    what,
                    after: patience,
                })
            }
        }
    }

    /// Closes what lies idle, of every pool.
    fn forget_idle(&self) {
        self.shared.pool.forget_idle();
        for pool in &*self
            .shared
            .own_pools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
        {
            pool.forget_idle();
        }
    }

    async fn leased(
        &self,
        lease: impl Future<Output = Result<Lease, StoreError>>,
    ) -> Result<Lease, StoreError> {
        let begun = Instant::now();
        let lease = lease.await;
        self.shared.metrics.checkout(begun.elapsed().as_secs_f64());
        self.show_pool();
        lease
    }

    fn show_pool(&self) {
        self.shared.metrics.pool_checked_out(self.shared.pool.status().1);
    }
}
