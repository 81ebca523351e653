//! The metrics the pipelines look up, and what each needs of its rule.

use super::Rule;
use crate::exception;

/// What a pipeline reads from a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleShape {
    /// `warn` / `crit`, or a threshold.
    Severity,
    /// A threshold in won, exact in two decimals.
    Money,
    /// `fail`, or a threshold.
    Fail,
    /// A set of allowed values.
    Values,
    /// Some of the named values.
    SomeOf(&'static [&'static str]),
    /// Exactly one of the named values.
    OneOf(&'static [&'static str]),
    /// A set of values that may be empty.
    AnyValues,
    /// `WORD=WORD` pairs, a source's word and the contract's; may be empty.
    Aliases,
}

impl RuleShape {
    /// Whether a rule may say "none": without one, nothing is meant.
    #[must_use]
    pub const fn may_be_empty(self) -> bool {
        matches!(self, Self::AnyValues | Self::Aliases)
    }
}

/// One metric a pipeline judges.
#[derive(Debug, Clone, Copy)]
pub struct KnownMetric {
    /// Domain of its rule.
    pub domain: &'static str,
    /// Metric, without a source.
    pub metric: &'static str,
    /// What its rule must hold.
    pub shape: RuleShape,
    /// The Bronze tables it is looked up for one by one, each of which may have a rule of its own (`metric@source`).
    pub sources: &'static [&'static str],
}

impl KnownMetric {
    /// `domain.metric`.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}.{}", self.domain, self.metric)
    }

    /// The metric that a rule is for, with or without `@source`.
    #[must_use]
    pub fn of(rule: &Rule) -> Option<&'static Self> {
        let metric = rule.metric_and_source().0;
        KNOWN_METRICS
            .iter()
            .find(|k| k.domain == rule.domain && k.metric == metric)
    }

    /// Whether a run stops without a rule for it. A set that may be empty is empty without one: rules of a time before it
    /// was known judge as they did.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        !self.shape.may_be_empty()
    }
}

/// The tags of Pipeline A, by priority.
pub const TAGS: &[&str] = &[
    exception::SOURCE_STALE,
    exception::DUP_SUSPECTED,
    exception::EVENT_DROP_SUSPECTED,
    exception::CONTRACT_VIOLATION,
];

const LEDGER: &str = "transaction_ledger_raw";
const WALLETS: &str = "user_wallets_raw";
const PAYMENT_ORDERS: &str = "payment_orders_raw";

/// A metric that has one rule.
const fn known(domain: &'static str, metric: &'static str, shape: RuleShape) -> KnownMetric {
    KnownMetric {
        domain,
        metric,
        shape,
        sources: &[],
    }
}

/// A metric of Pipeline A, judged source by source.
const fn per_source(metric: &'static str, sources: &'static [&'static str]) -> KnownMetric {
    KnownMetric {
        domain: "dq",
        metric,
        shape: RuleShape::Severity,
        sources,
    }
}

/// Every metric a pipeline looks up. A rule for another metric has no effect; `nsc rules check` and `nsc rules sync` say so.
pub const KNOWN_METRICS: &[KnownMetric] = &[
    per_source("freshness_sec", &[LEDGER, WALLETS, PAYMENT_ORDERS]),
    per_source("dup_rate_tx_id", &[LEDGER]),
    per_source("dup_rate_order_id", &[PAYMENT_ORDERS]),
    per_source("dup_rate_wallet_snapshot", &[WALLETS]),
    per_source("completeness_zero_windows", &[LEDGER, WALLETS, PAYMENT_ORDERS]),
    per_source("contract_bad_records_rate", &[LEDGER, WALLETS, PAYMENT_ORDERS]),
    known("ledger", "drift_abs", RuleShape::Money),
    known("ledger", "supply_diff_abs", RuleShape::Money),
    known("ledger", "gate_tags", RuleShape::SomeOf(TAGS)),
    known("ledger", "gate_scope", RuleShape::OneOf(&["closing", "any"])),
    known("ledger", "system_wallets", RuleShape::AnyValues),
    known("silver", "bad_records_rate", RuleShape::Fail),
    known("silver", "entry_type_allowed", RuleShape::Values),
    known("silver", "payment_status_allowed", RuleShape::Values),
    known("silver", "entry_type_alias", RuleShape::Aliases),
    known("silver", "payment_status_alias", RuleShape::Aliases),
    known("ops", "payment_failed_status", RuleShape::Values),
    known("ops", "payment_refunded_status", RuleShape::Values),
];
