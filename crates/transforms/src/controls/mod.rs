//! Pipeline B: the daily controls (lakehouse contract 4, B-1 to B-6).
//!
//! The caller registers the inputs of one day, plans the two shared intermediates, materialises and registers them, and
//! then plans the outputs:
//!
//! | table registered by the caller | rows |
//! |---|---|
//! | `entries` | `silver.ledger_entries` with `event_date_kst` = the day |
//! | `snapshots` | `silver.wallet_snapshot` with `snapshot_ts` in `[start, end]`, both edges |
//! | `positions` | the carried state strictly before `start`: [`positions_next`] of the day before, or empty ([`empty_positions`]) |
//! | `payment_orders_raw` | Bronze: every version of every order that may be of the day |
//! | `wallet_day` | [`wallet_day`], materialised (`DataFrame::cache`), read by [`reconciliation`], [`positions_next`] and [`supply`] |
//! | `payment_orders_of_day` | [`payment_orders_of_day`], materialised, read by [`payment_day`] |
//! | `payment_day` | [`payment_day`], materialised, read by [`payment_failure`] and [`payment_refund`] |
//! | `recon`, `supply` | the day's rows of B-1 and B-2, read by [`recon_exceptions`] and [`supply_exceptions`] |
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

mod operations;
mod pairing;
mod reconciliation;
mod verdicts;

use datafusion::logical_expr::Expr;
use nsc_core::{DateKst, RunId, UtcMicros};

use crate::output::{date, text};

pub use operations::{admin_tx_search, payment_day, payment_failure, payment_orders_of_day, payment_refund};
pub use pairing::{PairingCounts, pairing_counts, pairing_quality};
pub use reconciliation::{empty_positions, positions_next, reconciliation, supply, wallet_day};
pub use verdicts::{recon_exceptions, supply_exceptions};

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

    /// `date_kst`, `run_id` and `rule_id`, which every daily output has.
    fn stamps(&self, rule_id: Option<&str>) -> Vec<(&'static str, Expr)> {
        vec![
            ("date_kst", date(self.date)),
            ("run_id", text(Some(self.run_id.as_str()))),
            ("rule_id", text(rule_id)),
        ]
    }
}

/// A rule that lists statuses (`ops.payment_failed_status`, `ops.payment_refunded_status`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRule {
    /// The rule.
    pub rule_id: String,
    /// Its `allowed_values`, compared exactly.
    pub statuses: Vec<String>,
}
