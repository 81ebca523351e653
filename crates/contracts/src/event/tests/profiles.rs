//! What a profile may say.

use std::collections::BTreeMap;

use nsc_core::OperatorError;

use super::super::{
    DEFAULT_PROFILES_YAML, EventKind, EventProfile, KindOverrides, ProfileOverrides, default_profiles,
    parse_profiles,
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
