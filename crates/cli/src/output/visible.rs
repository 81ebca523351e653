//! What strangers wrote, made visible: control characters must not move the cursor of whoever looks at it, change a
//! title, colour a lie, or turn the direction of a line around. (JSON and CSV are for machines, and exact.)

use std::borrow::Cow;
use std::fmt::Write as _;

/// As it is, with control characters as escapes (`\u{1b}`); ends of lines stay.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && misleads(c))
}

/// The same on one line: ends of lines are escapes too.
pub(crate) fn visible_line(text: &str) -> Cow<'_, str> {
    escaped(text, misleads)
}

/// Controls of a terminal (C0, DEL, C1), of the direction of writing, and ends of lines that are not `\n`.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if !is_escaped(c) {
            visible.push(c);
            continue;
        }
        // Writing into a text cannot fail.
        let _ = match c {
            '\n' | '\r' | '\t' => write!(visible, "{}", c.escape_default()),
            _ => write!(visible, "{}", c.escape_unicode()),
        };
    }
    Cow::Owned(visible)
}

#[cfg(test)]
mod tests {
    use super::{visible, visible_line};

    #[test]
    fn what_a_terminal_or_a_reader_would_be_misled_by_is_an_escape() {
        for (text, shown) in [
            ("\u{1b}]0;owned\u{7}", r"\u{1b}]0;owned\u{7}"),
            ("\u{9b}2J\u{7f}\0", r"\u{9b}2J\u{7f}\u{0}"),
            ("ok\rnot", r"ok\rnot"),
            ("\u{202e}00.01\u{2066}", r"\u{202e}00.01\u{2066}"),
            ("a\u{2028}b", r"a\u{2028}b"),
        ] {
            assert_eq!((visible(text), visible_line(text)), (shown.into(), shown.into()));
        }
        assert_eq!(
            (visible("a\nb"), visible_line("a\nb")),
            ("a\nb".into(), r"a\nb".into())
        );
        for plain in ["", "한빛 카페 \\u{1b} é", "👩‍👩‍👧", "אב"] {
            assert_eq!(visible_line(plain), plain);
        }
    }
}
