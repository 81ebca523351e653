//! Which days a table's commits changed since a version: what whoever computes from it has to look at again.
//!
//! A commit says it by the partitions of its files. What it means beyond those (the day a snapshot on midnight closes, the
//! days whose entries name a changed order) is known to the one who makes the change and to nobody afterwards, so it stands
//! in the commit as well, under [`REACH`]: it is there exactly when the change is.

use std::collections::BTreeSet;

use deltalake::kernel::{Add, Remove};
use futures::{StreamExt, TryStreamExt};
use nsc_core::DateKst;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::changes::LoggedCommit;
use crate::{Days, LakeError, Table};

/// Days beyond its partitions that a commit's rows matter for.
pub(crate) const REACH: &str = "nsc.reach";
/// The only columns a commit changes values of.
const COLUMNS: &str = "nsc.columns";
/// Commits read at once.
const AT_ONCE: usize = 8;

/// What one commit changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaysChanged {
    /// Days with a row that is new, another one or gone.
    pub days: BTreeSet<DateKst>,
    /// Days beyond those that the rows matter for; `None` when the commit does not say.
    pub reach: Option<Days>,
    /// The only columns with another value (beside those that name a run), when the commit says so.
    pub only: Option<BTreeSet<String>>,
}

/// The metadata of what a commit says of itself.
pub(crate) fn metadata(reach: Option<&Days>, only: Option<&[&str]>) -> Vec<(String, Value)> {
    let reach = reach.map(|days| (REACH, json!(days)));
    let only = only.map(|columns| (COLUMNS, json!(columns)));
    let said = reach.into_iter().chain(only);
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Table {
    /// What the commits after `version` changed, oldest first; `None` when the log does not reach back so far. Commits that
    /// change no row are passed over.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn days_changed_since(&self, version: u64) -> Result<Option<Vec<DaysChanged>>, LakeError> {
        if version > self.version() {
            return Ok(None);
        }
        let commits = futures::stream::iter(version + 1..=self.version());
        let commits: Vec<Option<LoggedCommit>> = commits
            .map(|number| self.commit_of(number))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let commits: Option<Vec<LoggedCommit>> = commits.into_iter().collect();
        Ok(commits.map(|all| all.iter().filter_map(of_commit).collect()))
    }
}

fn of_commit(commit: &LoggedCommit) -> Option<DaysChanged> {
    let reach = said::<Days>(commit, REACH);
    if !commit.changes_rows() && reach.is_none() {
        return None;
    }
    let added = commit.added.iter().filter(|add| add.data_change).map(day_of_add);
    let removed = commit.removed.iter().filter(|file| file.data_change);
    let days = added.chain(removed.map(day_of_remove)).flatten().collect();
    let only = said(commit, COLUMNS);
    Some(DaysChanged { days, reach, only })
}

fn said<T: DeserializeOwned>(commit: &LoggedCommit, name: &str) -> Option<T> {
    serde_json::from_value(commit.info.get(name)?.clone()).ok()
}

fn day_of_add(add: &Add) -> Option<DateKst> {
    day_of(add.partition_values.values().next()?.as_deref())
}

fn day_of_remove(file: &Remove) -> Option<DateKst> {
    day_of(file.partition_values.as_ref()?.values().next()?.as_deref())
}

fn day_of(value: Option<&str>) -> Option<DateKst> {
    value?.parse().ok()
}
