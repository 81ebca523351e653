//! One input, as it was found: a file with what it looks like from outside, or standard input.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nsc_core::{MICROS_PER_SECOND, UtcMicros};
use serde::{Deserialize, Serialize};

use crate::error::IngestError;

/// One file (or standard input) to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    /// `None` for standard input.
    pub(crate) path: Option<PathBuf>,
    /// Size, for a regular file: one that can be read twice.
    pub(crate) size: Option<u64>,
    /// What a regular file looks like.
    pub(crate) stamp: Option<FileStamp>,
    /// Where a regular file stands, links followed.
    pub(crate) real_path: Option<String>,
}

/// What a file looks like from outside: while it stays, so does what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileStamp {
    size: u64,
    /// When its content was written, in microseconds; tools may set it.
    modified: i64,
    /// When anything of it was changed, in microseconds; only the system sets it.
    changed: i64,
}

impl FileStamp {
    fn of(known: &Metadata) -> Self {
        let micros = |seconds: i64, nanos: i64| seconds * MICROS_PER_SECOND + nanos / 1_000;
        Self {
            size: known.len(),
            modified: micros(known.mtime(), known.mtime_nsec()),
            changed: micros(known.ctime(), known.ctime_nsec()),
        }
    }

    pub(crate) fn modified(self) -> UtcMicros {
        UtcMicros::new(self.modified)
    }

    /// The later of the two times.
    pub(crate) fn newest(self) -> UtcMicros {
        UtcMicros::new(self.modified.max(self.changed))
    }
}

impl Located {
    pub(crate) const STDIN: Self = Self {
        path: None,
        size: None,
        stamp: None,
        real_path: None,
    };

    /// A file as it looks now.
    pub(crate) fn at(path: PathBuf) -> Result<Self, IngestError> {
        let known = std::fs::metadata(&path).map_err(|source| IngestError::Unreadable {
            path: path.clone(),
            source,
        })?;
        // A pipe or a device gives its bytes once and has no size.
        let stamp = known.is_file().then(|| FileStamp::of(&known));
        let real_path = stamp.and_then(|_| path.canonicalize().ok());
        Ok(Self {
            size: stamp.map(|s| s.size),
            stamp,
            real_path: real_path.and_then(|p| p.to_str().map(str::to_owned)),
            path: Some(path),
        })
    }

    /// A regular file as it looks now; what cannot be looked at is found out when it is read.
    pub(crate) fn as_it_is_now(&self) -> Self {
        let now = self.path.as_ref().filter(|_| self.size.is_some());
        now.and_then(|path| Self::at(path.clone()).ok())
            .unwrap_or_else(|| self.clone())
    }

    /// As it is shown.
    pub(crate) fn shown(&self) -> String {
        self.path
            .as_ref()
            .map_or_else(|| "-".to_owned(), |p| p.display().to_string())
    }

    /// The name in `source_ref`: without directories, which differ from machine to machine.
    pub(crate) fn name(&self) -> String {
        let name = self
            .path
            .as_ref()
            .and_then(|p| p.file_name())
            .map(|n| n.to_string_lossy().into_owned());
        name.unwrap_or_else(|| "stdin".to_owned())
    }
}
