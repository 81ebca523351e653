//! Pipeline B: the daily controls (lakehouse contract 4, B-1 to B-6).
//!
//! The caller registers the inputs of one day, plans the shared intermediates, materialises and registers them, and then
//! plans the rows of each control ([`rows`]) and what it finds among them ([`exceptions`]):
//!
//! | table registered by the caller | rows |
//! |---|---|
//! | `entries` | `silver.ledger_entries` with `event_date_kst` = the day |
//! | `snapshots` | `silver.wallet_snapshot` with `snapshot_ts` in `[start, end]`, both edges |
//! | `positions` | the carried state strictly before `start`: [`positions_next`] of the day before, or empty ([`empty_positions`]) |
//! | `payment_orders_raw` | Bronze: every version of every order that may be of the day |
//! | `wallet_day` | [`wallet_day`], materialised (`DataFrame::cache`), read by B-1, B-2 and [`positions_next`] |
//! | `payment_orders_of_day` | [`payment_orders_of_day`], materialised, read by [`payment_day`] |
//! | `payment_day` | [`payment_day`], materialised, read by B-3 and B-4 |
//! | the name of a control's table | its rows of the day, read by [`exceptions`] |
//!
//! `functions::register` must have been called on the session.
//!
//! Choices the contract leaves open:
//! * `positions.flow_after` of a wallet with a snapshot is the sum of its entries in `[snapshot_ts, start)`; of a wallet
//!   never snapshotted, of all its entries before `start`. A day's [`positions_next`] is the next day's `positions`, so
//!   no run reads more than one day of entries, and every entry after a wallet's first snapshot is reconciled once.
//! * A late entry of an earlier day changes that day's `positions_next` and so every later day's: the days from the
//!   affected one on are to be re-run in order.
//! * Verdicts are suppressed when, and only when, the day carries a `dq_tag` ([`ControlDay::is_suppressed`]).
//! * `exception_ledger.source_table` is the judged Gold table by its bare name, the window is the business day, `subject`
//!   the wallet (null for B-2). `metric`/`metric_value`: `drift_abs`; `supply_diff_abs`; for RECON_SNAPSHOT_MISSING and
//!   RECON_WALLET_UNKNOWN `pending_flow`, the money nothing proves yet. `metric_value` is null when it has more than
//!   32 integer digits; the message always has the number. `rule_id` stands only where a threshold judged.
//! * Severity of a threshold breach: over `crit` CRITICAL, else WARN; a rule with no `severity_map` is CRITICAL. `>`
//!   throughout, as the contract says of B-1 and B-2.
//! * Money: a sum or difference over 38 digits fails the plan (`nsc_sum_money`, `nsc_exact`); it never wraps.

mod balances;
mod pairing;
mod payments;
mod plan;

use nsc_core::{DateKst, RunId, UtcMicros};

pub use balances::{empty_positions, positions_next, wallet_day};
pub use pairing::{PairingCounts, pairing_counts};
pub use payments::{payment_day, payment_orders_of_day};
pub use plan::{ControlRules, exceptions, rows};

/// The day a control run is for, and what every row it writes carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlDay {
    /// Business day.
    pub date: DateKst,
    /// The run.
    pub run_id: RunId,
    /// Gating tag of the day, when a source is not to be trusted.
    pub dq_tag: Option<String>,
}

impl ControlDay {
    /// Soft gate: the numbers are written, the threshold verdicts are not.
    #[must_use]
    pub fn is_suppressed(&self) -> bool {
        self.dq_tag.is_some()
    }

    fn start(&self) -> UtcMicros {
        self.date.start()
    }

    fn end(&self) -> UtcMicros {
        self.date.end()
    }
}
