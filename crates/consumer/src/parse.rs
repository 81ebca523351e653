//! From the bytes of a message to an event or a violation (serving contract, section 1).

use nsc_contracts::event::{Event, EventAliases, EventKind, JsonValue, Members, Violation, ViolationClass};
use nsc_telemetry::CorrelationId;
use nsc_telemetry::correlation::CORRELATION_MEMBERS;

use crate::json::{JsonError, read_object};

/// What a message was read as.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) event: Result<Event, Violation>,
    /// Of the payload; also from one that is a violation, when it was read that far.
    pub(crate) correlation: Option<CorrelationId>,
}

/// Reads one event.
///
/// # Errors
/// Why the bytes can never be this event. Whatever the bytes are, this returns.
pub fn parse_event(kind: EventKind, aliases: &EventAliases, bytes: &[u8]) -> Result<Event, Violation> {
    parse(kind, aliases, bytes, usize::MAX).event
}

/// As [`parse_event`], for messages of at most `max_bytes`, with the correlation id.
pub(crate) fn parse(kind: EventKind, aliases: &EventAliases, bytes: &[u8], max_bytes: usize) -> Parsed {
    let refused = |class, text: String| Parsed {
        event: Err(Violation::of_message(class, text)),
        correlation: None,
    };
    if bytes.len() > max_bytes {
        let text = format!(
            "the message has {} bytes, at most {max_bytes} are taken",
            bytes.len()
        );
        return refused(ViolationClass::TooLarge, text);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            let text = format!("not UTF-8 from byte {} on", e.valid_up_to());
            return refused(ViolationClass::InvalidUtf8, text);
        }
    };
    let names = aliases.of(kind);
    let mut members = Members::of(names);
    let mut correlations = CORRELATION_MEMBERS.map(|_| None);
    let read = read_object(text, |key, value| match names.slot(key) {
        Some(slot) => members.set(slot, value),
        None => {
            let named = CORRELATION_MEMBERS.iter().zip(&mut correlations);
            if let (Some((_, found)), JsonValue::Text(id)) =
                (named.into_iter().find(|(name, _)| **name == key), value)
            {
                *found = CorrelationId::parse(id.as_bytes());
            }
        }
    });
    let correlation = correlations.into_iter().flatten().next();
    let event = match read {
        Ok(()) => Event::from_members(names, &members),
        Err(e) => Err(malformed(e)),
    };
    Parsed { event, correlation }
}

fn malformed(error: JsonError) -> Violation {
    match error {
        JsonError::Malformed { at, what } => Violation::of_message(
            ViolationClass::MalformedJson,
            format!("not JSON at byte {at}: {what}"),
        ),
        JsonError::NotAnObject(what) => {
            Violation::of_message(ViolationClass::NotAnObject, format!("{what}, expected an object"))
        }
    }
}

#[cfg(test)]
mod tests {
    use nsc_contracts::event::{EventProfile, ProfileOverrides, ViolationClass::*};
    use proptest::prelude::*;

    use super::*;

    fn aliases() -> EventAliases {
        EventProfile::named("canonical-v1", &ProfileOverrides::default())
            .expect("shipped")
            .aliases()
    }

    fn parsed(bytes: &[u8]) -> Parsed {
        parse(EventKind::LedgerEntry, &aliases(), bytes, 1_000)
    }

    const ENTRY: &str =
        r#""tx_id":1,"wallet_id":"w","type":"PAYMENT","amount":10.10,"created_at":"2026-01-05T00:00:00Z""#;

    #[test]
    fn a_message_is_read_with_its_correlation_id() {
        let p = parsed(format!(r#"{{{ENTRY},"correlation_id":"req-1","amount":10.20}}"#).as_bytes());
        assert_eq!(
            p.correlation.map(CorrelationId::into_string).as_deref(),
            Some("req-1")
        );
        match p.event {
            Ok(Event::LedgerEntry(e)) => assert_eq!((e.tx_id.as_str(), e.amount.units()), ("1", 1_020)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_correlation_id_is_found_under_each_of_its_names() {
        let found = |more: &str| {
            let p = parsed(format!("{{{ENTRY},{more}}}").as_bytes());
            p.correlation.map(CorrelationId::into_string)
        };
        for name in CORRELATION_MEMBERS {
            assert_eq!(
                found(&format!(r#""{name}":"c-1""#)).as_deref(),
                Some("c-1"),
                "{name}"
            );
        }
        let both = r#""correlationId":"second","correlation_id":"first""#;
        assert_eq!(found(both).as_deref(), Some("first"));
        let first_is_none = r#""correlation_id":"not well-formed","correlationId":"second""#;
        assert_eq!(found(first_is_none).as_deref(), Some("second"));
        assert_eq!(found(r#""correlationID":"c""#), None);
    }

    #[test]
    fn what_can_never_be_an_event_says_why() {
        let long = format!(r#"{{{ENTRY},"x":"{}"}}"#, "y".repeat(1_000));
        let cases: [(&[u8], _, &str); 8] = [
            (
                b"",
                MalformedJson,
                "not JSON at byte 0: it ends where a value should be",
            ),
            (
                b"not json",
                MalformedJson,
                "not JSON at byte 0: a value is expected",
            ),
            (
                b"{\"amount\":NaN}",
                MalformedJson,
                "not JSON at byte 10: a value is expected",
            ),
            (b"[]", NotAnObject, "an array, expected an object"),
            (b"null", NotAnObject, "null, expected an object"),
            (b"{\"tx_id\":\"\xff\"}", InvalidUtf8, "not UTF-8 from byte 10 on"),
            (b"{}", MissingField, "tx_id is missing, null or blank"),
            (long.as_bytes(), TooLarge, "the message has 1"),
        ];
        for (bytes, class, text) in cases {
            let v = parsed(bytes).event.expect_err(text);
            assert_eq!(v.class, class, "{v}");
            assert!(v.text.starts_with(text), "{v}");
        }
        // The correlation id of a violation is worth having.
        let p = parsed(br#"{"correlation_id":"req-2","tx_id":[]}"#);
        assert!(p.event.is_err() && p.correlation.is_some());
        let p = parsed(br#"{"correlation_id":"not well-formed"}"#);
        assert!(p.correlation.is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event_or_a_violation(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for kind in EventKind::ALL {
                let _ = parse_event(kind, &aliases(), &bytes);
            }
        }

        #[test]
        fn a_damaged_event_is_an_event_or_a_violation(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut bytes = format!("{{{ENTRY}}}").into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = parse_event(EventKind::LedgerEntry, &aliases(), &bytes);
        }
    }
}
