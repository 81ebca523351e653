//! Under which names the fields of an event come, made ready for looking keys up.

use super::{EventContract, EventField, EventKind, JsonValue};

/// One name of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Where its value stands in [`Members`].
    pub(super) slot: usize,
    /// The key is a field of the event itself: it fills in, but does not contradict.
    pub(super) fills_in: bool,
}

/// The names of one event's fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldNames {
    kind: EventKind,
    /// Every key that matters, each once.
    keys: Vec<Box<str>>,
    /// By field of the contract: its names, in order.
    sources: Vec<(&'static str, Vec<Source>)>,
    /// Fields whose words the source has of its own, with what they mean here.
    words: Vec<(String, Vec<(String, String)>)>,
}

impl FieldNames {
    /// `aliases` are pairs of a field and its other names, `words` of a field and its other words; both already checked by
    /// the profile.
    pub(super) fn new(
        kind: EventKind,
        aliases: &[(String, Vec<String>)],
        words: &[(String, Vec<(String, String)>)],
    ) -> Self {
        let contract = kind.contract();
        let mut names = Self {
            kind,
            keys: contract.fields.iter().map(|f| f.name.into()).collect(),
            sources: Vec::with_capacity(contract.fields.len()),
            words: words.to_vec(),
        };
        for field in contract.fields {
            let others = aliases.iter().filter(|(name, _)| name == field.name);
            let all =
                std::iter::once(field.name).chain(others.flat_map(|(_, a)| a.iter().map(String::as_str)));
            let sources = all
                .map(|key| Source {
                    slot: names.slot_for(key),
                    fills_in: key != field.name && contract.field(key).is_some(),
                })
                .collect();
            names.sources.push((field.name, sources));
        }
        names
    }

    fn slot_for(&mut self, key: &str) -> usize {
        self.slot(key).unwrap_or_else(|| {
            self.keys.push(key.into());
            self.keys.len() - 1
        })
    }

    /// Which event these are the names of.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        self.kind
    }

    /// The contract these are the names of.
    #[must_use]
    pub const fn contract(&self) -> &'static EventContract {
        self.kind.contract()
    }

    /// Where the value of a key goes; `None` for a key that is ignored.
    #[must_use]
    pub fn slot(&self, key: &str) -> Option<usize> {
        self.keys.iter().position(|k| &**k == key)
    }

    /// The key whose values go to `slot`.
    pub(super) fn key(&self, slot: usize) -> &str {
        self.keys.get(slot).map_or("", |k| k)
    }

    /// The contract's word for a value of a field, where the source has another.
    pub(super) fn word<'a>(&'a self, field: &EventField, value: &JsonValue<'_>) -> Option<JsonValue<'a>> {
        let (_, words) = self.words.iter().find(|(name, _)| name == field.name)?;
        let JsonValue::Text(text) = value else { return None };
        let text = text.trim();
        let (_, word) = words.iter().find(|(theirs, _)| theirs == text)?;
        Some(JsonValue::Text(word.as_str().into()))
    }

    pub(super) fn sources(&self, field: &EventField) -> &[Source] {
        self.sources
            .iter()
            .find(|(name, _)| *name == field.name)
            .map_or(&[], |(_, sources)| sources)
    }
}

/// The members of one JSON object that matter, by their key's slot.
#[derive(Debug)]
pub struct Members<'a> {
    values: Vec<Option<JsonValue<'a>>>,
}

impl<'a> Members<'a> {
    /// None yet.
    #[must_use]
    pub fn of(names: &FieldNames) -> Self {
        Self {
            values: vec![None; names.keys.len()],
        }
    }

    /// Keeps the value of a slot; of repeated keys the last one stays.
    pub fn set(&mut self, slot: usize, value: JsonValue<'a>) {
        if let Some(place) = self.values.get_mut(slot) {
            *place = Some(value);
        }
    }

    /// The value of a slot unless it is missing.
    pub(super) fn get(&self, slot: usize) -> Option<&JsonValue<'a>> {
        self.values
            .get(slot)
            .and_then(Option::as_ref)
            .filter(|v| !v.is_missing())
    }
}

/// The names of both events' fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventAliases {
    pub(super) ledger_entry: FieldNames,
    pub(super) payment_order: FieldNames,
}

impl EventAliases {
    /// The names of one event's fields.
    #[must_use]
    pub const fn of(&self, kind: EventKind) -> &FieldNames {
        match kind {
            EventKind::LedgerEntry => &self.ledger_entry,
            EventKind::PaymentOrder => &self.payment_order,
        }
    }
}
