//! Lines of `transaction_ledger`.

use super::kinds::{EntryKind, Holder, Related};
use crate::faults::Fault;
use crate::source::Source;
use crate::text::push_money;
use crate::world::World;

/// A ledger entry of the world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) at_us: i64,
    pub(crate) holder: Holder,
    pub(crate) kind: EntryKind,
    /// Hundredths; wide, because the day's end brings amounts of 30 digits.
    pub(crate) cents: i128,
    pub(crate) related: Related,
}

impl Entry {
    /// An entry of a wallet.
    pub(crate) fn new(
        at_us: i64,
        wallet: usize,
        kind: EntryKind,
        cents: impl Into<i128>,
        related: Related,
    ) -> Self {
        Self {
            at_us,
            holder: Holder::Wallet(wallet),
            kind,
            cents: cents.into(),
            related,
        }
    }
}

impl World<'_> {
    /// An entry that relates to nothing and carries no fault.
    pub(crate) fn plain_entry(&mut self, at_us: i64, wallet: usize, kind: EntryKind, cents: i64) {
        self.entry(&Entry::new(at_us, wallet, kind, cents, Related::None), None);
    }

    /// Writes an entry under the next transaction number.
    pub(crate) fn entry(&mut self, entry: &Entry, fault: Option<Fault>) {
        self.numbers.tx += 1;
        let arrival = self.arrive(entry.at_us, self.today.ledger_gap);
        if let Some(fault) = fault {
            return self.faulted_entry(fault, entry, arrival);
        }
        let clock = &self.today.clock;
        let out = self.out.line(Source::TransactionLedger);
        out.extend_from_slice(b"{\"tx_id\":\"");
        self.numbers.push_tx_id(out);
        out.extend_from_slice(b"\",\"wallet_id\":\"");
        self.accounts.push_id_of(out, entry.holder);
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(entry.kind.type_field().as_bytes());
        out.extend_from_slice(b"\":\"");
        out.extend_from_slice(entry.kind.name().as_bytes());
        out.extend_from_slice(b"\",\"amount\":\"");
        push_money(out, entry.cents);
        match entry.related.type_name() {
            Some(related_type) => {
                out.extend_from_slice(b"\",\"related_id\":\"");
                entry.related.push(out);
                out.extend_from_slice(b"\",\"related_type\":\"");
                out.extend_from_slice(related_type.as_bytes());
                out.extend_from_slice(b"\",\"status\":\"POSTED\",\"");
            }
            None => out
                .extend_from_slice(b"\",\"related_id\":null,\"related_type\":null,\"status\":\"POSTED\",\""),
        }
        out.extend_from_slice(entry.kind.time_field().as_bytes());
        out.extend_from_slice(b"\":\"");
        clock.push_instant(out, entry.at_us);
        out.extend_from_slice(b"\",");
        clock.push_load_fields(out, arrival, entry.kind.system());
    }
}
