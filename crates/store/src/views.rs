//! What a lookup gives back: plain rows with typed fields, for the API to put into JSON (serving contract 6).

use nsc_core::{Money, UtcMicros};

use crate::flags::PairFlags;

/// A stored ledger entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryView {
    /// Key.
    pub tx_id: String,
    /// The wallet whose entry this is.
    pub wallet_id: String,
    /// `PAYMENT`, `RECEIVE`, ...
    pub entry_type: String,
    /// Unsigned amount.
    pub amount: Money,
    /// Amount with the source's sign.
    pub amount_signed: Option<Money>,
    /// What the entry belongs to.
    pub related_id: Option<String>,
    /// What kind of thing that is, as the source said.
    pub related_type: Option<String>,
    /// When it happened.
    pub event_time: UtcMicros,
    /// When the batch that last wrote it was applied.
    pub ingested_at: UtcMicros,
}

impl EntryView {
    /// It may belong to a payment order: a related thing of a named kind other than one does not (serving contract 3).
    #[must_use]
    pub fn may_be_of_an_order(&self) -> bool {
        self.related_id.is_some() && matches!(self.related_type.as_deref(), None | Some("PAYMENT_ORDER"))
    }

    /// It is one leg of a payment order's pair.
    #[must_use]
    pub fn is_leg(&self) -> bool {
        self.may_be_of_an_order() && matches!(self.entry_type.as_str(), "PAYMENT" | "RECEIVE")
    }
}

/// A stored payment order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderInfo {
    /// Key.
    pub order_id: String,
    /// Who ordered.
    pub user_id: Option<String>,
    /// Where.
    pub merchant_name: Option<String>,
    /// Unsigned amount.
    pub amount: Money,
    /// As the source names it.
    pub status: String,
    /// When the order was made.
    pub created_at: UtcMicros,
    /// When the batch that last wrote it was applied.
    pub ingested_at: UtcMicros,
}

/// The pair of a payment order: the PAYMENT leg, the RECEIVE leg, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairView {
    /// The PAYMENT leg.
    pub payment_tx_id: Option<String>,
    /// The RECEIVE leg.
    pub receive_tx_id: Option<String>,
    /// Wallet of the PAYMENT leg.
    pub payer_wallet_id: Option<String>,
    /// Wallet of the RECEIVE leg.
    pub payee_wallet_id: Option<String>,
    /// The order's amount when the order is known, else a leg's.
    pub amount: Money,
    /// The order's status when the order is known.
    pub status: Option<String>,
}

impl PairView {
    /// Both legs are known.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.payment_tx_id.is_some() && self.receive_tx_id.is_some()
    }
}

/// The opposite entry (PAYMENT for RECEIVE and the other way round) of the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Its key.
    pub tx_id: String,
    /// Its wallet.
    pub wallet_id: String,
}

/// One ledger entry with all that is known around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxView {
    /// The entry itself.
    pub entry: EntryView,
    /// The payment order it belongs to; none when `related_type` says it belongs to something else.
    pub order: Option<OrderInfo>,
    /// The pair of that order.
    pub pair: Option<PairView>,
    /// Looked up only when there is no complete pair.
    pub peer: Option<PeerView>,
    /// Doubts about the entry and what is shown as its other leg.
    pub flags: PairFlags,
}

/// One line of a wallet's list: the same as a single lookup gives.
pub type WalletEntry = TxView;

/// A payment order, its entries and its pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderView {
    /// The order.
    pub order: OrderInfo,
    /// The page of its ledger entries, newest first, then by `tx_id`.
    pub entries: Vec<EntryView>,
    /// Its pair; none while no leg is known.
    pub pair: Option<PairView>,
    /// Its earliest PAYMENT entry, on whatever page.
    pub payment: Option<PeerView>,
    /// Its earliest RECEIVE entry, on whatever page.
    pub receive: Option<PeerView>,
    /// Doubts about the pair.
    pub flags: PairFlags,
}

/// Where a page of entries ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryCursor {
    /// `event_time` of the last entry given.
    pub event_time: UtcMicros,
    /// `tx_id` of the last entry given.
    pub tx_id: String,
}

/// A page of a wallet's entries: `event_time` descending, then `tx_id` ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletQuery {
    /// The wallet.
    pub wallet_id: String,
    /// First instant of interest.
    pub from: Option<UtcMicros>,
    /// First instant no longer of interest.
    pub to: Option<UtcMicros>,
    /// Most entries to give; ask for one more than the page to learn whether there is a next one.
    pub limit: u32,
    /// Give what comes after this one.
    pub after: Option<EntryCursor>,
}

/// A payment order with a page of its entries, in the order of a wallet's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// The order.
    pub order_id: String,
    /// Most entries to give; as in [`WalletQuery`].
    pub limit: u32,
    /// Give the entries after this one.
    pub after: Option<EntryCursor>,
}
