//! What wallets do with each other: payments, refunds and the orders of both.

use crate::emit::{Entry, EntryKind, OrderId, OrderVersion, Related};
use crate::faults::{Fault, Target};
use crate::shape::PricePoints;
use crate::source::Source;
use crate::world::World;

/// Commerce orders are numbered from here on, so that no other id looks like one.
const FIRST_COMMERCE_ORDER: u64 = 1_000_000_000;
/// A payment can be refunded after 15 minutes.
const REFUNDABLE_AFTER_US: i64 = 900_000_000;
/// Share of the payments that pay a commerce order.
const COMMERCE_SHARE: f64 = 0.30;
/// Draws above this bring an unpaid order along.
const UNPAID_ABOVE: f64 = 0.94;

/// The two entries of a payment or a refund: who gives and who gets, by wallet.
struct Transfer {
    at_us: i64,
    giver: (usize, EntryKind),
    getter: (usize, EntryKind),
    cents: i64,
    order: OrderId,
}

impl World<'_> {
    /// A payment to some merchant; `false` when the wallet is short of money.
    pub(crate) fn pay(&mut self, at_us: i64, payer: usize) -> bool {
        let cents = self.prices.pick(&mut self.draws);
        if self.accounts.available[payer] < cents {
            return false;
        }
        let merchant = self.popularity.pick(&mut self.draws);
        // One draw decides all that is special about an order.
        let q = self.draws.unit();
        let id = if q < COMMERCE_SHARE {
            self.numbers.commerce_order += 1;
            OrderId::Commerce(FIRST_COMMERCE_ORDER + self.numbers.commerce_order)
        } else {
            self.next_order_id()
        };
        let status = if q * 7.0 % 1.0 < 0.3 { "SETTLED" } else { "PAID" };
        let (order_fault, entry_fault) = match self.faults.take([Target::Payment, Target::Entry]) {
            Some(fault) if fault.target() == Target::Payment => (Some(fault), None),
            other => (None, other),
        };
        if let OrderId::Commerce(number) = id {
            self.commerce_order(number, payer, at_us, status, cents);
        }
        let order = OrderVersion {
            id,
            payer,
            merchant,
            cents,
            status,
            created_us: at_us,
            updated_us: at_us,
        };
        self.order(&order, order_fault);
        let giver = (payer, EntryKind::Payment);
        let getter = (self.plan.users + merchant, EntryKind::Receive);
        self.transfer(
            &Transfer {
                at_us,
                giver,
                getter,
                cents,
                order: id,
            },
            entry_fault,
        );
        // A refund would add a version to an order whose versions are a fault's.
        if order_fault.is_none() {
            self.recent.remember(order);
        }
        if q > UNPAID_ABOVE {
            self.unpaid_order(at_us, payer);
        }
        true
    }

    /// An order that failed, was cancelled or is pending: no entries.
    fn unpaid_order(&mut self, at_us: i64, payer: usize) {
        let id = self.next_order_id();
        let v = self.draws.unit();
        let merchant = self.popularity.pick(&mut self.draws);
        let cents = self.prices.cents((v * PricePoints::COUNT as f64) as usize);
        let status = match v {
            v if v < 0.5 => "FAILED",
            v if v < 0.8 => "CANCELLED",
            _ => "PENDING",
        };
        let order = OrderVersion {
            id,
            payer,
            merchant,
            cents,
            status,
            created_us: at_us,
            updated_us: at_us,
        };
        self.order(&order, None);
    }

    fn next_order_id(&mut self) -> OrderId {
        self.numbers.order += 1;
        OrderId::Payment {
            date: self.today.date.compact(),
            number: self.numbers.order,
        }
    }

    /// The refund of some recent payment; `false` when the one picked cannot be refunded.
    pub(crate) fn refund(&mut self, at_us: i64) -> bool {
        let slot = self.draws.below(self.recent.slots.len());
        let Some(paid) = self.recent.slots[slot] else {
            self.recent.forget_slot(slot);
            return false;
        };
        let payee = self.plan.users + paid.merchant;
        if at_us - paid.created_us < REFUNDABLE_AFTER_US || self.accounts.available[payee] < paid.cents {
            return false;
        }
        self.recent.slots[slot] = None;
        self.order(
            &OrderVersion {
                status: "REFUNDED",
                updated_us: at_us,
                ..paid
            },
            None,
        );
        self.journal.duplicates[Source::PaymentOrders] += 1;
        let giver = (payee, EntryKind::RefundOut);
        let getter = (paid.payer, EntryKind::RefundIn);
        self.transfer(
            &Transfer {
                at_us,
                giver,
                getter,
                cents: paid.cents,
                order: paid.id,
            },
            None,
        );
        true
    }

    /// Moves the money and writes both entries; a fault is carried by the giver's.
    fn transfer(&mut self, transfer: &Transfer, fault: Option<Fault>) {
        let &Transfer {
            at_us,
            giver,
            getter,
            cents,
            order,
        } = transfer;
        self.accounts.credit(giver.0, -cents, at_us);
        self.accounts.credit(getter.0, cents, at_us);
        self.entry(
            &Entry::new(at_us, giver.0, giver.1, cents, Related::Order(order)),
            fault,
        );
        self.entry(
            &Entry::new(at_us, getter.0, getter.1, cents, Related::Order(order)),
            None,
        );
    }
}
