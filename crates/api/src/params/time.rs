//! A bound of a window: RFC 3339 with an offset. Stricter than the times of the sources, where a naive time is UTC:
//! an operator who leaves the offset out may well mean Seoul.

use nsc_core::UtcMicros;

/// The instant a text names, or `None` when it leaves the date, the time or the offset out.
pub(super) fn instant(text: &str) -> Option<UtcMicros> {
    let marked = matches!(text.as_bytes().get(10), Some(b'T' | b't'));
    (marked && has_offset(text.as_bytes()))
        .then(|| UtcMicros::parse(text))
        .flatten()
}

fn has_offset(text: &[u8]) -> bool {
    match text {
        [.., b'Z' | b'z'] => true,
        [.., b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(|b| b.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::instant;

    #[test]
    fn every_form_with_an_offset_is_an_instant() {
        for text in [
            "2026-01-05T15:20:00Z",
            "2026-01-06T00:20:00+09:00",
            "2026-01-05t15:20:00.000000z",
            "2026-01-05T15:20:00-00:00",
        ] {
            assert_eq!(
                instant(text).map(|t| t.to_string()).as_deref(),
                Some("2026-01-05T15:20:00Z"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_leaves_the_offset_or_the_time_out_is_none() {
        for text in [
            "",
            "2026-01-05",
            "2026-01-05T15:20:00",
            "2026-01-05 15:20:00Z",
            "2026-01-05T15:20Z",
            "1767626400",
            "1767626400000",
            "now",
            "2026-02-30T00:00:00Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T15:20:60Z",
            "2026-01-05T15:20:00+0900",
            "2026-01-05T15:20:00+09",
            "2026-01-05T15:20:00 09:00",
            "0000-01-05T15:20:00Z",
            "+2026-01-05T15:20:00Z",
            "２026-01-05T15:20:00Z",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
