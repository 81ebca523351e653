//! The faults of the controls themselves, injected in the last second of each day.

use super::journal::{Difference, Drift, MissingSnapshot, PendingFlow, UnknownWallet};
use crate::calendar::{SECOND_US, utc};
use crate::emit::{Entry, EntryKind, Holder, OrderId, Related};
use crate::source::Source;
use crate::text::money;
use crate::world::World;

const LEDGER: Source = Source::TransactionLedger;
/// 30 digits: past any 64-bit integer, within DECIMAL(38,2).
const HUGE_CENTS: i128 = 123_456_789_012_345_678_901_234_567_890;
/// The charge of the day's first instant.
const FIRST_INSTANT_CENTS: i64 = 88_800;
/// The charge of the day's last microsecond.
const LAST_MICROSECOND_CENTS: i64 = 77_700;
/// The charge of the wallet without snapshots.
const UNSEEN_CENTS: i64 = 55_500;
const GHOST_CENTS: i128 = 32_100;
const ORPHAN_CENTS: i64 = 4200;

impl World<'_> {
    /// A charge at the day's first instant, which the opening snapshot does not include.
    pub(crate) fn charge_at_first_instant(&mut self) {
        let wallet = self.accounts.funded[self.plan.merchants];
        let at_us = self.today.start_us;
        self.accounts.credit(wallet, FIRST_INSTANT_CENTS, at_us);
        self.supply += FIRST_INSTANT_CENTS;
        self.plain_entry(at_us, wallet, EntryKind::Charge, FIRST_INSTANT_CENTS);
        self.note_with("midnight_first_instant", LEDGER, "event_time", utc(at_us));
    }

    /// Everything the day's end has in store. Gives the wallet to settle after the closing snapshots.
    pub(crate) fn day_end_faults(&mut self) -> usize {
        let at_us = self.today.end_us - SECOND_US;
        let [huge, last_microsecond, orphan, off_up, off_down] = self.pick_five_users();
        self.huge_amounts(at_us, huge);
        self.charge_at_last_microsecond(last_microsecond);
        self.entry_of_the_unseen(at_us);
        self.entries_of_ghosts(at_us);
        if self.today.index.is_multiple_of(2) {
            self.orphan_payment(at_us, orphan);
        }
        self.closing_snapshots_off(off_up, off_down);
        last_microsecond
    }

    /// Gives the wallet of the day's last microsecond the money its closing snapshot does not show.
    pub(crate) fn settle_last_microsecond(&mut self, wallet: usize) {
        self.accounts
            .credit(wallet, LAST_MICROSECOND_CENTS, self.today.end_us - 1);
    }

    /// Five different users, none of them the one without snapshots.
    fn pick_five_users(&mut self) -> [usize; 5] {
        let merchants = self.plan.merchants;
        let mut picked = [usize::MAX; 5];
        let mut count = 0;
        while count < picked.len() {
            let users = self.accounts.funded.len() - merchants;
            let wallet = self.accounts.funded[merchants + self.draws.below(users)];
            if Some(wallet) != self.unseen && !picked.contains(&wallet) {
                picked[count] = wallet;
                count += 1;
            }
        }
        picked
    }

    /// Two amounts of 30 digits that cancel out.
    fn huge_amounts(&mut self, at_us: i64, wallet: usize) {
        for kind in [EntryKind::Mint, EntryKind::Burn] {
            self.entry(&Entry::new(at_us, wallet, kind, HUGE_CENTS, Related::None), None);
            self.note("amount_30_digits", LEDGER);
        }
        self.accounts.updated[wallet] = at_us;
    }

    /// A charge in the day's last microsecond, which the snapshot of that instant does not hold.
    fn charge_at_last_microsecond(&mut self, wallet: usize) {
        let at_us = self.today.end_us - 1;
        self.supply += LAST_MICROSECOND_CENTS;
        self.plain_entry(at_us, wallet, EntryKind::Charge, LAST_MICROSECOND_CENTS);
        self.note_with("midnight_last_microsecond", LEDGER, "event_time", utc(at_us));
        if self.plan.is_last_day(self.today.index) {
            let pending_flow = money(i128::from(LAST_MICROSECOND_CENTS));
            self.pending_flow(wallet, pending_flow, "after the closing snapshot");
        }
    }

    fn entry_of_the_unseen(&mut self, at_us: i64) {
        let Some(wallet) = self.unseen else { return };
        self.accounts.credit(wallet, UNSEEN_CENTS, at_us);
        self.supply += UNSEEN_CENTS;
        self.plain_entry(at_us, wallet, EntryKind::Charge, UNSEEN_CENTS);
        let user_id = self.accounts.id(wallet);
        self.note_with("snapshot_missing", LEDGER, "user_id", user_id.clone());
        let date_kst = self.today.date.iso();
        self.journal
            .controls
            .missing_snapshots
            .push(MissingSnapshot { date_kst, user_id });
        let since_opening = self.accounts.total(wallet) - self.unseen_opening;
        self.pending_flow(wallet, money(i128::from(since_opening)), "no snapshot in the day");
    }

    /// Entries of wallets that have no snapshot: one that nets to zero, one that stays open.
    fn entries_of_ghosts(&mut self, at_us: i64) {
        let day = self.today.index;
        let (zero, open) = (
            Holder::Ghost { day, name: "zero" },
            Holder::Ghost { day, name: "open" },
        );
        for (holder, kind, cents) in [
            (zero, EntryKind::Charge, 50_000),
            (zero, EntryKind::Withdraw, 50_000),
            (open, EntryKind::Charge, GHOST_CENTS),
        ] {
            let related = Related::None;
            self.entry(
                &Entry {
                    at_us,
                    holder,
                    kind,
                    cents,
                    related,
                },
                None,
            );
        }
        for _ in 0..3 {
            self.note("unknown_wallet_entry", LEDGER);
        }
        for (ghost, pending) in [(zero, 0), (open, GHOST_CENTS)] {
            self.journal.controls.unknown_wallets.push(UnknownWallet {
                date_kst: self.today.date.iso(),
                wallet_id: self.accounts.id_of(ghost),
                pending_flow: money(pending),
            });
        }
        self.supply_off_from_today(GHOST_CENTS, "unknown wallet's charge");
    }

    /// A payment nobody receives: wallet and ledger agree, the supply does not.
    fn orphan_payment(&mut self, at_us: i64, wallet: usize) {
        let cents = self.accounts.available[wallet].min(ORPHAN_CENTS);
        if cents == 0 {
            return;
        }
        self.accounts.credit(wallet, -cents, at_us);
        let related = Related::Order(OrderId::Orphan {
            day: self.today.index,
        });
        self.entry(
            &Entry::new(at_us, wallet, EntryKind::Payment, cents, related),
            None,
        );
        self.note_with("orphan_payment", LEDGER, "amount", money(i128::from(cents)));
        self.supply_off_from_today(i128::from(cents), "payment nobody received");
    }

    /// Closing snapshots that do not agree with the ledger; before the last day they open the next day too.
    fn closing_snapshots_off(&mut self, up: usize, down: usize) {
        let less = if self.accounts.available[down] != 0 { -1 } else { 1 };
        self.off_balance = vec![(up, 100 + self.today.index as i64), (down, less)];
        let today = self.today.date;
        for &(wallet, cents) in &self.off_balance {
            let cents = i128::from(cents);
            let drift = |date_kst, cents, why| Drift {
                date_kst,
                user_id: self.accounts.id(wallet),
                net_flow_error: None,
                delta_error: Some(money(cents)),
                why,
            };
            let controls = &mut self.journal.controls;
            controls
                .drift
                .push(drift(today.iso(), cents, "closing snapshot off"));
            controls.supply_differences.push(Difference {
                from_date_kst: None,
                date_kst: Some(today.iso()),
                issued_minus_total: money(-cents),
                why: "closing snapshot off",
            });
            if !self.plan.is_last_day(self.today.index) {
                controls
                    .drift
                    .push(drift(today.plus_days(1).iso(), -cents, "opening snapshot off"));
            }
        }
    }

    fn pending_flow(&mut self, wallet: usize, pending_flow: String, why: &'static str) {
        let (date_kst, user_id) = (self.today.date.iso(), self.accounts.id(wallet));
        self.journal.controls.pending_flow.push(PendingFlow {
            date_kst,
            user_id,
            pending_flow,
            why,
        });
    }

    fn supply_off_from_today(&mut self, cents: i128, why: &'static str) {
        self.journal.controls.supply_differences.push(Difference {
            from_date_kst: Some(self.today.date.iso()),
            date_kst: None,
            issued_minus_total: money(cents),
            why,
        });
    }
}
