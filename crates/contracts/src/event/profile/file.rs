//! The file of profiles: strict YAML, checked as a whole.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{EventProfile, Kind, ProfileError};

/// The profiles this build ships (`config/event-profiles.yaml`).
pub const DEFAULT_PROFILES_YAML: &str = include_str!("../../../../../config/event-profiles.yaml");

/// The one version of the file's format there is.
const FORMAT_VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    profiles: Pairs<FileProfile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileProfile {
    ledger_entry: FileKind,
    payment_order: FileKind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileKind {
    topic: String,
    #[serde(default)]
    aliases: Pairs<Vec<String>>,
    #[serde(default)]
    values: Pairs<Pairs<String>>,
}

/// A mapping in the order of the file; a repeated key is an error, where a map would keep the last one silently.
pub(super) struct Pairs<V>(pub(super) Vec<(String, V)>);

impl<V> Default for Pairs<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
    type Value = Pairs<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
        let mut pairs: Vec<(String, V)> = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, V>()? {
            if pairs.iter().any(|(k, _)| *k == key) {
                return Err(A::Error::custom(format!("{key} stands there twice")));
            }
            pairs.push((key, value));
        }
        Ok(Pairs(pairs))
    }
}

/// Reads a file of profiles. `file` is the name errors give it.
///
/// # Errors
/// When it is not YAML of the documented form (with the line), or a profile does not say which event is which.
pub fn parse_profiles(file: &str, text: &str) -> Result<Vec<EventProfile>, ProfileError> {
    let refused = |problem: String| ProfileError::File {
        file: file.to_owned(),
        problem,
    };
    let parsed: File = serde_yaml_ng::from_str(text).map_err(|e| refused(e.to_string()))?;
    if parsed.version != FORMAT_VERSION {
        return Err(refused(format!(
            "version is {}, this program reads version {FORMAT_VERSION}",
            parsed.version
        )));
    }
    if parsed.profiles.0.is_empty() {
        return Err(refused("it holds no profile".to_owned()));
    }
    let profiles = parsed.profiles.0.into_iter().map(|(name, p)| {
        EventProfile {
            name,
            ledger_entry: p.ledger_entry.into(),
            payment_order: p.payment_order.into(),
        }
        .checked()
    });
    profiles.collect()
}

impl From<FileKind> for Kind {
    fn from(k: FileKind) -> Self {
        Self {
            topic: k.topic,
            aliases: k.aliases.0,
            words: k
                .values
                .0
                .into_iter()
                .map(|(field, words)| (field, words.0))
                .collect(),
        }
    }
}

/// The shipped profiles.
///
/// # Errors
/// Never in a released build: a test reads the shipped file.
pub fn default_profiles() -> Result<Vec<EventProfile>, ProfileError> {
    parse_profiles("config/event-profiles.yaml (shipped)", DEFAULT_PROFILES_YAML)
}
