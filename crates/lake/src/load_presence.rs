//! Whether the rows that a load brought are still in its table. Bronze only ever grows, but another program may have put a
//! table back as it was, or taken rows out of it.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::{SessionContext, col, lit};
use nsc_contracts::{Layer, TableContract};

use crate::changes::RUN_ID;
use crate::loads::LOAD_ID;
use crate::{Lake, LakeError, LoadRecord, SessionOptions, Table, session};

/// A commit of another program that took rows out of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The version it made.
    pub version: u64,
    /// What it called it, e.g. `RESTORE`.
    pub operation: String,
}

impl Table {
    /// The greatest id of a load that has rows here, as far as the log says: its beginning may be all that is kept of it.
    ///
    /// # Errors
    /// When the table is not loaded.
    pub fn newest_load(&self) -> Result<Option<String>, LakeError> {
        let files = self.files()?;
        let greatest = files.iter().filter_map(|f| f.greatest_text(LOAD_ID));
        Ok(greatest.max().map(str::to_owned))
    }

    /// Whether a load whose id begins with `prefix` has rows here. Mostly the log knows; only files of several loads are read.
    async fn holds_load(&self, prefix: &str) -> Result<bool, LakeError> {
        let end = format!("{prefix}~");
        let mut mixed = Vec::new();
        for file in self.files()? {
            match file.only_text(LOAD_ID) {
                Some(load) if load.starts_with(prefix) => return Ok(true),
                Some(_) => {}
                None if file.may_hold_text(LOAD_ID, prefix, &end) => mixed.push(file),
                None => {}
            }
        }
        if mixed.is_empty() {
            return Ok(false);
        }
        let ctx = session(&SessionOptions::default())?;
        let found = ctx
            .read_table(self.scan(mixed))?
            .filter(col(LOAD_ID).between(lit(prefix), lit(end)))?
            .select_columns(&[LOAD_ID])?
            .limit(0, Some(1))?;
        Ok(found.count().await? > 0)
    }

    /// The commits since `version` by which other programs took rows out; of a table that was put back to an earlier version, that.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn removals_since(&self, version: u64) -> Result<Vec<Removal>, LakeError> {
        if self.version() < version {
            let operation = "an earlier copy in its place".to_owned();
            return Ok(vec![Removal {
                version: self.version(),
                operation,
            }]);
        }
        let mut removals = Vec::new();
        for number in version + 1..=self.version() {
            let Some(commit) = self.commit_of(number).await? else {
                continue;
            };
            if commit.removed.iter().any(|file| file.data_change) && !commit.info.contains_key(RUN_ID) {
                let operation = commit
                    .operation
                    .unwrap_or_else(|| "it does not say how".to_owned());
                removals.push(Removal {
                    version: number,
                    operation,
                });
            }
        }
        Ok(removals)
    }
}

impl Lake {
    /// Whether what a load brought stands in its table: its rows, or nothing where it brought none. `prefix` is how its id begins.
    ///
    /// # Errors
    /// Storage and engine errors.
    pub async fn load_stands(&self, table: &Table, prefix: &str) -> Result<bool, LakeError> {
        if table.schema().field_with_name(LOAD_ID).is_err() || table.holds_load(prefix).await? {
            return Ok(true);
        }
        let records = self.load_records(&session(&SessionOptions::default())?).await?;
        Ok(records
            .iter()
            .any(|r| r.rows == Some(0) && r.load_id.starts_with(prefix)))
    }

    /// The loads that are recorded with rows of which none is in their table, unless the same delivery was loaded again: rows
    /// that another program took out, or a load that ended before its rows were committed.
    ///
    /// # Errors
    /// Storage and engine errors.
    pub async fn lost_loads(&self, ctx: &SessionContext) -> Result<Vec<LoadRecord>, LakeError> {
        let mut by_load: BTreeMap<String, LoadRecord> = BTreeMap::new();
        for record in self.load_records(ctx).await? {
            // The first of a load says what it brought, the newest what became of it.
            let state = record.state;
            by_load.entry(record.load_id.clone()).or_insert(record).state = state;
        }
        let mut present: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for contract in nsc_contracts::tables().filter(is_bronze) {
            present.insert(contract.full_name(), self.loads_in(ctx, contract).await?);
        }
        let has_rows = |r: &LoadRecord| present.get(&r.table_name).is_some_and(|p| p.contains(&r.load_id));
        let delivery = |r: &LoadRecord| (r.table_name.clone(), r.content_blake3.clone(), r.delivery.clone());
        let (there, gone): (Vec<_>, Vec<_>) = by_load.into_values().partition(|r| has_rows(r));
        let again: BTreeSet<_> = there.iter().map(delivery).collect();
        let is_lost = |r: &LoadRecord| {
            r.rows != Some(0) && r.state != crate::LoadState::Retracted && !again.contains(&delivery(r))
        };
        Ok(gone.into_iter().filter(is_lost).collect())
    }
}

fn is_bronze(contract: &&'static TableContract) -> bool {
    contract.layer == Layer::Bronze
}
