//! `\\copy TABLE to FILE` and `\\copy (QUERY) to FILE`, as psql has them; and how a backslash command names a file.

use std::path::PathBuf;

use crate::failure::OperatorMessage;

/// The statement whose rows are meant, and the file they go to.
pub(super) fn parsed(text: &str) -> Result<(String, PathBuf), OperatorMessage> {
    let refused = || {
        OperatorMessage::usage("\\copy takes a table or a query in parentheses, to, and a file")
            .with_hint("\\copy (SELECT * FROM gold.open_findings) to 'open findings.xlsx'")
    };
    let text = text.trim().trim_start_matches("\\copy").trim();
    let text = text.strip_suffix(';').unwrap_or(text).trim_end();
    let (from, file) = split_at_file(text).ok_or_else(refused)?;
    let from = from.trim_end();
    let before = from.len().checked_sub("to".len()).ok_or_else(refused)?;
    let (from, to) = from.split_at_checked(before).ok_or_else(refused)?;
    // A name may end in "to".
    let is_apart = from.ends_with(|c: char| c.is_whitespace() || c == ')');
    let (from, file) = (from.trim(), unquoted(file));
    if !to.eq_ignore_ascii_case("to") || !is_apart || from.is_empty() || file.is_empty() {
        return Err(refused());
    }
    let statement = match from.strip_prefix('(') {
        None => format!("SELECT * FROM {from}"),
        Some(rest) => in_parentheses(rest).ok_or_else(refused)?.to_owned(),
    };
    Ok((statement, PathBuf::from(file)))
}

/// What stands before the file's name, and the name: in quotes, or the last word.
fn split_at_file(text: &str) -> Option<(&str, &str)> {
    let Some(quoted) = text.strip_suffix('\'') else {
        let at = text.rfind(char::is_whitespace)?;
        return Some((text.get(..at)?, text.get(at..)?.trim_start()));
    };
    let mut end = quoted.len();
    loop {
        let open = quoted.get(..end)?.rfind('\'')?;
        // A doubled quote is one of the name.
        match quoted.get(..open)?.strip_suffix('\'') {
            Some(rest) => end = rest.len(),
            None => return Some((text.get(..open)?, text.get(open..)?)),
        }
    }
}

/// The text up to the parenthesis that closes the one before it, if nothing comes behind. Those in quotes do not count.
fn in_parentheses(text: &str) -> Option<&str> {
    let (mut depth, mut quote) = (1, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let rest = text.get(at + 1..)?;
            return rest.trim().is_empty().then(|| text.get(..at)).flatten();
        }
    }
    None
}

/// A file's name as it was typed, with or without quotes around it.
pub(super) fn unquoted(name: &str) -> String {
    let name = name.trim();
    let inner = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
    match inner {
        Some(inner) => inner.replace("''", "'"),
        None => name.to_owned(),
    }
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
        assert_eq!(of("\\copy (SELECT ')' a)to v.csv"), both("SELECT ')' a", "v.csv"));
        assert_eq!(
            of("\\copy t to 'how to do.csv'"),
            both("SELECT * FROM t", "how to do.csv")
        );
        assert_eq!(of("\\copy t to 'it''s.csv'"), both("SELECT * FROM t", "it's.csv"));
        for text in [
            "\\copy",
            "\\copy a",
            "\\copy a to",
            "\\copy to b.csv",
            "\\copy a from b.csv",
            "\\copy photo b.csv",
            "\\copy (select 1 a) union (select 2 a) to u.csv",
            "\\copy (select 1 to u.csv",
            "\\copy a to '",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
