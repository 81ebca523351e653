//! What happened to a table since one of its versions, read from its log.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deltalake::kernel::{Action, Add, Remove};
use deltalake::logstore::get_actions;
use serde_json::{Value, json};

use crate::{DataFile, LakeError, Table, UpsertOutcome};

/// The run that made a commit, as its metadata names it.
pub const RUN_ID: &str = "nsc.runId";
/// What an upsert's commit did, in rows.
const ROWS: &str = "nsc.rows";

/// The commits between two versions, taken together. Every row that is new or changed carries the id of one of the runs.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The runs that wrote.
    pub runs: BTreeSet<String>,
    /// What they did. A row that moved from one partition to another was updated.
    pub rows: UpsertOutcome,
    /// Rows that moved.
    pub moved: u64,
    /// Files that are part of the table now and were not then.
    pub added: Vec<DataFile>,
    /// Files that were part of the table then and are not now. They may be gone.
    pub removed: Vec<DataFile>,
}

/// What came to a table since one of its versions.
#[derive(Debug)]
pub struct Arrivals {
    /// Files with rows that were not there.
    pub new: Vec<DataFile>,
    /// Commits of other programs that took rows out.
    pub removals: Vec<Removal>,
}

/// A commit of another program that took rows out of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The version it made.
    pub version: u64,
    /// What it called it, e.g. `RESTORE`.
    pub operation: String,
}

/// The metadata of an upsert's commit.
pub(crate) fn metadata(rows: UpsertOutcome, moved: u64) -> (String, Value) {
    (ROWS.to_owned(), json!({ "rows": rows, "moved": moved }))
}

impl Changes {
    /// Adds one commit; false when it does not say what it did.
    fn add(&mut self, info: &serde_json::Map<String, Value>) -> bool {
        let run = info.get(RUN_ID).and_then(Value::as_str);
        let rows = info.get(ROWS).and_then(|v| v.get("rows").cloned());
        let rows = rows.and_then(|v| serde_json::from_value::<UpsertOutcome>(v).ok());
        let moved = info
            .get(ROWS)
            .and_then(|v| v.get("moved"))
            .and_then(Value::as_u64);
        let (Some(run), Some(rows), Some(moved)) = (run, rows, moved) else {
            return false;
        };
        self.runs.insert(run.to_owned());
        self.rows = self.rows.plus(rows);
        self.moved += moved;
        true
    }
}

impl Table {
    /// What tells this table from another one that may come to stand in its place.
    ///
    /// # Errors
    /// When the table is not loaded.
    pub fn id(&self) -> Result<String, LakeError> {
        let state = self
            .delta()
            .snapshot()
            .map_err(|e| LakeError::delta(&self.name(), e))?;
        Ok(state.metadata().id().to_string())
    }

    /// What happened since `version`; `None` when the log does not tell: a commit of rows that is not an upsert's, or one
    /// that is no longer there. Commits that change no row are passed over: files that were only put together, a column that
    /// was added.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn changes_since(&self, version: u64) -> Result<Option<Changes>, LakeError> {
        let mut changes = Changes::default();
        let mut removed = BTreeMap::new();
        let mut added = BTreeSet::new();
        for number in version + 1..=self.version() {
            let Some(commit) = self.commit_of(number).await? else {
                return Ok(None);
            };
            if !commit.changes_rows() {
                if !commit.rearrange(&mut added, Mixed::Unknown) {
                    return Ok(None);
                }
                continue;
            }
            if !changes.add(&commit.info) {
                return Ok(None);
            }
            added.extend(commit.added.into_iter().map(|add| add.path));
            for file in commit.removed {
                if !added.remove(&file.path) {
                    let file = DataFile::from_remove(&file);
                    removed.insert(file.path.clone(), file);
                }
            }
        }
        changes.added = self
            .files()?
            .into_iter()
            .filter(|f| added.contains(&f.path))
            .collect();
        changes.removed = removed.into_values().collect();
        Ok((version <= self.version()).then_some(changes))
    }

    /// What came to this version since `version`, and what other programs took out of it. A file that other files were put
    /// together into (`dataChange` is false) is new when one of those was: its other rows are then taken for new as well. Where
    /// the log does not tell, all files are new.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn arrivals_since(&self, version: u64) -> Result<Arrivals, LakeError> {
        let mut arrivals = Arrivals {
            new: self.files()?,
            removals: Vec::new(),
        };
        if self.version() < version {
            arrivals.removals.push(Removal {
                version: self.version(),
                operation: "an earlier copy in its place".to_owned(),
            });
            return Ok(arrivals);
        }
        let mut new = BTreeSet::new();
        // A file that is taken out and put back holds what it held.
        let mut known = BTreeSet::new();
        let mut is_whole = true;
        for number in version + 1..=self.version() {
            let Some(commit) = self.commit_of(number).await? else {
                is_whole = false;
                continue;
            };
            arrivals.removals.extend(commit.removal(number));
            if !commit.changes_rows() {
                commit.rearrange(&mut new, Mixed::New);
                continue;
            }
            for file in commit.removed {
                if !new.remove(&file.path) {
                    known.insert(file.path);
                }
            }
            let added = commit.added.into_iter().map(|add| add.path);
            new.extend(added.filter(|path| !known.contains(path)));
        }
        if is_whole {
            arrivals.new.retain(|f| new.contains(&f.path));
        } else {
            tracing::warn!(
                table = self.name(),
                version,
                "the log does not reach back so far; all files are taken as new"
            );
        }
        Ok(arrivals)
    }

    /// One commit of the log, when it is still there.
    pub(crate) async fn commit_of(&self, number: u64) -> Result<Option<LoggedCommit>, LakeError> {
        let failed = |e| LakeError::delta(&self.name(), e);
        let Some(bytes) = self.log_store().read_commit_entry(number).await.map_err(failed)? else {
            return Ok(None);
        };
        let mut commit = LoggedCommit::default();
        for action in get_actions(number, &bytes).map_err(failed)? {
            match action {
                Action::CommitInfo(info) => {
                    commit.operation = info.operation;
                    commit.info = info.info.into_iter().collect();
                }
                Action::Add(add) => commit.added.push(add),
                Action::Remove(file) => commit.removed.push(file),
                _ => {}
            }
        }
        Ok(Some(commit))
    }
}

/// What a commit says.
#[derive(Debug, Default)]
pub(crate) struct LoggedCommit {
    pub(crate) operation: Option<String>,
    pub(crate) info: serde_json::Map<String, Value>,
    pub(crate) added: Vec<Add>,
    pub(crate) removed: Vec<Remove>,
}

/// What is known of a file that others, some of them new, were put together into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mixed {
    /// It counts as new.
    New,
    /// Nothing can be said.
    Unknown,
}

impl LoggedCommit {
    /// Whether any row is another one afterwards; files may have been put together all the same, by any engine.
    pub(crate) fn changes_rows(&self) -> bool {
        self.added.iter().any(|add| add.data_change) || self.removed.iter().any(|file| file.data_change)
    }

    /// That another program took rows out, if it did.
    fn removal(&self, version: u64) -> Option<Removal> {
        let is_of_others = !self.info.contains_key(RUN_ID);
        let takes_out = is_of_others && self.removed.iter().any(|file| file.data_change);
        takes_out.then(|| Removal {
            version,
            operation: self
                .operation
                .clone()
                .unwrap_or_else(|| "it does not say how".to_owned()),
        })
    }

    /// Files of a commit that changes no row: those of a partition in which new files were put together are new. False when
    /// new and old ones were, and that matters.
    fn rearrange(&self, new: &mut BTreeSet<String>, mixed: Mixed) -> bool {
        // Partition to (some of its removed files were new, some were not).
        let mut partitions: BTreeMap<_, (bool, bool)> = BTreeMap::new();
        for file in &self.removed {
            let of = partitions
                .entry(partition(file.partition_values.as_ref()))
                .or_default();
            if new.remove(&file.path) {
                of.0 = true;
            } else {
                of.1 = true;
            }
        }
        for add in &self.added {
            let (was_new, was_old) = partitions
                .get(&partition(Some(&add.partition_values)))
                .copied()
                .unwrap_or_default();
            if was_new && was_old && mixed == Mixed::Unknown {
                return false;
            }
            if was_new {
                new.insert(add.path.clone());
            }
        }
        true
    }
}

fn partition(values: Option<&HashMap<String, Option<String>>>) -> BTreeMap<String, Option<String>> {
    values
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}
