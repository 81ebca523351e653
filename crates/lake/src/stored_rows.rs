//! The stored rows of a scope as fingerprints: what an upsert compares new rows with.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use nsc_contracts::{Column, TableContract};

use crate::fingerprint::FingerprintMap;
use crate::{Conflict, DataFile, LakeError, Scope, Table, each_file, fingerprint, rows_with};

/// Index of a stored row in [`StoredRows`].
type Position = u32;

/// Fingerprints of the stored rows of a scope; built once, then shared by all writers.
pub(crate) struct StoredRows {
    by_key: FingerprintMap<Position>,
    contents: Vec<u128>,
    files: Vec<u32>,
    versions: Vec<Box<[u8]>>,
    /// When the newest row of each identity was written, in microseconds (`Append` only).
    times: Vec<i64>,
    /// Keys of which more than one row is stored, with the files they stand in (`Replace` only): another program added copies.
    /// None of the rows is met by a new one; all of them go.
    copied: FingerprintMap<Vec<u32>>,
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
    pub(crate) order: Option<&'static str>,
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
    /// Reads the rows of a scope, several files at once.
    pub(crate) async fn read(
        ctx: &SessionContext,
        table: &Table,
        scope: &Scope,
        comparison: &Comparison,
    ) -> Result<Self, LakeError> {
        // Shared: a copy for each of a thousand files, with the names of all of them, would take the machine's memory.
        let shared = Arc::new((table.clone(), scope.clone(), comparison.clone()));
        let read = each_file::of(ctx, scope.files.clone(), |ctx, file| {
            let shared = Arc::clone(&shared);
            async move {
                let (table, scope, comparison) = shared.as_ref();
                FileRows::read(&ctx, table, &file, scope, comparison).await
            }
        })
        .await?;
        let count = read.iter().map(|f| f.keys.len()).sum();
        let mut rows = Self {
            by_key: FingerprintMap::with_capacity_and_hasher(count, fingerprint::AlreadyHashed),
            contents: Vec::with_capacity(count),
            files: Vec::with_capacity(count),
            versions: Vec::new(),
            times: Vec::new(),
            copied: FingerprintMap::default(),
            seen: Vec::new(),
            appended: Mutex::default(),
        };
        for (number, file) in read.into_iter().enumerate() {
            let number = u32::try_from(number).map_err(|_| too_many())?;
            rows.take(file, number, scope.conflict)?;
        }
        rows.seen = (0..rows.contents.len().div_ceil(64))
            .map(|_| AtomicU64::new(0))
            .collect();
        Ok(rows)
    }

    fn take(&mut self, file: FileRows, number: u32, conflict: Conflict) -> Result<(), LakeError> {
        let mut times = file.times.into_iter();
        for (key, content) in file.keys.into_iter().zip(file.contents) {
            let time = times.next().unwrap_or_default();
            if conflict == Conflict::Append {
                if let Some(known) = self.by_key.get(&key).map(|p| *p as usize) {
                    if self.times.get(known).is_some_and(|t| *t <= time) {
                        self.contents[known] = content;
                        self.times[known] = time;
                    }
                    continue;
                }
                self.times.push(time);
            }
            if conflict == Conflict::Replace && self.is_copy(key, number) {
                continue;
            }
            let position = Position::try_from(self.contents.len()).map_err(|_| too_many())?;
            self.by_key.insert(key, position);
            self.contents.push(content);
            self.files.push(number);
        }
        self.versions.extend(file.versions);
        Ok(())
    }

    /// Whether a row of this key was met before; then all of them are copies.
    fn is_copy(&mut self, key: u128, number: u32) -> bool {
        if let Some(files) = self.copied.get_mut(&key) {
            files.push(number);
            return true;
        }
        let Some(first) = self.by_key.remove(&key) else {
            return false;
        };
        let first = self.files.get(first as usize).copied();
        self.copied
            .insert(key, first.into_iter().chain([number]).collect());
        true
    }

    /// Whether a row of this identity and content is the first of this upsert.
    pub(crate) fn is_first(&self, key: u128, content: u128) -> bool {
        // A writer that panicked left a complete set behind: it only ever grows by one entry at a time.
        self.appended
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert((key, content))
    }

    /// When the newest row of an identity was written (`Append` only).
    pub(crate) fn time_of(&self, key: u128) -> Option<i64> {
        self.times.get(*self.by_key.get(&key)? as usize).copied()
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

    /// Rows no new row has met: (key, file). Copies are among them.
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
            .chain(
                self.copied
                    .iter()
                    .flat_map(|(key, files)| files.iter().map(|file| (*key, *file))),
            )
    }
}

fn too_many() -> LakeError {
    LakeError::Corrupt {
        what: "an upsert's scope".to_owned(),
        reason: "more than four billion rows".to_owned(),
    }
}

/// The rows of one file, before they are put together.
#[derive(Default)]
struct FileRows {
    keys: Vec<u128>,
    contents: Vec<u128>,
    /// `Newest` only.
    versions: Vec<Box<[u8]>>,
    /// Where the newest of an identity counts.
    times: Vec<i64>,
}

impl FileRows {
    async fn read(
        ctx: &SessionContext,
        table: &Table,
        file: &DataFile,
        scope: &Scope,
        comparison: &Comparison,
    ) -> Result<Self, LakeError> {
        let mut rows = Self::default();
        let found = match scope.keys.as_deref() {
            Some(wanted) => {
                let schema = table.scan(Vec::new()).schema();
                let found = rows_with::of_file(ctx, table, file, comparison.key, wanted, &schema).await?;
                ctx.read_table(Arc::new(MemTable::try_new(schema, vec![found])?))?
            }
            None => ctx.read_table(table.scan(vec![file.clone()]))?,
        };
        let found = match &scope.rows {
            Some(filter) => found.filter(filter.clone())?,
            None => found,
        };
        let mut stream = found.execute_stream().await?;
        while let Some(batch) = stream.try_next().await? {
            rows.keys.extend(fingerprint::rows(&batch, comparison.key)?);
            rows.contents
                .extend(fingerprint::rows(&batch, &comparison.compared)?);
            if scope.conflict == Conflict::Newest {
                rows.versions.extend(fingerprint::versions(&batch)?);
            }
            if let Some(column) = comparison.order {
                rows.times.extend(times_of(&batch, column)?);
            }
        }
        Ok(rows)
    }
}

/// One stored row as an upsert sees it.
pub(crate) struct StoredRow<'a> {
    pub(crate) content: u128,
    pub(crate) version: Option<&'a [u8]>,
    pub(crate) file: u32,
}

/// A column of instants in microseconds.
pub(crate) fn times_of(batch: &RecordBatch, column: &str) -> Result<Vec<i64>, LakeError> {
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
