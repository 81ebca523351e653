//! The catalogue of events and violations, profiles, and properties of the reading.

mod catalogue;
mod profiles;
mod properties;

use super::{Event, EventAliases, EventKind, EventProfile, JsonValue, Members, ProfileOverrides, Violation};

fn aliases() -> EventAliases {
    EventProfile::named("canonical-v1", &ProfileOverrides::default())
        .expect("the shipped profile")
        .aliases()
}

/// A JSON string.
fn s(text: &str) -> JsonValue<'_> {
    JsonValue::Text(text.into())
}

/// A JSON number.
fn n(digits: &str) -> JsonValue<'_> {
    JsonValue::Number(digits)
}

fn read(kind: EventKind, members: &[(&str, JsonValue<'_>)]) -> Result<Event, Violation> {
    let aliases = aliases();
    let names = aliases.of(kind);
    let mut values = Members::of(names);
    for (key, value) in members {
        if let Some(slot) = names.slot(key) {
            values.set(slot, value.clone());
        }
    }
    Event::from_members(names, &values)
}

/// A full ledger entry with some members put in place of its own.
fn ledger(changes: &[(&'static str, JsonValue<'static>)]) -> Result<Event, Violation> {
    let mut members = vec![
        ("tx_id", s("tx-1")),
        ("wallet_id", s("w-1")),
        ("entry_type", s("PAYMENT")),
        ("amount", n("1000.50")),
        ("event_time", s("2026-01-05T10:00:00+09:00")),
        ("amount_signed", n("-1000.50")),
        ("related_id", s("o-1")),
        ("related_type", s("PAYMENT_ORDER")),
        ("created_at", s("2026-01-05T01:00:01Z")),
        ("updated_at", s("2026-01-05T01:00:02Z")),
        ("source_version", n("0")),
    ];
    members.extend(changes.iter().cloned());
    read(EventKind::LedgerEntry, &members)
}

fn order(changes: &[(&'static str, JsonValue<'static>)]) -> Result<Event, Violation> {
    let mut members = vec![
        ("order_id", s("o-1")),
        ("amount", s("1000.5")),
        ("status", s("SETTLED")),
        ("created_at", s("2026-01-05 01:00:00")),
        ("user_id", n("42")),
        ("merchant_name", s(" 김밥 천국 ")),
        ("updated_at", s("2026-01-05T01:00:02Z")),
        ("source_version", n("7")),
    ];
    members.extend(changes.iter().cloned());
    read(EventKind::PaymentOrder, &members)
}
