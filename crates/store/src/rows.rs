//! What a consumer hands to the store: validated rows of one batch, and what became of them.

use nsc_core::{Money, UtcMicros};

use crate::error::Unstorable;
use crate::flags::{FlaggedPairs, Leg};

/// Longest id, type, status or name the database keeps, in characters (serving contract 1).
pub const MAX_TEXT_CHARS: usize = 255;

/// Where in its topic an event stood, and when it was taken from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Partition.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// When it was taken, or given up.
    pub taken_at: UtcMicros,
}

/// One ledger entry event, validated (serving contract 1).
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
    /// Where it came from; decides between events of one key without a version.
    pub place: Option<Place>,
}

/// One payment order event, validated (serving contract 1).
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
    /// As [`LedgerRow::place`].
    pub place: Option<Place>,
}

/// A message that can never succeed (serving contract 4).
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
    /// Pairs that this batch opened with one leg.
    pub pairs_incomplete: u64,
    /// Pairs this batch completed, or brought a further leg of, that are not to be believed at once.
    pub flagged: FlaggedPairs,
    /// Ledger events with a `related_id` of another kind than a payment order.
    pub skipped_related: u64,
    /// Dead letters stored (one already stored is not stored again).
    pub dead_letters: u64,
}

impl LedgerRow {
    /// What of this event is compared with its other leg.
    pub(crate) const fn leg(&self) -> Leg {
        Leg {
            amount: self.amount,
            event_time: self.event_time,
        }
    }
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
    /// Names the first column it cannot: over [`MAX_TEXT_CHARS`], a NUL, an amount that is not positive or past
    /// `numeric(18,2)`, a time before year 1 or after 9999.
    pub fn check(&self) -> Result<(), Unstorable> {
        let check = Check { key: &self.tx_id };
        check.text("tx_id", Some(&self.tx_id))?;
        check.text("wallet_id", Some(&self.wallet_id))?;
        check.text("entry_type", Some(&self.entry_type))?;
        check.text("related_id", self.related_id.as_deref())?;
        check.text("related_type", self.related_type.as_deref())?;
        check.positive("amount", self.amount)?;
        check.amount("amount_signed", self.amount_signed)?;
        check.time("event_time", Some(self.event_time))?;
        check.time("created_at", self.created_at)?;
        check.time("updated_at", self.updated_at)
    }
}

impl OrderRow {
    /// Whether PostgreSQL can hold the row.
    ///
    /// # Errors
    /// As [`LedgerRow::check`].
    pub fn check(&self) -> Result<(), Unstorable> {
        let check = Check { key: &self.order_id };
        check.text("order_id", Some(&self.order_id))?;
        check.text("user_id", self.user_id.as_deref())?;
        check.text("merchant_name", self.merchant_name.as_deref())?;
        check.text("status", Some(&self.status))?;
        check.positive("amount", self.amount)?;
        check.time("created_at", Some(self.created_at))?;
        check.time("updated_at", self.updated_at)
    }
}

/// Most hundredths `numeric(18,2)` holds.
pub(crate) const MAX_UNITS: i128 = 10_i128.pow(18) - 1;
/// 0001-01-01T00:00:00Z and the last microsecond of 9999, since 1970.
const CALENDAR: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;
/// Characters of a key that an error quotes.
const QUOTED_CHARS: usize = 64;

/// The checks of one row.
struct Check<'a> {
    key: &'a str,
}

impl Check<'_> {
    fn refuse(&self, column: &'static str, reason: &'static str) -> Result<(), Unstorable> {
        Err(Unstorable {
            key: self.key.chars().take(QUOTED_CHARS).collect(),
            column,
            reason,
        })
    }

    fn text(&self, column: &'static str, value: Option<&str>) -> Result<(), Unstorable> {
        let text = value.unwrap_or_default();
        // No text has more characters than bytes: the long ones alone are counted.
        if text.len() > MAX_TEXT_CHARS && text.chars().count() > MAX_TEXT_CHARS {
            return self.refuse(column, "over 255 characters");
        }
        if text.contains('\0') {
            return self.refuse(column, "a NUL character");
        }
        Ok(())
    }

    fn positive(&self, column: &'static str, value: Money) -> Result<(), Unstorable> {
        if value <= Money::ZERO {
            return self.refuse(column, "not above zero");
        }
        self.amount(column, Some(value))
    }

    fn amount(&self, column: &'static str, value: Option<Money>) -> Result<(), Unstorable> {
        if value.is_some_and(|money| !(-MAX_UNITS..=MAX_UNITS).contains(&money.units())) {
            return self.refuse(column, "over 18 digits");
        }
        Ok(())
    }

    fn time(&self, column: &'static str, value: Option<UtcMicros>) -> Result<(), Unstorable> {
        if value.is_some_and(|time| !CALENDAR.contains(&time.micros())) {
            return self.refuse(column, "outside of the years 1 to 9999");
        }
        Ok(())
    }
}
