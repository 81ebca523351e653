//! What Silver takes from the rules.

use nsc_contracts::rule::RuleSet;
use nsc_transforms::vocabulary::Vocabulary;

use crate::PipelineError;

/// The rules Silver validates by.
#[derive(Debug, Clone)]
pub(super) struct SilverRules {
    pub(super) words: Vocabulary,
    pub(super) allowed_rule: String,
    pub(super) rate_rule: String,
    pub(super) rate: f64,
}

impl SilverRules {
    pub(super) fn of(rules: &RuleSet) -> Result<Self, PipelineError> {
        let types = rules.for_metric("silver", "entry_type_allowed", None)?;
        let rate = rules.for_metric("silver", "bad_records_rate", None)?;
        Ok(Self {
            words: Vocabulary::of(rules)?,
            allowed_rule: types.rule_id.clone(),
            rate_rule: rate.rule_id.clone(),
            rate: rate.fail()?,
        })
    }
}
