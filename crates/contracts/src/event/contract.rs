//! The two event contracts: which fields, of which type, required or not.

use std::fmt;

/// Which of the two events a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// `LedgerEntryUpserted`.
    LedgerEntry,
    /// `PaymentOrderUpserted`.
    PaymentOrder,
}

impl EventKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::LedgerEntry, Self::PaymentOrder];

    /// As a profile names it: `ledger_entry`, `payment_order`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LedgerEntry => "ledger_entry",
            Self::PaymentOrder => "payment_order",
        }
    }

    /// What the contract says about it.
    #[must_use]
    pub const fn contract(self) -> &'static EventContract {
        match self {
            Self::LedgerEntry => &LEDGER_ENTRY,
            Self::PaymentOrder => &PAYMENT_ORDER,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a value of a field must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A JSON string, or a JSON integer taken as text; at most [`FieldType::MAX_TEXT_CHARS`] characters.
    Id,
    /// A JSON string without lower-case letters; at most [`FieldType::MAX_TEXT_CHARS`] characters.
    UpperCase,
    /// A JSON string of at most [`FieldType::MAX_TEXT_CHARS`] characters.
    Text,
    /// A JSON number or string, exact in `numeric(18,2)`, above zero.
    PositiveAmount,
    /// A JSON number or string, exact in `numeric(18,2)`, of either sign.
    SignedAmount,
    /// A JSON string: RFC 3339 with any offset or none (= UTC).
    Time,
    /// A JSON integer of 64 bits.
    Version,
}

impl FieldType {
    /// Longest text, in characters. The contract says it of ids; every other text is indexed as well, and an entry
    /// of a PostgreSQL index has its limit (2,704 bytes).
    pub const MAX_TEXT_CHARS: usize = 255;
    /// First amount, in hundredths, that `numeric(18,2)` cannot hold.
    pub const AMOUNT_LIMIT_UNITS: i128 = 10_i128.pow(18);

    /// What is expected, for a message.
    #[must_use]
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Id => "a string or an integer",
            Self::UpperCase | Self::Text => "a string",
            Self::PositiveAmount | Self::SignedAmount => "a number or a string",
            Self::Time => "a string with an RFC 3339 time",
            Self::Version => "an integer",
        }
    }
}

/// A field of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventField {
    /// Its own name.
    pub name: &'static str,
    /// What its value must be.
    pub ty: FieldType,
    /// Whether an event without it is a violation.
    pub required: bool,
    /// What it means.
    pub description: &'static str,
}

/// One event.
#[derive(Debug)]
pub struct EventContract {
    /// Its name in the contract.
    pub event: &'static str,
    /// Its fields; what else a message carries is ignored.
    pub fields: &'static [EventField],
}

impl EventContract {
    /// The field called `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static EventField> {
        self.fields.iter().find(|f| f.name == name)
    }
}

const fn required(name: &'static str, ty: FieldType, description: &'static str) -> EventField {
    EventField {
        name,
        ty,
        required: true,
        description,
    }
}

const fn optional(name: &'static str, ty: FieldType, description: &'static str) -> EventField {
    EventField {
        name,
        ty,
        required: false,
        description,
    }
}

/// Fields that the builders in `typed.rs` name.
pub(super) mod field {
    use super::FieldType::{Id, PositiveAmount, SignedAmount, Text, Time, UpperCase, Version};
    use super::{EventField, optional, required};

    pub(in super::super) const TX_ID: EventField = required("tx_id", Id, "the ledger entry; key of the row");
    pub(in super::super) const WALLET_ID: EventField = required("wallet_id", Id, "the wallet it belongs to");
    pub(in super::super) const ENTRY_TYPE: EventField =
        required("entry_type", UpperCase, "what kind of entry, e.g. PAYMENT");
    pub(in super::super) const AMOUNT: EventField = required("amount", PositiveAmount, "amount, won");
    pub(in super::super) const EVENT_TIME: EventField = required("event_time", Time, "when it happened");
    pub(in super::super) const AMOUNT_SIGNED: EventField = optional(
        "amount_signed",
        SignedAmount,
        "amount with the sign of its effect",
    );
    pub(in super::super) const RELATED_ID: EventField =
        optional("related_id", Id, "what it belongs to, e.g. a payment order");
    pub(in super::super) const RELATED_TYPE: EventField =
        optional("related_type", Text, "of which type related_id is");
    pub(in super::super) const CREATED_AT: EventField =
        optional("created_at", Time, "when the source made the row");
    pub(in super::super) const UPDATED_AT: EventField =
        optional("updated_at", Time, "when the source last changed the row");
    pub(in super::super) const SOURCE_VERSION: EventField = optional(
        "source_version",
        Version,
        "version of the row at the source; 0 is one",
    );

    pub(in super::super) const ORDER_ID: EventField =
        required("order_id", Id, "the payment order; key of the row");
    pub(in super::super) const STATUS: EventField = required("status", UpperCase, "status of the order");
    pub(in super::super) const ORDER_CREATED_AT: EventField =
        required("created_at", Time, "when the order was made");
    pub(in super::super) const USER_ID: EventField = optional("user_id", Id, "who pays");
    pub(in super::super) const MERCHANT_NAME: EventField = optional("merchant_name", Text, "who is paid");
}

static LEDGER_ENTRY: EventContract = EventContract {
    event: "LedgerEntryUpserted",
    fields: &[
        field::TX_ID,
        field::WALLET_ID,
        field::ENTRY_TYPE,
        field::AMOUNT,
        field::EVENT_TIME,
        field::AMOUNT_SIGNED,
        field::RELATED_ID,
        field::RELATED_TYPE,
        field::CREATED_AT,
        field::UPDATED_AT,
        field::SOURCE_VERSION,
    ],
};

static PAYMENT_ORDER: EventContract = EventContract {
    event: "PaymentOrderUpserted",
    fields: &[
        field::ORDER_ID,
        field::AMOUNT,
        field::STATUS,
        field::ORDER_CREATED_AT,
        field::USER_ID,
        field::MERCHANT_NAME,
        field::UPDATED_AT,
        field::SOURCE_VERSION,
    ],
};
