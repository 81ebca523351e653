//! The metrics the pipelines look up, and what each needs of its rule.

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
}

impl KnownMetric {
    /// `domain.metric`.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}.{}", self.domain, self.metric)
    }

    /// Whether a run stops without a rule for it. A set that may be empty is empty without one: rules of a time before it
    /// was known judge as they did.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        !self.shape.may_be_empty()
    }
}

const fn known(domain: &'static str, metric: &'static str, shape: RuleShape) -> KnownMetric {
    KnownMetric {
        domain,
        metric,
        shape,
    }
}

/// Every metric a pipeline looks up. A rule for another metric has no effect; `nsc rules check` says so.
pub const KNOWN_METRICS: &[KnownMetric] = &[
    known("dq", "freshness_sec", RuleShape::Severity),
    known("dq", "dup_rate_tx_id", RuleShape::Severity),
    known("dq", "dup_rate_order_id", RuleShape::Severity),
    known("dq", "dup_rate_wallet_snapshot", RuleShape::Severity),
    known("dq", "completeness_zero_windows", RuleShape::Severity),
    known("dq", "contract_bad_records_rate", RuleShape::Severity),
    known("ledger", "drift_abs", RuleShape::Money),
    known("ledger", "supply_diff_abs", RuleShape::Money),
    known("ledger", "gate_tags", RuleShape::Values),
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
