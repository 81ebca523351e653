//! `nsc.toml`: strict, every key known.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use nsc_core::nearest;
use secrecy::SecretString;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Key, Kind};
use crate::failure::OperatorMessage;

/// What the file says, by key; everything may be absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileConfig {
    values: BTreeMap<&'static str, Written>,
    /// Options of the object store.
    pub(super) storage: BTreeMap<String, SecretString>,
}

/// A value as it is written. Texts, whole numbers, flags and lists are kept as text: the key's own parser decides.
#[derive(Debug, Clone)]
enum Written {
    Plain(String),
    Secret(SecretString),
}

/// What is wrong, and where: the place is a range of bytes.
struct Problem {
    at: Range<usize>,
    what: String,
}

impl FileConfig {
    /// Reads the file's text. The message names file, line and key, and quotes no line: it may hold a secret.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, OperatorMessage> {
        Self::read(text).map_err(|problem| {
            let place = Place {
                path,
                line: line_of(text, problem.at.start),
            };
            OperatorMessage::configuration(format!("configuration file {place} is not usable"))
                .with_detail(problem.what)
                .with_hint("`nsc config show` lists every key; docs/configuration.md explains them.")
        })
    }

    fn read(text: &str) -> Result<Self, Problem> {
        let table = DeTable::parse(text).map_err(|e| Problem {
            at: e.span().unwrap_or_default(),
            what: e.message().to_owned(),
        })?;
        let mut config = Self::default();
        for (name, value) in table.get_ref() {
            match value.get_ref() {
                DeValue::Table(section) if is_section(name.get_ref()) => {
                    config.section(name.get_ref(), section)?
                }
                _ => config.take("", name, value)?,
            }
        }
        Ok(config)
    }

    fn section(&mut self, section: &str, table: &DeTable<'_>) -> Result<(), Problem> {
        for (name, value) in table {
            match value.get_ref() {
                DeValue::Table(options) if format!("{section}.{}", name.get_ref()) == keys::STORAGE => {
                    for (option, value) in options {
                        self.storage.insert(option.get_ref().to_string(), secret(value)?);
                    }
                }
                _ => self.take(section, name, value)?,
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        section: &str,
        name: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), Problem> {
        let name_in_section = name.get_ref().as_ref();
        let full = match section {
            "" => name_in_section.to_owned(),
            section => format!("{section}.{name_in_section}"),
        };
        let Some(key) = keys::ALL.iter().find(|key| key.name == full) else {
            return Err(Problem {
                at: name.span(),
                what: unknown(section, &full),
            });
        };
        let written = match key.kind {
            Kind::Secret => Written::Secret(secret(value)?),
            kind => Written::Plain(plain(kind, value)?),
        };
        self.values.insert(key.name, written);
        Ok(())
    }

    /// What the file says of a key that is no secret.
    pub(super) fn plain(&self, key: &Key) -> Option<&str> {
        match self.values.get(key.name)? {
            Written::Plain(text) => Some(text),
            Written::Secret(_) => None,
        }
    }

    /// What the file says of a secret.
    pub(super) fn secret(&self, key: &Key) -> Option<&SecretString> {
        match self.values.get(key.name)? {
            Written::Secret(text) => Some(text),
            Written::Plain(_) => None,
        }
    }
}

fn is_section(name: &str) -> bool {
    keys::ALL.iter().any(|key| key.place().0 == name)
}

/// A key that there is not, and those that there are.
fn unknown(section: &str, full: &str) -> String {
    if section.is_empty() && is_section(full) {
        return format!("{full} is a section ([{full}]) and has no value of its own");
    }
    let meant = nearest(full, keys::ALL.iter().map(|key| key.name));
    if let Some(meant) = meant {
        return format!("there is no key {full}; {meant} is one");
    }
    let mut known: Vec<&str> = match section {
        "" => keys::ALL
            .iter()
            .map(|key| key.name.split('.').next().unwrap_or(key.name))
            .collect(),
        section => {
            let of_section = keys::ALL.iter().filter(|key| key.place().0 == section);
            of_section.map(|key| key.place().1).collect()
        }
    };
    known.dedup();
    let here = if section.is_empty() { "the file" } else { section };
    format!("there is no key {full}; {here} has {}", known.join(", "))
}

/// A text, a whole number or a flag, as its text; a list as JSON where the key takes one.
fn plain(kind: Kind, value: &Spanned<DeValue<'_>>) -> Result<String, Problem> {
    let expected = |what: &str| Problem {
        at: value.span(),
        what: format!("{what} was expected, not {}", value.get_ref().type_str()),
    };
    match (kind, value.get_ref()) {
        (_, DeValue::String(text)) => Ok(text.to_string()),
        (Kind::List, DeValue::Array(_)) => json(value.get_ref())
            .map(|list| list.to_string())
            .ok_or_else(|| expected("a list of names")),
        (Kind::List, _) => Err(expected("a text or a list")),
        (_, DeValue::Integer(number)) => i64::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| expected("a number of 64 bits")),
        (_, DeValue::Boolean(flag)) => Ok(flag.to_string()),
        _ => Err(expected("a text, a whole number or a flag")),
    }
}

/// Names and lists of them.
fn json(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        _ => None,
    }
}

/// A text that is never printed, not even in the message about its own wrong type.
fn secret(value: &Spanned<DeValue<'_>>) -> Result<SecretString, Problem> {
    match value.get_ref() {
        DeValue::String(text) => Ok(SecretString::from(text.to_string())),
        other => Err(Problem {
            at: value.span(),
            what: format!("a secret must be a string, not {}", other.type_str()),
        }),
    }
}

struct Place<'a> {
    path: &'a Path,
    line: usize,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {},", self.path.display(), self.line)
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nsc_core::OperatorError;

    use super::FileConfig;

    fn refused(text: &str) -> String {
        let error = FileConfig::parse(Path::new("nsc.toml"), text).unwrap_err();
        format!("{error}: {}", error.detail().unwrap())
    }

    #[test]
    fn unknown_keys_and_wrong_types_name_file_line_and_key() {
        let said = [
            refused("enviroment = 'prod'\n"),
            refused("[lake]\nroot = 'x'\nroots = 'y'\n"),
            refused("[lakehouse]\nroot = 'x'\n"),
            refused("[retention]\nrows = 3\n"),
            refused("lake = 3\n"),
            refused("[lake.root]\nx = 1\n"),
            refused("[retention]\nfiles_days = 1.5\n"),
            refused("[retention]\nfiles_days = 99999999999999999999\n"),
            refused("[analytics]\nsalt = 12345\n"),
            refused("[lake.storage]\naccount_key = ['hidden']\n"),
            refused("[auth]\nroles_claim = [1]\n"),
            refused("[lake\n"),
            refused("[log]\nfilter = 'a'\nfilter = 'b'\n"),
        ];
        insta::assert_snapshot!(said.join("\n"));
        assert!(!said.join("").contains("12345") && !said.join("").contains("hidden"));
    }

    #[test]
    fn secrets_are_not_in_the_debug_form() {
        let config = FileConfig::parse(
            Path::new("f"),
            "[analytics]\nsalt = 's3cret'\n[lake.storage]\nk = 's3cret'\n",
        )
        .unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
