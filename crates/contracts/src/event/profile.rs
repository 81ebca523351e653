//! Profiles: which topic carries which event, and which other names its fields have. Data, from YAML and from the
//! configuration; refused at start-up when it does not say one thing.

use std::collections::BTreeMap;

use nsc_core::{ErrorCode, OperatorError};
use serde::{Deserialize, Serialize};

use super::{EventAliases, EventKind, FieldNames, FieldType};

mod file;
mod foreign;

pub use file::{DEFAULT_PROFILES_YAML, default_profiles, parse_profiles};
pub use foreign::convert_profiles;

/// What is configured on top of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileOverrides {
    /// About ledger entries.
    pub ledger_entry: KindOverrides,
    /// About payment orders.
    pub payment_order: KindOverrides,
}

/// What is configured for one kind of event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KindOverrides {
    /// Topic in place of the profile's.
    pub topic: Option<String>,
    /// Field to other names, in order; in place of the profile's names for that field.
    pub aliases: BTreeMap<String, Vec<String>>,
}

/// A profile that does not say which event is which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// No profile of that name.
    #[error("event profile {name} is unknown")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The profiles there are.
        known: Vec<String>,
    },
    /// A file of profiles that is not of the documented form.
    #[error("event profiles in {file} are not usable: {problem}")]
    File {
        /// Name of the file.
        file: String,
        /// What is wrong, with the line where it is known.
        problem: String,
    },
    /// A name no topic can have.
    #[error("topic {topic:?} of {kind} is not a topic name")]
    Topic {
        /// Kind of event.
        kind: EventKind,
        /// What was given.
        topic: String,
    },
    /// One topic for both kinds.
    #[error("topic {topic} is given for two kinds of event")]
    SharedTopic {
        /// The topic.
        topic: String,
    },
    /// Other words of a field that cannot be used.
    #[error("values of {field} ({kind}) are not usable: {problem}")]
    Words {
        /// Kind of event.
        kind: EventKind,
        /// The field.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// Other names that cannot be used.
    #[error("aliases of {field} ({kind}) are not usable: {problem}")]
    Alias {
        /// Kind of event.
        kind: EventKind,
        /// The field.
        field: String,
        /// What is wrong.
        problem: String,
    },
}

impl OperatorError for ProfileError {
    fn code(&self) -> ErrorCode {
        ErrorCode::EventProfile
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Unknown { known, .. } => Some(format!("known are {}", known.join(", "))),
            Self::Topic { .. } => Some("a topic has 1 to 249 of A-Z a-z 0-9 . _ -".to_owned()),
            Self::SharedTopic { .. } => {
                Some("an event does not say its kind, so the topic has to".to_owned())
            }
            Self::File { .. } | Self::Alias { .. } | Self::Words { .. } => None,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Unknown { .. } => "choose one with --profile or NSC_EVENT_PROFILE",
                Self::File { problem, .. } if problem.contains("`topics`") => {
                    "it looks like a file of the first implementation: nsc config convert-profile FILE"
                }
                Self::File { .. } => "compare it with config/event-profiles.yaml",
                Self::Topic { .. } | Self::SharedTopic { .. } => "give each kind of event a topic of its own",
                Self::Words { .. } => "write `values: {entry_type: {BUY: CHARGE}}`, a word of the source and one of the contract",
                Self::Alias { .. } => "fields and their aliases are in docs/contract/serving.md, section 1",
            }
            .to_owned(),
        )
    }
}

/// One kind of event in a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kind {
    topic: String,
    aliases: Vec<(String, Vec<String>)>,
    words: Vec<(String, Vec<(String, String)>)>,
}

/// Topics and aliases, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventProfile {
    name: String,
    ledger_entry: Kind,
    payment_order: Kind,
}

impl EventProfile {
    /// The shipped profile called `name`, with what is configured on top.
    ///
    /// # Errors
    /// When there is no such profile, or the outcome does not say which event is which.
    pub fn named(name: &str, overrides: &ProfileOverrides) -> Result<Self, ProfileError> {
        Self::among(Vec::new(), name, overrides)
    }

    /// The profile called `name`, one of `further` before a shipped one, with what is configured on top.
    ///
    /// # Errors
    /// When there is no such profile, or the outcome does not say which event is which.
    pub fn among(further: Vec<Self>, name: &str, overrides: &ProfileOverrides) -> Result<Self, ProfileError> {
        let mut profiles = further;
        for shipped in default_profiles()? {
            if profiles.iter().all(|own| own.name != shipped.name) {
                profiles.push(shipped);
            }
        }
        let known = profiles.iter().map(|p| p.name.clone()).collect();
        let profile = profiles.into_iter().find(|p| p.name == name);
        let unknown = || ProfileError::Unknown {
            name: name.to_owned(),
            known,
        };
        profile.ok_or_else(unknown)?.with(overrides)
    }

    /// This profile with what is configured on top.
    ///
    /// # Errors
    /// When the outcome does not say which event is which.
    pub fn with(mut self, overrides: &ProfileOverrides) -> Result<Self, ProfileError> {
        self.ledger_entry.overlay(&overrides.ledger_entry);
        self.payment_order.overlay(&overrides.payment_order);
        self.checked()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The topic that carries a kind of event.
    #[must_use]
    pub fn topic(&self, kind: EventKind) -> &str {
        &self.of(kind).topic
    }

    /// What a topic carries; `None` for a topic of none.
    #[must_use]
    pub fn kind_of(&self, topic: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|k| self.topic(*k) == topic)
    }

    /// The names of the fields, made ready.
    #[must_use]
    pub fn aliases(&self) -> EventAliases {
        EventAliases {
            ledger_entry: self.names(EventKind::LedgerEntry),
            payment_order: self.names(EventKind::PaymentOrder),
        }
    }

    fn names(&self, kind: EventKind) -> FieldNames {
        let Kind { aliases, words, .. } = self.of(kind);
        FieldNames::new(kind, aliases, words)
    }

    fn of(&self, kind: EventKind) -> &Kind {
        match kind {
            EventKind::LedgerEntry => &self.ledger_entry,
            EventKind::PaymentOrder => &self.payment_order,
        }
    }

    fn checked(self) -> Result<Self, ProfileError> {
        for kind in EventKind::ALL {
            let Kind {
                topic,
                aliases,
                words,
            } = self.of(kind);
            let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
            let dots = topic == "." || topic == "..";
            if topic.is_empty() || topic.len() > 249 || dots || !topic.bytes().all(named) {
                return Err(ProfileError::Topic {
                    kind,
                    topic: topic.clone(),
                });
            }
            check_aliases(kind, aliases)?;
            check_words(kind, words)?;
        }
        if self.ledger_entry.topic == self.payment_order.topic {
            return Err(ProfileError::SharedTopic {
                topic: self.ledger_entry.topic,
            });
        }
        Ok(self)
    }
}

impl Kind {
    fn overlay(&mut self, over: &KindOverrides) {
        if let Some(topic) = &over.topic {
            self.topic.clone_from(topic);
        }
        for (field, names) in &over.aliases {
            self.aliases.retain(|(f, _)| f != field);
            self.aliases.push((field.clone(), names.clone()));
        }
    }
}

/// Every alias belongs to a field of the contract, and no key that is not a field feeds two.
fn check_aliases(kind: EventKind, aliases: &[(String, Vec<String>)]) -> Result<(), ProfileError> {
    let contract = kind.contract();
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (field, names) in aliases {
        let refused = |problem: String| {
            Err(ProfileError::Alias {
                kind,
                field: field.clone(),
                problem,
            })
        };
        if contract.field(field).is_none() {
            return refused(format!("{} has no such field", contract.event));
        }
        for (at, name) in names.iter().enumerate() {
            if nsc_core::is_blank(name) {
                return refused("a name is blank".to_owned());
            }
            if name == field || names.iter().take(at).any(|n| n == name) {
                return refused(format!("{name} stands there twice"));
            }
            if contract.field(name).is_some() {
                continue;
            }
            if let Some(owner) = owners.insert(name, field) {
                return refused(format!("{name} is an alias of {owner} already"));
            }
        }
    }
    Ok(())
}

/// Words belong to a field whose words the contract knows, and mean one of them.
fn check_words(kind: EventKind, words: &[(String, Vec<(String, String)>)]) -> Result<(), ProfileError> {
    for (field, words) in words {
        let refused = |problem: String| {
            Err(ProfileError::Words {
                kind,
                field: field.clone(),
                problem,
            })
        };
        match kind.contract().field(field) {
            None => return refused(format!("{} has no such field", kind.contract().event)),
            Some(f) if f.ty != FieldType::UpperCase => {
                return refused("its values are no words".to_owned());
            }
            Some(_) => {}
        }
        for (theirs, ours) in words {
            if nsc_core::is_blank(theirs) || theirs.trim() != theirs {
                return refused(format!("{theirs:?} is blank, or has blanks around it"));
            }
            if nsc_core::is_blank(ours) || ours.trim() != ours || ours.chars().any(char::is_lowercase) {
                return refused(format!("{theirs} means {ours:?}, which is no word in upper case"));
            }
            if words.iter().any(|(other, _)| other == ours) {
                return refused(format!(
                    "{theirs} means {ours}, which is given another meaning itself"
                ));
            }
        }
    }
    Ok(())
}
