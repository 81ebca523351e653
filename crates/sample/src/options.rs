//! What to generate, and the checks it must pass first.

use std::path::PathBuf;

use crate::calendar::{CivilDate, DAY_US, KST_OFFSET_US};
use crate::error::SampleError;

const LEAST_WALLETS: usize = 20;
/// Ids of wallets have eight digits; this leaves room for all who sign up later.
const MOST_WALLETS: usize = 50_000_000;
/// Far past any disk, and small enough that no count overflows.
const MOST_ENTRIES_PER_DAY: u64 = 10_000_000_000;
/// Instants are written with four-digit years; a day's margin is kept at both ends.
const FIRST_YEAR: i64 = 1001;
const LAST_YEAR: i64 = 9998;
/// Under 1 % with room to spare, so that a default run passes the quality gates.
const DEFAULT_BAD_RATE: f64 = 0.004;

/// What to generate.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleOptions {
    /// Seed of every draw.
    pub seed: u64,
    /// Wallets at the start, merchants included: 20 to 50 million.
    pub wallets: usize,
    /// Ledger entries per day, 10 billion at the most; a few boundary events and the fault mix come on top.
    pub entries_per_day: u64,
    /// How many KST days, at least 1.
    pub days: u32,
    /// The first KST day, `YYYY-MM-DD`.
    pub first_date_kst: String,
    /// Add the fault mix and write `faults.json`.
    pub faults: bool,
    /// Share of bad lines per table, 0 to 1 (default 0.004). Only with [`faults`](Self::faults).
    pub bad_rate: Option<f64>,
    /// Leave out the stale sources and empty windows of a faulty run's last two days.
    pub no_gaps: bool,
    /// Leave out the late rows of a faulty run's last day.
    pub no_late_last: bool,
    /// The directory the files are written to; made when missing. One that holds files of others is refused.
    pub out: PathBuf,
    /// Write there all the same, over files of the same names.
    pub overwrite: bool,
}

impl SampleOptions {
    /// One clean day of a thousand wallets and twenty thousand entries.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self {
            seed: 1,
            wallets: 1000,
            entries_per_day: 20_000,
            days: 1,
            first_date_kst: "2026-01-05".to_owned(),
            faults: false,
            bad_rate: None,
            no_gaps: false,
            no_late_last: false,
            out: out.into(),
            overwrite: false,
        }
    }
}

/// Options that passed every check, with the numbers that follow from them.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) options: SampleOptions,
    pub(crate) first_date: CivilDate,
    /// The first instant of the first KST day.
    pub(crate) start_us: i64,
    pub(crate) days: usize,
    pub(crate) entries_per_day: u64,
    pub(crate) merchants: usize,
    /// Users at the start; more sign up later.
    pub(crate) users: usize,
    pub(crate) products: usize,
    pub(crate) bad_rate: f64,
}

impl Plan {
    pub(crate) fn new(options: &SampleOptions) -> Result<Self, SampleError> {
        if options.wallets < LEAST_WALLETS {
            return Err(SampleError::TooFewWallets {
                least: LEAST_WALLETS,
                given: options.wallets,
            });
        }
        if options.wallets > MOST_WALLETS {
            return Err(SampleError::TooManyWallets {
                most: MOST_WALLETS,
                given: options.wallets,
            });
        }
        if options.entries_per_day > MOST_ENTRIES_PER_DAY {
            return Err(SampleError::TooManyEntries {
                most: MOST_ENTRIES_PER_DAY,
                given: options.entries_per_day,
            });
        }
        if options.days == 0 {
            return Err(SampleError::NoDays);
        }
        check_bad_rate(options)?;
        let first_date = check_dates(options)?;
        let merchants = (options.wallets / 100).clamp(3, 5000);
        Ok(Self {
            options: options.clone(),
            first_date,
            start_us: first_date.days() * DAY_US - KST_OFFSET_US,
            days: options.days as usize,
            entries_per_day: options.entries_per_day,
            merchants,
            users: options.wallets - merchants,
            products: (options.entries_per_day / 40).clamp(50, 5000) as usize,
            bad_rate: options.bad_rate.unwrap_or(DEFAULT_BAD_RATE),
        })
    }

    /// Whether this is the run's last day, counted from 0.
    pub(crate) fn is_last_day(&self, day: usize) -> bool {
        day + 1 == self.days
    }
}

fn check_bad_rate(options: &SampleOptions) -> Result<(), SampleError> {
    match options.bad_rate {
        Some(_) if !options.faults => Err(SampleError::BadRateWithoutFaults),
        Some(given) if !(0.0..=1.0).contains(&given) => Err(SampleError::BadRateOutOfRange { given }),
        _ => Ok(()),
    }
}

fn check_dates(options: &SampleOptions) -> Result<CivilDate, SampleError> {
    let text = &options.first_date_kst;
    let first = CivilDate::parse(text).ok_or_else(|| SampleError::InvalidDate { given: text.clone() })?;
    let last = first.plus_days(i64::from(options.days));
    if first.year < FIRST_YEAR || last.year > LAST_YEAR {
        return Err(SampleError::DateOutOfRange {
            first: text.clone(),
            first_year: FIRST_YEAR,
            last_year: LAST_YEAR,
        });
    }
    Ok(first)
}
