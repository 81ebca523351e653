//! A payment order and its ledger entries.

use nsc_core::UtcMicros;
use nsc_store::{EntryView, OrderView};
use serde::Serialize;
use utoipa::ToSchema;

use super::amount::Amount;
use super::pairing::{Pairing, PairingFlag, PairingStatus};
use super::status_group::StatusGroup;
use super::transaction::{lag_seconds, signed};

/// A payment order and its ledger entries.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentOrder {
    order: Order,
    /// A page of them: newest first, then by `tx_id`.
    #[schema(max_items = 100)]
    ledger_entries: Vec<OrderEntry>,
    /// How many `ledger_entries` there are on this page.
    #[schema(minimum = 0, maximum = 100, example = 2)]
    count: usize,
    /// For the page after this one; null on the last.
    #[schema(required, example = "AQ...")]
    next_cursor: Option<String>,
    /// Of the whole order, whatever is on this page.
    #[schema(inline)]
    pairing_status: PairingStatus,
    /// Why the pair should be looked at before it is believed; nearly always empty.
    #[schema(inline)]
    pairing_flags: Vec<PairingFlag>,
}

/// The order itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct Order {
    /// Its id.
    #[schema(example = "po-77")]
    order_id: String,
    /// Who ordered.
    #[schema(required, example = "user-1")]
    user_id: Option<String>,
    /// Where.
    #[schema(required, example = "Coffee")]
    merchant_name: Option<String>,
    #[schema(inline)]
    amount: Amount,
    /// As the source says.
    #[schema(example = "SETTLED")]
    status: String,
    #[schema(inline)]
    status_group: StatusGroup,
    /// When it was made, UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-01-05T00:59:58Z")]
    created_at: UtcMicros,
}

/// A ledger entry of an order.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderEntry {
    /// Its id.
    #[schema(example = "tx-901")]
    tx_id: String,
    /// The wallet whose entry it is.
    #[schema(example = "user-1")]
    wallet_id: String,
    /// What it is, as the source says.
    #[schema(example = "PAYMENT")]
    entry_type: String,
    #[schema(inline)]
    amount: Amount,
    /// The amount with its direction: as the source says, else by the entry's type; null when that has none.
    #[schema(required, inline)]
    amount_signed: Option<Amount>,
    /// When it happened, UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-01-05T01:00:00Z")]
    event_time: UtcMicros,
    /// Status of the order, as the source says.
    #[schema(example = "SETTLED")]
    status: String,
    #[schema(inline)]
    status_group: StatusGroup,
    /// The other leg of the payment.
    #[schema(required, example = "tx-902")]
    paired_tx_id: Option<String>,
    #[schema(inline)]
    pairing_status: PairingStatus,
    /// Whole seconds since this entry happened or was stored, whichever is later.
    #[schema(minimum = 0, example = 1)]
    data_lag_sec: i64,
}

impl PaymentOrder {
    pub(crate) fn new(view: OrderView, next_cursor: Option<String>, now: UtcMicros) -> Self {
        let entries = view.entries.iter();
        let ledger_entries: Vec<_> = entries
            .map(|entry| OrderEntry::new(entry, &view.order.status, Pairing::within(&view, entry), now))
            .collect();
        let (pairing_status, pairing_flags) = (PairingStatus::of_order(&view), PairingFlag::of(view.flags));
        let order = view.order;
        Self {
            count: ledger_entries.len(),
            ledger_entries,
            next_cursor,
            pairing_status,
            pairing_flags,
            order: Order {
                order_id: order.order_id,
                user_id: order.user_id,
                merchant_name: order.merchant_name,
                amount: Amount(order.amount),
                status_group: StatusGroup::of(Some(&order.status)),
                status: order.status,
                created_at: order.created_at,
            },
        }
    }

    /// How many entries are told.
    pub(crate) fn entries(&self) -> usize {
        self.count
    }
}

impl OrderEntry {
    fn new(entry: &EntryView, status: &str, pairing: Pairing, now: UtcMicros) -> Self {
        Self {
            tx_id: entry.tx_id.clone(),
            wallet_id: entry.wallet_id.clone(),
            entry_type: entry.entry_type.clone(),
            amount: Amount(entry.amount),
            amount_signed: signed(entry),
            event_time: entry.event_time,
            status_group: StatusGroup::of(Some(status)),
            status: status.to_owned(),
            paired_tx_id: pairing.paired_tx_id,
            pairing_status: pairing.status,
            data_lag_sec: lag_seconds(now, entry.ingested_at.max(entry.event_time)),
        }
    }
}
