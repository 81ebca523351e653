//! Connections kept open between uses.
//!
//! Why not the driver's own pool: it asks the server whether a connection still lives after every single use, which is
//! as dear as a lookup itself. Here a connection comes back only when all went well, and everything else (an error, a
//! caller that went away in the middle) closes it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout, timeout_at};

use crate::connector::Connector;
use crate::error::StoreError;

/// Age at which a connection is replaced, so that server memory and stale routes do not stay for ever.
const MAX_AGE: Duration = Duration::from_secs(30 * 60);
/// Idle time after which it is asked first whether the connection still lives: a firewall may have forgotten it.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How long that answer may take. A server that is there answers in a thousandth of it; else a new connection is made.
const ANSWER: Duration = Duration::from_secs(1);
/// Connections that lie idle are asked this often, so that no firewall forgets them (the usual ones do after minutes) and
/// those that are gone are found before somebody needs them. The driver lets nobody set the keepalives of its sockets.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Connections to one database.
#[derive(Clone)]
pub(crate) struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    connector: Connector,
    max: AtomicU32,
    acquire_timeout: Duration,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Kept>>,
    closed: AtomicBool,
    /// Counts how often all connections were given up: those of before are not kept any more.
    given_up: AtomicU64,
    /// A task looks after the idle connections.
    attended: AtomicBool,
}

struct Kept {
    connection: PgConnection,
    born: Instant,
    idle_since: Instant,
}

/// A connection on loan. Dropped without [`Lease::give_back`] it is closed.
pub(crate) struct Lease {
    connection: PgConnection,
    born: Instant,
    /// How long it lay idle before this loan; none when it was made for it.
    idle_for: Option<Duration>,
    /// What [`Shared::given_up`] said when it was lent.
    given_up: u64,
    shared: Arc<Shared>,
    // Last, so that the place becomes free after the connection is back.
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(connector: Connector, max: u32, acquire_timeout: Duration) -> Self {
        let max = max.max(1);
        Self {
            shared: Arc::new(Shared {
                connector,
                max: AtomicU32::new(max),
                acquire_timeout,
                permits: Arc::new(Semaphore::new(max as usize)),
                idle: Mutex::new(Vec::new()),
                closed: AtomicBool::new(false),
                given_up: AtomicU64::new(0),
                attended: AtomicBool::new(false),
            }),
        }
    }

    /// Connections of one's own to the same database, out of those that this pool may have: it keeps at least one. Where it
    /// has but one, it is shared.
    pub(crate) fn part(&self, wanted: u32) -> Self {
        let shared = &self.shared;
        let spare = shared.max().saturating_sub(1);
        let taken = shared.permits.forget_permits(wanted.min(spare) as usize);
        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
        if taken == 0 {
            return self.clone();
        }
        shared.max.fetch_sub(taken, Ordering::SeqCst);
        Self::new(shared.connector.again(), taken, shared.acquire_timeout)
    }

    /// A connection: one that was used before, or a new one. One that was idle for a while has answered just now.
    pub(crate) async fn lease(&self) -> Result<Lease, StoreError> {
        loop {
            let mut lease = self.untested().await?;
            if lease.idle_for.is_none_or(|idle_for| idle_for < TRUSTED_IDLE) {
                return Ok(lease);
            }
            if answers(&mut lease.connection).await {
                return Ok(lease);
            }
            // The server or the way to it went away in between; the others did not fare better.
            self.forget_idle();
        }
    }

    async fn untested(&self) -> Result<Lease, StoreError> {
        let shared = &self.shared;
        let deadline = tokio::time::Instant::now() + shared.acquire_timeout;
        let busy = || StoreError::Busy {
            waited: shared.acquire_timeout,
        };
        let permit = match timeout_at(deadline, Arc::clone(&shared.permits).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StoreError::Closed),
            Err(_) => return Err(busy()),
        };
        if let Some(kept) = shared.take() {
            return Ok(self.on_loan(
                kept.connection,
                kept.born,
                Some(kept.idle_since.elapsed()),
                permit,
            ));
        }
        match timeout_at(deadline, shared.connector.connect()).await {
            Ok(Ok(connection)) => {
                self.attend();
                Ok(self.on_loan(connection, Instant::now(), None, permit))
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StoreError::Timeout {
                what: "connect",
                after: shared.acquire_timeout,
            }),
        }
    }

    /// Closes the idle connections, and those that are out when they come back: the server they led to is not there any
    /// more, or not what it was.
    pub(crate) fn forget_idle(&self) {
        self.shared.given_up.fetch_add(1, Ordering::SeqCst);
        self.shared.kept().clear();
    }

    /// Connections open, in use, and the most that may be open.
    pub(crate) fn status(&self) -> (u32, u32, u32) {
        let free = u32::try_from(self.shared.permits.available_permits()).unwrap_or(u32::MAX);
        let used = self.shared.max().saturating_sub(free);
        let idle = u32::try_from(self.shared.kept().len()).unwrap_or(u32::MAX);
        (used.saturating_add(idle), used, self.shared.max())
    }

    /// Refuses new loans, waits for those that are out, closes all.
    pub(crate) async fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Each loan holds a permit; when all are here, nothing is out. An error means that somebody else closes.
        if let Ok(all) = self.shared.permits.acquire_many(self.shared.max()).await {
            all.forget();
            self.shared.permits.close();
        }
        let kept = std::mem::take(&mut *self.shared.kept());
        for kept in kept {
            // Already gone is as good.
            let _ = kept.connection.close().await;
        }
    }

    /// Looks after the idle connections from now on, for as long as there is the pool.
    fn attend(&self) {
        if !self.shared.attended.swap(true, Ordering::SeqCst) {
            tokio::spawn(attend(Arc::downgrade(&self.shared)));
        }
    }

    fn on_loan(
        &self,
        connection: PgConnection,
        born: Instant,
        idle_for: Option<Duration>,
        permit: OwnedSemaphorePermit,
    ) -> Lease {
        Lease {
            connection,
            born,
            idle_for,
            given_up: self.shared.given_up.load(Ordering::SeqCst),
            shared: Arc::clone(&self.shared),
            _permit: permit,
        }
    }
}

/// Whether a connection answers, without long waiting.
async fn answers(connection: &mut PgConnection) -> bool {
    matches!(timeout(ANSWER, connection.ping()).await, Ok(Ok(())))
}

/// Asks idle connections whether they live, until the pool is gone or closed.
async fn attend(pool: Weak<Shared>) {
    loop {
        tokio::time::sleep(KEEPALIVE).await;
        let Some(shared) = pool.upgrade().filter(|s| !s.closed.load(Ordering::SeqCst)) else {
            return;
        };
        shared.ask_idle().await;
    }
}

impl Shared {
    /// Asks each connection that has been idle for long; when one does not answer, all of those go.
    async fn ask_idle(self: &Arc<Self>) {
        // Those that answered are idle since then, so the loop ends. A busy pool has no need of it.
        while let Ok(_permit) = Arc::clone(&self.permits).try_acquire_owned() {
            let Some(mut kept) = self.longest_idle() else {
                return;
            };
            if !answers(&mut kept.connection).await {
                tracing::info!("an idle connection to the database does not answer; new ones are made");
                self.kept().clear();
                return;
            }
            kept.idle_since = Instant::now();
            self.kept().insert(0, kept);
        }
    }

    fn longest_idle(&self) -> Option<Kept> {
        let mut kept = self.kept();
        let place = kept.iter().position(|k| k.idle_since.elapsed() >= KEEPALIVE)?;
        Some(kept.remove(place))
    }

    fn max(&self) -> u32 {
        self.max.load(Ordering::SeqCst)
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection used last, so that those not needed grow old and go.
    fn take(&self) -> Option<Kept> {
        let mut kept = self.kept();
        kept.retain(|k| k.born.elapsed() < MAX_AGE);
        kept.pop()
    }
}

impl Lease {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// It was used before, so that an error may only mean that the server has gone since.
    pub(crate) const fn was_reused(&self) -> bool {
        self.idle_for.is_some()
    }

    /// Keeps the connection for the next user. Only after everything on it succeeded.
    pub(crate) fn give_back(self) {
        let is_of_now = self.given_up == self.shared.given_up.load(Ordering::SeqCst);
        if is_of_now && !self.shared.closed.load(Ordering::SeqCst) {
            let kept = Kept {
                connection: self.connection,
                born: self.born,
                idle_since: Instant::now(),
            };
            self.shared.kept().push(kept);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold a password.
        f.debug_struct("Pool")
            .field("max", &self.shared.max())
            .finish_non_exhaustive()
    }
}
