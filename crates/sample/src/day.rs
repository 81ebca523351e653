//! One KST day: what it opens with, its operations, and what it closes with.

use crate::error::SampleError;
use crate::report::DaySummary;
use crate::text::money;
use crate::today::Today;
use crate::world::World;

impl World<'_> {
    /// Runs a day.
    pub(crate) fn day(&mut self, index: usize) -> Result<DaySummary, SampleError> {
        let faults = self.plan.options.faults;
        self.today = Today::new(&self.plan, index);
        self.today.open_gaps(&self.plan, &mut self.journal);

        self.deliver_late_lines();
        self.products();
        // Before any event of the day; they also close the day before, with the balances it ended on.
        self.snapshot_all(self.today.start_us, 1, true)?;
        if faults {
            self.choose_unseen();
        }
        self.off_balance.clear();
        if faults && index > 0 {
            self.charge_at_first_instant();
        }

        let mut session = self.open_session();
        self.trade(&mut session)?;

        let to_settle = faults.then(|| self.day_end_faults());
        // Of every entry before the day's last microsecond.
        self.snapshot_all(self.today.end_us - 1, 2, self.plan.is_last_day(index))?;
        if let Some(wallet) = to_settle {
            self.settle_last_microsecond(wallet);
        }
        self.out.checkpoint()?;
        Ok(DaySummary {
            date_kst: self.today.date.iso(),
            issued_supply_of_the_world: money(i128::from(self.supply)),
            wallet_total_of_the_world: money(i128::from(self.accounts.grand_total())),
            wallets: self.accounts.count(),
            bad_ledger_lines: session.bad_entries(),
        })
    }

    /// The lines held back the day before arrive first thing.
    pub(crate) fn deliver_late_lines(&mut self) {
        for late in std::mem::take(&mut self.journal.late) {
            self.out.push(late.source, late.json.as_bytes());
            self.journal.arrived(late.name, self.out.lines(late.source));
        }
    }

    /// Picks a wallet that gets no snapshot today. Not yesterday's, and none that is off balance:
    /// each wallet shows one fault at a time.
    fn choose_unseen(&mut self) {
        let users = self.plan.users;
        let mut wallet = self.draws.below(users);
        while Some(wallet) == self.unseen || self.off_balance.iter().any(|&(off, _)| off == wallet) {
            wallet = (wallet + 1) % users;
        }
        self.unseen = Some(wallet);
        self.unseen_opening = self.accounts.total(wallet);
    }
}
