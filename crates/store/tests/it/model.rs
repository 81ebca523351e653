//! The contract once more, as plain maps over a list of events: what the tables must hold in the end.
//!
//! Written from sections 2 and 3 of the contract, not from the store. The only thing it shares with the store is the
//! hash that decides between two events of one version, which the contract leaves open.

use std::collections::BTreeMap;

use nsc_core::{Money, UtcMicros};
use nsc_store::{LedgerRow, OrderRow};

/// An event of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Entry(LedgerRow),
    Order(OrderRow),
}

/// The three tables; `ingested_at` aside.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    pub(crate) entries: BTreeMap<String, LedgerRow>,
    pub(crate) orders: BTreeMap<String, OrderRow>,
    pub(crate) pairs: BTreeMap<String, Pair>,
}

/// A row of `payment_ledger_pairs`: (tx, wallet) of either half, and the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) payment: Option<(String, String)>,
    pub(crate) receive: Option<(String, String)>,
    pub(crate) amount: Money,
    pub(crate) status: Option<String>,
    pub(crate) event_time: UtcMicros,
    pub(crate) updated_at: Option<UtcMicros>,
}

/// Of events in the order of their partition: the highest version; the last one when none has a version.
fn latest<R: Clone>(
    events: &[&R],
    version: impl Fn(&R) -> (Option<UtcMicros>, Option<i64>),
    hash: impl Fn(&R) -> [u8; 16],
) -> R {
    let versioned = events.iter().filter(|e| version(e) != (None, None));
    let highest = versioned.max_by_key(|e| (version(e), hash(e)));
    (*highest.unwrap_or_else(|| events.last().unwrap())).clone()
}

fn latest_entry(events: &[&LedgerRow]) -> LedgerRow {
    latest(
        events,
        |e| (e.updated_at, e.source_version),
        LedgerRow::payload_hash,
    )
}

/// Everything that the events, taken together, amount to.
pub(crate) fn tables(events: &[Event]) -> Tables {
    let mut entries: BTreeMap<&str, Vec<&LedgerRow>> = BTreeMap::new();
    let mut orders: BTreeMap<&str, Vec<&OrderRow>> = BTreeMap::new();
    // Per order and side, per entry, what any event ever said of it.
    let mut halves: BTreeMap<(&str, &str), BTreeMap<&str, Vec<&LedgerRow>>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Entry(row) => {
                entries.entry(&row.tx_id).or_default().push(row);
                let paired =
                    row.related_type.is_none() || row.related_type.as_deref() == Some("PAYMENT_ORDER");
                let side = row.entry_type == "PAYMENT" || row.entry_type == "RECEIVE";
                if let (Some(order), true, true) = (row.related_id.as_deref(), paired, side) {
                    let half = halves.entry((order, &row.entry_type)).or_default();
                    half.entry(&row.tx_id).or_default().push(row);
                }
            }
            Event::Order(row) => orders.entry(&row.order_id).or_default().push(row),
        }
    }
    let orders: BTreeMap<String, OrderRow> = orders
        .into_iter()
        .map(|(id, rows)| {
            (
                id.to_owned(),
                latest(
                    &rows,
                    |o| (o.updated_at, o.source_version),
                    OrderRow::payload_hash,
                ),
            )
        })
        .collect();
    let earliest = |order: &str, side: &str| {
        let candidates = halves
            .get(&(order, side))?
            .values()
            .map(|events| latest_entry(events));
        candidates.min_by_key(|row| (row.event_time, row.tx_id.clone()))
    };
    let mut pairs = BTreeMap::new();
    for (id, _) in halves.keys() {
        let (payment, receive) = (earliest(id, "PAYMENT"), earliest(id, "RECEIVE"));
        let known: Vec<&LedgerRow> = payment.iter().chain(&receive).collect();
        let order = orders.get(*id);
        let pair = Pair {
            amount: order.map_or(known[0].amount, |o| o.amount),
            status: order.map(|o| o.status.clone()),
            event_time: known.iter().map(|row| row.event_time).min().unwrap(),
            updated_at: known
                .iter()
                .map(|row| row.updated_at)
                .chain(order.map(|o| o.updated_at))
                .max()
                .flatten(),
            payment: payment
                .as_ref()
                .map(|row| (row.tx_id.clone(), row.wallet_id.clone())),
            receive: receive
                .as_ref()
                .map(|row| (row.tx_id.clone(), row.wallet_id.clone())),
        };
        pairs.insert((*id).to_owned(), pair);
    }
    Tables {
        entries: entries
            .into_iter()
            .map(|(id, rows)| (id.to_owned(), latest_entry(&rows)))
            .collect(),
        orders,
        pairs,
    }
}
