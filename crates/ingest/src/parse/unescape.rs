//! Turns the inside of a JSON string into its text.

/// Appends the text of an escaped string, whose escapes [`super::scan::string`] has checked, to `out`.
///
/// `None` for a lone surrogate (`"\ud800"`): no text says that. Replacing it would let two different ids become one, so
/// the line is malformed where the contract knows the field, and the value is kept as it is written elsewhere.
pub(super) fn unescape(raw: &str, out: &mut String) -> Option<()> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(rest.get(..at)?);
        let code = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        match code {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let unit = unit(rest)?;
                rest = rest.get(4..)?;
                let (character, behind) = character(unit, rest)?;
                out.push(character);
                rest = behind;
            }
            quoted => out.push(char::from(quoted)),
        }
    }
    out.push_str(rest);
    Some(())
}

/// The four hex digits at the front.
fn unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.get(..4)?, 16).ok()
}

/// The character a UTF-16 unit begins, taking the low surrogate from the text behind it where one is due.
fn character(unit_value: u32, behind: &str) -> Option<(char, &str)> {
    if !(0xd800..0xdc00).contains(&unit_value) {
        return Some((char::from_u32(unit_value)?, behind));
    }
    let low = unit(behind.strip_prefix("\\u")?)?;
    if !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let code = 0x1_0000 + ((unit_value - 0xd800) << 10) + (low - 0xdc00);
    Some((char::from_u32(code)?, behind.get(6..)?))
}

#[cfg(test)]
mod tests {
    use super::unescape;

    fn text(raw: &str) -> Option<String> {
        let mut out = String::new();
        unescape(raw, &mut out).map(|()| out)
    }

    #[test]
    fn escapes_become_their_characters() {
        assert_eq!(
            text(r#"a\"\\\/\b\f\n\r\t\u00e9\u0000가"#).as_deref(),
            Some("a\"\\/\u{8}\u{c}\n\r\té\u{0}가")
        );
        assert_eq!(text(r"\ud83d\ude00x\uFFFF").as_deref(), Some("😀x\u{ffff}"));
    }

    #[test]
    fn lone_surrogates_have_no_text() {
        for raw in [
            r"\ud800",
            r"\ud800x",
            r"\ud800\n",
            r"\ud800\ud800",
            r"\udc00",
            r"a\ude00\ud83d",
        ] {
            assert_eq!(text(raw), None, "{raw}");
        }
    }
}
