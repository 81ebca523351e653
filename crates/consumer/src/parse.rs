//! From the bytes of a message to an event or a violation (serving contract 1).

use std::time::Duration;

use nsc_contracts::event::{Event, EventAliases, EventKind, JsonValue, Members, Violation, ViolationClass};
use nsc_core::UtcMicros;
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

/// How messages are read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) aliases: EventAliases,
    /// A longer message is a violation.
    pub(crate) max_bytes: usize,
    /// How far ahead of its message a time of an event may be; none for any.
    pub(crate) max_ahead: Option<Duration>,
}

impl Reading {
    /// Reads one event of a message that was sent at an instant, as far as that is known.
    ///
    /// What sent the message may have a wrong clock too, and many a producer gives a message the time of its event: a
    /// message from later than `now` counts as sent now.
    pub(crate) fn parse(
        &self,
        kind: EventKind,
        bytes: &[u8],
        sent_at: Option<UtcMicros>,
        now: UtcMicros,
    ) -> Parsed {
        let mut parsed = parse(kind, &self.aliases, bytes, self.max_bytes);
        if let (Ok(event), Some(ahead)) = (&parsed.event, self.max_ahead) {
            let sent_at = sent_at.map_or(now, |sent| sent.min(now));
            let ahead = i64::try_from(ahead.as_micros()).unwrap_or(i64::MAX);
            let latest = UtcMicros::new(sent_at.micros().saturating_add(ahead));
            if let Err(violation) = event.not_after(latest) {
                parsed.event = Err(violation);
            }
        }
        parsed
    }
}

/// As [`parse_event`], for messages of at most `max_bytes`, with the correlation id.
fn parse(kind: EventKind, aliases: &EventAliases, bytes: &[u8], max_bytes: usize) -> Parsed {
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
                "not JSON at byte 0: EOF while parsing a value",
            ),
            (b"not json", MalformedJson, "not JSON at byte 1: expected ident"),
            (
                b"{\"amount\":NaN}",
                MalformedJson,
                "not JSON at byte 10: expected value",
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

    #[test]
    fn an_unknown_field_is_ignored_whatever_it_holds_and_a_known_one_is_judged() {
        for unknown in [
            r#""memo":"thanks \ud83d""#,
            r#""memo":{"a":["\udc00"]}"#,
            r#""memo\ud83d":"x""#,
            r#""memo":"a\u0000b""#,
            r#""correlation_id":"\ud83d""#,
            r#""memo":1e999999"#,
        ] {
            let p = parsed(format!(r"{{{unknown},{ENTRY}}}").as_bytes());
            assert!(p.event.is_ok(), "{unknown}: {:?}", p.event);
        }
        for field in [
            "wallet_id",
            "related_id",
            "entry_type",
            "amount",
            "updated_at",
            "source_version",
        ] {
            let text = format!(r#"{{{ENTRY},"{field}":"\ud83d"}}"#);
            let text = match field {
                "entry_type" => text.replace(r#""type":"PAYMENT","#, ""),
                _ => text,
            };
            let v = parsed(text.as_bytes()).event.expect_err(field);
            assert_eq!((v.class, v.field), (InvalidValue, Some(field)), "{v}");
            assert!(v.text.contains("half a surrogate pair"), "{v}");
        }
    }

    /// A version of 2099 would win for ever.
    #[test]
    fn a_time_too_far_ahead_of_its_message_is_a_violation_of_its_own() {
        let at = |text: &str| UtcMicros::parse(text).expect("a time");
        let reading = |hours: Option<u64>| Reading {
            aliases: aliases(),
            max_bytes: 1_000,
            max_ahead: hours.map(Duration::from_hours),
        };
        let (sent, now) = (at("2026-01-05T00:00:00Z"), at("2026-03-01T00:00:00Z"));
        let class = |hours, text: &str, sent_at| {
            let text = format!(r"{{{ENTRY},{text}}}");
            let event = reading(hours)
                .parse(EventKind::LedgerEntry, text.as_bytes(), sent_at, now)
                .event;
            event.err().map(|v| v.class)
        };
        for field in ["event_time", "created_at", "updated_at"] {
            let with = |time: &str| format!(r#""{field}":"{time}""#);
            assert_eq!(class(Some(24), &with("2026-01-06T00:00:00Z"), Some(sent)), None);
            let refused = class(Some(24), &with("2026-01-06T00:00:00.000001Z"), Some(sent));
            assert_eq!(refused, Some(FutureTime), "{field}");
            assert_eq!(
                class(None, &with("2099-01-01T00:00:00Z"), Some(sent)),
                None,
                "{field}"
            );
            assert_eq!(
                class(Some(48), &with("2026-01-06T12:00:00Z"), Some(sent)),
                None,
                "{field}"
            );
            // No time of the message: the clock's counts; one from after now counts as now.
            assert_eq!(
                class(Some(24), &with("2026-03-01T23:00:00Z"), None),
                None,
                "{field}"
            );
            let late = with("2099-01-01T00:00:00Z");
            assert!(class(Some(24), &late, None).is_some(), "{field}");
            assert!(
                class(Some(24), &late, Some(at("2099-01-01T00:00:00Z"))).is_some(),
                "{field}"
            );
        }
        let order = r#"{"order_id":"o","amount":1,"status":"PAID","created_at":"9999-12-31T14:59:59Z"}"#;
        let read = reading(Some(24)).parse(EventKind::PaymentOrder, order.as_bytes(), Some(sent), now);
        assert_eq!(read.event.err().map(|v| v.class), Some(FutureTime));
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
