//! What is wrong with a table's log, looked for file by file once the library could not read it.
//!
//! A checkpoint only repeats what the commits say. When it cannot be read and the commits reach back behind it, the table
//! opens without it. Anything else that is damaged is named: nothing is ever guessed at or read over.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{DynObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::LakeError;
use crate::log_guard::{LOG, commit_version};

/// The file that names the newest checkpoint.
const HINT: &str = "_last_checkpoint";

/// A file of the log that cannot be done without and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Relative to the table's directory.
    pub(crate) file: String,
    pub(crate) reason: String,
}

/// What a look at every file of a log found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LogHealth {
    /// Names of files the log is whole without.
    pub(crate) dispensable: BTreeSet<String>,
    pub(crate) damage: Option<Damage>,
}

/// The files of a log, by their names.
pub(crate) struct Log<'a> {
    store: &'a DynObjectStore,
    commits: BTreeMap<u64, u64>,
    checkpoints: BTreeMap<u64, Vec<String>>,
}

/// Looks at the log of the table whose directory is the root of a store.
///
/// # Errors
/// When the storage cannot be read.
pub(crate) async fn examine(store: &DynObjectStore) -> Result<LogHealth, LakeError> {
    let log = Log::list(store).await?;
    let mut health = LogHealth::default();
    let base = log.newest_readable(&mut health.dispensable).await?;
    if !health.dispensable.is_empty() || log.is_misled(base).await? {
        health.dispensable.insert(HINT.to_owned());
    }
    let first = base.map_or(0, |version| version + 1);
    health.damage = log.damage_from(first, &health.dispensable).await?;
    Ok(health)
}

impl<'a> Log<'a> {
    /// Lists the log of the table whose directory is the root of a store.
    pub(crate) async fn list(store: &'a DynObjectStore) -> Result<Self, LakeError> {
        let mut log = Self {
            store,
            commits: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
        };
        let files: Vec<_> = store.list(Some(&Path::from(LOG))).try_collect().await?;
        for file in files {
            let Some(name) = file.location.filename() else {
                continue;
            };
            if let Some(version) = commit_version(name) {
                log.commits.insert(version, file.size);
            } else if let Some(version) = checkpoint_version(name) {
                log.checkpoints.entry(version).or_default().push(name.to_owned());
            }
        }
        Ok(log)
    }

    /// The newest version that has a commit.
    pub(crate) fn last_commit(&self) -> Option<u64> {
        self.commits.keys().next_back().copied()
    }

    /// The newest checkpoint that can be read: its version and its files.
    pub(crate) async fn newest_checkpoint(&self) -> Result<Option<(u64, Vec<String>)>, LakeError> {
        let version = self.newest_readable(&mut BTreeSet::new()).await?;
        Ok(version.and_then(|v| Some((v, self.checkpoints.get(&v)?.clone()))))
    }

    /// The version of that checkpoint; the files of newer ones are collected.
    async fn newest_readable(&self, unreadable: &mut BTreeSet<String>) -> Result<Option<u64>, LakeError> {
        for (version, names) in self.checkpoints.iter().rev() {
            let Some(reason) = self.unreadable(names).await? else {
                return Ok(Some(*version));
            };
            tracing::debug!(version, reason, "checkpoint cannot be read");
            unreadable.extend(names.iter().cloned());
        }
        Ok(None)
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, LakeError> {
        match self.store.get(&Path::from_iter([LOG, name])).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Why a checkpoint cannot be read, if so.
    async fn unreadable(&self, names: &[String]) -> Result<Option<String>, LakeError> {
        for name in names {
            let bytes = self.read(name).await?.unwrap_or_default();
            let whole = if name.ends_with(".json") {
                lines_of(&bytes).map(|_| ())
            } else {
                rows_of(bytes)
            };
            if let Err(reason) = whole {
                return Ok(Some(reason));
            }
            let parts = parts_of(name);
            if parts.is_some_and(|parts| parts != names.len()) {
                return Ok(Some(format!("it has {} of its parts", names.len())));
            }
        }
        Ok(None)
    }

    /// Whether the file that names the newest checkpoint names none that is there.
    async fn is_misled(&self, base: Option<u64>) -> Result<bool, LakeError> {
        let Some(bytes) = self.read(HINT).await? else {
            return Ok(false);
        };
        let hint: Option<Value> = serde_json::from_slice(&bytes).ok();
        let version = hint.and_then(|h| h.get("version").and_then(Value::as_u64));
        Ok(version.is_none_or(|v| base.is_none_or(|base| v > base) || !self.checkpoints.contains_key(&v)))
    }

    /// The first commit from `first` on that is missing or cannot be read.
    async fn damage_from(
        &self,
        first: u64,
        passed_over: &BTreeSet<String>,
    ) -> Result<Option<Damage>, LakeError> {
        let of = |name: &str, reason: String| Damage {
            file: format!("{LOG}/{name}"),
            reason,
        };
        let last = self.last_commit().unwrap_or_default();
        for version in first..=last {
            let name = format!("{version:020}.json");
            let size = self.commits.get(&version);
            let reason = match (size, self.read(&name).await?) {
                (Some(0), _) => "it is empty".to_owned(),
                (Some(_), Some(bytes)) => match lines_of(&bytes) {
                    Ok(0) => "it holds no action".to_owned(),
                    Ok(_) => continue,
                    Err(reason) => reason,
                },
                _ => match passed_over.iter().find(|name| checkpoint_version(name).is_some()) {
                    // What would have been read instead of this commit.
                    Some(checkpoint) => {
                        let reason =
                            format!("it cannot be read, and the commits before it are gone ({name})");
                        return Ok(Some(of(checkpoint, reason)));
                    }
                    None => "it is missing".to_owned(),
                },
            };
            return Ok(Some(of(&name, reason)));
        }
        Ok(None)
    }
}

/// `VERSION.checkpoint.parquet`, or with a part or an id in the middle.
fn checkpoint_version(name: &str) -> Option<u64> {
    let (digits, rest) = name.split_once(".checkpoint.")?;
    let is_file = rest.ends_with("parquet") || rest.ends_with(".json");
    (is_file && digits.len() == 20)
        .then(|| digits.parse().ok())
        .flatten()
}

/// Into how many parts a checkpoint was written, by the name of one: `VERSION.checkpoint.PART.PARTS.parquet`.
fn parts_of(name: &str) -> Option<usize> {
    let (_, rest) = name.split_once(".checkpoint.")?;
    let (_, parts) = rest.strip_suffix(".parquet")?.split_once('.')?;
    parts.parse().ok()
}

/// Actions of a commit.
fn lines_of(bytes: &[u8]) -> Result<usize, String> {
    let mut count = 0;
    for (number, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice::<Value>(line) {
            Ok(Value::Object(_)) => count += 1,
            Ok(_) => return Err(format!("line {number} is not an action")),
            Err(e) => return Err(format!("line {number} is not JSON: {e}")),
        }
    }
    Ok(count)
}

fn rows_of(bytes: Bytes) -> Result<(), String> {
    let rows = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|e| e.to_string())?;
    for batch in rows.build().map_err(|e| e.to_string())? {
        batch.map_err(|e| e.to_string())?;
    }
    Ok(())
}
