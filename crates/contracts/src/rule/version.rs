//! A rule in time.

use nsc_core::UtcMicros;
use serde::Serialize;

use super::Rule;

/// One row of `gold.dim_rule_scd2`: a rule and when it is in force, `[effective_start, effective_end)`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleVersion {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// In force from.
    pub effective_start: UtcMicros,
    /// In force until; `None` while it is.
    pub effective_end: Option<UtcMicros>,
    /// In force now.
    pub is_current: bool,
}

impl RuleVersion {
    /// Whether it was in force at an instant.
    #[must_use]
    pub fn in_force_at(&self, at: UtcMicros) -> bool {
        self.effective_start <= at && self.effective_end.is_none_or(|end| at < end)
    }
}
