//! Percent-encoding, read strictly: a lone `%` or bytes that are no UTF-8 are errors and not characters.

use percent_encoding::percent_decode;

/// The text that a piece of a URI stands for; a `+` stays a `+` (RFC 3986). `None` when it stands for none.
pub(super) fn decoded(raw: &str) -> Option<String> {
    let bytes = raw.as_bytes();
    let whole = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'%')
        .all(|(at, _)| {
            bytes
                .get(at + 1..at + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
        });
    if !whole {
        return None;
    }
    let text = percent_decode(bytes).decode_utf8().ok()?;
    // PostgreSQL has no text with a NUL in it.
    (!text.contains('\0')).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn what_is_encoded_is_decoded_once() {
        assert_eq!(decoded("a%2Fb%252F+%20").as_deref(), Some("a/b%2F+ "));
        assert_eq!(decoded("%EA%B0%80").as_deref(), Some("\u{ac00}"));
    }

    #[test]
    fn what_stands_for_no_text_is_none() {
        for raw in ["%", "a%2", "%zz", "%G0", "%FF", "%C3%28", "%ED%A0%80", "a%00b"] {
            assert_eq!(decoded(raw), None, "{raw}");
        }
    }
}
