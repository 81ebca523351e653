//! Whether the rows that a load brought are still in its table. Bronze only ever grows, but another program may have put a
//! table back as it was, or taken rows out of it.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;
use nsc_contracts::{Layer, TableContract};

use crate::loads::LOAD_ID;
use crate::{DataFile, Lake, LakeError, LoadRecord, SessionOptions, Table, session};

/// The loads of a table as its log tells them.
struct LoggedLoads {
    /// Those that have a file for themselves.
    loads: BTreeSet<String>,
    /// Files of several loads, and of rows without one.
    mixed: Vec<DataFile>,
}

impl Table {
    /// The greatest id of a load that has rows here, as far as the log says: its beginning may be all that is kept of it.
    ///
    /// # Errors
    /// When the table is not loaded.
    pub fn newest_load(&self) -> Result<Option<String>, LakeError> {
        let greatest = self
            .known_files()?
            .iter()
            .filter_map(|f| f.greatest_text(LOAD_ID));
        Ok(greatest.max().map(str::to_owned))
    }

    fn knows_loads(&self) -> bool {
        self.schema().field_with_name(LOAD_ID).is_ok()
    }

    fn logged_loads(&self) -> Result<LoggedLoads, LakeError> {
        let mut logged = LoggedLoads {
            loads: BTreeSet::new(),
            mixed: Vec::new(),
        };
        if self.knows_loads() {
            for file in self.known_files()? {
                match file.only_text(LOAD_ID) {
                    Some(load) => _ = logged.loads.insert(load.to_owned()),
                    None => logged.mixed.push(file.clone()),
                }
            }
        }
        Ok(logged)
    }

    /// The loads that have rows in some files, which are read.
    async fn loads_among(
        &self,
        ctx: &SessionContext,
        files: Vec<DataFile>,
    ) -> Result<BTreeSet<String>, LakeError> {
        let mut loads = BTreeSet::new();
        if files.is_empty() {
            return Ok(loads);
        }
        let ids = ctx.read_table(self.scan(files))?.select_columns(&[LOAD_ID])?;
        for batch in ids.distinct()?.collect().await? {
            let ids = cast(batch.column(0), &DataType::Utf8)?;
            loads.extend(ids.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(loads)
    }
}

/// Which loads stand in one table, for whoever asks of many: what was found once is not looked for again.
#[derive(Debug, Default)]
pub struct StandingLoads {
    /// Loads that were found.
    loads: BTreeSet<String>,
    /// The version of the table whose log was looked at.
    version: Option<u64>,
    /// Files of several loads that were read.
    read: BTreeSet<String>,
    /// The loads that brought no row are among `loads`.
    has_empty: bool,
}

impl StandingLoads {
    /// Whether what a load brought stands in the table as it is now: its rows, or nothing where it brought none. `prefix` is how
    /// its id begins.
    ///
    /// # Errors
    /// Storage and engine errors.
    pub async fn has(&mut self, lake: &Lake, table: &Table, prefix: &str) -> Result<bool, LakeError> {
        if !table.knows_loads() || self.knows(prefix) {
            return Ok(true);
        }
        if self.version != Some(table.version()) {
            let LoggedLoads { loads, mut mixed } = table.logged_loads()?;
            self.loads.extend(loads);
            mixed.retain(|f| self.read.insert(f.path.clone()));
            let ctx = session(&SessionOptions::default())?;
            self.loads.extend(table.loads_among(&ctx, mixed).await?);
            self.version = Some(table.version());
        }
        if !self.knows(prefix) && !self.has_empty {
            let records = lake.load_records(&session(&SessionOptions::default())?).await?;
            let empty = records.into_iter().filter(|r| r.rows == Some(0));
            self.loads.extend(empty.map(|r| r.load_id));
            self.has_empty = true;
        }
        Ok(self.knows(prefix))
    }

    fn knows(&self, prefix: &str) -> bool {
        let first = self.loads.range(prefix.to_owned()..).next();
        first.is_some_and(|load| load.starts_with(prefix))
    }
}

impl Lake {
    /// The loads that have rows in a Bronze table: mostly the log knows, only files of several loads are read.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn loads_in(
        &self,
        ctx: &SessionContext,
        contract: &'static TableContract,
    ) -> Result<BTreeSet<String>, LakeError> {
        let Some(table) = self.unchecked(contract, None).await? else {
            return Ok(BTreeSet::new());
        };
        let LoggedLoads { mut loads, mixed } = table.logged_loads()?;
        loads.extend(table.loads_among(ctx, mixed).await?);
        Ok(loads)
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
