//! The profile file of the first implementation, written as ours.
//!
//! Its `version` is our `source_version`; a field's own name stands in its list there and is understood here; what an event
//! must have is listed there and fixed here. Where it asks for something that would be lost, it is refused with what to
//! write.

use std::fmt::Write as _;

use serde::Deserialize;

use super::file::Pairs;
use super::{EventKind, ProfileError, parse_profiles};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForeignFile {
    version: u32,
    profiles: Pairs<ForeignProfile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForeignProfile {
    topics: ByKind<String>,
    #[serde(default)]
    aliases: ByKind<Pairs<Vec<String>>>,
    #[serde(default)]
    core_required: ByKind<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ByKind<T> {
    #[serde(default)]
    ledger: T,
    #[serde(default)]
    payment_order: T,
}

impl<T> ByKind<T> {
    const fn of(&self, kind: EventKind) -> &T {
        match kind {
            EventKind::LedgerEntry => &self.ledger,
            EventKind::PaymentOrder => &self.payment_order,
        }
    }
}

/// The name of a kind there.
const fn their_name(kind: EventKind) -> &'static str {
    match kind {
        EventKind::LedgerEntry => "ledger",
        EventKind::PaymentOrder => "payment_order",
    }
}

/// Our name of a field of theirs.
fn our_field(field: &str) -> &str {
    match field {
        "version" => "source_version",
        "event_time_or_alias" => "event_time",
        other => other,
    }
}

/// Writes a file of profiles of the first implementation as one of ours. `file` is the name errors give it.
///
/// # Errors
/// When it is not one, or asks for what our profiles cannot say: with each line that has to change.
pub fn convert_profiles(file: &str, text: &str) -> Result<String, ProfileError> {
    let refused = |problem: String| ProfileError::File {
        file: file.to_owned(),
        problem,
    };
    let read: ForeignFile = serde_yaml_ng::from_str(text).map_err(|e| refused(e.to_string()))?;
    if read.version != 1 {
        return Err(refused(format!(
            "version is {}, known is version 1",
            read.version
        )));
    }
    let mut written = String::from("version: 1\n\nprofiles:\n");
    let mut problems = Vec::new();
    for (name, profile) in &read.profiles.0 {
        // Writing into a text cannot fail.
        let _ = writeln!(written, "  {}:", quoted(name));
        for kind in EventKind::ALL {
            check(name, kind, profile, &mut problems);
            write_kind(&mut written, kind, profile);
        }
    }
    if !problems.is_empty() {
        return Err(refused(format!(
            "it asks for what is not so here\n{}",
            problems.join("\n")
        )));
    }
    parse_profiles(file, &written)?;
    Ok(written)
}

fn write_kind(written: &mut String, kind: EventKind, profile: &ForeignProfile) {
    let _ = writeln!(
        written,
        "    {kind}:\n      topic: {}",
        quoted(profile.topics.of(kind))
    );
    let aliases = &profile.aliases.of(kind).0;
    let others: Vec<(&str, Vec<String>)> = aliases
        .iter()
        .map(|(field, names)| {
            let field = our_field(field);
            let others = names.iter().filter(|name| *name != field);
            (field, others.map(|name| quoted(name)).collect::<Vec<_>>())
        })
        .filter(|(_, others)| !others.is_empty())
        .collect();
    if !others.is_empty() {
        let _ = writeln!(written, "      aliases:");
    }
    for (field, others) in others {
        let _ = writeln!(written, "        {}: [{}]", quoted(field), others.join(", "));
    }
}

/// A YAML string.
fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(plain);
    if is_plain && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "''"))
}

fn check(name: &str, kind: EventKind, profile: &ForeignProfile, problems: &mut Vec<String>) {
    let (contract, theirs) = (kind.contract(), their_name(kind));
    for (field, _) in &profile.aliases.of(kind).0 {
        if contract.field(our_field(field)).is_none() {
            problems.push(format!(
                "profiles.{name}.aliases.{theirs}.{field}: {} has no such field; remove the line, it is ignored here",
                contract.event
            ));
        }
    }
    let required = profile.core_required.of(kind);
    for field in required {
        match contract.field(our_field(field)) {
            Some(known) if known.required => {}
            Some(_) => problems.push(format!(
                "profiles.{name}.core_required.{theirs}: an event without {field} is taken here; remove {field}"
            )),
            None => problems.push(format!(
                "profiles.{name}.core_required.{theirs}: {} has no field {field}; remove {field}",
                contract.event
            )),
        }
    }
    let lacking = contract.fields.iter().filter(|f| f.required);
    let lacking = lacking.filter(|f| !required.iter().any(|r| our_field(r) == f.name));
    // A file that lists nothing says nothing of it.
    for field in lacking.filter(|_| !required.is_empty()) {
        problems.push(format!(
            "profiles.{name}.core_required.{theirs}: an event without {0} is a dead letter here; add {0}",
            field.name
        ));
    }
}
