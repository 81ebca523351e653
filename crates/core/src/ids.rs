//! Typed identifiers that cross crate borders.

use std::fmt;

use serde::Serialize;

/// An identifier that is empty, too long or holds a character it must not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not valid: use 1 to 128 of A-Z a-z 0-9 . _ : -")]
pub struct InvalidId {
    what: &'static str,
    value: String,
}

/// Names one run of one pipeline; written to every row the run changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Takes an operator's own run id.
    ///
    /// # Errors
    /// When the text is empty, over 128 bytes, or holds anything but letters, digits and `. _ : -`.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let fits = (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                what: "run id",
                value: text.to_owned(),
            })
        }
    }

    /// A fresh id that sorts by creation time (UUID version 7).
    #[must_use]
    pub fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    /// The text as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one load: one input brought in by one command. Its text sorts as loads follow one another, so the order of loads
/// can decide which of two versions is the newer one (ground rule "Newest").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct LoadId(String);

impl LoadId {
    /// A fresh id (UUID version 7), greater than the one before it in the same command: also within one millisecond, and
    /// when the clock has been set back meanwhile.
    #[must_use]
    pub fn after(previous: Option<&Self>) -> Self {
        let fresh = uuid::Uuid::now_v7();
        let least = previous
            .and_then(|p| uuid::Uuid::parse_str(&p.0).ok())
            .map(|p| uuid::Uuid::from_u128(p.as_u128().wrapping_add(1)));
        Self(least.map_or(fresh, |least| fresh.max(least)).to_string())
    }

    /// The greatest id that begins like a text: statistics of other programs keep only the beginning. `None` when it is no
    /// beginning of an id.
    #[must_use]
    pub fn greatest_like(text: &str) -> Option<Self> {
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        let hex: String = hex.chars().take_while(char::is_ascii_hexdigit).take(32).collect();
        // Less than its time says nothing.
        let id = u128::from_str_radix(&format!("{hex:f<32}"), 16).ok()?;
        (hex.len() >= 12).then(|| Self(uuid::Uuid::from_u128(id).to_string()))
    }

    /// The text as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LoadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{LoadId, RunId};

    #[test]
    fn of_a_shortened_id_the_greatest_is_meant() {
        let id = LoadId("019c18a5-1111-7222-8333-444455556666".to_owned());
        assert_eq!(LoadId::greatest_like(id.as_str()), Some(id.clone()));
        // As other programs shorten it: thirty-two characters, and one that is greater than whatever followed.
        let shortened = LoadId::greatest_like("019c18a5-1111-7222-8333-44445555\u{10ffff}").unwrap();
        assert_eq!(shortened.as_str(), "019c18a5-1111-7222-8333-44445555ffff");
        assert!(id < LoadId::after(Some(&shortened)));
        assert_eq!(LoadId::greatest_like("part-7"), None);
        assert_eq!(LoadId::greatest_like("019c18a5"), None);
    }

    #[test]
    fn each_load_id_is_greater_than_the_one_before_whatever_the_clock_says() {
        let mut before = LoadId::after(None);
        for _ in 0..10_000 {
            let next = LoadId::after(Some(&before));
            assert!(before < next, "{before} {next}");
            before = next;
        }
        // The clock has been set back by centuries.
        let future = LoadId("09000000-0000-7000-8000-0000000000ff".to_owned());
        let next = LoadId::after(Some(&future));
        assert_eq!(next.as_str(), "09000000-0000-7000-8000-000000000100");
    }

    #[test]
    fn run_ids_refuse_what_a_path_or_a_query_could_trip_over() {
        assert!(RunId::parse("e2e-2026-01-05T00:20").is_ok());
        for bad in ["", "a/b", "a b", "a'b", "가", &"x".repeat(129)] {
            assert!(RunId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(RunId::fresh() < RunId::fresh());
    }
}
