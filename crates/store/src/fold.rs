//! One batch before it is written: duplicates folded to the newest version, keys sorted, orders collected.

use std::collections::{BTreeMap, HashMap};

use crate::rows::{Batch, LedgerRow, OrderRow};
use crate::version::Version;

/// A row and what decides whether it is the newest of its key.
#[derive(Debug)]
pub(crate) struct Versioned<'a, R> {
    pub(crate) row: &'a R,
    pub(crate) version: Version,
}

// By hand, because a derive would ask the row to be copied too.
impl<R> Clone for Versioned<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Versioned<'_, R> {}

/// One side of a payment order's pair: (order, `PAYMENT` or `RECEIVE`).
pub(crate) type Leg<'a> = (&'a str, &'a str);

/// Per side the leg that counts, of those a batch holds: the earliest, then the one with the lowest `tx_id`.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Legs<'a> {
    pub(crate) payment: Option<&'a LedgerRow>,
    pub(crate) receive: Option<&'a LedgerRow>,
    /// The batch brings the order itself too.
    pub(crate) with_order: bool,
    /// A correction is concerned: which legs count, what the batch holds cannot say.
    pub(crate) unsettled: bool,
}

impl<'a> Legs<'a> {
    /// None yet, of an order that is in the batch.
    fn of_order() -> Self {
        Self {
            with_order: true,
            ..Self::default()
        }
    }

    fn take(&mut self, side: &str, row: &'a LedgerRow) {
        let kept = if side == "PAYMENT" {
            &mut self.payment
        } else {
            &mut self.receive
        };
        let earlier = |other: &LedgerRow| (row.event_time, &row.tx_id) < (other.event_time, &other.tx_id);
        if kept.is_none_or(earlier) {
            *kept = Some(row);
        }
    }

    /// Whether a side is known.
    pub(crate) fn any(self) -> bool {
        self.payment.is_some() || self.receive.is_some()
    }

    /// Whether both sides are known.
    pub(crate) fn both(self) -> bool {
        self.payment.is_some() && self.receive.is_some()
    }

    /// Both sides.
    pub(crate) fn known(self) -> impl Iterator<Item = &'a LedgerRow> {
        self.payment.into_iter().chain(self.receive)
    }
}

/// A batch, ready to be written. Everything is sorted by key, as bytes: writers that lock rows in one order cannot
/// lock each other out.
#[derive(Debug, Default)]
pub(crate) struct Folded<'a> {
    /// The newest event of every `tx_id`.
    pub(crate) ledger: Vec<Versioned<'a, LedgerRow>>,
    /// What other events of the batch made of an entry, for other legs than the newest one does.
    pub(crate) former: Vec<Versioned<'a, LedgerRow>>,
    /// The newest event of every `order_id`.
    pub(crate) orders: Vec<Versioned<'a, OrderRow>>,
    /// Orders whose pair the batch can change, each with the legs that the batch holds.
    pub(crate) pairs: BTreeMap<&'a str, Legs<'a>>,
    /// Ledger events that belong to something else than a payment order.
    pub(crate) skipped: u64,
    /// Entries that the batch tells as both sides of one order.
    pub(crate) both_sides: u64,
}

impl LedgerRow {
    /// Which leg of which pair this event is (serving contract 3); of a stored row `bo.is_leg` says it.
    pub(crate) fn leg_of(&self) -> Option<Leg<'_>> {
        let order = self.order()?;
        matches!(self.entry_type.as_str(), "PAYMENT" | "RECEIVE").then_some((order, self.entry_type.as_str()))
    }

    /// Both are legs of one order, and not the same one.
    pub(crate) fn is_other_side_of(&self, other: &Self) -> bool {
        match (self.leg_of(), other.leg_of()) {
            (Some((order, side)), Some((other_order, other_side))) => {
                order == other_order && side != other_side
            }
            _ => false,
        }
    }

    /// It belongs to something, and that is no payment order.
    fn is_of_another_kind(&self) -> bool {
        self.related_id.is_some() && self.order().is_none()
    }

    /// The payment order this event belongs to.
    fn order(&self) -> Option<&str> {
        let of_an_order = matches!(self.related_type.as_deref(), None | Some("PAYMENT_ORDER"));
        self.related_id.as_deref().filter(|_| of_an_order)
    }
}

impl<'a> Folded<'a> {
    pub(crate) fn of(batch: &'a Batch) -> Self {
        let (ledger, older) = newest(batch.ledger.iter().map(|row| {
            let version = row.version();
            (row.tx_id.as_str(), Versioned { row, version })
        }));
        let (orders, _) = newest(batch.orders.iter().map(|row| {
            let version = row.version();
            (row.order_id.as_str(), Versioned { row, version })
        }));
        let former = former(&ledger, older);
        let is_both = |event: &&Versioned<'_, LedgerRow>| {
            let newest = ledger.get(event.row.tx_id.as_str());
            newest.is_some_and(|entry| entry.row.is_other_side_of(event.row))
        };
        let mut folded = Self {
            both_sides: former.iter().filter(is_both).count() as u64,
            former,
            ledger: ledger.into_values().collect(),
            pairs: orders.keys().map(|order| (*order, Legs::of_order())).collect(),
            orders: orders.into_values().collect(),
            skipped: batch.ledger.iter().filter(|row| row.is_of_another_kind()).count() as u64,
        };
        for event in folded.ledger.iter().chain(&folded.former) {
            if let Some((order, side)) = event.row.leg_of() {
                folded.pairs.entry(order).or_default().take(side, event.row);
            }
        }
        folded
    }
}

/// The newest of every key, and the others in the order they came.
fn newest<'a, R>(
    events: impl Iterator<Item = (&'a str, Versioned<'a, R>)>,
) -> (BTreeMap<&'a str, Versioned<'a, R>>, Vec<Versioned<'a, R>>) {
    let mut newest: HashMap<&str, Versioned<'a, R>> = HashMap::with_capacity(events.size_hint().0);
    let mut older = Vec::new();
    for (key, event) in events {
        match newest.get_mut(key) {
            None => drop(newest.insert(key, event)),
            Some(kept) if event.version.replaces(&kept.version) => older.push(std::mem::replace(kept, event)),
            Some(_) => older.push(event),
        }
    }
    (newest.into_iter().collect(), older)
}

/// Of the events that are not the newest of their entry: the newest per order, side and entry, unless the newest event
/// is that very leg.
fn former<'a>(
    newest: &BTreeMap<&str, Versioned<'a, LedgerRow>>,
    older: Vec<Versioned<'a, LedgerRow>>,
) -> Vec<Versioned<'a, LedgerRow>> {
    let mut former: BTreeMap<(&str, Leg<'_>), Versioned<'a, LedgerRow>> = BTreeMap::new();
    for event in older {
        let Some(leg) = event.row.leg_of() else { continue };
        let tx_id = event.row.tx_id.as_str();
        if newest
            .get(tx_id)
            .is_some_and(|entry| entry.row.leg_of() == Some(leg))
        {
            continue;
        }
        let kept = former.entry((tx_id, leg)).or_insert(event);
        if event.version.replaces(&kept.version) {
            *kept = event;
        }
    }
    former.into_values().collect()
}

#[cfg(test)]
mod tests {
    use nsc_core::{Money, UtcMicros};

    use super::Folded;
    use crate::rows::{Batch, LedgerRow};

    fn entry(tx_id: &str, order: &str, updated_at: Option<i64>, source_version: Option<i64>) -> LedgerRow {
        LedgerRow {
            tx_id: tx_id.to_owned(),
            wallet_id: "w".to_owned(),
            entry_type: "PAYMENT".to_owned(),
            amount: Money::from_units(100).unwrap(),
            amount_signed: None,
            related_id: Some(order.to_owned()),
            related_type: None,
            event_time: UtcMicros::new(0),
            created_at: None,
            updated_at: updated_at.map(UtcMicros::new),
            source_version,
            place: None,
        }
    }

    fn folded(rows: Vec<LedgerRow>) -> (Vec<String>, Vec<String>) {
        let batch = Batch {
            ledger: rows,
            ..Batch::default()
        };
        let folded = Folded::of(&batch);
        let orders = |rows: &[super::Versioned<'_, LedgerRow>]| {
            rows.iter().map(|r| r.row.related_id.clone().unwrap()).collect()
        };
        (orders(&folded.ledger), orders(&folded.former))
    }

    #[test]
    fn the_newest_version_stays_and_other_legs_of_it_are_remembered() {
        let rows = vec![
            entry("t", "a", Some(5), Some(5)),
            entry("t", "b", Some(5), Some(3)),
            entry("t", "c", None, Some(9)),
            entry("t", "d", None, None),
        ];
        for rotation in 0..rows.len() {
            let mut rows = rows.clone();
            rows.rotate_left(rotation);
            let (kept, former) = folded(rows);
            assert_eq!(kept, ["a"]);
            assert_eq!(former, ["b", "c", "d"]);
        }
    }

    #[test]
    fn version_zero_is_above_none() {
        assert_eq!(
            folded(vec![entry("t", "a", None, Some(0)), entry("t", "b", None, None)]).0,
            ["a"]
        );
        assert_eq!(
            folded(vec![entry("t", "b", None, None), entry("t", "a", None, Some(0))]).0,
            ["a"]
        );
    }

    #[test]
    fn without_any_version_the_last_one_stays() {
        let rows = vec![
            entry("t", "a", None, None),
            entry("t", "b", None, None),
            entry("t", "a", None, None),
        ];
        assert_eq!(folded(rows), (vec!["a".to_owned()], vec!["b".to_owned()]));
    }

    #[test]
    fn keys_come_out_sorted() {
        let (kept, _) = folded(["z", "a", "m"].map(|id| entry(id, id, None, None)).to_vec());
        assert_eq!(kept, ["a", "m", "z"]);
    }
}
