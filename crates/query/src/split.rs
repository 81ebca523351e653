//! A text as its statements. The engine's own tokens say where one ends: a semicolon in quotes of any kind or in a comment
//! ends nothing.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

/// The statements that have ended, and what follows the last of them. Those without anything in them are left out.
#[must_use]
pub fn split(text: &str) -> (Vec<&str>, &str) {
    let mut tokens = Vec::new();
    // Quotes or a comment that do not end belong to what follows.
    let _ = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location_into_buf(&mut tokens);
    let places = Places::of(text);
    let (mut ended, mut start) = (Vec::new(), 0);
    for token in tokens.iter().filter(|t| t.token == Token::SemiColon) {
        let at = places.byte(token.span.start);
        ended.extend(text.get(start..at));
        start = at + 1;
    }
    ended.retain(|statement| has_code(statement));
    (ended, text.get(start..).unwrap_or_default())
}

/// Whether there is more in a text than blanks and comments. Quotes and comments that do not end are more.
#[must_use]
pub fn has_code(text: &str) -> bool {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize();
    tokens.map_or(true, |tokens| {
        tokens.iter().any(|t| !matches!(t, Token::Whitespace(_)))
    })
}

/// Every statement of a text, whether or not the last one has its semicolon.
#[must_use]
pub fn statements(text: &str) -> Vec<&str> {
    let (mut statements, rest) = split(text);
    statements.extend(has_code(rest).then_some(rest));
    statements
}

/// Lines and columns, which tokens have, as bytes.
struct Places<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    fn of(text: &'a str) -> Self {
        let begins = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            lines: std::iter::once(0).chain(begins).collect(),
        }
    }

    /// Both count from 1, a column in characters.
    fn byte(&self, place: Location) -> usize {
        let before = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
        let line = self.lines.get(before(place.line)).copied().unwrap_or_default();
        let rest = self.text.get(line..).unwrap_or_default();
        rest.char_indices()
            .nth(before(place.column))
            .map_or(self.text.len(), |(at, _)| line + at)
    }
}

#[cfg(test)]
mod tests {
    use super::{has_code, split, statements};

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        assert_eq!(
            statements("SELECT ';'; -- one; two\nSELECT \"a;b\" /* ; */ ;;\n SELECT 3"),
            [
                "SELECT ';'",
                " -- one; two\nSELECT \"a;b\" /* ; */ ",
                "\n SELECT 3"
            ]
        );
        for one in [
            "SELECT 'it''s; fine'",
            "SELECT $$a;b$$",
            "SELECT $t$a;$$;b$t$",
            r"SELECT E'a\';b'",
            "/* a /* b */ ; */ SELECT 1",
            "SELECT '한글;', 1",
        ] {
            assert_eq!(statements(one), [one]);
        }
        assert_eq!(
            statements("SELECT '한글';\r\n\tSELECT '끝' ; SELECT 3"),
            ["SELECT '한글'", "\r\n\tSELECT '끝' ", " SELECT 3"]
        );
    }

    #[test]
    fn what_holds_nothing_is_no_statement_and_what_does_not_end_is_one() {
        assert_eq!(statements(" ; -- nothing\n;/* at all */"), [""; 0]);
        assert_eq!(split("SELECT 1; SELECT '"), (vec!["SELECT 1"], " SELECT '"));
        assert_eq!(split("SELECT 1; /* "), (vec!["SELECT 1"], " /* "));
        assert!(has_code("-- a\nb") && has_code("/* open") && has_code("'open"));
        assert!(!has_code("-- a") && !has_code("") && !has_code("/* a /* b */ */ \n"));
    }
}
