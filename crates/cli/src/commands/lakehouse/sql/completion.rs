//! Completion of table names, column names, functions and keywords.

use nsc_contracts::TableContract;
use reedline::{Completer, CompletionResult, Span, Suggestion};

const KEYWORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "WITH",
    "AS",
    "JOIN",
    "LEFT JOIN",
    "USING",
    "ON",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS NULL",
    "IS NOT NULL",
    "BETWEEN",
    "LIKE",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "DISTINCT",
    "UNION ALL",
    "EXCEPT",
    "INTERSECT",
    "CAST",
    "DATE",
    "TIMESTAMP",
    "INTERVAL",
    "ASC",
    "DESC",
    "SHOW TABLES",
    "SHOW COLUMNS",
    "DESCRIBE",
    "EXPLAIN",
];
const FUNCTIONS: &[&str] = &[
    "count(",
    "sum(",
    "min(",
    "max(",
    "avg(",
    "coalesce(",
    "date_trunc(",
    "version_of('",
    "as_of('",
    "as_of_run('",
];
const COMMANDS: &[&str] = &[
    "\\d", "\\x", "\\i", "\\e", "\\o", "\\copy", "\\timing", "\\q", "\\?",
];

/// Knows what the contract knows.
pub(super) struct SqlCompleter;

impl Completer for SqlCompleter {
    fn complete(&mut self, line: &str, pos: usize) -> CompletionResult {
        let before = line.get(..pos).unwrap_or(line);
        let start = word_start(before);
        let word = before.get(start..).unwrap_or_default();
        let found: Vec<Suggestion> = candidates(line, word)
            .into_iter()
            .map(|(value, about)| Suggestion {
                append_whitespace: !value.ends_with(['(', '\'']),
                value,
                description: Some(about),
                span: Span::new(start, pos),
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(found)
    }
}

/// Where the word under the cursor begins; a dot is part of it, as in `silver.dq`.
fn word_start(before: &str) -> usize {
    before
        .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '\\')))
        .map_or(0, |at| {
            at + before
                .get(at..)
                .and_then(|s| s.chars().next())
                .map_or(1, char::len_utf8)
        })
}

/// Words that continue `word`: columns of the tables the line names, tables, functions, keywords.
fn candidates(line: &str, word: &str) -> Vec<(String, String)> {
    if word.is_empty() {
        return Vec::new();
    }
    let lower = word.to_lowercase();
    let starts = |text: &str| text.to_lowercase().starts_with(&lower);
    let mut found: Vec<(String, String)> = Vec::new();
    for table in tables_in(line) {
        let columns = table.columns.iter().filter(|c| starts(c.name));
        found.extend(columns.map(|c| {
            (
                c.name.to_owned(),
                format!("{} {}", c.ty.name(), table.full_name()),
            )
        }));
    }
    let tables = nsc_contracts::open_tables().filter(|t| starts(&t.full_name()) || starts(t.name));
    found.extend(tables.map(|t| (t.full_name(), t.description.to_owned())));
    let view = format!("gold.{}", nsc_query::OPEN_FINDINGS);
    if starts(&view) || starts(nsc_query::OPEN_FINDINGS) {
        found.push((view, "view: findings that are open".to_owned()));
    }
    let plain = |kind: &'static str, words: &'static [&'static str]| {
        words
            .iter()
            .filter(|w| starts(w))
            .map(move |w| ((*w).to_owned(), kind.to_owned()))
            .collect::<Vec<_>>()
    };
    found.extend(plain("function", FUNCTIONS));
    found.extend(plain("keyword", KEYWORDS));
    found.extend(plain("command", COMMANDS));
    found.dedup_by(|a, b| a.0 == b.0);
    found
}

fn tables_in(line: &str) -> impl Iterator<Item = &'static TableContract> {
    nsc_contracts::open_tables().filter(move |t| line.contains(&t.full_name()))
}

#[cfg(test)]
mod tests {
    use super::{candidates, word_start};

    fn words(line: &str, word: &str) -> Vec<String> {
        candidates(line, word).into_iter().map(|(w, _)| w).collect()
    }

    #[test]
    fn tables_columns_and_keywords_are_offered() {
        assert_eq!(
            words("SELECT * FROM silver.dq", "silver.dq"),
            ["silver.dq_status"]
        );
        assert_eq!(words("SELECT * FROM dq", "dq_s"), ["silver.dq_status"]);
        assert_eq!(
            words("SELECT amount_ FROM silver.ledger_entries", "amount_"),
            ["amount_signed"]
        );
        assert!(words("", "sel").contains(&"SELECT".to_owned()));
        assert!(words("SELECT 1", "").is_empty());
    }

    #[test]
    fn the_word_may_follow_any_text() {
        assert_eq!(word_start("SELECT 한글,silver.dq"), "SELECT 한글,".len());
        assert_eq!(word_start("\\d"), 0);
        assert_eq!(word_start("(tx"), 1);
    }
}
