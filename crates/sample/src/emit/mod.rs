//! The lines of the world, one emitter per source.

mod commerce;
mod kinds;
mod ledger;
mod orders;
mod snapshots;

pub(crate) use commerce::Shelf;
pub(crate) use kinds::{EntryKind, Holder, OrderId, Related};
pub(crate) use ledger::Entry;
pub(crate) use orders::OrderVersion;
pub(crate) use snapshots::Snapshot;
