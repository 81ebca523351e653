//! What strangers wrote, made visible: control characters must not move the cursor of whoever looks at it, change a
//! title, colour a lie, or turn the direction of a line around. (JSON and CSV are for machines, and exact.)

use std::borrow::Cow;
use std::fmt::Write as _;

/// As it is, with control characters as escapes (`\u{1b}`); ends of lines stay.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && misleads(c))
}

/// What we paint ourselves: red, yellow, and back.
pub(crate) const RED: &str = "\u{1b}[31m";
pub(crate) const YELLOW: &str = "\u{1b}[33m";
pub(crate) const PLAIN: &str = "\u{1b}[0m";

/// As [`visible`], but what we have painted stays painted: at worst a stranger's text is red.
pub(crate) fn visible_but_painted(text: &str) -> Cow<'_, str> {
    if ![RED, YELLOW, PLAIN].iter().any(|paint| text.contains(paint)) {
        return visible(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        let (before, from) = rest.split_at(at);
        shown.push_str(&visible(before));
        match [RED, YELLOW, PLAIN]
            .iter()
            .find(|paint| from.starts_with(**paint))
        {
            Some(paint) => {
                shown.push_str(paint);
                rest = from.get(paint.len()..).unwrap_or_default();
            }
            None => {
                shown.push_str(&visible("\u{1b}"));
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    shown.push_str(&visible(rest));
    Cow::Owned(shown)
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
    use super::{PLAIN, RED, visible, visible_but_painted, visible_line};

    #[test]
    fn what_is_painted_stays_painted_and_nothing_else_moves_a_terminal() {
        let text = format!("a {RED}CRITICAL{PLAIN} \u{1b}[2J b\u{7}");
        let shown = format!("a {RED}CRITICAL{PLAIN} \\u{{1b}}[2J b\\u{{7}}");
        assert_eq!(visible_but_painted(&text), shown);
        assert_eq!(visible_but_painted("\u{1b}[2J"), "\\u{1b}[2J");
    }

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
