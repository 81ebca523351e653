//! What a consumer hands to the store: validated rows of one batch, and what became of them.

use nsc_core::{Money, UtcMicros};

use crate::error::Unstorable;

/// Longest id, type, status or name the database keeps, in characters (contract, section 1).
pub const MAX_TEXT_CHARS: usize = 255;

/// One ledger entry event, validated (contract, section 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// Key.
    pub tx_id: String,
    /// The wallet whose entry this is.
    pub wallet_id: String,
    /// In upper case: `PAYMENT`, `RECEIVE`, `CHARGE`, ...
    pub entry_type: String,
    /// Unsigned amount, within `numeric(18,2)`.
    pub amount: Money,
    /// Amount with the sign the source gave it.
    pub amount_signed: Option<Money>,
    /// What the entry belongs to; an order's id when `related_type` is absent or `PAYMENT_ORDER`.
    pub related_id: Option<String>,
    /// What kind of thing `related_id` names.
    pub related_type: Option<String>,
    /// When it happened.
    pub event_time: UtcMicros,
    /// When the source row was made.
    pub created_at: Option<UtcMicros>,
    /// Version, first level.
    pub updated_at: Option<UtcMicros>,
    /// Version, second level; 0 is a version.
    pub source_version: Option<i64>,
}

/// One payment order event, validated (contract, section 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// Key.
    pub order_id: String,
    /// Who ordered.
    pub user_id: Option<String>,
    /// Where.
    pub merchant_name: Option<String>,
    /// Unsigned amount, within `numeric(18,2)`.
    pub amount: Money,
    /// In upper case, as the source names it.
    pub status: String,
    /// When the order was made.
    pub created_at: UtcMicros,
    /// Version, first level.
    pub updated_at: Option<UtcMicros>,
    /// Version, second level; 0 is a version.
    pub source_version: Option<i64>,
}

/// A message that can never succeed (contract, section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Topic it came from.
    pub topic: String,
    /// Partition it came from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Key as it was, whatever bytes it holds.
    pub key: Option<Vec<u8>>,
    /// Value as it was.
    pub payload: Option<Vec<u8>>,
    /// Short class, such as `invalid_json`.
    pub error_class: String,
    /// What was wrong, for an operator.
    pub error: String,
    /// Correlation id of the message.
    pub correlation_id: Option<String>,
}

/// What one transaction writes: the events of some messages, in the order they arrived.
///
/// The order matters only among events of one key that carry neither `updated_at` nor `source_version`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Ledger entries.
    pub ledger: Vec<LedgerRow>,
    /// Payment orders.
    pub orders: Vec<OrderRow>,
    /// Messages given up.
    pub dead_letters: Vec<DeadLetter>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Ledger entries inserted or replaced.
    pub ledger_written: u64,
    /// Ledger events that were older than, or equal to, what is stored or what else the batch holds.
    pub ledger_stale: u64,
    /// Orders inserted or replaced.
    pub orders_written: u64,
    /// Order events that were older than, or equal to, what is stored or what else the batch holds.
    pub orders_stale: u64,
    /// Pairs that this batch completed.
    pub pairs_complete: u64,
    /// Pairs that this batch opened with one half.
    pub pairs_incomplete: u64,
    /// Ledger events with a `related_id` of another kind than a payment order.
    pub skipped_related: u64,
    /// Dead letters stored (one already stored is not stored again).
    pub dead_letters: u64,
}

impl Batch {
    /// Nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ledger.is_empty() && self.orders.is_empty() && self.dead_letters.is_empty()
    }
}

impl LedgerRow {
    /// Whether PostgreSQL can hold the row.
    ///
    /// # Errors
    /// Names the first column it cannot: over [`MAX_TEXT_CHARS`], a NUL, past `numeric(18,2)`, year 0 or past 9999.
    pub fn check(&self) -> Result<(), Unstorable> {
        Ok(())
    }
}

impl OrderRow {
    /// Whether PostgreSQL can hold the row.
    ///
    /// # Errors
    /// As [`LedgerRow::check`].
    pub fn check(&self) -> Result<(), Unstorable> {
        Ok(())
    }
}
