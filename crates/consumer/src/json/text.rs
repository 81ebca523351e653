//! JSON strings.

use std::borrow::Cow;

use super::JsonError;

const ENDS: &str = "a string does not end";

fn malformed<T>(at: usize, what: &'static str) -> Result<T, JsonError> {
    Err(JsonError::Malformed { at, what })
}

/// A string of a text, and where it ends.
pub(super) struct Read<'a> {
    /// None when it holds half a surrogate pair: the grammar of JSON allows that, and no text can hold it.
    pub(super) text: Option<Cow<'a, str>>,
    pub(super) end: usize,
}

/// Reads the string that begins (with its quote) at `start`.
pub(super) fn read(text: &str, start: usize) -> Result<Read<'_>, JsonError> {
    let first = plain_end(text, start + 1)?;
    let head = text.get(start + 1..first).unwrap_or_default();
    if text.as_bytes().get(first) == Some(&b'"') {
        return Ok(Read {
            text: Some(Cow::Borrowed(head)),
            end: first + 1,
        });
    }
    let mut whole = Some(head.to_owned());
    let mut at = first;
    loop {
        // At a backslash.
        at = escape(text, at, &mut whole)?;
        let end = plain_end(text, at)?;
        if let Some(whole) = &mut whole {
            whole.push_str(text.get(at..end).unwrap_or_default());
        }
        if text.as_bytes().get(end) == Some(&b'"') {
            return Ok(Read {
                text: whole.map(Cow::Owned),
                end: end + 1,
            });
        }
        at = end;
    }
}

/// The next quote or backslash.
fn plain_end(text: &str, start: usize) -> Result<usize, JsonError> {
    let rest = text.as_bytes().get(start..).unwrap_or_default();
    match rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)) {
        None => malformed(text.len(), ENDS),
        Some(n) if rest.get(n).is_some_and(|b| *b < 0x20) => {
            malformed(start + n, "a control character stands in a string")
        }
        Some(n) => Ok(start + n),
    }
}

/// Reads the escape at `at` into `whole`, which is none from half a surrogate pair on; gives where it ends.
fn escape(text: &str, at: usize, whole: &mut Option<String>) -> Result<usize, JsonError> {
    let plain = match text.as_bytes().get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let (character, end) = unicode(text, at)?;
            match (character, whole.as_mut()) {
                (Some(c), Some(whole)) => whole.push(c),
                _ => *whole = None,
            }
            return Ok(end);
        }
        Some(_) => return malformed(at, "there is no such escape"),
        None => return malformed(text.len(), ENDS),
    };
    if let Some(whole) = whole {
        whole.push(plain);
    }
    Ok(at + 2)
}

/// Reads `\uXXXX`, or two of them that are a surrogate pair; half of one is no character, and ends behind itself.
fn unicode(text: &str, at: usize) -> Result<(Option<char>, usize), JsonError> {
    let unit = hex(text, at)?;
    let second = at + 6;
    if let Some(c) = char::from_u32(unit) {
        return Ok((Some(c), second));
    }
    let high = (0xD800..0xDC00).contains(&unit);
    let follows = text.as_bytes().get(second..second + 2) == Some(br"\u");
    if !high || !follows {
        return Ok((None, second));
    }
    let low = hex(text, second)?;
    if !(0xDC00..0xE000).contains(&low) {
        return Ok((None, second));
    }
    let code = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    Ok((char::from_u32(code), second + 6))
}

/// The four digits behind the `\u` at `at`.
fn hex(text: &str, at: usize) -> Result<u32, JsonError> {
    let digits = text.as_bytes().get(at + 2..at + 6).unwrap_or_default();
    let value = digits
        .iter()
        .try_fold(0, |n, b| char::from(*b).to_digit(16).map(|d| n * 16 + d));
    match value {
        Some(unit) if digits.len() == 4 => Ok(unit),
        _ => malformed(at, "four hexadecimal digits are expected"),
    }
}
