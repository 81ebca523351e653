//! What a ledger entry is about: its kind, whose it is, and what it relates to.

use crate::text::ascii;
use crate::text::{push_padded, push_unsigned};

/// Kinds of ledger entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Charge,
    Withdraw,
    Payment,
    Receive,
    RefundOut,
    RefundIn,
    Hold,
    Release,
    Mint,
    Burn,
}

impl EntryKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Charge => "CHARGE",
            Self::Withdraw => "WITHDRAW",
            Self::Payment => "PAYMENT",
            Self::Receive => "RECEIVE",
            Self::RefundOut => "REFUND_OUT",
            Self::RefundIn => "REFUND_IN",
            Self::Hold => "HOLD",
            Self::Release => "RELEASE",
            Self::Mint => "MINT",
            Self::Burn => "BURN",
        }
    }

    /// What the entry does to the wallet's total: adds, takes, or only moves money within it.
    pub(crate) const fn sign(self) -> i128 {
        match self {
            Self::Charge | Self::Receive | Self::RefundIn | Self::Mint => 1,
            Self::Withdraw | Self::Payment | Self::RefundOut | Self::Burn => -1,
            Self::Hold | Self::Release => 0,
        }
    }

    /// Whether money enters or leaves the platform.
    pub(crate) const fn moves_supply(self) -> bool {
        matches!(self, Self::Charge | Self::Mint | Self::Withdraw | Self::Burn)
    }

    /// Whether the crypto service writes it, under field names of its own.
    const fn is_crypto(self) -> bool {
        matches!(self, Self::Hold | Self::Release | Self::Mint | Self::Burn)
    }

    pub(crate) const fn type_field(self) -> &'static str {
        if self.is_crypto() { "entry_type" } else { "type" }
    }

    pub(crate) const fn time_field(self) -> &'static str {
        if self.is_crypto() {
            "event_time"
        } else {
            "created_at"
        }
    }

    pub(crate) const fn system(self) -> &'static str {
        if self.is_crypto() {
            "crypto-svc"
        } else {
            "account-svc"
        }
    }
}

/// Whose entry it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holder {
    /// The wallet of this index.
    Wallet(usize),
    /// A wallet no snapshot knows, of this day.
    Ghost { day: usize, name: &'static str },
}

impl Holder {
    /// The wallet's index; a ghost has none and counts as the first.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Wallet(index) => index,
            Self::Ghost { .. } => 0,
        }
    }
}

/// The id of a payment order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OrderId {
    /// A payment order of its own, numbered within the run.
    Payment { date: u32, number: u64 },
    /// One that pays a commerce order: the text of that order's number.
    Commerce(u64),
    /// One that does not exist.
    Orphan { day: usize },
}

impl OrderId {
    pub(crate) fn push(self, out: &mut Vec<u8>) {
        match self {
            Self::Payment { date, number } => {
                out.extend_from_slice(b"PO-");
                push_unsigned(out, u64::from(date));
                out.push(b'-');
                push_padded(out, number, 9);
            }
            Self::Commerce(number) => push_unsigned(out, number),
            Self::Orphan { day } => {
                out.extend_from_slice(b"PO-orphan-");
                push_unsigned(out, day as u64);
            }
        }
    }

    pub(crate) fn text(self) -> String {
        let mut out = Vec::with_capacity(24);
        self.push(&mut out);
        ascii(out)
    }
}

/// What an entry relates to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Related {
    None,
    Order(OrderId),
    /// A hold, by its number.
    Hold(u64),
    /// A bank transfer, by its number.
    Bank(u64),
}

impl Related {
    /// The entry's `related_type`; none when it relates to nothing.
    pub(crate) const fn type_name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Order(_) => Some("PAYMENT_ORDER"),
            Self::Hold(_) => Some("HOLD"),
            Self::Bank(_) => Some("BANK_TRANSFER"),
        }
    }

    /// Appends the entry's `related_id`.
    pub(crate) fn push(self, out: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Order(id) => id.push(out),
            Self::Hold(number) => {
                out.extend_from_slice(b"HD-");
                push_padded(out, number, 9);
            }
            Self::Bank(number) => {
                out.extend_from_slice(b"BK-");
                push_padded(out, number, 9);
            }
        }
    }

    pub(crate) fn text(self) -> String {
        let mut out = Vec::with_capacity(24);
        self.push(&mut out);
        ascii(out)
    }
}
