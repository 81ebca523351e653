//! Which of two events of one key is the newer: the three levels of the contract, section 2, as one order.

use nsc_core::{Money, UtcMicros};

use crate::rows::{LedgerRow, OrderRow};

/// Bytes of the payload's hash.
const HASH_BYTES: usize = 16;

/// What decides between two events of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) updated_at: Option<UtcMicros>,
    pub(crate) source_version: Option<i64>,
    /// Over everything the event says, so that two events with one hash are one event.
    pub(crate) hash: [u8; HASH_BYTES],
}

impl Version {
    /// Whether the event carries neither level.
    pub(crate) const fn is_none(&self) -> bool {
        self.updated_at.is_none() && self.source_version.is_none()
    }

    /// Whether an event of this version, coming later, replaces one of `other`'s.
    ///
    /// With a version it is a total order, a missing level below every value. Without any, it goes by arrival, and
    /// never over one that has a version. The same order stands in `upsert_ledger_entries.sql`.
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        if self.is_none() {
            other.is_none() && self.hash != other.hash
        } else {
            (self.updated_at, self.source_version, self.hash)
                > (other.updated_at, other.source_version, other.hash)
        }
    }
}

/// Hashes fields so that neither their borders nor a missing one can be mistaken.
struct Fields(blake3::Hasher);

impl Fields {
    fn of(table: &str) -> Self {
        let mut fields = Self(blake3::Hasher::new());
        fields.text(Some(table));
        fields
    }

    fn text(&mut self, value: Option<&str>) {
        match value {
            Some(text) => {
                self.0.update(&(text.len() as u64 + 1).to_le_bytes());
                self.0.update(text.as_bytes());
            }
            None => {
                self.0.update(&0_u64.to_le_bytes());
            }
        }
    }

    fn number(&mut self, value: Option<i128>) {
        self.0.update(&[u8::from(value.is_some())]);
        self.0.update(&value.unwrap_or_default().to_le_bytes());
    }

    fn money(&mut self, value: Option<Money>) {
        self.number(value.map(Money::units));
    }

    fn time(&mut self, value: Option<UtcMicros>) {
        self.number(value.map(|t| i128::from(t.micros())));
    }

    fn finish(self) -> [u8; HASH_BYTES] {
        let mut hash = [0; HASH_BYTES];
        self.0.finalize_xof().fill(&mut hash);
        hash
    }
}

impl LedgerRow {
    /// The last level of the order of versions, for the model of the tests.
    #[doc(hidden)]
    #[must_use]
    pub fn payload_hash(&self) -> [u8; HASH_BYTES] {
        self.version().hash
    }

    pub(crate) fn version(&self) -> Version {
        let mut fields = Fields::of("ledger_entries");
        fields.text(Some(&self.tx_id));
        fields.text(Some(&self.wallet_id));
        fields.text(Some(&self.entry_type));
        fields.money(Some(self.amount));
        fields.money(self.amount_signed);
        fields.text(self.related_id.as_deref());
        fields.text(self.related_type.as_deref());
        fields.time(Some(self.event_time));
        fields.time(self.created_at);
        fields.time(self.updated_at);
        fields.number(self.source_version.map(i128::from));
        Version {
            updated_at: self.updated_at,
            source_version: self.source_version,
            hash: fields.finish(),
        }
    }
}

impl OrderRow {
    /// As [`LedgerRow::payload_hash`].
    #[doc(hidden)]
    #[must_use]
    pub fn payload_hash(&self) -> [u8; HASH_BYTES] {
        self.version().hash
    }

    pub(crate) fn version(&self) -> Version {
        let mut fields = Fields::of("payment_orders");
        fields.text(Some(&self.order_id));
        fields.text(self.user_id.as_deref());
        fields.text(self.merchant_name.as_deref());
        fields.money(Some(self.amount));
        fields.text(Some(&self.status));
        fields.time(Some(self.created_at));
        fields.time(self.updated_at);
        fields.number(self.source_version.map(i128::from));
        Version {
            updated_at: self.updated_at,
            source_version: self.source_version,
            hash: fields.finish(),
        }
    }
}
