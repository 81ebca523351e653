//! Finds where JSON tokens end, by the grammar of RFC 8259 and nothing looser.
//!
//! Positions are byte offsets into one chunk of lines. A line feed is never skipped as a blank: it ends the
//! line, and with it whatever was being read, so that a cut line cannot swallow the one after it.

/// Containers that may stand inside each other, the line's own object included.
pub(crate) const MAX_DEPTH: u32 = 128;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = ONES << 7;

/// Marks (in the high bit of a byte) the first quote, backslash or control character of eight bytes; marks
/// above the first one may be wrong, as the borrow of a subtraction travels upwards.
fn marks(word: u64) -> u64 {
    let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    let control = word.wrapping_sub(ONES * 0x20);
    (quote | backslash | control) & !word & HIGH
}

/// The first quote, backslash or control character at or after `at`.
#[inline]
fn string_stop(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(at + (marks.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    let rest = bytes.get(at..)?;
    rest.iter()
        .position(|b| matches!(b, b'"' | b'\\' | 0..0x20))
        .map(|i| at + i)
}

/// Where a string's text ends, and whether it holds escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quoted {
    /// Offset of the closing quote.
    pub(super) close: usize,
    /// True when the text must be unescaped.
    pub(super) escaped: bool,
}

/// Reads a string from just behind its opening quote.
#[inline]
pub(super) fn string(bytes: &[u8], from: usize) -> Option<Quoted> {
    let stop = string_stop(bytes, from)?;
    if bytes.get(stop) == Some(&b'"') {
        Some(Quoted {
            close: stop,
            escaped: false,
        })
    } else {
        escaped_string(bytes, stop)
    }
}

/// The rest of a string from its first backslash on.
fn escaped_string(bytes: &[u8], mut at: usize) -> Option<Quoted> {
    loop {
        match bytes.get(at)? {
            b'"' => {
                return Some(Quoted {
                    close: at,
                    escaped: true,
                });
            }
            b'\\' => match bytes.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => at += 6,
                _ => return None,
            },
            _ => return None,
        }
        at = string_stop(bytes, at)?;
    }
}

/// The offset of the first byte that is not blank; line feeds are not blank here.
#[inline]
pub(super) fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// Reads a number from its first byte; returns the offset behind it.
pub(super) fn number(bytes: &[u8], from: usize) -> Option<usize> {
    let start = if bytes.get(from) == Some(&b'-') {
        from + 1
    } else {
        from
    };
    let mut at = match bytes.get(start)? {
        b'0' => start + 1,
        b'1'..=b'9' => digits(bytes, start + 1),
        _ => return None,
    };
    if bytes.get(at) == Some(&b'.') {
        let end = digits(bytes, at + 1);
        if end == at + 1 {
            return None;
        }
        at = end;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let end = digits(bytes, at + 1 + sign);
        if end == at + 1 + sign {
            return None;
        }
        at = end;
    }
    Some(at)
}

/// Reads `true`, `false` or `null` from its first byte; returns the offset behind it.
pub(super) fn literal(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    [b"true".as_slice(), b"false", b"null"]
        .into_iter()
        .find(|word| rest.starts_with(word))
        .map(|word| from + word.len())
}

/// Reads an object or array from its opening bracket, not looking at what its strings say; returns the offset
/// behind it. Brackets open at once are kept as bits, so no input can exhaust the stack.
pub(super) fn nested(bytes: &[u8], from: usize) -> Option<usize> {
    let mut objects: u128 = 0;
    let mut depth: u32 = 0;
    let mut at = from;
    loop {
        // A value begins here.
        at = match bytes.get(at)? {
            open @ (b'{' | b'[') => {
                depth += 1;
                if depth >= MAX_DEPTH {
                    return None;
                }
                let object = *open == b'{';
                objects = (objects << 1) | u128::from(object);
                let next = skip_blank(bytes, at + 1);
                match (bytes.get(next)?, object) {
                    (b'}', true) | (b']', false) => next,
                    (_, true) => {
                        at = member_value(bytes, next)?;
                        continue;
                    }
                    (_, false) => {
                        at = next;
                        continue;
                    }
                }
            }
            b'"' => string(bytes, at + 1)?.close + 1,
            b'-' | b'0'..=b'9' => number(bytes, at)?,
            _ => literal(bytes, at)?,
        };
        // A value has ended, or (no value yet) an empty container is about to close.
        loop {
            at = skip_blank(bytes, at);
            match (bytes.get(at)?, objects & 1 == 1) {
                (b'}', true) | (b']', false) => {
                    at += 1;
                    objects >>= 1;
                    depth -= 1;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                (b',', true) => {
                    at = member_value(bytes, skip_blank(bytes, at + 1))?;
                    break;
                }
                (b',', false) => {
                    at = skip_blank(bytes, at + 1);
                    break;
                }
                _ => return None,
            }
        }
    }
}

/// From a member's key to the first byte of its value.
fn member_value(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let colon = skip_blank(bytes, string(bytes, at + 1)?.close + 1);
    (bytes.get(colon) == Some(&b':')).then(|| skip_blank(bytes, colon + 1))
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, literal, nested, number, string};

    #[test]
    fn a_string_ends_at_its_own_quote_wherever_it_stands() {
        for pad in 0..20 {
            for tail in 0..12 {
                let text = format!("{}\"{}", "가a".repeat(pad), "x".repeat(tail));
                assert_eq!(
                    string(text.as_bytes(), 0).map(|q| (q.close, q.escaped)),
                    Some((pad * 4, false)),
                    "{text}"
                );
                let text = format!(
                    "{}\\\"{}\\u00e9\"{}",
                    "a".repeat(pad),
                    "b".repeat(tail),
                    "\"".repeat(tail)
                );
                assert_eq!(
                    string(text.as_bytes(), 0).map(|q| (q.close, q.escaped)),
                    Some((pad + 2 + tail + 6, true)),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_a_string_is_refused() {
        for bad in [
            "",
            "abc",
            "a\nb\"",
            "a\tb\"",
            "\u{0}\"",
            "\\x\"",
            "\\u12g4\"",
            "\\u12\"",
            "\\",
            "aaaaaaaaaaaaaaaaaaa\u{1f}\"",
        ] {
            assert_eq!(string(bad.as_bytes(), 0), None, "{bad:?}");
        }
        assert!(string("\u{7f}é\u{80}\"".as_bytes(), 0).is_some());
    }

    #[test]
    fn every_byte_at_every_place_of_a_word_is_told_apart() {
        for at in 0..20 {
            for byte in 0..=255_u8 {
                let mut text = [b'x'; 40];
                text[at] = byte;
                text[39] = b'"';
                let want = match byte {
                    b'"' => Some(at),
                    b'\\' | 0..0x20 => None,
                    _ => Some(39),
                };
                assert_eq!(string(&text, 0).map(|q| q.close), want, "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn numbers_follow_the_grammar() {
        for good in [
            "0",
            "-0",
            "10",
            "1234.50",
            "1e3",
            "1E+3",
            "-1.5e-10",
            "12345678901234567890.12",
            "0.0",
        ] {
            assert_eq!(number(good.as_bytes(), 0), Some(good.len()), "{good}");
        }
        for bad in ["", "-", "+1", ".5", "5.", "1e", "1e+", "NaN", "-Infinity", "1.e3"] {
            assert_ne!(number(bad.as_bytes(), 0), Some(bad.len()), "{bad}");
        }
        assert_eq!(number(b"01", 0), Some(1));
        assert_eq!(literal(b"nullx", 0), Some(4));
        assert_eq!(literal(b"nul", 0), None);
    }

    #[test]
    fn nested_values_are_checked_in_full() {
        for good in [
            "{}",
            "[]",
            "[ ]",
            "{\"a\":1}",
            "{ \"a\" : [ 1 , {\"b\":null} , \"]\" ] }",
            "[[],[{}]]",
            "[true,false,-1.5e3]",
        ] {
            assert_eq!(nested(good.as_bytes(), 0), Some(good.len()), "{good}");
        }
        for bad in [
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "[1 2]",
            "{a:1}",
            "[}",
            "{]",
            "[1,\n2]",
            "[NaN]",
            "[,]",
            "{,}",
            "[\"\\ud8\"]",
        ] {
            assert_eq!(nested(bad.as_bytes(), 0), None, "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        let most = MAX_DEPTH as usize - 1;
        assert_eq!(nested(deep(most).as_bytes(), 0), Some(2 * most));
        assert_eq!(nested(deep(most + 1).as_bytes(), 0), None);
        assert_eq!(nested(deep(1_000_000).as_bytes(), 0), None);
    }
}
