//! What a directory holds besides its input files.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Why an entry of a directory was not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// Its name begins with a dot: what editors and copies in progress leave behind.
    Hidden,
    /// Directories below are not entered.
    Directory,
    /// JSON lines, or a part of them, under a name that does not say so.
    NamedOtherwise,
    /// A pipe, a socket or a device.
    NoFile,
    /// Nothing that looks like data.
    NoData,
    /// It could not be looked into.
    NotLookedInto,
}

impl fmt::Display for LeftOutReason {
    /// As it follows the entry's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "hidden",
            Self::Directory => "a directory; those below are not entered",
            Self::NamedOtherwise => {
                "looks like JSON lines, but its name ends in none of .jsonl, .ndjson, .json, also .gz and .zst; name it to load it"
            }
            Self::NoFile => "a pipe, a socket or a device; name it to read it",
            Self::NoData => "no .jsonl, .ndjson or .json file, and does not look like one",
            Self::NotLookedInto => "no .jsonl, .ndjson or .json file, and cannot be read",
        })
    }
}

/// An entry of a directory that was not loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its path.
    pub input: String,
    /// Why.
    pub reason: LeftOutReason,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.input, self.reason)
    }
}

impl From<(PathBuf, LeftOutReason)> for LeftOut {
    fn from((path, reason): (PathBuf, LeftOutReason)) -> Self {
        Self {
            input: path.display().to_string(),
            reason,
        }
    }
}

/// A file of a directory that is data in a form that is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableFile {
    /// Its name in the directory.
    pub name: String,
    /// What it looks like.
    pub form: String,
}
