//! What a wallet does on its own: it is funded, topped up, emptied, and holds money back.
//! Each move changes the balances and writes the lines that say so.

use crate::accounts::Hold;
use crate::emit::{Entry, EntryKind, Related, Snapshot};
use crate::faults::Target;
use crate::world::World;

/// A wallet signs up this long before its first charge.
const FIRST_CHARGE_AFTER_US: i64 = 1500;

impl World<'_> {
    /// A wallet's first money.
    pub(crate) fn fund(&mut self, at_us: i64, wallet: usize) {
        let cents = self.prices.pick(&mut self.draws) * 5;
        let kind = if self.draws.unit() < 0.2 {
            EntryKind::Mint
        } else {
            EntryKind::Charge
        };
        self.issue(at_us, wallet, cents);
        self.accounts.funded.push(wallet);
        self.plain_entry(at_us, wallet, kind, cents);
    }

    /// A new wallet: a snapshot of 0, then a charge.
    pub(crate) fn sign_up(&mut self, at_us: i64) {
        let wallet = self.accounts.sign_up();
        self.snapshot(&Snapshot {
            at_us,
            wallet,
            lag_s: 2,
            micros: 250_000,
            off_cents: 0,
            repeated: false,
        });
        let cents = self.prices.pick(&mut self.draws) * 4;
        let charged_us = at_us + FIRST_CHARGE_AFTER_US;
        self.issue(charged_us, wallet, cents);
        self.accounts.funded.push(wallet);
        self.plain_entry(charged_us, wallet, EntryKind::Charge, cents);
    }

    /// Fresh money for a merchant, while there is nobody yet who could pay one.
    pub(crate) fn mint_for_a_merchant(&mut self, at_us: i64) {
        let picked = self.draws.below(self.accounts.funded.len());
        let wallet = self.accounts.funded[picked];
        let cents = self.prices.pick(&mut self.draws);
        self.issue(at_us, wallet, cents);
        self.plain_entry(at_us, wallet, EntryKind::Mint, cents);
    }

    /// Freezes a third of the available balance, in whole won.
    pub(crate) fn hold(&mut self, at_us: i64, wallet: usize) {
        let cents = self.accounts.available[wallet] / 300 * 100;
        self.numbers.hold += 1;
        let number = self.numbers.hold;
        self.accounts.freeze(wallet, cents, at_us);
        self.holds.push(Hold {
            wallet,
            cents,
            number,
        });
        self.entry(
            &Entry::new(at_us, wallet, EntryKind::Hold, cents, Related::Hold(number)),
            None,
        );
    }

    /// Ends some hold.
    pub(crate) fn release(&mut self, at_us: i64) {
        let picked = self.draws.below(self.holds.len());
        let Hold {
            wallet,
            cents,
            number,
        } = self.holds.swap_remove(picked);
        self.accounts.freeze(wallet, -cents, at_us);
        self.entry(
            &Entry::new(at_us, wallet, EntryKind::Release, cents, Related::Hold(number)),
            None,
        );
    }

    /// Takes half the available balance out of the platform; `false` when that is not even a won.
    pub(crate) fn withdraw(&mut self, at_us: i64, wallet: usize, kind: EntryKind) -> bool {
        let cents = self.accounts.available[wallet] / 2;
        if cents < 100 {
            return false;
        }
        self.issue(at_us, wallet, -cents);
        let related = self.next_bank_transfer();
        self.entry(&Entry::new(at_us, wallet, kind, cents, related), None);
        true
    }

    /// New money by charge or mint: also what a wallet short of money does.
    pub(crate) fn top_up(&mut self, at_us: i64, wallet: usize, kind: EntryKind) {
        let cents = self.prices.pick(&mut self.draws) * 2;
        self.issue(at_us, wallet, cents);
        let fault = self.faults.take([Target::Entry, Target::Charge]);
        let related = match kind {
            EntryKind::Mint => Related::None,
            // Two of three charges do not say which transfer paid for them.
            _ => match self.next_bank_transfer() {
                Related::Bank(number) if number % 3 == 0 => Related::Bank(number),
                _ => Related::None,
            },
        };
        self.entry(&Entry::new(at_us, wallet, kind, cents, related), fault);
    }

    fn next_bank_transfer(&mut self) -> Related {
        self.numbers.bank += 1;
        Related::Bank(self.numbers.bank)
    }

    /// Brings money into the platform; a negative amount takes it out.
    fn issue(&mut self, at_us: i64, wallet: usize, cents: i64) {
        self.accounts.credit(wallet, cents, at_us);
        self.supply += cents;
    }
}
