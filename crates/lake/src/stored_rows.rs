//! The stored rows of a scope as fingerprints: what an upsert compares new rows with.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use nsc_contracts::{Column, TableContract};

use crate::{Conflict, DataFile, LakeError, Scope, Table, fingerprint};

/// Index of a stored row in [`StoredRows`].
type Position = u32;

/// Fingerprints of the stored rows of a scope; built once, then shared by all writers.
pub(crate) struct StoredRows {
    by_key: HashMap<u128, Position>,
    contents: Vec<u128>,
    files: Vec<u32>,
    versions: Vec<Box<[u8]>>,
    /// One bit a row: some new row has its key.
    seen: Vec<AtomicU64>,
    /// Identity and content of rows appended by this very upsert (`Append` only).
    appended: Mutex<HashSet<(u128, u128)>>,
}

/// Which columns name a row and which are compared.
#[derive(Clone)]
pub(crate) struct Comparison {
    pub(crate) key: &'static [&'static str],
    pub(crate) compared: Vec<&'static str>,
    /// Of several stored rows of one identity the newest by this column counts.
    order: Option<&'static str>,
}

impl Comparison {
    pub(crate) fn of(contract: &'static TableContract) -> Self {
        let key = if contract.key.is_empty() {
            contract.identity
        } else {
            contract.key
        };
        let compared = contract
            .columns
            .iter()
            .map(|c: &Column| c.name)
            .filter(|n| !contract.lineage.contains(n))
            .collect();
        let order = ["generated_at", "detected_at"]
            .into_iter()
            .find(|n| contract.columns.iter().any(|c| c.name == *n));
        Self { key, compared, order }
    }
}

impl StoredRows {
    /// Reads the rows of a scope, file by file.
    pub(crate) async fn read(
        ctx: &SessionContext,
        table: &Table,
        scope: &Scope,
        comparison: &Comparison,
    ) -> Result<Self, LakeError> {
        let mut rows = Self {
            by_key: HashMap::new(),
            contents: Vec::new(),
            files: Vec::new(),
            versions: Vec::new(),
            seen: Vec::new(),
            appended: Mutex::default(),
        };
        let mut order: Vec<i64> = Vec::new();
        for (number, file) in scope.files.iter().enumerate() {
            let mut stream = rows_of(ctx, table, file, scope)?.execute_stream().await?;
            while let Some(batch) = stream.try_next().await? {
                let times = comparison.order.map(|c| times_of(&batch, c)).transpose()?;
                rows.take(
                    &batch,
                    u32::try_from(number).unwrap_or(u32::MAX),
                    scope.conflict,
                    comparison,
                    times.as_deref(),
                    &mut order,
                )?;
            }
        }
        rows.seen = (0..rows.contents.len().div_ceil(64))
            .map(|_| AtomicU64::new(0))
            .collect();
        Ok(rows)
    }

    fn take(
        &mut self,
        batch: &RecordBatch,
        file: u32,
        conflict: Conflict,
        comparison: &Comparison,
        times: Option<&[i64]>,
        order: &mut Vec<i64>,
    ) -> Result<(), LakeError> {
        let keys = fingerprint::rows(batch, comparison.key)?;
        let contents = fingerprint::rows(batch, &comparison.compared)?;
        let versions = if conflict == Conflict::Newest {
            fingerprint::versions(batch)?
        } else {
            Vec::new()
        };
        for (i, (key, content)) in keys.into_iter().zip(contents).enumerate() {
            let time = times.and_then(|t| t.get(i)).copied().unwrap_or_default();
            if conflict == Conflict::Append {
                if let Some(known) = self.by_key.get(&key).map(|p| *p as usize) {
                    if order.get(known).is_some_and(|t| *t <= time) {
                        self.contents[known] = content;
                        order[known] = time;
                    }
                    continue;
                }
                order.push(time);
            }
            let position = Position::try_from(self.contents.len()).map_err(|_| too_many())?;
            self.by_key.insert(key, position);
            self.contents.push(content);
            self.files.push(file);
            if let Some(version) = versions.get(i) {
                self.versions.push(version.clone());
            }
        }
        Ok(())
    }

    /// Whether a row of this identity and content is the first of this upsert.
    pub(crate) fn is_first(&self, key: u128, content: u128) -> bool {
        // A writer that panicked left a complete set behind: it only ever grows by one entry at a time.
        self.appended
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert((key, content))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// The stored row of a key; marks it as met by a new row.
    pub(crate) fn meet(&self, key: u128) -> Option<StoredRow<'_>> {
        let position = *self.by_key.get(&key)? as usize;
        if let Some(word) = self.seen.get(position / 64) {
            word.fetch_or(1 << (position % 64), Ordering::Relaxed);
        }
        Some(StoredRow {
            content: *self.contents.get(position)?,
            version: self.versions.get(position).map(AsRef::as_ref),
            file: *self.files.get(position)?,
        })
    }

    /// Rows no new row has met: (key, file).
    pub(crate) fn unmet(&self) -> impl Iterator<Item = (u128, u32)> + '_ {
        let met = |p: usize| {
            self.seen
                .get(p / 64)
                .is_some_and(|w| w.load(Ordering::Relaxed) & (1 << (p % 64)) != 0)
        };
        self.by_key
            .iter()
            .filter(move |(_, p)| !met(**p as usize))
            .filter_map(|(key, p)| Some((*key, *self.files.get(*p as usize)?)))
    }
}

fn too_many() -> LakeError {
    LakeError::Corrupt {
        what: "an upsert's scope".to_owned(),
        reason: "more than four billion rows".to_owned(),
    }
}

/// One stored row as an upsert sees it.
pub(crate) struct StoredRow<'a> {
    pub(crate) content: u128,
    pub(crate) version: Option<&'a [u8]>,
    pub(crate) file: u32,
}

/// The rows of one file that are in the scope.
pub(crate) fn rows_of(
    ctx: &SessionContext,
    table: &Table,
    file: &DataFile,
    scope: &Scope,
) -> Result<DataFrame, LakeError> {
    let rows = ctx.read_table(table.scan(vec![file.clone()]))?;
    Ok(match &scope.rows {
        Some(filter) => rows.filter(filter.clone())?,
        None => rows,
    })
}

fn times_of(batch: &RecordBatch, column: &str) -> Result<Vec<i64>, LakeError> {
    let times = batch.column_by_name(column).ok_or_else(|| LakeError::Corrupt {
        what: column.to_owned(),
        reason: "missing".to_owned(),
    })?;
    let micros = arrow::compute::cast(times, &arrow::datatypes::DataType::Int64)?;
    Ok(
        arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(&micros)
            .values()
            .to_vec(),
    )
}
