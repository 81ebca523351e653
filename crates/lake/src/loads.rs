//! `ops.load`: what was loaded, and what was taken back (lakehouse contract 2, "Loads"). Rows are only ever added; the
//! newest row of a load says what it is now.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use datafusion::functions_aggregate::expr_fn::{count, min};
use datafusion::prelude::{SessionContext, col, lit};
use nsc_contracts::ops::LOAD;
use nsc_contracts::{Layer, TableContract};
use nsc_core::UtcMicros;

use crate::{DataFile, Lake, LakeError, Table};

/// The column of a Bronze table that names a row's load.
pub(crate) const LOAD_ID: &str = "load_id";

/// What became of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadState {
    /// Its rows count.
    Loaded,
    /// It was taken back: its rows stay in Bronze and count no more.
    Retracted,
    /// It was taken back once; its rows count again.
    Restored,
}

impl LoadState {
    /// As it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "LOADED",
            Self::Retracted => "RETRACTED",
            Self::Restored => "RESTORED",
        }
    }

    /// Read back; `None` for any other text.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        [Self::Loaded, Self::Retracted, Self::Restored]
            .into_iter()
            .find(|s| s.name() == text)
    }
}

impl fmt::Display for LoadState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadRecord {
    /// The load.
    pub load_id: String,
    /// Its Bronze table, `bronze.<name>`.
    pub table_name: String,
    /// What it became.
    pub state: LoadState,
    /// Base name of the file, or `-`.
    pub input: Option<String>,
    /// The input as it was named.
    pub source_path: Option<String>,
    /// BLAKE3 of the uncompressed content.
    pub content_blake3: Option<String>,
    /// What marks the delivery.
    pub delivery: Option<String>,
    /// Uncompressed bytes.
    pub bytes: Option<i64>,
    /// Lines.
    pub lines: Option<i64>,
    /// Rows.
    pub rows: Option<i64>,
    /// Malformed ones among them.
    pub malformed: Option<i64>,
    /// Bytes of the file.
    pub file_size: Option<i64>,
    /// Modification time of the file.
    pub file_modified: Option<UtcMicros>,
    /// The load's own time.
    pub ingested_at: Option<UtcMicros>,
    /// Who did it.
    pub actor: Option<String>,
    /// Version of the program.
    pub version: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When the row was written.
    pub recorded_at: UtcMicros,
}

impl Lake {
    /// Adds a row. Rows of other writers that come at the same time are kept.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn record_load(&self, record: &LoadRecord) -> Result<(), LakeError> {
        let mut table = self.table(&LOAD).await?;
        let mut writer = table.writer()?;
        writer.write(&batch_of(record)?).await?;
        let staged = writer.finish().await?;
        table.commit_append(staged, Vec::new(), Vec::new()).await?;
        Ok(())
    }

    /// Every row, by load and time.
    ///
    /// # Errors
    /// Storage errors and values that cannot be read back.
    pub async fn load_records(&self, ctx: &SessionContext) -> Result<Vec<LoadRecord>, LakeError> {
        let Some(table) = self.existing(&LOAD).await? else {
            return Ok(Vec::new());
        };
        records_in(&table, table.files()?, ctx).await
    }
}

impl Lake {
    /// The loads that have rows in Bronze and none in this table, as their rows tell: only when the table was lost, for a load
    /// is recorded before its rows are committed.
    ///
    /// # Errors
    /// Storage and engine errors.
    pub async fn unrecorded_loads(
        &self,
        ctx: &SessionContext,
        recorded: &BTreeSet<String>,
    ) -> Result<Vec<LoadRecord>, LakeError> {
        let mut unrecorded = Vec::new();
        for contract in nsc_contracts::tables().filter(|t| t.layer == Layer::Bronze) {
            let mut lost = self.loads_in(ctx, contract).await?;
            lost.retain(|load| !recorded.contains(load));
            if lost.is_empty() {
                continue;
            }
            let Some(table) = self.unchecked(contract, None).await? else {
                continue;
            };
            let lost: Vec<_> = lost.iter().map(|load| lit(load.as_str())).collect();
            let rows = ctx
                .read_table(table.scan_all()?)?
                .filter(col(LOAD_ID).in_list(lost, false))?
                .aggregate(
                    vec![col(LOAD_ID)],
                    vec![
                        min(col("source_ref")).alias("source_ref"),
                        min(col("ingested_at")).alias("ingested_at"),
                        count(lit(1_i64)).alias("rows"),
                        count(col("_corrupt_record")).alias("malformed"),
                    ],
                )?
                .collect()
                .await?;
            for batch in &rows {
                told_by_rows(contract, batch, &mut unrecorded)?;
            }
        }
        unrecorded.sort_by(|a, b| a.load_id.cmp(&b.load_id));
        Ok(unrecorded)
    }
}

/// What the rows of loads tell of them: load, a place in the input, the load's time, rows and malformed ones.
fn told_by_rows(
    contract: &TableContract,
    batch: &RecordBatch,
    records: &mut Vec<LoadRecord>,
) -> Result<(), LakeError> {
    let text = |column: usize| -> Result<StringArray, LakeError> {
        Ok(cast(batch.column(column), &DataType::Utf8)?
            .as_string::<i32>()
            .clone())
    };
    let (loads, places) = (text(0)?, text(1)?);
    let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
    let [rows, malformed] = [3, 4].map(|column| batch.column(column).as_primitive::<Int64Type>());
    for i in 0..batch.num_rows() {
        let at = UtcMicros::new(times.value(i));
        let input = places.value(i).strip_prefix("file:");
        records.push(LoadRecord {
            load_id: loads.value(i).to_owned(),
            table_name: contract.full_name(),
            state: LoadState::Loaded,
            input: input.map(|place| place.rsplit_once('#').map_or(place, |(name, _)| name).to_owned()),
            source_path: None,
            content_blake3: None,
            delivery: None,
            bytes: None,
            lines: None,
            rows: Some(rows.value(i)),
            malformed: Some(malformed.value(i)),
            file_size: None,
            file_modified: None,
            ingested_at: Some(at),
            actor: None,
            version: None,
            reason: None,
            recorded_at: at,
        });
    }
    Ok(())
}

/// Which loads were taken back, as one version of the table says.
#[derive(Debug, Clone, Default)]
pub struct LoadStates {
    table: Option<Table>,
    /// By load, of those whose state was ever changed: table, and whether it is retracted now.
    newest: BTreeMap<String, (String, bool)>,
}

impl LoadStates {
    /// Reads the newest version.
    ///
    /// # Errors
    /// Storage errors and values that cannot be read back.
    pub async fn read(lake: &Lake, ctx: &SessionContext) -> Result<Self, LakeError> {
        let Some(table) = lake.existing(&LOAD).await? else {
            return Ok(Self::default());
        };
        let changes = changes_in(&table, changed_files(&table)?, ctx).await?;
        let newest = changes.into_iter().map(|r| {
            let is_retracted = r.state == LoadState::Retracted;
            (r.load_id, (r.table_name, is_retracted))
        });
        Ok(Self {
            newest: newest.collect(),
            table: Some(table),
        })
    }

    /// Under this name a success of Silver records the version whose retractions it has carried out, once there are any.
    pub const SEEN: &'static str = "ops.load";

    /// What must be known when records that a success had `seen` are gone: the table was lost, or put back as it was before.
    #[must_use]
    pub fn lost(&self, seen: &BTreeMap<String, u64>) -> Option<String> {
        let seen = *seen.get(Self::SEEN)?;
        let now = self.table.as_ref().map(Table::version);
        now.is_none_or(|now| now < seen).then(|| {
            "records of loads are gone (ops.load was lost or put back): loads that were taken back may count again. \
             Put the table back from a copy and run the days again; without one, take them back again: nsc loads list --state \
             unrecorded names the loads"
                .to_owned()
        })
    }

    /// The version that was read; `None` when no load was ever taken back: there is nothing to take note of.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        let table = self.table.as_ref().filter(|_| !self.newest.is_empty());
        table.map(Table::version)
    }

    /// The loads that were retracted or restored since an earlier version; all that ever were when there is none.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub async fn changed_since(
        &self,
        lake: &Lake,
        ctx: &SessionContext,
        seen: Option<u64>,
    ) -> Result<BTreeSet<String>, LakeError> {
        let Some(table) = self.table.as_ref().filter(|_| !self.newest.is_empty()) else {
            return Ok(BTreeSet::new());
        };
        let known = known_files(lake, seen, table.version()).await;
        let mut files = changed_files(table)?;
        files.retain(|f| !known.contains(&f.path));
        let changes = changes_in(table, files, ctx).await?;
        Ok(changes.into_iter().map(|r| r.load_id).collect())
    }

    /// The retracted loads of a table (`bronze.<name>`), in their order.
    pub fn retracted(&self, table: &str) -> impl Iterator<Item = &str> {
        self.newest
            .iter()
            .filter(move |(_, (of, is_retracted))| *is_retracted && of == table)
            .map(|(id, _)| id.as_str())
    }

    /// The loads of a table that were retracted once and count again, in their order.
    pub fn restored(&self, table: &str) -> impl Iterator<Item = &str> {
        self.newest
            .iter()
            .filter(move |(_, (of, is_retracted))| !*is_retracted && of == table)
            .map(|(id, _)| id.as_str())
    }
}

/// Files that may hold a row of another state than the first: most hold the one row of a load.
fn changed_files(table: &Table) -> Result<Vec<DataFile>, LakeError> {
    let (low, high) = (LoadState::Restored.name(), LoadState::Retracted.name());
    let mut files = table.files()?;
    files.retain(|f| f.may_hold_text("state", low, high));
    Ok(files)
}

/// The retractions and restorations among the rows of some files, by load and time.
async fn changes_in(
    table: &Table,
    files: Vec<DataFile>,
    ctx: &SessionContext,
) -> Result<Vec<LoadRecord>, LakeError> {
    let mut changes = records_in(table, files, ctx).await?;
    changes.retain(|r| r.state != LoadState::Loaded);
    Ok(changes)
}

/// Paths of the files of an earlier version; none when it is not known or can no longer be read, which makes every state
/// count as changed: what follows from a change can be done twice.
async fn known_files(lake: &Lake, seen: Option<u64>, newest: u64) -> HashSet<String> {
    let Some(seen) = seen.filter(|s| *s <= newest) else {
        return HashSet::new();
    };
    match lake.unchecked(&LOAD, Some(seen)).await {
        Ok(Some(table)) => table
            .files()
            .map(|files| files.into_iter().map(|f| f.path).collect())
            .unwrap_or_default(),
        Ok(None) => HashSet::new(),
        Err(error) => {
            tracing::warn!(version = seen, %error, "version of ops.load of the last success cannot be read; all states are taken as new");
            HashSet::new()
        }
    }
}

/// The rows of some files, by load and time.
async fn records_in(
    table: &Table,
    files: Vec<DataFile>,
    ctx: &SessionContext,
) -> Result<Vec<LoadRecord>, LakeError> {
    let mut records = Vec::new();
    for batch in ctx.read_table(table.scan(files))?.collect().await? {
        read(&batch, &mut records)?;
    }
    records.sort_by(|a, b| (&a.load_id, a.recorded_at, a.state).cmp(&(&b.load_id, b.recorded_at, b.state)));
    Ok(records)
}

/// The columns that a record keeps as texts, in the order in which they are read.
const TEXTS: [&str; 7] = [
    "load_id",
    "table_name",
    "state",
    "input",
    "source_path",
    "content_blake3",
    "delivery",
];

fn read(batch: &RecordBatch, records: &mut Vec<LoadRecord>) -> Result<(), LakeError> {
    let corrupt = |name: &str, reason: &str| LakeError::Corrupt {
        what: format!("ops.load.{name}"),
        reason: reason.to_owned(),
    };
    let column = |name: &str| {
        let found = batch.column_by_name(name);
        found.ok_or_else(|| corrupt(name, "the column is missing"))
    };
    let text = |name: &str| -> Result<StringArray, LakeError> {
        Ok(cast(column(name)?, &DataType::Utf8)?.as_string::<i32>().clone())
    };
    let number = |name: &str| -> Result<Int64Array, LakeError> {
        Ok(cast(column(name)?, &DataType::Int64)?
            .as_primitive::<Int64Type>()
            .clone())
    };
    let time = |name: &str| {
        let found = column(name)?.as_primitive_opt::<TimestampMicrosecondType>();
        found
            .cloned()
            .ok_or_else(|| corrupt(name, "it is not a timestamp"))
    };
    let texts = TEXTS.map(&text).into_iter().collect::<Result<Vec<_>, _>>()?;
    let notes = ["actor", "version", "reason"].map(&text);
    let notes = notes.into_iter().collect::<Result<Vec<_>, _>>()?;
    let counts = ["bytes", "lines", "rows", "malformed", "file_size"].map(&number);
    let counts = counts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let times = ["file_modified", "ingested_at", "recorded_at"].map(&time);
    let times = times.into_iter().collect::<Result<Vec<_>, _>>()?;
    for i in 0..batch.num_rows() {
        let text = |of: &[StringArray], n: usize| {
            let column = of.get(n).filter(|c| c.is_valid(i));
            column.map(|c| c.value(i).to_owned())
        };
        let count = |n: usize| counts.get(n).filter(|c| c.is_valid(i)).map(|c| c.value(i));
        let time = |n: usize| {
            let column = times.get(n).filter(|c| c.is_valid(i));
            column.map(|c| UtcMicros::new(c.value(i)))
        };
        let state = text(&texts, 2).unwrap_or_default();
        records.push(LoadRecord {
            load_id: text(&texts, 0).unwrap_or_default(),
            table_name: text(&texts, 1).unwrap_or_default(),
            state: LoadState::named(&state)
                .ok_or_else(|| corrupt("state", &format!("{state:?} is no state of a load")))?,
            input: text(&texts, 3),
            source_path: text(&texts, 4),
            content_blake3: text(&texts, 5),
            delivery: text(&texts, 6),
            bytes: count(0),
            lines: count(1),
            rows: count(2),
            malformed: count(3),
            file_size: count(4),
            file_modified: time(0),
            ingested_at: time(1),
            actor: text(&notes, 0),
            version: text(&notes, 1),
            reason: text(&notes, 2),
            recorded_at: time(2).unwrap_or(UtcMicros::new(0)),
        });
    }
    Ok(())
}

fn batch_of(record: &LoadRecord) -> Result<RecordBatch, LakeError> {
    let text =
        |value: Option<&String>| Arc::new(StringArray::from(vec![value.map(String::as_str)])) as ArrayRef;
    let number = |value: Option<i64>| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let time = |value: Option<UtcMicros>| {
        let micros = TimestampMicrosecondArray::from(vec![value.map(UtcMicros::micros)]);
        Arc::new(micros.with_timezone("UTC")) as ArrayRef
    };
    let state = record.state.name().to_owned();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("load_id", text(Some(&record.load_id)), false),
        ("table_name", text(Some(&record.table_name)), false),
        ("state", text(Some(&state)), false),
        ("input", text(record.input.as_ref()), true),
        ("source_path", text(record.source_path.as_ref()), true),
        ("content_blake3", text(record.content_blake3.as_ref()), true),
        ("delivery", text(record.delivery.as_ref()), true),
        ("bytes", number(record.bytes), true),
        ("lines", number(record.lines), true),
        ("rows", number(record.rows), true),
        ("malformed", number(record.malformed), true),
        ("file_size", number(record.file_size), true),
        ("file_modified", time(record.file_modified), true),
        ("ingested_at", time(record.ingested_at), true),
        ("actor", text(record.actor.as_ref()), true),
        ("version", text(record.version.as_ref()), true),
        ("reason", text(record.reason.as_ref()), true),
        ("recorded_at", time(Some(record.recorded_at)), false),
    ])?)
}
