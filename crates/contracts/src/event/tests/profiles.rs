//! What a profile may say.

use std::collections::BTreeMap;

use nsc_core::OperatorError;

use super::super::{
    DEFAULT_PROFILES_YAML, Event, EventKind, EventProfile, KindOverrides, Members, ProfileOverrides,
    convert_profiles, default_profiles, parse_profiles,
};

fn topics(profile: &EventProfile) -> [&str; 2] {
    EventKind::ALL.map(|k| profile.topic(k))
}

fn ledger(topic: Option<&str>, aliases: &[(&str, &[&str])]) -> ProfileOverrides {
    ProfileOverrides {
        ledger_entry: KindOverrides {
            topic: topic.map(str::to_owned),
            aliases: aliases
                .iter()
                .map(|(f, names)| (f.to_string(), names.iter().map(|n| n.to_string()).collect()))
                .collect::<BTreeMap<_, _>>(),
        },
        ..ProfileOverrides::default()
    }
}

#[test]
fn the_shipped_profiles_are_those_of_the_contract() {
    let profiles = default_profiles().expect("the shipped file");
    let shown: Vec<_> = profiles.iter().map(|p| (p.name(), topics(p))).collect();
    assert_eq!(
        shown,
        [
            (
                "canonical-v1",
                ["ledger.entry.upserted", "payment.order.upserted"]
            ),
            ("nsc-dev-v1", ["cdc-events", "order-events"]),
        ]
    );
    let canonical = &profiles[0];
    assert_eq!(
        canonical.kind_of("payment.order.upserted"),
        Some(EventKind::PaymentOrder)
    );
    assert_eq!(canonical.kind_of("cdc-events"), None);
    assert!(DEFAULT_PROFILES_YAML.contains("entry_type: [type]"));
}

#[test]
fn topics_and_aliases_are_configured_on_top() {
    let over = ledger(Some("wallet.tx"), &[("amount", &["amt"]), ("entry_type", &[])]);
    let profile = EventProfile::named("nsc-dev-v1", &over).expect("usable");
    assert_eq!(topics(&profile), ["wallet.tx", "order-events"]);
    let names = profile.aliases();
    let names = names.of(EventKind::LedgerEntry);
    assert!(names.slot("amt").is_some());
    assert!(names.slot("type").is_none(), "replaced by no alias at all");
    assert!(names.slot("version").is_some(), "untouched");
}

/// A file of one's own adds profiles; it takes none of the shipped ones away, but one of their names.
#[test]
fn further_profiles_stand_before_the_shipped_ones() {
    let text = "version: 1\nprofiles:\n  own:\n    ledger_entry: { topic: a }\n    payment_order: { topic: b }\n  \
                nsc-dev-v1:\n    ledger_entry: { topic: c }\n    payment_order: { topic: d }\n";
    let chosen = |name: &str| {
        let further = parse_profiles("p.yaml", text).expect("usable");
        EventProfile::among(further, name, &ProfileOverrides::default())
    };
    let topics_of = |name: &str| topics(&chosen(name).expect(name)).map(str::to_owned);
    assert_eq!(topics_of("own"), ["a", "b"]);
    assert_eq!(topics_of("nsc-dev-v1"), ["c", "d"]);
    assert_eq!(
        topics_of("canonical-v1"),
        ["ledger.entry.upserted", "payment.order.upserted"]
    );
    let unknown = chosen("other").expect_err("unknown").detail().unwrap_or_default();
    assert_eq!(unknown, "known are own, nsc-dev-v1, canonical-v1");
}

#[test]
fn what_does_not_say_which_event_is_which_is_refused_at_start_up() {
    let refused = |name: &str, over: &ProfileOverrides| {
        let e = EventProfile::named(name, over).expect_err(name);
        assert_eq!(e.code().to_string(), "NSC0612");
        assert!(e.hint().is_some());
        e.to_string()
    };
    let none = ProfileOverrides::default();
    assert_eq!(
        refused("nsc-dev-v2", &none),
        "event profile nsc-dev-v2 is unknown"
    );
    assert_eq!(
        refused("nsc-dev-v1", &ledger(Some("order-events"), &[])),
        "topic order-events is given for two kinds of event"
    );
    for topic in ["", "^ledger.*", "a b", "..", "원장"] {
        let message = refused("nsc-dev-v1", &ledger(Some(topic), &[]));
        assert_eq!(
            message,
            format!("topic {topic:?} of ledger_entry is not a topic name")
        );
    }
    for (aliases, problem) in [
        (("amout", &["amt"][..]), "LedgerEntryUpserted has no such field"),
        (("amount", &["amount"][..]), "amount stands there twice"),
        (("amount", &["amt", "amt"][..]), "amt stands there twice"),
        (("amount", &[" "][..]), "a name is blank"),
        (
            ("amount", &["type"][..]),
            "type is an alias of entry_type already",
        ),
    ] {
        let message = refused("nsc-dev-v1", &ledger(None, &[aliases]));
        assert!(message.ends_with(problem), "{message}");
    }
}

#[test]
fn a_file_of_another_form_is_refused_with_its_line() {
    let refused = |text: &str| parse_profiles("p.yaml", text).expect_err(text).to_string();
    let kind = |topic: &str| format!("{{ topic: {topic} }}");
    let file = |profiles: &str| format!("version: 1\nprofiles:\n{profiles}");
    let profile = format!(
        "  p:\n    ledger_entry: {}\n    payment_order: {}\n",
        kind("a"),
        kind("b")
    );
    assert_eq!(
        parse_profiles("p.yaml", &file(&profile)).expect("usable").len(),
        1
    );
    assert!(refused(&file(&format!("{profile}{profile}"))).contains("p stands there twice"));
    assert!(refused(&file("  p:\n    ledger_entry: { topc: a }\n")).contains("line 4"));
    assert!(refused("version: 2\nprofiles: {}\n").contains("version is 2"));
    assert!(refused("version: 1\nprofiles: {}\n").contains("no profile"));
}

#[test]
fn overrides_are_read_strictly() {
    let read = |text: &str| serde_yaml_ng::from_str::<ProfileOverrides>(text);
    assert_eq!(read("{}").ok(), Some(ProfileOverrides::default()));
    assert!(read("ledger_entry: { topic: a, aliases: { amount: [amt] } }").is_ok());
    assert!(read("ledger: {}").is_err());
    assert!(read("ledger_entry: { topics: a }").is_err());
}

/// A profile `p` with these lines under its ledger entries.
fn with_values(values: &str) -> String {
    format!(
        "version: 1\nprofiles:\n  p:\n    ledger_entry:\n      topic: l\n      aliases: {{entry_type: [type]}}\n      \
         values: {values}\n    payment_order:\n      topic: o\n      values: {{status: {{READY: PENDING, Done: PAID}}}}\n"
    )
}

#[test]
fn words_of_the_source_are_read_as_those_of_the_contract() {
    let text = with_values("{entry_type: {BUY: CHARGE, pay: PAYMENT, REFUND: REFUND_IN}}");
    let profile = parse_profiles("p.yaml", &text).expect("usable").remove(0);
    let aliases = profile.aliases();
    let read = |kind: EventKind, members: &[(&str, &str)]| {
        let names = aliases.of(kind);
        let mut values = Members::of(names);
        for (key, value) in members {
            if let Some(slot) = names.slot(key) {
                values.set(slot, super::s(value));
            }
        }
        Event::from_members(names, &values)
    };
    let entry = |members: &[(&str, &str)]| {
        let all = [
            &[
                ("tx_id", "t"),
                ("wallet_id", "BUY"),
                ("amount", "1"),
                ("event_time", "2026-01-05T00:00:00Z"),
            ],
            members,
        ]
        .concat();
        match read(EventKind::LedgerEntry, &all) {
            Ok(Event::LedgerEntry(e)) => Ok((e.entry_type, e.wallet_id)),
            Ok(other) => panic!("{other:?}"),
            Err(violation) => Err(violation.class.name()),
        }
    };
    let is = |entry_type: &str| Ok((entry_type.to_owned(), "BUY".to_owned()));
    assert_eq!(entry(&[("entry_type", "BUY")]), is("CHARGE"), "no other field");
    assert_eq!(
        entry(&[("type", " pay ")]),
        is("PAYMENT"),
        "under another name, trimmed, in lower case"
    );
    assert_eq!(
        entry(&[("type", "BUY"), ("entry_type", "CHARGE")]),
        is("CHARGE"),
        "they agree"
    );
    assert_eq!(entry(&[("entry_type", "RECEIVE")]), is("RECEIVE"));
    assert_eq!(
        entry(&[("entry_type", "buy")]),
        Err("not_upper_case"),
        "nothing is folded"
    );
    let order = |status: &str| {
        let members = [
            ("order_id", "o"),
            ("amount", "1"),
            ("created_at", "2026-01-05T00:00:00Z"),
            ("status", status),
        ];
        match read(EventKind::PaymentOrder, &members) {
            Ok(Event::PaymentOrder(o)) => o.status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (order("READY"), order("Done")),
        ("PENDING".to_owned(), "PAID".to_owned())
    );
    // As shipped there are none.
    assert!(
        !DEFAULT_PROFILES_YAML
            .lines()
            .any(|l| l.trim_start().starts_with("values:"))
    );
}

#[test]
fn words_that_say_nothing_are_refused() {
    for (values, problem) in [
        ("{status: {A: B}}", "LedgerEntryUpserted has no such field"),
        ("{wallet_id: {A: B}}", "its values are no words"),
        ("{entry_type: {BUY: charge}}", "no word in upper case"),
        ("{entry_type: {BUY: ''}}", "no word in upper case"),
        ("{entry_type: {' BUY': CHARGE}}", "blanks around it"),
        ("{entry_type: {BUY: PAY, PAY: PAYMENT}}", "another meaning itself"),
        ("{entry_type: {BUY: CHARGE, BUY: PAYMENT}}", "stands there twice"),
    ] {
        let refused = parse_profiles("p.yaml", &with_values(values)).expect_err(values);
        assert!(refused.to_string().contains(problem), "{values}: {refused}");
        assert!(refused.hint().is_some());
    }
}

const FOREIGN: &str = "\
version: 1
profiles:
  nsc-dev-v1:
    topics:
      ledger: cdc-events
      payment_order: order-events
    aliases:
      ledger:
        entry_type: [entry_type, type]
        event_time: [event_time, source_created_at, created_at]
        version: [version, source_version]
      payment_order:
        version: [version, source_version]
    core_required:
      ledger: [tx_id, wallet_id, entry_type, amount, event_time_or_alias]
      payment_order: [order_id, amount, status, created_at]
";

#[test]
fn a_file_of_the_first_implementation_becomes_one_of_ours() {
    let converted = convert_profiles("event_profiles.yaml", FOREIGN).expect("converted");
    let profile = parse_profiles("converted", &converted)
        .expect("one of ours")
        .remove(0);
    let shipped = EventProfile::named("nsc-dev-v1", &ProfileOverrides::default()).expect("shipped");
    assert_eq!(profile, shipped, "{converted}");
    // Whoever uses it as it is is told.
    let refused = parse_profiles("event_profiles.yaml", FOREIGN).expect_err("theirs");
    assert!(
        refused.hint().is_some_and(|h| h.contains("convert-profile")),
        "{refused}"
    );
}

#[test]
fn what_a_foreign_profile_asks_for_and_is_not_so_here_is_told_line_by_line() {
    let text = FOREIGN
        .replace("amount, event_time_or_alias]", "event_time, updated_at, memo]")
        .replace("entry_type: [entry_type, type]", "memo: [memo, note]");
    let refused = convert_profiles("p.yaml", &text)
        .expect_err("refused")
        .to_string();
    for line in [
        "profiles.nsc-dev-v1.aliases.ledger.memo: LedgerEntryUpserted has no such field; remove the line",
        "profiles.nsc-dev-v1.core_required.ledger: an event without updated_at is taken here; remove updated_at",
        "profiles.nsc-dev-v1.core_required.ledger: LedgerEntryUpserted has no field memo; remove memo",
        "profiles.nsc-dev-v1.core_required.ledger: an event without amount is a dead letter here; add amount",
    ] {
        assert!(refused.contains(line), "{line}\nin\n{refused}");
    }
    assert!(
        convert_profiles("p.yaml", DEFAULT_PROFILES_YAML).is_err(),
        "ours already"
    );
    assert!(convert_profiles("p.yaml", "version: 2\nprofiles: {}\n").is_err());
    assert!(convert_profiles("p.yaml", "[]").is_err());
    // Names that YAML would read as something else come through.
    let odd = FOREIGN.replace("[entry_type, type]", "[\"entry type's\", \"on\"]");
    let converted = convert_profiles("p.yaml", &odd).expect("converted");
    assert!(converted.contains("['entry type''s', 'on']"), "{converted}");
}
