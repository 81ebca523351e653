//! A value and where it came from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a value came from, strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// An environment variable.
    Variable(String),
    /// An environment variable that is another name of ours.
    Alias {
        /// The variable, or several that mean something together.
        name: String,
        /// Our name.
        of: &'static str,
    },
    /// A file that holds only this secret, as a secret store mounts it.
    SecretFile(PathBuf),
    /// The configuration file.
    File(PathBuf),
    /// This program.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Variable(name) => write!(f, "environment {name}"),
            Self::Alias { name, of } => write!(f, "environment {name}, read as {of}"),
            Self::SecretFile(path) => write!(f, "secret file {}", path.display()),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// An effective value.
#[derive(Debug, Clone)]
pub(crate) struct Setting<T> {
    /// The value.
    pub(crate) value: T,
    /// Where it came from.
    pub(crate) origin: Origin,
}

/// Which kind of installation this is; only `local` is lenient, and only when it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnvironmentName {
    /// A developer's machine.
    Local,
    /// A shared test installation.
    Dev,
    /// Production.
    Prod,
    /// Nobody has said: as strict as production.
    Unset,
}

impl EnvironmentName {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Dev => "dev",
            Self::Prod => "prod",
            Self::Unset => "unset",
        }
    }

    /// For a sentence: `in {}`.
    pub(crate) const fn phrase(self) -> &'static str {
        match self {
            Self::Local => "environment local",
            Self::Dev => "environment dev",
            Self::Prod => "environment prod",
            Self::Unset => "an environment that is not said to be local (NSC_ENV is not set)",
        }
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EnvironmentName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Local, Self::Dev, Self::Prod]
            .into_iter()
            .find(|e| e.name() == text)
            .ok_or_else(|| "expected local, dev or prod".to_owned())
    }
}
