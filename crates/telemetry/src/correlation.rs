//! The ids that tie a request or an event to its log lines, audit rows and answers: our own correlation id, and
//! the W3C trace context of the caller.

mod trace_parent;

use std::fmt;

use uuid::Uuid;

pub use trace_parent::TraceParent;

/// The header that carries a [`CorrelationId`], in HTTP and in Kafka. HTTP compares it without regard to case.
pub const CORRELATION_HEADER: &str = "x-correlation-id";
/// The headers that are looked at for a [`CorrelationId`], ours first; the others are what callers of the first
/// implementation send.
pub const CORRELATION_HEADERS: [&str; 3] = [CORRELATION_HEADER, "correlation-id", "correlation_id"];
/// The members of an event's payload that may carry one when no header does, in this order.
pub const CORRELATION_MEMBERS: [&str; 3] = ["correlation_id", "correlationId", "x_correlation_id"];
/// The header that carries a [`TraceParent`].
pub const TRACE_PARENT_HEADER: &str = "traceparent";

/// Characters at most.
const LONGEST: usize = 128;

/// 1 to 128 characters of `[A-Za-z0-9._:-]`: safe in a header, a log line and a database index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// A new one: a UUID of version 7, so that they sort by time.
    #[must_use]
    pub fn fresh() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// The given one if it is well-formed. Nothing is trimmed or repaired.
    #[must_use]
    pub fn parse(given: &[u8]) -> Option<Self> {
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
        if given.is_empty() || given.len() > LONGEST || !given.iter().all(allowed) {
            return None;
        }
        Some(Self(String::from_utf8(given.to_vec()).ok()?))
    }

    /// The given one if it is well-formed, else a new one.
    #[must_use]
    pub fn accept(given: Option<&[u8]>) -> Self {
        given.and_then(Self::parse).unwrap_or_else(Self::fresh)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As text, given away.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for CorrelationId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::CorrelationId;

    #[test]
    fn a_well_formed_id_is_kept_as_it_is() {
        let longest = "x".repeat(128);
        for id in ["a", "0190-ab.c_D:9", longest.as_str()] {
            assert_eq!(CorrelationId::accept(Some(id.as_bytes())).as_str(), id);
        }
    }

    #[test]
    fn any_other_is_replaced_by_a_fresh_one() {
        let too_long = "x".repeat(129);
        for id in [
            "",
            " a",
            "a b",
            "a\n",
            "a\r\nset-cookie: x",
            "é",
            "a,b",
            "%00",
            "\0",
            &too_long,
        ] {
            assert_eq!(CorrelationId::parse(id.as_bytes()), None, "{id:?}");
            let fresh = CorrelationId::accept(Some(id.as_bytes()));
            assert_eq!(fresh.as_str().len(), 36, "{fresh}");
        }
        assert_ne!(CorrelationId::accept(None), CorrelationId::accept(None));
    }

    #[test]
    fn a_fresh_id_is_itself_well_formed_and_sorts_by_time() {
        let (first, second) = (CorrelationId::fresh(), CorrelationId::fresh());
        assert_eq!(
            CorrelationId::parse(first.as_str().as_bytes()),
            Some(first.clone())
        );
        assert!(first < second);
    }

    proptest! {
        #[test]
        fn exactly_the_allowed_texts_are_kept(text in "[ -~é]{0,140}") {
            let allowed = (1..=128).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c));
            prop_assert_eq!(CorrelationId::parse(text.as_bytes()).is_some(), allowed);
        }

        #[test]
        fn every_well_formed_id_survives(text in "[A-Za-z0-9._:-]{1,128}") {
            prop_assert!(CorrelationId::parse(text.as_bytes()).is_some_and(|id| id.as_str() == text));
        }
    }
}
