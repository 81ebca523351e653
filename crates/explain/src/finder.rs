//! Small queries behind an explanation.

use nsc_core::{DateKst, Words};
use nsc_query::{Engine, QueryError, Rows};

/// Asks the lake.
pub(crate) struct Finder<'a> {
    pub(crate) engine: &'a Engine,
}

impl Finder<'_> {
    /// The rows of a query.
    pub(crate) async fn rows(&self, text: &str) -> Result<Rows, QueryError> {
        self.engine.rows(text).await
    }

    /// The definitions of some rules, by id.
    pub(crate) async fn rules(&self, rule_ids: &[String]) -> Result<Rows, QueryError> {
        if rule_ids.is_empty() {
            return Ok(Rows::none());
        }
        let ids: Vec<String> = rule_ids.iter().map(|id| literal(id)).collect();
        self.rows(&format!(
            "SELECT rule_id, domain, metric, threshold, severity_map, allowed_values, effective_start_ts, effective_end_ts, comment \
             FROM gold.dim_rule_scd2 WHERE rule_id IN ({}) ORDER BY rule_id",
            ids.join(", ")
        ))
        .await
    }

    /// Meanings as rows, in both languages.
    pub(crate) async fn meaning(&self, meanings: Vec<Meaning>) -> Result<Rows, QueryError> {
        if meanings.is_empty() {
            return Ok(Rows::none());
        }
        let has_advice = meanings.iter().any(|m| m.look_at.is_some());
        let rows: Vec<String> = meanings.iter().map(Meaning::values).collect();
        self.rows(&format!(
            "SELECT name, means, means_ko{} FROM (VALUES {}) AS meanings (name, means, means_ko, look_at, look_at_ko)",
            if has_advice { ", look_at, look_at_ko" } else { "" },
            rows.join(", ")
        ))
        .await
    }
}

/// What a word of the lake stands for.
pub(crate) struct Meaning {
    /// The word.
    pub(crate) name: &'static str,
    pub(crate) means: Words,
    /// What to look at first, where there is something to do.
    pub(crate) look_at: Option<Words>,
}

impl Meaning {
    /// A row of SQL values.
    fn values(&self) -> String {
        let look_at = self.look_at.unwrap_or(Words { en: "", ko: "" });
        let texts = [self.name, self.means.en, self.means.ko, look_at.en, look_at.ko];
        format!("({})", texts.map(literal).join(", "))
    }
}

/// A text as SQL writes it.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A day as SQL writes it.
pub(crate) fn date_literal(date: DateKst) -> String {
    format!("DATE '{date}'")
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_quote_does_not_end_a_literal() {
        assert_eq!(literal("o'neil'; DROP"), "'o''neil''; DROP'");
    }
}
