//! Payments that may still be refunded.

use crate::emit::OrderVersion;

/// The last few thousand payments; a refunded one leaves an empty slot behind.
#[derive(Default)]
pub(crate) struct RecentPayments {
    pub(crate) slots: Vec<Option<OrderVersion>>,
    oldest: usize,
}

impl RecentPayments {
    const KEPT: usize = 4096;

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn remember(&mut self, payment: OrderVersion) {
        if self.slots.len() < Self::KEPT {
            self.slots.push(Some(payment));
        } else {
            self.slots[self.oldest] = Some(payment);
            self.oldest = (self.oldest + 1) % Self::KEPT;
        }
    }

    pub(crate) fn forget_slot(&mut self, slot: usize) {
        self.slots.swap_remove(slot);
        if self.oldest >= self.slots.len() {
            self.oldest = 0;
        }
    }
}
