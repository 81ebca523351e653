//! What a pipeline has seen of the tables it reads, and so what it owes: each success records the versions of its inputs, and
//! the next run asks their logs which days changed since.
//!
//! A producer knows nobody who reads its table. It says in a commit which days the change matters for, and whoever reads the
//! table keeps its own cursor, in the record that marks its success: a run that dies has seen nothing.

use std::collections::{BTreeMap, BTreeSet};

use nsc_core::DateKst;
use nsc_lake::{Days, DaysChanged, Table};
use nsc_transforms::silver::OF_ORDER;

use crate::{PipelineError, RunContext};

pub(crate) const SNAPSHOTS: &str = "silver.wallet_snapshot";
/// What a log may leave open of the time of a snapshot on midnight.
const OPENING_MICROS: i64 = 1000;

/// What the rows of a table mean for a day's result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    pub(crate) table: &'static str,
    /// The day's rows are read.
    pub(crate) days: bool,
    /// What a commit says of other days counts.
    pub(crate) reach: bool,
    /// Every later day follows from the day's rows as well: positions and supply chain.
    pub(crate) chains: bool,
}

/// A table of which the day's rows are read, and what a commit says of other days.
pub(crate) const fn input(table: &'static str) -> Input {
    Input {
        table,
        days: true,
        reach: true,
        chains: false,
    }
}

/// The tables a pipeline reads, as they are when its run begins.
pub(crate) struct Inputs(Vec<(Input, Table)>);

impl Inputs {
    pub(crate) async fn open(run: &RunContext, all: &[Input]) -> Result<Self, PipelineError> {
        let mut tables = Vec::new();
        for input in all {
            if let Some(table) = run.existing(input.table).await? {
                tables.push((*input, table));
            }
        }
        Ok(Self(tables))
    }

    /// What a success that has seen them records.
    pub(crate) fn cursors(&self) -> Result<BTreeMap<String, u64>, PipelineError> {
        let tables = self.0.iter();
        tables
            .map(|(_, table)| Ok((key(table)?, table.version())))
            .collect()
    }

    /// The days that changed since some cursors, among them the `done` ones that follow from an earlier day; `None` when that
    /// cannot be told: a log that is no longer there, another table in a table's place, a change by somebody else.
    pub(crate) async fn changed_since(
        &self,
        cursors: &BTreeMap<String, u64>,
        done: &Days,
    ) -> Result<Option<BTreeSet<DateKst>>, PipelineError> {
        let (mut days, mut first) = (BTreeSet::new(), None::<DateKst>);
        for (input, table) in &self.0 {
            let Some(version) = seen(cursors, table)? else {
                return Ok(None);
            };
            let Some(commits) = table.days_changed_since(version).await? else {
                return Ok(None);
            };
            for commit in commits {
                let Some(changed) = input.days_of(&commit) else {
                    return Ok(None);
                };
                if input.chains && !is_of_orders(&commit) {
                    first = first.into_iter().chain(changed.first().copied()).min();
                }
                days.extend(changed);
            }
        }
        if let Some(first) = first {
            days.extend(done.iter().filter(|day| first <= *day));
        }
        Ok(Some(days))
    }

    /// The days with rows, from the logs: what lies between two such days costs nothing. A snapshot on midnight closes the day
    /// before, and is all there is of many a last day; the day before the first has nothing to close.
    pub(crate) fn days_with_rows(&self) -> Result<BTreeSet<DateKst>, PipelineError> {
        let (mut days, mut closed) = (BTreeSet::new(), BTreeSet::new());
        for (_, table) in self.0.iter().filter(|(input, _)| input.days) {
            for file in table.files()? {
                let Some(day) = file.partition_date() else {
                    continue;
                };
                if table.name() != SNAPSHOTS {
                    days.insert(day);
                    continue;
                }
                let may_hold = |first, last| file.may_hold_instant("snapshot_ts", first, last);
                if may_hold(day.start(), day.start()) {
                    closed.insert(day.previous());
                }
                if may_hold(day.start().plus(OPENING_MICROS), day.end()) {
                    days.insert(day);
                }
            }
        }
        if days.first().is_none_or(|first| closed.first() < Some(first)) {
            closed.pop_first();
        }
        days.extend(closed);
        Ok(days)
    }
}

impl Input {
    /// The days a commit matters for; `None` when it does not say.
    fn days_of(&self, commit: &DaysChanged) -> Option<BTreeSet<DateKst>> {
        let mut days = BTreeSet::new();
        if self.days {
            days.extend(&commit.days);
        }
        if self.reach {
            days.extend(commit.reach.as_ref()?.iter());
        }
        Some(days)
    }
}

/// Whether nothing of the entries changed but what they take from their orders, from which no balance follows.
fn is_of_orders(commit: &DaysChanged) -> bool {
    let only = commit.only.as_ref();
    only.is_some_and(|columns| columns.iter().all(|c| OF_ORDER.contains(&c.as_str())))
}

/// Names a table, and tells it from another one that may come to stand in its place.
fn key(table: &Table) -> Result<String, PipelineError> {
    Ok(format!("{} {}", table.name(), table.id()?))
}

/// The version of a table that some cursors have seen: none of it when the table has come to be since, `None` when it was
/// another table.
fn seen(cursors: &BTreeMap<String, u64>, table: &Table) -> Result<Option<u64>, PipelineError> {
    let known = cursors.get(&key(table)?).copied();
    let was_there = |key: &String| key.split(' ').next() == Some(table.name().as_str());
    Ok(known.or_else(|| (!cursors.keys().any(was_there)).then_some(0)))
}
