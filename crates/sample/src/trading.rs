//! The operations of one day, from its first to its last.

use crate::bad::BadSchedule;
use crate::calendar::{DAY_US, SECOND_US};
use crate::emit::EntryKind;
use crate::error::SampleError;
use crate::faults::FaultQueue;
use crate::world::World;

/// Ledger entries make about this many operations each: a payment or a refund makes two entries.
const OPERATIONS_PER_ENTRY: f64 = 0.58;
/// Snapshots during the day: one per 100 s, or more when there are many wallets.
const LEAST_SNAPSHOTS: i64 = 864;
const SNAPSHOTS_PER_WALLET: f64 = 0.2;
/// A wallet with less than this holds nothing back.
const HOLD_FROM_CENTS: i64 = 20_000;
/// Operations between two checkpoints.
const CHECKPOINT_EVERY: u64 = 1024;

/// How far a day has come.
pub(crate) struct Session {
    operation: u64,
    /// World entries so far; boundary events and the like are not among them.
    entries: u64,
    /// Wallets funded so far, merchants first. Only the first day funds any.
    funded: usize,
    sign_ups_left: u64,
    sign_up_every: u64,
    snapshot_step_us: i64,
    next_snapshot_us: i64,
    bad: BadSchedule,
    bad_entries: u64,
}

impl Session {
    /// Bad ledger lines of the day.
    pub(crate) fn bad_entries(&self) -> u64 {
        self.bad_entries
    }
}

impl World<'_> {
    /// Plans the day's faults, bad lines, sign-ups and snapshots.
    pub(crate) fn open_session(&mut self) -> Session {
        let first_day = self.today.index == 0;
        let wallets = self.plan.options.wallets;
        let operations = ((self.plan.entries_per_day as f64 * OPERATIONS_PER_ENTRY) as u64).max(10);
        let faults = self.plan.options.faults;
        self.faults = if faults {
            FaultQueue::draw(&self.plan, self.today.index, operations, &mut self.draws)
        } else {
            FaultQueue::empty()
        };
        let rate = faults.then_some(self.plan.bad_rate);
        let sign_ups = if first_day {
            0
        } else {
            (wallets as u64 / 500).max(1)
        };
        let snapshots = ((wallets as f64 * SNAPSHOTS_PER_WALLET) as i64).max(LEAST_SNAPSHOTS);
        let snapshot_step_us = DAY_US / snapshots;
        Session {
            operation: 0,
            entries: 0,
            funded: if first_day { 0 } else { wallets },
            sign_ups_left: sign_ups,
            sign_up_every: (operations / (sign_ups + 1)).max(3),
            snapshot_step_us,
            next_snapshot_us: self.today.start_us + snapshot_step_us,
            bad: BadSchedule::draw(rate, &self.out.counts(), &mut self.draws),
            bad_entries: 0,
        }
    }

    /// Runs the day's operations, and its snapshots up to the end of the day.
    pub(crate) fn trade(&mut self, session: &mut Session) -> Result<(), SampleError> {
        let target = self.plan.entries_per_day;
        while session.entries < target || session.funded < self.plan.options.wallets {
            let at_us = self.next_instant(session.entries);
            self.due_snapshots(session, at_us + 1)?;
            session.operation += 1;
            if self.plan.options.faults {
                self.faults.advance(session.operation);
                session.bad_entries += self.bad_lines(&mut session.bad, at_us);
            }
            if session.operation.is_multiple_of(CHECKPOINT_EVERY) {
                self.out.checkpoint()?;
            }
            session.entries += self.operation(session, at_us);
        }
        // Also on a quiet day.
        self.due_snapshots(session, self.today.end_us - 10 * SECOND_US)
    }

    /// When the next operation happens. Entries past the target come at the end of the day.
    fn next_instant(&mut self, entries: u64) -> i64 {
        let target = self.plan.entries_per_day;
        let share = if entries < target {
            ((entries as f64 + self.draws.unit()) / target as f64).min(1.0)
        } else {
            1.0
        };
        self.today.start_us + self.curve.at(share)
    }

    fn due_snapshots(&mut self, session: &mut Session, before_us: i64) -> Result<(), SampleError> {
        while session.next_snapshot_us < before_us {
            self.snapshot_some(session.next_snapshot_us)?;
            session.next_snapshot_us += session.snapshot_step_us;
        }
        Ok(())
    }

    /// One operation; gives the number of world entries it made.
    fn operation(&mut self, session: &mut Session, at_us: i64) -> u64 {
        let done = session.entries >= self.plan.entries_per_day;
        if session.funded < self.plan.options.wallets && (session.operation % 3 == 1 || done) {
            let wallet = self.wallet_to_fund(session.funded);
            session.funded += 1;
            self.fund(at_us, wallet);
            return 1;
        }
        if session.sign_ups_left > 0 && session.operation.is_multiple_of(session.sign_up_every) {
            session.sign_ups_left -= 1;
            self.sign_up(at_us);
            return 1;
        }
        let x = self.draws.unit();
        if self.accounts.funded.len() <= self.plan.merchants {
            self.mint_for_a_merchant(at_us);
            return 1;
        }
        let wallet = self.acting_user();
        self.act(
            at_us,
            wallet,
            x,
            self.plan.entries_per_day.saturating_sub(session.entries),
        )
    }

    /// Merchants come first, so that there is somebody to pay: they only receive.
    fn wallet_to_fund(&self, nth: usize) -> usize {
        if nth < self.plan.merchants {
            self.plan.users + nth
        } else {
            nth - self.plan.merchants
        }
    }

    /// A user; the ones funded first act more often.
    fn acting_user(&mut self) -> usize {
        let merchants = self.plan.merchants;
        let users = self.accounts.funded.len() - merchants;
        let y = self.draws.unit();
        self.accounts.funded[merchants + (y * (0.4 + 0.6 * y) * users as f64) as usize]
    }

    /// What the user does, by the draw `x`. Whatever cannot be done becomes a top-up.
    fn act(&mut self, at_us: i64, user: usize, x: f64, entries_left: u64) -> u64 {
        let mut wallet = user;
        let mut top_up = EntryKind::Charge;
        if x < 0.66 {
            if entries_left >= 2 && self.pay(at_us, wallet) {
                return 2;
            }
        } else if x < 0.70 {
            if entries_left >= 2 && !self.recent.is_empty() && self.refund(at_us) {
                return 2;
            }
        } else if x < 0.74 {
            if self.accounts.available[wallet] > HOLD_FROM_CENTS {
                self.hold(at_us, wallet);
                return 1;
            }
        } else if x < 0.775 {
            if !self.holds.is_empty() {
                self.release(at_us);
                return 1;
            }
        } else if x < 0.86 {
            // Merchants cash out too.
            if self.draws.unit() < 0.5 {
                wallet = self.plan.users + self.popularity.pick(&mut self.draws);
            }
            let kind = if x > 0.845 {
                EntryKind::Burn
            } else {
                EntryKind::Withdraw
            };
            if self.withdraw(at_us, wallet, kind) {
                return 1;
            }
        } else if x > 0.98 {
            top_up = EntryKind::Mint;
        }
        self.top_up(at_us, wallet, top_up);
        1
    }
}
