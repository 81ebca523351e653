//! Messages of the two topics: `parse_event` under the shipped profiles and a configured one.

use std::sync::LazyLock;

use nsc_consumer::parse_event;
use nsc_contracts::event::{
    Event, EventAliases, EventKind, EventProfile, FieldType, ProfileOverrides, Violation, ViolationClass,
};
use nsc_core::{Money, UtcMicros};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::{Outcome, canary, event_json, is_storable, prints_readably, scalar};

/// The canonical names first: what is written out is read back with them.
static ALIASES: LazyLock<[EventAliases; 3]> = LazyLock::new(|| {
    let configured = |kind: &mut nsc_contracts::event::KindOverrides, aliases: &[(&str, &[&str])]| {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        kind.aliases = aliases
            .iter()
            .map(|(field, n)| ((*field).to_owned(), names(n)))
            .collect();
    };
    let mut overrides = ProfileOverrides::default();
    configured(
        &mut overrides.ledger_entry,
        &[
            ("tx_id", &["id"]),
            ("amount", &["value", "amt"]),
            ("updated_at", &["modified_at", "created_at"]),
        ],
    );
    configured(
        &mut overrides.payment_order,
        &[("order_id", &["id"]), ("status", &["state"])],
    );
    let named = |name, overrides| {
        EventProfile::named(name, overrides)
            .expect("a usable profile")
            .aliases()
    };
    [
        named("canonical-v1", &ProfileOverrides::default()),
        named("nsc-dev-v1", &ProfileOverrides::default()),
        named("canonical-v1", &overrides),
    ]
});

/// The first byte chooses kind and profile (`0` to `5`), or an amount (`6`) or a time (`7`) alone.
pub fn check(data: &[u8]) -> Outcome {
    let Some((choice, message)) = data.split_first() else {
        return Outcome::Refused;
    };
    let kind = EventKind::ALL[usize::from(choice & 1)];
    match (ALIASES.get(usize::from(choice >> 1 & 3)), kind) {
        (Some(aliases), _) => check_message(kind, aliases, message),
        (None, EventKind::LedgerEntry) => scalar::check_amount(message),
        (None, EventKind::PaymentOrder) => scalar::check_time(message),
    }
}

fn check_message(kind: EventKind, aliases: &EventAliases, message: &[u8]) -> Outcome {
    let read = parse_event(kind, aliases, message);
    check_json(&read, message);
    match read {
        Ok(event) => {
            check_event(&event, kind);
            check_type_aliases(message, &event);
            if let Some(written) = event_json::written(&event) {
                let again = parse_event(kind, &ALIASES[0], written.as_bytes());
                assert_eq!(again, Ok(event), "written out as {written}");
            }
            Outcome::Accepted
        }
        Err(violation) => {
            assert!(violation.text.len() < 1_000, "{violation:?}");
            assert!(!violation.text.chars().any(char::is_control), "{violation:?}");
            assert!(
                violation.class != ViolationClass::TooLarge,
                "there is no limit here"
            );
            Outcome::Refused
        }
    }
}

/// Two readers of JSON agree about what is JSON, as far as the other one looks.
fn check_json(read: &Result<Event, Violation>, message: &[u8]) {
    let class = read.as_ref().err().map(|v| v.class);
    match class {
        Some(ViolationClass::InvalidUtf8) => assert!(std::str::from_utf8(message).is_err()),
        Some(ViolationClass::MalformedJson) => {
            let strict: Result<Value, _> = serde_json::from_slice(message);
            assert!(strict.is_err(), "JSON was called malformed: {read:?}");
        }
        Some(ViolationClass::NotAnObject) => {
            let object: Result<Map<String, Value>, _> = serde_json::from_slice(message);
            assert!(object.is_err(), "an object was called none: {read:?}");
        }
        _ => {
            // looks at what nests less strictly than ours, so nothing that ours takes may surprise it
            let lenient: Result<std::collections::BTreeMap<String, IgnoredAny>, _> =
                serde_json::from_slice(message);
            assert!(
                lenient.is_ok(),
                "what is no object of JSON was taken: {lenient:?}"
            );
        }
    }
}

fn check_event(event: &Event, kind: EventKind) {
    let id = |text: &str| {
        assert!(
            is_storable(text) && text.trim() == text,
            "{text:?} was accepted as text"
        );
        canary(text.contains("CANARY"));
    };
    let upper = |text: &str| {
        id(text);
        assert!(
            !text.chars().any(char::is_lowercase),
            "{text:?} was accepted as upper case"
        );
    };
    let amount = |amount: Money| {
        assert_eq!(Money::parse(&amount.to_string()), Ok(amount));
        assert!(
            amount.units().abs() < FieldType::AMOUNT_LIMIT_UNITS,
            "{amount} fits no numeric(18,2)"
        );
    };
    let time = |time: UtcMicros| {
        if prints_readably(time) {
            assert_eq!(UtcMicros::parse(&time.to_string()), Some(time));
        }
    };
    match event {
        Event::LedgerEntry(e) => {
            assert_eq!(kind, EventKind::LedgerEntry);
            [&e.tx_id, &e.wallet_id].into_iter().for_each(|t| id(t));
            [&e.related_id, &e.related_type]
                .into_iter()
                .flatten()
                .for_each(|t| id(t));
            upper(&e.entry_type);
            assert!(e.amount > Money::ZERO);
            [Some(e.amount), e.amount_signed]
                .into_iter()
                .flatten()
                .for_each(amount);
            [Some(e.event_time), e.created_at, e.updated_at]
                .into_iter()
                .flatten()
                .for_each(time);
        }
        Event::PaymentOrder(o) => {
            assert_eq!(kind, EventKind::PaymentOrder);
            id(&o.order_id);
            [&o.user_id, &o.merchant_name]
                .into_iter()
                .flatten()
                .for_each(|t| id(t));
            upper(&o.status);
            assert!(o.amount > Money::ZERO);
            amount(o.amount);
            [Some(o.created_at), o.updated_at]
                .into_iter()
                .flatten()
                .for_each(time);
        }
    }
}

/// Two different names of one kind of entry are never an event.
fn check_type_aliases(message: &[u8], event: &Event) {
    let Event::LedgerEntry(entry) = event else {
        return;
    };
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(message) else {
        return;
    };
    for name in ["entry_type", "type"] {
        if let Some(text) = members
            .get(name)
            .and_then(Value::as_str)
            .filter(|t| !t.trim().is_empty())
        {
            assert_eq!(text.trim(), entry.entry_type, "{name} says something else");
        }
    }
}
