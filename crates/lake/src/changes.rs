//! What happened to a table since one of its versions, read from its log.

use std::collections::{BTreeMap, BTreeSet};

use deltalake::kernel::Action;
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

    /// What happened since `version`; `None` when the log does not tell: a commit that is not an upsert's, or is no longer
    /// there.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn changes_since(&self, version: u64) -> Result<Option<Changes>, LakeError> {
        let failed = |e| LakeError::delta(&self.name(), e);
        let mut changes = Changes::default();
        let mut removed = BTreeMap::new();
        let mut added = BTreeSet::new();
        for number in version + 1..=self.version() {
            let Some(bytes) = self.log_store().read_commit_entry(number).await.map_err(failed)? else {
                return Ok(None);
            };
            let mut is_told = false;
            for action in get_actions(number, &bytes).map_err(failed)? {
                match action {
                    Action::CommitInfo(info) => is_told = changes.add(&info.info.into_iter().collect()),
                    Action::Add(add) => {
                        added.insert(add.path);
                    }
                    Action::Remove(file) if !added.remove(&file.path) => {
                        let file = DataFile::from_remove(&file);
                        removed.insert(file.path.clone(), file);
                    }
                    _ => {}
                }
            }
            if !is_told {
                return Ok(None);
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
}
