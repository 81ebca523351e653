//! A payment order and its ledger entries.

use nsc_core::UtcMicros;
use nsc_store::{EntryView, OrderView};
use serde::Serialize;
use utoipa::ToSchema;

use super::amount::Amount;
use super::pairing::{PairingFlag, PairingStatus};
use super::status_group::StatusGroup;

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
    /// The amount with its direction, as the source says.
    #[schema(required, inline)]
    amount_signed: Option<Amount>,
    /// When it happened, UTC.
    #[schema(value_type = String, format = DateTime, example = "2026-01-05T01:00:00Z")]
    event_time: UtcMicros,
}

impl PaymentOrder {
    pub(crate) fn new(view: OrderView, next_cursor: Option<String>) -> Self {
        let (pairing_status, pairing_flags) = (PairingStatus::of_order(&view), PairingFlag::of(view.flags));
        let OrderView { order, entries, .. } = view;
        Self {
            pairing_status,
            pairing_flags,
            count: entries.len(),
            next_cursor,
            order: Order {
                order_id: order.order_id,
                user_id: order.user_id,
                merchant_name: order.merchant_name,
                amount: Amount(order.amount),
                status_group: StatusGroup::of(Some(&order.status)),
                status: order.status,
                created_at: order.created_at,
            },
            ledger_entries: entries.into_iter().map(OrderEntry::new).collect(),
        }
    }
}

impl OrderEntry {
    fn new(entry: EntryView) -> Self {
        Self {
            tx_id: entry.tx_id,
            wallet_id: entry.wallet_id,
            entry_type: entry.entry_type,
            amount: Amount(entry.amount),
            amount_signed: entry.amount_signed.map(Amount),
            event_time: entry.event_time,
        }
    }
}
