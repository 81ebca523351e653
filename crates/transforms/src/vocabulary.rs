//! The words of the sources: which entry types are allowed, and what a source's own words stand for.
//!
//! Rules `silver.entry_type_alias` and `silver.payment_status_alias` say it as `BUY=CHARGE`. A word is looked up once and
//! compared exactly; Bronze and the evidence of a quarantined row keep the source's word (lakehouse contract 3, "Vocabulary").

use nsc_contracts::rule::{Rule, RuleError, RuleSet};

/// What a source's words stand for; empty: every word is itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases(Vec<(String, String)>);

impl Aliases {
    /// The pairs of a rule; none without one.
    ///
    /// # Errors
    /// When the rule holds something else than pairs.
    pub fn of(rule: Option<&Rule>) -> Result<Self, RuleError> {
        Ok(Self(rule.map(Rule::aliases).transpose()?.unwrap_or_default()))
    }

    /// One word a line, `word=word`: the second argument of `nsc_alias`.
    #[must_use]
    pub fn lines(&self) -> String {
        let pairs: Vec<String> = self
            .0
            .iter()
            .map(|(word, means)| format!("{word}={means}"))
            .collect();
        pairs.join("\n")
    }

    /// A SQL expression of a word, as the word it stands for.
    #[must_use]
    pub fn sql(&self, word: &str) -> String {
        if self.0.is_empty() {
            word.to_owned()
        } else {
            format!("nsc_alias({word}, '{}')", self.lines().replace('\'', "''"))
        }
    }
}

/// The words of the ledger and of the payment orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// `silver.entry_type_allowed`.
    pub allowed_types: Vec<String>,
    /// `silver.entry_type_alias`.
    pub entry_types: Aliases,
    /// `silver.payment_status_alias`.
    pub statuses: Aliases,
}

impl Vocabulary {
    /// What the rules in force say.
    ///
    /// # Errors
    /// When the rule of the allowed types is missing, or one of the three cannot be used.
    pub fn of(rules: &RuleSet) -> Result<Self, RuleError> {
        let allowed = rules.for_metric("silver", "entry_type_allowed", None)?;
        Ok(Self {
            allowed_types: allowed.allowed()?.to_vec(),
            entry_types: Aliases::of(rules.optional("silver", "entry_type_alias"))?,
            statuses: Aliases::of(rules.optional("silver", "payment_status_alias"))?,
        })
    }

    /// A column of Silver or Bronze that holds such a word, as the contract's.
    pub(crate) fn column(&self, name: &str, sql: &str) -> String {
        match name {
            "type" | "entry_type" => self.entry_types.sql(sql),
            "status" => self.statuses.sql(sql),
            _ => sql.to_owned(),
        }
    }
}
