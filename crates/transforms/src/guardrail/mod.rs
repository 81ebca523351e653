//! Pipeline A: the guardrail over three Bronze sources (lakehouse contract 4, "Pipeline A").
//!
//! A plan, a counter and a judgement:
//!
//! 1. [`measures`] gives each row of the registered table `rows` its instant, its key and whether it breaks the contract;
//!    [`WindowCounter`] counts them by window as they stream past, and finds how far the source had come at each window's end.
//! 2. [`judge`] turns one window's [`WindowMeasure`] into rates, exceptions, tag and severity. No DataFusion in it.
//!
//! `rows`: at least the source's Bronze rows whose instant (by the [`Timeline`] judged) is in `[first start, last end]`. The
//! rows of the closing instant itself belong to no window; they only make the freshness at the last end exact.
//!
//! Choices the contract leaves open:
//! * A rate is judged as it is stored, in six decimals half-up, so a verdict can be repeated from `dq_status`.
//! * `freshness_sec` is null when the source has no row at or before the window's end. Nothing is stale then (there
//!   is no age to compare); the empty windows fire EVENT_DROP_SUSPECTED.
//! * `metric` of an exception is the seed's name: `freshness_sec`, `dup_rate`, `zero_windows`, `bad_records_rate`.
//! * A payment order's key is the whole source row, every evolved column included, without the load's own fields
//!   (`ingested_at`, `source_extracted_at`, `batch_id`, `source_system`, `source_ref`, `ingest_date`,
//!   `load_id`). A row without `order_id` has no key.

mod counter;
mod judge;
mod measure;
mod row_key;
mod windows;

pub use counter::{WindowCounter, WindowCounts};
pub use judge::{Fired, Judgement, Rate, Tag, WindowMeasure, freshness_seconds, judge, zero_windows_after};
pub use measure::{Timeline, measures, newest_before};
pub use windows::Windows;

use crate::rules::SeverityRule;
use crate::vocabulary::Vocabulary;

/// The sources the guardrail watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuardrailSource {
    /// `transaction_ledger_raw`: a repeated `tx_id` is a duplicate.
    Ledger,
    /// `user_wallets_raw`: a repeated `user_id` and snapshot time is a duplicate.
    Wallets,
    /// `payment_orders_raw`: an identical copy is a duplicate; PENDING then PAID is not.
    PaymentOrders,
}

impl GuardrailSource {
    /// In the order of the contract.
    pub const ALL: [Self; 3] = [Self::Ledger, Self::Wallets, Self::PaymentOrders];

    /// The Bronze table; also `dq_status.source_table`.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            Self::Ledger => "transaction_ledger_raw",
            Self::Wallets => "user_wallets_raw",
            Self::PaymentOrders => "payment_orders_raw",
        }
    }

    /// The `dq` metric whose rule judges this source's duplicates (`@source` overrides are the rule loader's).
    #[must_use]
    pub const fn dup_rate_metric(self) -> &'static str {
        match self {
            Self::Ledger => "dup_rate_tx_id",
            Self::Wallets => "dup_rate_wallet_snapshot",
            Self::PaymentOrders => "dup_rate_order_id",
        }
    }
}

/// The four rules in force for one source, `metric@source` already resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardrailRules {
    /// `dq.freshness_sec`.
    pub freshness_sec: SeverityRule,
    /// `dq.dup_rate_tx_id`, `dq.dup_rate_wallet_snapshot` or `dq.dup_rate_order_id`.
    pub dup_rate: SeverityRule,
    /// `dq.completeness_zero_windows`.
    pub zero_windows: SeverityRule,
    /// `dq.contract_bad_records_rate`.
    pub bad_records_rate: SeverityRule,
}

/// The values the Bronze contract allows, once a source's words are those they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedValues {
    /// The entry types, and the aliases of both.
    pub words: Vocabulary,
    /// `silver.payment_status_allowed`.
    pub payment_statuses: Vec<String>,
}
