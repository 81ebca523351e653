//! `\copy TABLE to FILE` and `\copy (QUERY) to FILE`, as psql has them.

use std::path::PathBuf;

use crate::failure::OperatorMessage;

/// The statement whose rows are meant, and the file they go to.
pub(super) fn parsed(text: &str) -> Result<(String, PathBuf), OperatorMessage> {
    let refused = || {
        OperatorMessage::usage("\\copy takes a table or a query in parentheses, to, and a file")
            .with_hint("\\copy (SELECT * FROM gold.open_findings) to open.xlsx")
    };
    let text = text
        .trim()
        .trim_start_matches("\\copy")
        .trim_end_matches(';')
        .trim();
    // The last one: a query may hold the word.
    let at = text.to_ascii_lowercase().rfind(" to ").ok_or_else(refused)?;
    let (from, to) = text.split_at_checked(at).ok_or_else(refused)?;
    let file = to
        .trim_start_matches(' ')
        .get("to".len()..)
        .unwrap_or_default()
        .trim();
    let file = file
        .strip_prefix('\'')
        .and_then(|f| f.strip_suffix('\''))
        .unwrap_or(file);
    let from = from.trim();
    if from.is_empty() || file.is_empty() {
        return Err(refused());
    }
    let query = from.strip_prefix('(').and_then(|query| query.strip_suffix(')'));
    let statement = query.map_or_else(|| format!("SELECT * FROM {from}"), str::to_owned);
    Ok((statement, PathBuf::from(file)))
}

#[cfg(test)]
mod tests {
    use super::parsed;

    #[test]
    fn a_table_or_a_query_goes_to_a_file() {
        let of = |text: &str| parsed(text).map(|(s, f)| (s, f.display().to_string())).ok();
        let both = |s: &str, f: &str| Some((s.to_owned(), f.to_owned()));
        assert_eq!(
            of("\\copy gold.open_findings to open.csv"),
            both("SELECT * FROM gold.open_findings", "open.csv")
        );
        assert_eq!(
            of("\\copy (SELECT ' to ' AS a) TO '검증 결과.xlsx';"),
            both("SELECT ' to ' AS a", "검증 결과.xlsx")
        );
        for text in [
            "\\copy",
            "\\copy a",
            "\\copy a to",
            "\\copy to b.csv",
            "\\copy a from b.csv",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
