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

/// A row of `payment_ledger_pairs`: (tx, wallet) of either leg, and the rest.
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

/// The order and the side an event is a leg of.
fn leg_of(row: &LedgerRow) -> Option<(&str, &str)> {
    let paired = row.related_type.is_none() || row.related_type.as_deref() == Some("PAYMENT_ORDER");
    let side = row.entry_type == "PAYMENT" || row.entry_type == "RECEIVE";
    let order = row.related_id.as_deref()?;
    (paired && side).then_some((order, row.entry_type.as_str()))
}

/// What an entry is for a side of an order, or, a former leg, was before it was corrected.
struct Leg {
    row: LedgerRow,
    former: bool,
}

/// Which legs make the pair: two different entries if there are two; then as few former legs as can be; then the
/// earliest payment and the earliest receipt, and of equally early ones the lowest `tx_id`.
fn chosen<'h>(payments: &'h [Leg], receipts: &'h [Leg]) -> (Option<&'h Leg>, Option<&'h Leg>) {
    let or_none = |side: &'h [Leg]| side.iter().map(Some).chain([None]);
    let all = or_none(payments).flat_map(|p| or_none(receipts).map(move |r| (p, r)));
    let possible = all.filter(|pair| match pair {
        (Some(p), Some(r)) => p.row.tx_id != r.row.tx_id,
        (p, r) => p.is_some() || r.is_some(),
    });
    let rank = |leg: Option<&'h Leg>| leg.map(|h| (h.row.event_time, &h.row.tx_id));
    let best = possible.min_by_key(|(p, r)| {
        let former = [p, r].into_iter().flatten().filter(|h| h.former).count();
        let (p, r) = (rank(*p), rank(*r));
        (p.is_none() || r.is_none(), former, p.is_none(), p, r)
    });
    best.unwrap()
}

/// Everything that the events, taken together, amount to.
pub(crate) fn tables(events: &[Event]) -> Tables {
    let mut entries: BTreeMap<&str, Vec<&LedgerRow>> = BTreeMap::new();
    let mut orders: BTreeMap<&str, Vec<&OrderRow>> = BTreeMap::new();
    // Per order and side, per entry, what any event ever said of it.
    let mut legs: BTreeMap<(&str, &str), BTreeMap<&str, Vec<&LedgerRow>>> = BTreeMap::new();
    for event in events {
        match event {
            Event::Entry(row) => {
                entries.entry(&row.tx_id).or_default().push(row);
                if let Some(leg) = leg_of(row) {
                    let of_entry = legs.entry(leg).or_default();
                    of_entry.entry(&row.tx_id).or_default().push(row);
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
    let entries: BTreeMap<String, LedgerRow> = entries
        .into_iter()
        .map(|(id, rows)| (id.to_owned(), latest_entry(&rows)))
        .collect();
    let side = |order: &str, side: &str| -> Vec<Leg> {
        let known = legs.get(&(order, side)).into_iter().flatten();
        let leg = |(tx_id, events): (&&str, &Vec<&LedgerRow>)| Leg {
            row: latest_entry(events),
            former: leg_of(&entries[*tx_id]) != Some((order, side)),
        };
        known.map(leg).collect()
    };
    let mut pairs = BTreeMap::new();
    for (id, _) in legs.keys() {
        let (payments, receipts) = (side(id, "PAYMENT"), side(id, "RECEIVE"));
        let (payment, receive) = chosen(&payments, &receipts);
        let known: Vec<&LedgerRow> = [payment, receive].into_iter().flatten().map(|h| &h.row).collect();
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
            payment: payment.map(|h| (h.row.tx_id.clone(), h.row.wallet_id.clone())),
            receive: receive.map(|h| (h.row.tx_id.clone(), h.row.wallet_id.clone())),
        };
        pairs.insert((*id).to_owned(), pair);
    }
    Tables {
        entries,
        orders,
        pairs,
    }
}
