//! The day it is: its clock, and when its sources load nothing.

use crate::calendar::{CivilDate, DAY_US, SECOND_US, utc};
use crate::clock_text::{ClockText, Gap};
use crate::faults::{GapNote, Journal};
use crate::options::Plan;
use crate::source::Source;

/// Late lines come in a nightly batch that starts two hours after the day's end and takes 30 minutes.
const LATE_BATCH_AFTER_US: i64 = 7200 * SECOND_US;
const LATE_BATCH_SHARE: i64 = 48;

/// The day it is.
pub(crate) struct Today {
    /// Days since the run's first.
    pub(crate) index: usize,
    pub(crate) date: CivilDate,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    pub(crate) clock: ClockText,
    pub(crate) ledger_gap: Option<Gap>,
    pub(crate) order_gap: Option<Gap>,
}

impl Today {
    pub(crate) fn new(plan: &Plan, index: usize) -> Self {
        let start_us = plan.start_us + index as i64 * DAY_US;
        Self {
            index,
            date: plan.first_date.plus_days(index as i64),
            start_us,
            end_us: start_us + DAY_US,
            clock: ClockText::new(start_us),
            ledger_gap: None,
            order_gap: None,
        }
    }

    /// When the nightly batch loads a late line about this instant.
    pub(crate) fn late_load_us(&self, at_us: i64) -> i64 {
        self.end_us + LATE_BATCH_AFTER_US + (at_us - self.start_us) / LATE_BATCH_SHARE
    }

    /// Makes the gaps of a faulty run's last two days: a stale order source and two empty ledger
    /// windows that are over by the day's end, then a ledger that is stale when the last day ends.
    pub(crate) fn open_gaps(&mut self, plan: &Plan, journal: &mut Journal) {
        if !plan.options.faults || plan.options.no_gaps || plan.days < 2 {
            return;
        }
        if plan.is_last_day(self.index) {
            let (from, to) = (23 * 3600 + 2400, 24 * 3600 + 300);
            self.ledger_gap = Some(self.gap(
                journal,
                Source::TransactionLedger,
                from,
                to,
                "stale at the day's end",
            ));
        } else if plan.is_last_day(self.index + 1) {
            let (from, to) = (14 * 3600, 14 * 3600 + 2400);
            self.order_gap = Some(self.gap(journal, Source::PaymentOrders, from, to, "stale source"));
            let (from, to) = (10 * 3600 + 600, 10 * 3600 + 1800);
            let why = "two empty 10-minute windows";
            self.ledger_gap = Some(self.gap(journal, Source::TransactionLedger, from, to, why));
        }
    }

    fn gap(&self, journal: &mut Journal, source: Source, from_s: i64, to_s: i64, why: &'static str) -> Gap {
        let (from_us, to_us) = (
            self.start_us + from_s * SECOND_US,
            self.start_us + to_s * SECOND_US,
        );
        let note = GapNote {
            source,
            no_row_ingested_from: utc(from_us),
            to: utc(to_us),
            why,
        };
        journal.controls.gaps.push(note);
        Gap {
            from: self.clock.index(from_us),
            to: self.clock.index(to_us),
        }
    }
}
