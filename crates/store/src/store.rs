//! The handle to the database.

use nsc_core::UtcMicros;

use crate::dead_letters::DeadLetters;
use crate::error::StoreError;
use crate::migrate::SCHEMA_VERSION;
use crate::options::StoreOptions;
use crate::rows::{Applied, Batch};
use crate::views::{OrderView, TxView, WalletEntry, WalletQuery};

/// The backoffice database. Cheap to clone; all clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {}

/// How pairing stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairingHealth {
    /// Pairs with one half.
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

fn nothing() -> StoreError {
    StoreError::Schema {
        found: None,
        needed: SCHEMA_VERSION,
    }
}

impl Store {
    /// A store that connects when it is first used: the database may be away.
    ///
    /// # Errors
    /// When a URL cannot be understood.
    pub async fn connect(_options: &StoreOptions) -> Result<Self, StoreError> {
        Ok(Self {})
    }

    /// The database answers and its schema is the one this program needs.
    ///
    /// # Errors
    /// [`StoreError::Schema`], or why the database does not answer.
    pub async fn ready(&self) -> Result<(), StoreError> {
        Err(nothing())
    }

    /// Writes a batch in one transaction: all of it or nothing (contract, sections 2 to 4).
    ///
    /// # Errors
    /// [`StoreError::is_transient`]: apply the same batch again later. [`StoreError::is_poison`]: one row of it can
    /// never be stored.
    pub async fn apply(&self, _batch: &Batch, _ingested_at: UtcMicros) -> Result<Applied, StoreError> {
        Err(nothing())
    }

    /// One ledger entry and what belongs to it.
    ///
    /// # Errors
    /// When the database does not answer, or `tx_id` holds a NUL.
    pub async fn tx(&self, _tx_id: &str) -> Result<Option<TxView>, StoreError> {
        Err(nothing())
    }

    /// One payment order and what belongs to it.
    ///
    /// # Errors
    /// As [`Store::tx`].
    pub async fn order(&self, _order_id: &str) -> Result<Option<OrderView>, StoreError> {
        Err(nothing())
    }

    /// A page of a wallet's entries.
    ///
    /// # Errors
    /// As [`Store::tx`].
    pub async fn wallet_entries(&self, _query: &WalletQuery) -> Result<Vec<WalletEntry>, StoreError> {
        Err(nothing())
    }

    /// The dead letters kept in the database.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.clone())
    }

    /// How many pairs wait for their other half, and since when.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pairing_health(&self) -> Result<PairingHealth, StoreError> {
        Err(nothing())
    }

    /// Seconds the replica is behind; none when no replica is configured.
    ///
    /// # Errors
    /// When the replica does not answer.
    pub async fn replication_lag(&self) -> Result<Option<f64>, StoreError> {
        Err(nothing())
    }

    /// How the connections stand right now.
    #[must_use]
    pub fn pool_status(&self) -> PoolStatus {
        PoolStatus::default()
    }

    /// Closes the connections; what is under way is finished first.
    pub async fn close(&self) {}
}
