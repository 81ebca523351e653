//! Every rule of the contract, by example.

use nsc_core::{Money, UtcMicros};

use super::super::ViolationClass::{self, *};
use super::super::{Event, EventKind, FieldType, JsonValue, LedgerEntryEvent, PaymentOrderEvent, Violation};
use super::{ledger, n, order, read, s};

fn at(text: &str) -> UtcMicros {
    UtcMicros::parse(text).expect("a time")
}

fn won(text: &str) -> Money {
    Money::parse(text).expect("an amount")
}

fn entry(event: Result<Event, Violation>) -> LedgerEntryEvent {
    match event {
        Ok(Event::LedgerEntry(e)) => e,
        other => panic!("not a ledger entry: {other:?}"),
    }
}

#[test]
fn a_full_ledger_entry_is_read_field_by_field() {
    assert_eq!(
        entry(ledger(&[])),
        LedgerEntryEvent {
            tx_id: "tx-1".into(),
            wallet_id: "w-1".into(),
            entry_type: "PAYMENT".into(),
            amount: won("1000.50"),
            amount_signed: Some(won("-1000.50")),
            related_id: Some("o-1".into()),
            related_type: Some("PAYMENT_ORDER".into()),
            event_time: at("2026-01-05T01:00:00Z"),
            created_at: Some(at("2026-01-05T01:00:01Z")),
            updated_at: Some(at("2026-01-05T01:00:02Z")),
            source_version: Some(0),
        }
    );
}

#[test]
fn a_full_payment_order_is_read_field_by_field() {
    assert_eq!(
        order(&[]),
        Ok(Event::PaymentOrder(PaymentOrderEvent {
            order_id: "o-1".into(),
            user_id: Some("42".into()),
            merchant_name: Some("김밥 천국".into()),
            amount: won("1000.50"),
            status: "SETTLED".into(),
            created_at: at("2026-01-05T01:00:00Z"),
            updated_at: Some(at("2026-01-05T01:00:02Z")),
            source_version: Some(7),
        }))
    );
}

#[test]
fn what_the_contract_requires_is_what_the_reader_requires() {
    for kind in EventKind::ALL {
        for field in kind.contract().fields {
            for missing in [JsonValue::Null, s(""), s(" \t\u{3000}")] {
                let change = [(field.name, missing)];
                let outcome = match kind {
                    EventKind::LedgerEntry => ledger(&change),
                    EventKind::PaymentOrder => order(&change),
                };
                // event_time falls back to created_at.
                let required = field.required && field.name != "event_time";
                match outcome {
                    Ok(_) => assert!(!required, "{kind} without {}", field.name),
                    Err(v) => assert_eq!(
                        (required, v.class, v.field),
                        (true, MissingField, Some(field.name)),
                        "{v}"
                    ),
                }
            }
        }
    }
    let without_any_time = ledger(&[("event_time", JsonValue::Null), ("created_at", JsonValue::Null)]);
    assert_eq!(without_any_time.map_err(|v| v.field), Err(Some("event_time")));
}

#[test]
fn every_field_refuses_every_json_type_but_its_own() {
    let values = [
        ("boolean", JsonValue::Bool(true)),
        ("array", JsonValue::Array),
        ("object", JsonValue::Object),
        ("integer", n("1")),
        ("fraction", n("1.5")),
        ("exponent", n("1e3")),
    ];
    for kind in EventKind::ALL {
        for field in kind.contract().fields {
            for (shape, value) in values.clone() {
                let taken = match field.ty {
                    FieldType::Id | FieldType::Version => shape == "integer",
                    FieldType::PositiveAmount | FieldType::SignedAmount => value.type_name() == "a number",
                    FieldType::UpperCase | FieldType::Text | FieldType::Time => false,
                };
                let change = [(field.name, value)];
                let outcome = match kind {
                    EventKind::LedgerEntry => ledger(&change),
                    EventKind::PaymentOrder => order(&change),
                };
                match outcome {
                    Ok(_) => assert!(taken, "{kind}.{} took {shape}", field.name),
                    Err(v) => assert_eq!(
                        (taken, v.class, v.field),
                        (false, WrongType, Some(field.name)),
                        "{shape}: {v}"
                    ),
                }
            }
        }
    }
}

#[test]
fn values_that_break_a_rule_are_refused_with_class_and_field() {
    let long: &'static str = Box::leak("x".repeat(256).into_boxed_str());
    let long_number: &'static str = Box::leak("9".repeat(256).into_boxed_str());
    let long_text: &'static str = Box::leak("가".repeat(256).into_boxed_str());
    let cases: Vec<(&'static str, JsonValue<'static>, ViolationClass)> = vec![
        ("amount", s("NaN"), InvalidValue),
        ("amount", s("1.005"), InvalidValue),
        ("amount", n("1.005"), InvalidValue),
        ("amount", s("1_000"), InvalidValue),
        ("amount", s("12,000"), InvalidValue),
        ("amount", s("１２"), InvalidValue),
        ("amount", s("\u{a0}12"), InvalidValue),
        ("amount", s("12\u{a0}"), InvalidValue),
        ("amount", s("Infinity"), InvalidValue),
        ("amount", n("0"), InvalidValue),
        ("amount", s("0.00"), InvalidValue),
        ("amount", n("-5"), InvalidValue),
        ("amount", n("10000000000000000"), InvalidValue),
        ("amount", s("1e16"), InvalidValue),
        ("amount_signed", n("-10000000000000000.00"), InvalidValue),
        ("amount_signed", s("-0.001"), InvalidValue),
        ("entry_type", s("payment"), NotUpperCase),
        ("entry_type", s("Payment"), NotUpperCase),
        ("entry_type", s("ﬁ"), NotUpperCase),
        ("tx_id", s(long), TooLong),
        ("tx_id", n(long_number), TooLong),
        ("related_id", s(long), TooLong),
        (
            "entry_type",
            s(Box::leak("X".repeat(256).into_boxed_str())),
            TooLong,
        ),
        ("related_type", s(long_text), TooLong),
        ("tx_id", s("a\0b"), NulCharacter),
        ("wallet_id", s("\0"), NulCharacter),
        ("related_type", s("a\0"), NulCharacter),
        ("event_time", s("2026-01-05"), InvalidValue),
        ("event_time", s("1767571200"), InvalidValue),
        ("event_time", s("2026-02-29T00:00:00Z"), InvalidValue),
        ("updated_at", s("not-a-time"), InvalidValue),
        ("source_version", s("7"), WrongType),
        ("source_version", n("7.0"), WrongType),
        ("source_version", n("9223372036854775808"), InvalidValue),
    ];
    for (field, value, class) in cases {
        let violation = ledger(&[(field, value.clone())]).expect_err(field);
        assert_eq!(
            (violation.class, violation.field),
            (class, Some(field)),
            "{value:?}"
        );
        assert!(violation.text.starts_with(field), "{violation}");
    }
    let merchant = order(&[("merchant_name", s(long_text))]).map_err(|v| (v.class, v.field));
    assert_eq!(merchant, Err((TooLong, Some("merchant_name"))));
    let status = order(&[("status", s("settled"))]).map_err(|v| (v.class, v.field));
    assert_eq!(status, Err((NotUpperCase, Some("status"))));
}

#[test]
fn values_at_the_edge_are_taken() {
    let id: &'static str = Box::leak("가".repeat(255).into_boxed_str());
    let merchant: &'static str = Box::leak("가".repeat(255).into_boxed_str());
    let largest = won("9999999999999999.99");
    let e = entry(ledger(&[
        ("tx_id", s(id)),
        ("wallet_id", n("-12345678901234567890123")),
        ("amount", n("9999999999999999.99")),
        ("amount_signed", s("-9999999999999999.99")),
        ("source_version", n("-9223372036854775808")),
    ]));
    assert_eq!(e.tx_id, id);
    assert_eq!(e.wallet_id, "-12345678901234567890123");
    assert_eq!(e.amount, largest);
    assert_eq!(e.amount_signed.map(|m| m.units()), Some(-largest.units()));
    assert_eq!(e.source_version, Some(i64::MIN));
    assert!(order(&[("merchant_name", s(merchant))]).is_ok());
    assert_eq!(entry(ledger(&[("amount", n("1.000e2"))])).amount, won("100"));
    assert_eq!(
        entry(ledger(&[("entry_type", s("  RECEIVE\n"))])).entry_type,
        "RECEIVE"
    );
}

#[test]
fn the_first_name_that_is_not_empty_gives_the_value() {
    let none = JsonValue::Null;
    let e = entry(ledger(&[
        ("entry_type", s(" ")),
        ("type", s("RECEIVE")),
        ("event_time", none.clone()),
        ("source_created_at", s("2026-01-05T02:00:00Z")),
        ("source_version", none.clone()),
        ("version", n("3")),
    ]));
    assert_eq!((e.entry_type.as_str(), e.source_version), ("RECEIVE", Some(3)));
    // source_created_at comes before created_at, which stays what it is.
    assert_eq!(e.event_time, at("2026-01-05T02:00:00Z"));
    assert_eq!(e.created_at, Some(at("2026-01-05T01:00:01Z")));
    let e = entry(ledger(&[("event_time", none)]));
    assert_eq!(e.event_time, at("2026-01-05T01:00:01Z"));
}

#[test]
fn names_that_agree_as_values_agree_and_others_are_a_violation() {
    let agree = [
        ("type", s(" PAYMENT ")),
        ("source_created_at", s("2026-01-05 01:00:00.000")),
        ("version", n("-0")),
    ];
    for change in agree {
        assert!(ledger(std::slice::from_ref(&change)).is_ok(), "{change:?}");
    }
    let differ = [
        ("type", s("RECEIVE"), "entry_type"),
        (
            "source_created_at",
            s("2026-01-05T01:00:00.000001Z"),
            "event_time",
        ),
        ("version", n("1"), "source_version"),
    ];
    for (key, value, field) in differ {
        let v = ledger(&[(key, value)]).expect_err(key);
        assert_eq!((v.class, v.field), (AliasDisagreement, Some(field)));
        assert!(v.text.contains(field) && v.text.contains(key), "{v}");
    }
    // An alias is read like the field, even where it would not be needed.
    let v = ledger(&[("type", JsonValue::Array)]).expect_err("an array");
    assert_eq!((v.class, v.field), (WrongType, Some("entry_type")));
    let v = ledger(&[("type", s("payment"))]).expect_err("lower case");
    assert_eq!((v.class, v.field), (NotUpperCase, Some("entry_type")));
}

#[test]
fn of_repeated_keys_the_last_one_counts_and_unknown_keys_are_ignored() {
    let e = entry(ledger(&[
        ("tx_id", JsonValue::Array),
        ("tx_id", s("tx-2")),
        ("secret", JsonValue::Object),
        ("TX_ID", n("1")),
    ]));
    assert_eq!(e.tx_id, "tx-2");
}

#[test]
fn the_smallest_events_are_events() {
    let smallest = [
        ("tx_id", n("1")),
        ("wallet_id", n("2")),
        ("type", s("CHARGE")),
        ("amount", s("0.01")),
        ("created_at", s("2026-01-05T00:00:00Z")),
    ];
    let e = entry(read(EventKind::LedgerEntry, &smallest));
    assert_eq!(
        (e.event_time, e.created_at),
        (at("2026-01-05T00:00:00Z"), Some(at("2026-01-05T00:00:00Z")))
    );
    assert_eq!((e.updated_at, e.source_version, e.related_id), (None, None, None));
}

#[test]
fn a_violation_can_be_stored_and_shown_anywhere() {
    let nasty: &'static str = Box::leak(format!("a\0\u{1b}[31m{}", "\n".repeat(5_000)).into_boxed_str());
    for field in ["tx_id", "entry_type", "amount", "event_time"] {
        let v = ledger(&[(field, s(nasty))]).expect_err(field);
        assert!(v.text.len() < 500, "{}", v.text.len());
        assert!(!v.text.chars().any(char::is_control), "{v:?}");
    }
}

#[test]
fn every_class_has_a_name_of_its_own() {
    let mut names: Vec<_> = ViolationClass::ALL.iter().map(|c| c.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ViolationClass::ALL.len());
}
