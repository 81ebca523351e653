//! What holds for every message.

use nsc_core::{Money, UtcMicros};
use proptest::prelude::*;

use super::super::{Event, EventKind, JsonValue, LedgerEntryEvent};
use super::{ledger, read};

/// Any value a member can have, likely ones more often.
fn any_value() -> impl Strategy<Value = JsonValue<'static>> {
    let text = prop_oneof![
        3 => "[A-Z_]{0,12}",
        2 => "-?[0-9]{1,20}(\\.[0-9]{1,3})?",
        1 => "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:00:00Z",
        1 => any::<String>(),
    ];
    prop_oneof![
        Just(JsonValue::Null),
        any::<bool>().prop_map(JsonValue::Bool),
        Just(JsonValue::Array),
        Just(JsonValue::Object),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?(e[+-]?[0-9]{1,2})?"
            .prop_map(|digits| JsonValue::Number(Box::leak(digits.into_boxed_str()))),
        text.prop_map(|t| JsonValue::Text(t.into())),
    ]
}

fn any_member() -> impl Strategy<Value = (&'static str, JsonValue<'static>)> {
    let keys: Vec<&'static str> = EventKind::ALL
        .into_iter()
        .flat_map(|k| k.contract().fields.iter().map(|f| f.name))
        .chain(["type", "version", "source_created_at", "else"])
        .collect();
    (prop::sample::select(keys), any_value())
}

proptest! {
    #[test]
    fn whatever_the_members_the_outcome_keeps_the_contract(
        members in prop::collection::vec(any_member(), 0..24),
    ) {
        for kind in EventKind::ALL {
            match read(kind, &members) {
                Ok(Event::LedgerEntry(e)) => {
                    prop_assert!(storable(&e.tx_id) && storable(&e.wallet_id));
                    prop_assert!(e.amount > Money::ZERO && e.amount.units() < 10_i128.pow(18));
                    prop_assert!(!e.entry_type.chars().any(char::is_lowercase));
                }
                Ok(Event::PaymentOrder(o)) => {
                    prop_assert!(storable(&o.order_id) && storable(&o.status));
                    prop_assert!(o.amount > Money::ZERO && o.amount.units() < 10_i128.pow(18));
                    prop_assert!(o.merchant_name.is_none_or(|m| storable(&m)));
                }
                Err(v) => {
                    prop_assert!(v.text.len() < 1_000);
                    prop_assert!(!v.text.chars().any(char::is_control));
                }
            }
        }
    }

    #[test]
    fn an_amount_is_what_is_written_to_the_last_hundredth(units in 1_i128..10_i128.pow(18), text: bool) {
        let written = Money::from_units(units).expect("in range").to_string();
        let leaked: &'static str = Box::leak(written.clone().into_boxed_str());
        let value = if text { JsonValue::Text(leaked.into()) } else { JsonValue::Number(leaked) };
        let event = ledger(&[("amount", value)]);
        let amount = event.map(|e| match e {
            Event::LedgerEntry(e) => e.amount.units(),
            Event::PaymentOrder(_) => 0,
        });
        prop_assert_eq!(amount, Ok(units));
    }

    #[test]
    fn an_event_written_out_and_read_again_is_the_same(
        tx_id in "[^\\s\0](.{0,20}[^\\s\0])?".prop_filter("no NUL", |t| !t.contains('\0')),
        units in 1_i128..10_i128.pow(18),
        micros in 0_i64..4_102_444_800_000_000,
        updated in prop::option::of(0_i64..4_102_444_800_000_000),
        version in prop::option::of(any::<i64>()),
    ) {
        let event = LedgerEntryEvent {
            tx_id: tx_id.trim().to_owned(),
            wallet_id: "w".into(),
            entry_type: "PAYMENT".into(),
            amount: Money::from_units(units).expect("in range"),
            amount_signed: Money::from_units(-units),
            related_id: None,
            related_type: None,
            event_time: UtcMicros::new(micros),
            created_at: None,
            updated_at: updated.map(UtcMicros::new),
            source_version: version,
        };
        prop_assume!(!event.tx_id.is_empty());
        let version = version.map(|v| v.to_string());
        let text = |t: String| JsonValue::Text(t.into());
        let members = [
            ("tx_id", text(event.tx_id.clone())),
            ("wallet_id", text(event.wallet_id.clone())),
            ("entry_type", text(event.entry_type.clone())),
            ("amount", text(event.amount.to_string())),
            ("amount_signed", event.amount_signed.map_or(JsonValue::Null, |m| text(m.to_string()))),
            ("event_time", text(event.event_time.to_string())),
            ("updated_at", event.updated_at.map_or(JsonValue::Null, |t| text(t.to_string()))),
            ("source_version", version.as_deref().map_or(JsonValue::Null, JsonValue::Number)),
        ];
        prop_assert_eq!(read(EventKind::LedgerEntry, &members), Ok(Event::LedgerEntry(event)));
    }
}

fn storable(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0') && text.chars().count() <= 255 && text.trim() == text
}
