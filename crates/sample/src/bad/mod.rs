//! Bad lines: extra lines that must be quarantined, each for a known reason.

mod ledger;
mod others;

use crate::rng::Draws;
use crate::source::{PerSource, Source};
use crate::world::World;

/// Farther than any run gets, and still exact when scaled and added to.
const NEVER: u64 = 1 << 60;

/// The order in which the sources are looked at; it decides which of two due lines draws first.
const TURNS: [Source; 6] = [
    Source::TransactionLedger,
    Source::UserWallets,
    Source::PaymentOrders,
    Source::Orders,
    Source::OrderItems,
    Source::Products,
];

/// A bad line and what it is.
struct BadLine {
    /// What it is quarantined for.
    reason: &'static str,
    /// What was done to it.
    category: &'static str,
    line: String,
}

/// When each source's next bad line is due today.
pub(crate) struct BadSchedule {
    every: u64,
    due_at: PerSource<u64>,
}

impl BadSchedule {
    /// Spaces the bad lines so that bad / (good + bad) is the rate. A clean world draws the same
    /// numbers and never reaches them, so that it is the same world.
    pub(crate) fn draw(rate: Option<f64>, lines: &PerSource<u64>, draws: &mut Draws) -> Self {
        let every = match rate {
            Some(rate) if rate > 0.0 => ((1.0 / rate) as u64).min(NEVER).saturating_sub(1),
            _ => NEVER,
        };
        let due_at = PerSource::from_fn(|source| {
            let first = (every as f64 * (0.5 + 0.4 * draws.unit())) as u64;
            lines[source] + first.max(1)
        });
        Self { every, due_at }
    }
}

impl World<'_> {
    /// Writes the bad lines that are due; says how many were of the ledger.
    pub(crate) fn bad_lines(&mut self, schedule: &mut BadSchedule, at_us: i64) -> u64 {
        let mut of_ledger = 0;
        for source in TURNS {
            if self.out.lines(source) < schedule.due_at[source] {
                continue;
            }
            self.bad_line(source, at_us);
            schedule.due_at[source] = self.out.lines(source) + schedule.every;
            of_ledger += u64::from(source == Source::TransactionLedger);
        }
        of_ledger
    }

    fn bad_line(&mut self, source: Source, at_us: i64) {
        let nth = self.bad_numbers[source];
        self.bad_numbers[source] += 1;
        let bad = match source {
            Source::TransactionLedger => self.bad_entry(nth, at_us),
            Source::UserWallets => self.bad_snapshot(nth, at_us),
            Source::PaymentOrders => self.bad_payment_order(nth, at_us),
            Source::Orders => self.bad_commerce_order(nth, at_us),
            Source::OrderItems => self.bad_item(nth, at_us),
            Source::Products => self.bad_product(at_us),
        };
        self.out.push(source, bad.line.as_bytes());
        self.note(bad.category, source);
        self.journal.mark_bad(source, bad.reason);
    }
}
