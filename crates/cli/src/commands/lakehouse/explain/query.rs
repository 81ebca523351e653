//! Small queries behind an explanation.

use nsc_core::DateKst;
use nsc_query::Engine;

use crate::commands::lakehouse::sql;
use crate::failure::Outcome;
use crate::output::{Cell, Sheet};

/// Asks the lake.
pub(super) struct Finder<'a> {
    pub(super) engine: &'a Engine,
}

impl Finder<'_> {
    /// The rows of a query.
    pub(super) async fn rows(&self, text: &str) -> Outcome<Sheet> {
        sql::sheet(&self.engine.rows(text).await?)
    }

    /// The definitions of some rules, by id.
    pub(super) async fn rules(&self, rule_ids: &[String]) -> Outcome<Sheet> {
        if rule_ids.is_empty() {
            return Ok(Sheet::of_text(&["rule_id"]));
        }
        let ids: Vec<String> = rule_ids.iter().map(|id| literal(id)).collect();
        self.rows(&format!(
            "SELECT rule_id, domain, metric, threshold, severity_map, allowed_values, effective_start_ts, effective_end_ts, comment \
             FROM gold.dim_rule_scd2 WHERE rule_id IN ({}) ORDER BY rule_id",
            ids.join(", ")
        ))
        .await
    }
}

/// A text as SQL writes it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A day as SQL writes it.
pub(super) fn date_literal(date: DateKst) -> String {
    format!("DATE '{date}'")
}

/// The values of a text column, each once, nulls left out.
pub(super) fn texts(sheet: &Sheet, column: &str) -> Vec<String> {
    let Some(at) = sheet.columns.iter().position(|c| c.name == column) else {
        return Vec::new();
    };
    let mut found: Vec<String> = Vec::new();
    for row in &sheet.rows {
        if let Some(Cell::Text(text) | Cell::Exact(text)) = row.get(at)
            && !found.contains(text)
        {
            found.push(text.clone());
        }
    }
    found
}

/// The first value of a text column.
pub(super) fn first_text(sheet: &Sheet, column: &str) -> Option<String> {
    texts(sheet, column).into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_quote_does_not_end_a_literal() {
        assert_eq!(literal("o'neil'; DROP"), "'o''neil''; DROP'");
    }
}
