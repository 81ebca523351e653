//! The backoffice database `bo`: latest-wins upsert, pairing, dead letters, one-round-trip lookups and the audit log.
//!
//! Everything that writes is a set-based statement in one transaction a batch; everything that reads is one round
//! trip. The contract is `docs/contract/serving.md`, sections 2, 3 and 5; why it is done this way is in
//! `docs/decisions`.

mod apply;
mod audit;
mod audit_columns;
mod audit_row;
mod audit_trail;
mod columns;
mod connector;
mod corrections;
mod dead_letters;
mod endpoint;
mod error;
mod flags;
mod fold;
mod lookup;
mod migrate;
mod options;
mod pool;
mod probe;
mod roles;
mod rows;
mod schema_version;
#[doc(hidden)]
pub mod statements;
mod store;
mod stored_version;
mod tls;
mod version;
mod views;
mod wire;

pub use audit::{AuditError, AuditLog, AuditOptions};
pub use audit_row::AuditRow;
pub use audit_trail::{AuditFilter, AuditTrail, ChainCheck, StoredAuditRow};
pub use dead_letters::{DeadLetterFilter, DeadLetters, StoredDeadLetter};
pub use error::{Said, StoreError, Unstorable};
pub use flags::{FlaggedPairs, PairFlags};
#[doc(hidden)]
pub use migrate::migrate_to;
pub use migrate::{Migrated, migrate, schema_version};
pub use options::{DatabaseUrl, StoreOptions};
pub use roles::RoleNames;
pub use rows::{Applied, Batch, DeadLetter, LedgerRow, MAX_TEXT_CHARS, OrderRow, Place};
pub use schema_version::SCHEMA_VERSION;
pub use store::{PairingHealth, PoolStatus, Store};
pub use stored_version::{Correction, StoredKind, StoredVersion};
pub use views::{
    EntryCursor, EntryView, OrderInfo, OrderQuery, OrderView, PairView, PeerView, TxView, WalletEntry,
    WalletQuery,
};
