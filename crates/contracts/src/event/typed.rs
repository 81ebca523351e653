//! The typed events.

use nsc_core::{Money, UtcMicros};

use super::contract::field;
use super::read::{Reader, amount, text, time, version};
use super::{EventField, EventKind, FieldNames, Members, Violation, ViolationClass};

/// A ledger entry as an event says it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntryEvent {
    /// Key.
    pub tx_id: String,
    /// The wallet the entry belongs to.
    pub wallet_id: String,
    /// Kind of entry, upper case.
    pub entry_type: String,
    /// Above zero.
    pub amount: Money,
    /// With the sign of its effect, when the source says it.
    pub amount_signed: Option<Money>,
    /// E.g. the payment order.
    pub related_id: Option<String>,
    /// Of which type `related_id` is.
    pub related_type: Option<String>,
    /// When it happened.
    pub event_time: UtcMicros,
    /// When the source made the row.
    pub created_at: Option<UtcMicros>,
    /// When the source last changed the row.
    pub updated_at: Option<UtcMicros>,
    /// Version of the row at the source.
    pub source_version: Option<i64>,
}

/// A payment order as an event says it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentOrderEvent {
    /// Key.
    pub order_id: String,
    /// Who pays.
    pub user_id: Option<String>,
    /// Who is paid.
    pub merchant_name: Option<String>,
    /// Above zero.
    pub amount: Money,
    /// Upper case.
    pub status: String,
    /// When the order was made.
    pub created_at: UtcMicros,
    /// When the source last changed the row.
    pub updated_at: Option<UtcMicros>,
    /// Version of the row at the source.
    pub source_version: Option<i64>,
}

/// One event of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `LedgerEntryUpserted`.
    LedgerEntry(LedgerEntryEvent),
    /// `PaymentOrderUpserted`.
    PaymentOrder(PaymentOrderEvent),
}

impl Event {
    /// Makes the event out of an object's members (serving contract 1).
    ///
    /// # Errors
    /// The first violation, in the order of the contract's fields.
    pub fn from_members(names: &FieldNames, members: &Members<'_>) -> Result<Self, Violation> {
        let reader = Reader { names, members };
        match names.kind() {
            EventKind::LedgerEntry => ledger_entry(&reader).map(Self::LedgerEntry),
            EventKind::PaymentOrder => payment_order(&reader).map(Self::PaymentOrder),
        }
    }

    /// Whether no time of it is later than `latest` (serving contract 1).
    ///
    /// # Errors
    /// [`ViolationClass::FutureTime`], with the first field that is.
    pub fn not_after(&self, latest: UtcMicros) -> Result<(), Violation> {
        let times: [(EventField, Option<UtcMicros>); 3] = match self {
            Self::LedgerEntry(e) => [
                (field::EVENT_TIME, Some(e.event_time)),
                (field::CREATED_AT, e.created_at),
                (field::UPDATED_AT, e.updated_at),
            ],
            Self::PaymentOrder(o) => [
                (field::ORDER_CREATED_AT, Some(o.created_at)),
                (field::UPDATED_AT, o.updated_at),
                (field::UPDATED_AT, None),
            ],
        };
        let late = |(field, time): (EventField, Option<UtcMicros>)| {
            Some((field.name, time.filter(|t| *t > latest)?))
        };
        match times.into_iter().find_map(late) {
            None => Ok(()),
            Some((name, time)) => {
                let text = format!(
                    "{name} is {time}, and nothing after {latest} is taken of a message sent when this one was"
                );
                Err(Violation::of_field(ViolationClass::FutureTime, name, text))
            }
        }
    }

    /// The time the event speaks of: when its row last changed, else when it happened or was made.
    #[must_use]
    pub fn time(&self) -> UtcMicros {
        match self {
            Self::LedgerEntry(e) => e.updated_at.unwrap_or(e.event_time),
            Self::PaymentOrder(o) => o.updated_at.unwrap_or(o.created_at),
        }
    }
}

fn ledger_entry(r: &Reader<'_>) -> Result<LedgerEntryEvent, Violation> {
    Ok(LedgerEntryEvent {
        tx_id: r.required(&field::TX_ID, text)?,
        wallet_id: r.required(&field::WALLET_ID, text)?,
        entry_type: r.required(&field::ENTRY_TYPE, text)?,
        amount: r.required(&field::AMOUNT, amount)?,
        event_time: r.required(&field::EVENT_TIME, time)?,
        amount_signed: r.optional(&field::AMOUNT_SIGNED, amount)?,
        related_id: r.optional(&field::RELATED_ID, text)?,
        related_type: r.optional(&field::RELATED_TYPE, text)?,
        created_at: r.optional(&field::CREATED_AT, time)?,
        updated_at: r.optional(&field::UPDATED_AT, time)?,
        source_version: r.optional(&field::SOURCE_VERSION, version)?,
    })
}

fn payment_order(r: &Reader<'_>) -> Result<PaymentOrderEvent, Violation> {
    Ok(PaymentOrderEvent {
        order_id: r.required(&field::ORDER_ID, text)?,
        amount: r.required(&field::AMOUNT, amount)?,
        status: r.required(&field::STATUS, text)?,
        created_at: r.required(&field::ORDER_CREATED_AT, time)?,
        user_id: r.optional(&field::USER_ID, text)?,
        merchant_name: r.optional(&field::MERCHANT_NAME, text)?,
        updated_at: r.optional(&field::UPDATED_AT, time)?,
        source_version: r.optional(&field::SOURCE_VERSION, version)?,
    })
}
