//! A text as its statements: each ends at a semicolon that stands in no quotes and in no comment.

/// The statements that have ended, and what follows the last of them. Those without anything in them are left out.
pub(super) fn split(text: &str) -> (Vec<&str>, &str) {
    let (mut ended, mut start) = (Vec::new(), 0);
    let mut place = Place::Code;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        place = match (place, c) {
            (Place::Code, ';') => {
                ended.extend(text.get(start..at));
                start = at + 1;
                Place::Code
            }
            (Place::Code, quote @ ('\'' | '"')) => Place::Quoted(quote),
            (Place::Code, '-') if next == Some('-') => Place::LineComment,
            (Place::Code, '/') if next == Some('*') => Place::BlockComment,
            (Place::Quoted(quote), c) if c == quote => Place::Code,
            (Place::LineComment, '\n') => Place::Code,
            (Place::BlockComment, '*') if next == Some('/') => {
                chars.next();
                Place::Code
            }
            (place, _) => place,
        };
    }
    ended.retain(|statement| has_code(statement));
    (ended, text.get(start..).unwrap_or_default())
}

#[derive(Clone, Copy)]
enum Place {
    Code,
    Quoted(char),
    LineComment,
    BlockComment,
}

/// Whether there is more in a text than blanks and comments.
pub(super) fn has_code(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            return !rest.is_empty();
        };
        rest = after.trim_start();
    }
}

/// Every statement of a text, whether or not the last one has its semicolon.
pub(super) fn all(text: &str) -> Vec<&str> {
    let (mut statements, rest) = split(text);
    statements.extend(has_code(rest).then_some(rest));
    statements
}

#[cfg(test)]
mod tests {
    use super::{all, has_code, split};

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        assert_eq!(
            all("SELECT ';'; -- one; two\nSELECT \"a;b\" /* ; */ ;;\n SELECT 3"),
            [
                "SELECT ';'",
                " -- one; two\nSELECT \"a;b\" /* ; */ ",
                "\n SELECT 3"
            ]
        );
        assert_eq!(all("SELECT 'it''s; fine'"), ["SELECT 'it''s; fine'"]);
        assert_eq!(all(" ; -- nothing\n;/* at all */"), [""; 0]);
        assert_eq!(split("SELECT 1; SELECT '"), (vec!["SELECT 1"], " SELECT '"));
        assert!(has_code("-- a\nb") && !has_code("-- a") && !has_code("/* open"));
    }
}
