//! The layers of a value: flag over environment over file over default, and what is in force in the end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use super::aliases::{self, Aliases};
use super::file::FileConfig;
use super::keys::{self, Key, Kind};
use super::{EnvironmentName, Origin, Setting};
use crate::environment::Environment;
use crate::failure::OperatorMessage;

/// What the command line sets, by flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags(BTreeMap<&'static str, String>);

impl Flags {
    /// Takes the flag of a key, where it was given.
    pub(crate) fn set(&mut self, key: &Key, value: Option<&String>) {
        if let (Some(flag), Some(value)) = (key.flag, value) {
            self.0.insert(flag, value.clone());
        }
    }

    /// The flag of a key, and what it says.
    pub(super) fn get(&self, key: &Key) -> Option<(&'static str, &str)> {
        let flag = key.flag?;
        Some((flag, self.0.get(flag)?))
    }
}

/// A value as it is shown: its text, unless it is not set, and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) value: Option<String>,
    pub(super) origin: String,
}

/// Everything that is in force, by key, for `nsc config show`.
pub(super) type InForce = BTreeMap<&'static str, Shown>;

/// Where values come from.
pub(super) struct Layers<'a> {
    pub(super) env: &'a Environment,
    pub(super) aliases: Aliases,
    pub(super) flags: &'a Flags,
    pub(super) file: &'a FileConfig,
    /// The file's path.
    pub(super) path: Option<&'a Path>,
    /// What was picked so far. (A value is picked where it is named, in the middle of a struct: the layers are shared.)
    pub(super) in_force: RefCell<InForce>,
}

impl Layers<'_> {
    pub(super) fn file_origin(&self) -> Origin {
        self.path.map_or(Origin::Default, |p| Origin::File(p.to_owned()))
    }

    /// What the environment says, under our name or an older one.
    pub(super) fn variable(&self, key: &Key) -> Result<Option<(String, Origin)>, OperatorMessage> {
        if self.env.is_unreadable(key.variable) {
            return Err(aliases::unreadable(key.variable));
        }
        let alias = self.aliases.of(key.variable)?;
        let ours = self.env.get(key.variable);
        Ok(match (ours, alias) {
            (Some(value), _) => Some((value.to_owned(), Origin::Variable(key.variable.to_owned()))),
            (None, Some(alias)) => {
                let origin = Origin::Alias {
                    name: alias.name.clone(),
                    of: key.variable,
                };
                Some((alias.value.clone(), origin))
            }
            (None, None) => None,
        })
    }

    /// What the strongest layer says.
    fn said(&self, key: &Key) -> Result<Option<(String, Origin)>, OperatorMessage> {
        if let Some((flag, value)) = self.flags.get(key) {
            return Ok(Some((value.to_owned(), Origin::Flag(flag))));
        }
        if let Some(said) = self.variable(key)? {
            return Ok(Some(said));
        }
        let file = self.file.plain(key);
        Ok(file.map(|value| (value.to_owned(), self.file_origin())))
    }

    /// The value of a key that has a default.
    pub(super) fn pick<T>(&self, key: &'static Key) -> Result<Setting<T>, OperatorMessage>
    where
        T: FromStr,
        T::Err: Display,
    {
        let said = match self.said(key)? {
            Some(said) => said,
            None => (key.default.unwrap_or_default().to_owned(), Origin::Default),
        };
        self.taken(key, said)
    }

    /// The value of a key whose default is worked out; `shown` is what is shown for it.
    pub(super) fn pick_or<T>(
        &self,
        key: &'static Key,
        default: T,
        shown: &str,
    ) -> Result<Setting<T>, OperatorMessage>
    where
        T: FromStr,
        T::Err: Display,
    {
        if let Some(said) = self.said(key)? {
            return self.taken(key, said);
        }
        self.show(key, Some(shown), &Origin::Default);
        Ok(Setting {
            value: default,
            origin: Origin::Default,
        })
    }

    /// The value of a key that may have none.
    pub(super) fn pick_optional<T>(&self, key: &'static Key) -> Result<Option<Setting<T>>, OperatorMessage>
    where
        T: FromStr,
        T::Err: Display,
    {
        let said = self.said(key)?;
        said.map(|said| self.taken(key, said)).transpose()
    }

    fn taken<T>(
        &self,
        key: &'static Key,
        (text, origin): (String, Origin),
    ) -> Result<Setting<T>, OperatorMessage>
    where
        T: FromStr,
        T::Err: Display,
    {
        within(key, &text, &origin)?;
        match text.parse() {
            Ok(value) => {
                self.show(key, Some(&text), &origin);
                Ok(Setting { value, origin })
            }
            Err(e) => Err(unusable(key, &origin, &format!("{text:?}: {e}"))),
        }
    }

    /// A secret: from a secret store (the file that `mounted` names), else the environment, else (local only) the
    /// configuration file.
    pub(super) fn secret(
        &self,
        key: &'static Key,
        mounted: Option<&'static Key>,
        environment: EnvironmentName,
    ) -> Result<Option<Setting<SecretString>>, OperatorMessage> {
        let mounted = mounted
            .map(|file| self.pick_optional::<PathBuf>(file))
            .transpose()?;
        let secret = if let Some(Setting { value: path, .. }) = mounted.flatten() {
            Some(Setting {
                value: mounted_secret(key, &path)?,
                origin: Origin::SecretFile(path),
            })
        } else if let Some((text, origin)) = self.variable(key)? {
            Some(Setting {
                value: SecretString::from(text),
                origin,
            })
        } else {
            self.file.secret(key).map(|secret| Setting {
                value: secret.clone(),
                origin: self.file_origin(),
            })
        };
        if let Some(secret) = &secret {
            if secret.value.expose_secret().trim().is_empty() {
                return Err(OperatorMessage::configuration(format!(
                    "{} ({}) is blank",
                    key.name, secret.origin
                )));
            }
            refuse_written_secret(key.name, &secret.origin, environment)?;
            self.show(key, Some(""), &secret.origin);
        }
        Ok(secret)
    }

    /// The options of the object store: of the file, and over them those of the environment.
    pub(super) fn storage(
        &self,
        environment: EnvironmentName,
    ) -> Result<BTreeMap<String, Setting<SecretString>>, OperatorMessage> {
        let from_file = self.file.storage.iter().map(|(option, value)| {
            let setting = Setting {
                value: value.clone(),
                origin: self.file_origin(),
            };
            (option.clone(), setting)
        });
        let from_env = self.env.with_prefix(keys::STORAGE_PREFIX).map(|(name, value)| {
            let option = name.trim_start_matches(keys::STORAGE_PREFIX).to_ascii_lowercase();
            let setting = Setting {
                value: SecretString::from(value.to_owned()),
                origin: Origin::Variable(name.to_owned()),
            };
            (option, setting)
        });
        // The environment comes last, so it wins.
        let all: BTreeMap<_, _> = from_file.chain(from_env).collect();
        for (name, setting) in all.iter().filter(|(name, _)| is_credential(name)) {
            let name = format!("{}.{name}", keys::STORAGE);
            refuse_written_secret(&name, &setting.origin, environment)?;
        }
        Ok(all)
    }

    /// Takes down what is in force.
    pub(super) fn show(&self, key: &'static Key, value: Option<&str>, origin: &Origin) {
        let shown = Shown {
            value: value.map(str::to_owned),
            origin: origin.to_string(),
        };
        self.in_force.borrow_mut().insert(key.name, shown);
    }
}

/// Refuses a number outside of what its key allows. What is no number at all is the parser's to say.
fn within(key: &Key, text: &str, origin: &Origin) -> Result<(), OperatorMessage> {
    let (Kind::Number(least, most), Ok(number)) = (key.kind, text.parse::<u64>()) else {
        return Ok(());
    };
    if (least..=most).contains(&number) {
        return Ok(());
    }
    let expected = if number < least && most == keys::MANY {
        format!("the least is {least}")
    } else {
        format!("expected {least} to {most}")
    };
    Err(unusable(key, origin, &format!("it is {number}, {expected}")))
}

/// A value that cannot be used.
pub(super) fn unusable(key: &Key, origin: &Origin, problem: &str) -> OperatorMessage {
    OperatorMessage::configuration(format!("{} ({origin}) is not usable", key.name))
        .with_detail(problem)
        .with_hint("docs/configuration.md explains every key.")
}

/// A secret as a store mounts it. A byte order mark is no part of any; the line's end after it is none either, but of a
/// salt every character is.
fn mounted_secret(key: &Key, path: &Path) -> Result<SecretString, OperatorMessage> {
    let refused = |why: &str| {
        OperatorMessage::configuration(format!("secret file {} of {} {why}", path.display(), key.name))
    };
    let bytes = std::fs::read(path).map_err(|e| refused("cannot be read").with_detail(e))?;
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))?;
    if text.starts_with('\u{feff}') {
        return Err(refused("begins with a byte order mark")
            .with_hint("Write it again as plain UTF-8; an editor or PowerShell has put the mark there."));
    }
    let is_exact = key.name == keys::SALT.name;
    let kept = if is_exact {
        text.as_str()
    } else {
        text.trim_end_matches(['\r', '\n'])
    };
    Ok(SecretString::from(kept))
}

/// Options of an object store that let somebody in.
fn is_credential(option: &str) -> bool {
    ["key", "secret", "token", "sas", "password", "connection_string"]
        .iter()
        .any(|word| option.to_ascii_lowercase().contains(word))
}

/// A configuration file is copied, mailed and committed: outside `local` no secret may stand in it.
fn refuse_written_secret(
    name: &str,
    origin: &Origin,
    environment: EnvironmentName,
) -> Result<(), OperatorMessage> {
    if environment == EnvironmentName::Local || !matches!(origin, Origin::File(_)) {
        return Ok(());
    }
    Err(OperatorMessage::configuration(format!(
        "{name} stands in the configuration file, which is refused in {}",
        environment.phrase()
    ))
    .with_detail(origin)
    .with_hint("Give it in the environment, or in a file of its own that a secret store mounts."))
}
