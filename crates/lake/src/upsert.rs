//! Upsert by file: changed rows go to new files, and only files that hold a replaced row are rewritten.
//!
//! The general MERGE of the library copies every matched file through a join and holds it in memory. Here a
//! re-run over unchanged input writes nothing, a first run is a plain append, and a correction costs what it
//! changes (docs/decisions/0004). The change is one commit; until then all new files are invisible.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Date32Array, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::Date32Type;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use nsc_core::DateKst;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fingerprint::{FingerprintMap, FingerprintSet};
use crate::staged_upsert::{OutsideScope, StagedUpsert};
use crate::stored_rows::{Comparison, StoredRows, times_of};
use crate::writer::{Staged, StagedWriter};
use crate::{
    Conflict, DataFile, Direction, LakeError, Scope, Table, each_part, fingerprint, key_range::KeyRange,
    patch,
};

/// What an upsert did, in rows.
#[derive(Debug, Clone, Copy, Default, JsonSchema, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpsertOutcome {
    /// Keys that were not there.
    pub inserted: u64,
    /// Keys whose row changed.
    pub updated: u64,
    /// Keys that no longer belong.
    pub deleted: u64,
    /// Keys whose row is the same.
    pub unchanged: u64,
}

impl UpsertOutcome {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            inserted: self.inserted + other.inserted,
            updated: self.updated + other.updated,
            deleted: self.deleted + other.deleted,
            unchanged: self.unchanged + other.unchanged,
        }
    }

    /// Rows that changed in any way.
    #[must_use]
    pub fn changed(self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// An upsert under way: the scope as it was when it began.
pub struct Upsert {
    table: Table,
    scope: Scope,
    comparison: Comparison,
    stored: Arc<StoredRows>,
}

/// Takes new rows of an upsert; several may run at once, each key in one of them only.
pub struct UpsertWriter {
    /// Rows whose key was not there.
    inserts: StagedWriter,
    /// Rows that replace a stored one.
    updates: StagedWriter,
    stored: Arc<StoredRows>,
    comparison: Comparison,
    conflict: Conflict,
    /// The day of each of the scope's files.
    days: Arc<[Option<DateKst>]>,
    /// The column that says which day a row is of.
    partition: Option<&'static str>,
    part: UpsertPart,
}

/// What one writer took.
#[derive(Default)]
pub struct UpsertPart {
    staged: Staged,
    /// New rows that replace stored ones of the scope.
    updates: Staged,
    outcome: UpsertOutcome,
    /// Keys of stored rows that new rows replace, by file.
    dead: HashMap<u32, FingerprintSet>,
    /// Of the replaced rows those that stood on another day.
    moved: u64,
    range: KeyRange,
}

/// What a new row is to what is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    Nothing,
    Insert,
    Update,
}

impl Upsert {
    /// Reads the scope's stored rows.
    ///
    /// # Errors
    /// Those of [`Table::check_features`]; storage and engine errors.
    pub async fn begin(ctx: &SessionContext, table: &Table, scope: Scope) -> Result<Self, LakeError> {
        table.check_features(Direction::Write)?;
        let comparison = Comparison::of(table.contract());
        let stored = Arc::new(StoredRows::read(ctx, table, &scope, &comparison).await?);
        Ok(Self {
            table: table.clone(),
            scope,
            comparison,
            stored,
        })
    }

    /// A writer for a part of the new rows.
    ///
    /// # Errors
    /// As [`Table::writer`].
    pub fn writer(&self) -> Result<UpsertWriter, LakeError> {
        Ok(UpsertWriter {
            inserts: self.table.writer()?,
            updates: self.table.writer()?,
            stored: Arc::clone(&self.stored),
            comparison: self.comparison.clone(),
            conflict: self.scope.conflict,
            days: self.scope.files.iter().map(DataFile::partition_date).collect(),
            partition: self.table.contract().partition.first().copied(),
            part: UpsertPart::default(),
        })
    }

    /// Writes all rows of a plan, each part of it through a writer of its own. No key may stand twice in the rows.
    ///
    /// # Errors
    /// The engine's and those of [`StagedWriter::write`].
    pub async fn write(&self, rows: DataFrame) -> Result<Vec<UpsertPart>, LakeError> {
        each_part::of(rows, |mut stream| {
            let writer = self.writer();
            async move {
                let mut writer = writer?;
                while let Some(batch) = stream.try_next().await? {
                    writer.write(&batch).await?;
                }
                writer.finish().await
            }
        })
        .await
    }

    /// Puts the parts together: deletes what no longer belongs and rewrites the files that hold replaced rows.
    ///
    /// # Errors
    /// Storage and engine errors; staged files are left for vacuum.
    pub async fn finish(
        self,
        ctx: &SessionContext,
        parts: Vec<UpsertPart>,
    ) -> Result<StagedUpsert, LakeError> {
        let mut all = UpsertPart::default();
        for part in parts {
            all.absorb(part);
        }
        if self.scope.conflict == Conflict::Replace {
            for (key, file) in self.stored.unmet() {
                all.dead.entry(file).or_default().insert(key);
                all.outcome.deleted += 1;
            }
        }
        let mut losing = Vec::new();
        for (number, dead) in std::mem::take(&mut all.dead) {
            if let Some(file) = self.scope.files.get(number as usize) {
                losing.push((file.clone(), dead));
            }
        }
        let mut outside = self.outside_scope(ctx, &mut all).await?;
        outside.moved += all.moved;
        let mut new = all.staged.data_files();
        new.extend(all.updates.data_files());
        let (key, mut removed, mut taken_over) = (self.comparison.key, Vec::new(), Staged::default());
        if let Some(patched) = patch::files(ctx, &self.table, &losing, &all.updates, key).await? {
            all.staged = all.staged.merge(patched);
            removed.extend(losing.drain(..).map(|(file, _)| file));
            taken_over = std::mem::take(&mut all.updates);
        }
        for (file, dead) in std::mem::take(&mut outside.lost) {
            all.outcome.updated += dead.len() as u64;
            all.outcome.inserted = all.outcome.inserted.saturating_sub(dead.len() as u64);
            losing.push((file, dead));
        }
        losing.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
        let (files, dead): (Vec<_>, Vec<_>) = losing.into_iter().unzip();
        let dead = Arc::new(dead.into_iter().flatten().collect());
        let rewritten = without(ctx, &self.table, files.clone(), key, dead).await?;
        removed.extend(files);
        Ok(StagedUpsert {
            table: self.table,
            staged: all.staged.merge(all.updates).merge(rewritten),
            new,
            taken_over,
            removed,
            outcome: all.outcome,
            outside,
            reach: None,
            only: None,
        })
    }

    /// Rows of new keys that stand in files outside the scope, by file: the newer version wins, so either the
    /// stored row is dead, or the new one is dropped from what was staged.
    async fn outside_scope(
        &self,
        ctx: &SessionContext,
        all: &mut UpsertPart,
    ) -> Result<OutsideScope, LakeError> {
        let mut found = OutsideScope::default();
        let Some(first) = self.comparison.key.first() else {
            return Ok(found);
        };
        let candidates: Vec<DataFile> = self
            .scope
            .outside
            .iter()
            .filter(|f| all.range.overlaps(f, first))
            .cloned()
            .collect();
        let mut staged = all.staged.data_files();
        staged.extend(all.updates.data_files());
        if candidates.is_empty() || staged.is_empty() {
            return Ok(found);
        }
        let candidates = match self.table.contract().lookup {
            Some(lookup) => {
                let new = ctx
                    .read_table(self.table.scan(staged.clone()))?
                    .select_columns(&[lookup])?;
                self.table.files_holding(ctx, candidates, lookup, new).await?
            }
            None => candidates,
        };
        if candidates.is_empty() {
            return Ok(found);
        }
        let new = self.staged_versions(ctx, staged).await?;
        let mut stale = FingerprintSet::default();
        for file in candidates {
            let mut dead = FingerprintSet::default();
            let columns: Vec<&str> = self.version_columns();
            let mut stream = ctx
                .read_table(self.table.scan(vec![file.clone()]))?
                .select_columns(&columns)?
                .execute_stream()
                .await?;
            while let Some(batch) = stream.try_next().await? {
                let keys = fingerprint::rows(&batch, self.comparison.key)?;
                let hits: Vec<bool> = keys.iter().map(|k| new.contains_key(k)).collect();
                if !hits.contains(&true) {
                    continue;
                }
                let batch = fingerprint::keep(&batch, hits)?;
                let own = (0..self.comparison.key.len()).collect::<Vec<_>>();
                found.met.push(batch.project(&own)?);
                let keys = fingerprint::rows(&batch, self.comparison.key)?;
                for (key, version) in keys.into_iter().zip(fingerprint::versions(&batch)?) {
                    match new.get(&key) {
                        Some(ours) if *ours < version => stale.insert(key),
                        _ => dead.insert(key),
                    };
                }
            }
            if !dead.is_empty() {
                found.days.extend(file.partition_date());
                found.moved += dead.len() as u64;
                found.lost.push((file, dead));
            }
        }
        if !stale.is_empty() {
            self.drop_staged(ctx, all, stale).await?;
        }
        Ok(found)
    }

    fn version_columns(&self) -> Vec<&'static str> {
        let has = |name: &&str| self.table.contract().columns.iter().any(|c| c.name == *name);
        let versions = [
            "source_updated_at",
            "source_extracted_at",
            "ingested_at",
            "load_id",
            "source_ref",
        ]
        .into_iter()
        .filter(has);
        self.comparison.key.iter().copied().chain(versions).collect()
    }

    async fn staged_versions(
        &self,
        ctx: &SessionContext,
        files: Vec<DataFile>,
    ) -> Result<FingerprintMap<Box<[u8]>>, LakeError> {
        let mut versions = FingerprintMap::default();
        let mut stream = ctx
            .read_table(self.table.scan(files))?
            .select_columns(&self.version_columns())?
            .execute_stream()
            .await?;
        while let Some(batch) = stream.try_next().await? {
            versions.extend(
                fingerprint::rows(&batch, self.comparison.key)?
                    .into_iter()
                    .zip(fingerprint::versions(&batch)?),
            );
        }
        Ok(versions)
    }

    /// Rewrites the staged files without rows whose newer version stands outside the scope.
    async fn drop_staged(
        &self,
        ctx: &SessionContext,
        all: &mut UpsertPart,
        stale: FingerprintSet,
    ) -> Result<(), LakeError> {
        let before = std::mem::take(&mut all.staged).merge(std::mem::take(&mut all.updates));
        let rows = before.rows();
        let files = before.data_files();
        let kept = without(ctx, &self.table, files, self.comparison.key, Arc::new(stale)).await?;
        all.outcome.inserted = all.outcome.inserted.saturating_sub(rows - kept.rows());
        all.outcome.unchanged += rows - kept.rows();
        before.discard().await?;
        all.staged = kept;
        Ok(())
    }
}

/// Some files without their dead rows, as new files; the work is spread evenly, whatever the files' sizes. A key stands
/// once in a table: the key alone decides.
async fn without(
    ctx: &SessionContext,
    table: &Table,
    files: Vec<DataFile>,
    key: &'static [&'static str],
    dead: Arc<FingerprintSet>,
) -> Result<Staged, LakeError> {
    if files.is_empty() {
        return Ok(Staged::default());
    }
    tracing::debug!(
        table = table.name(),
        files = files.len(),
        dead = dead.len(),
        "files rewritten"
    );
    let rows = ctx.read_table(table.scan(files))?;
    let parts = each_part::of(rows, |mut stream| {
        let (writer, dead) = (table.writer(), Arc::clone(&dead));
        async move {
            let mut writer = writer?;
            while let Some(batch) = stream.try_next().await? {
                let keys = fingerprint::rows(&batch, key)?;
                let alive = keys.iter().map(|k| !dead.contains(k)).collect();
                writer.write(&fingerprint::keep(&batch, alive)?).await?;
            }
            writer.finish().await
        }
    })
    .await?;
    Ok(parts.into_iter().fold(Staged::default(), Staged::merge))
}

impl UpsertWriter {
    /// Takes new rows: the contract's columns by name.
    ///
    /// # Errors
    /// As [`StagedWriter::write`].
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if let Some(first) = self.comparison.key.first().and_then(|k| batch.column_by_name(k)) {
            self.part.range.include(first)?;
        }
        if self.stored.is_empty() && self.conflict != Conflict::Append {
            self.part.outcome.inserted += batch.num_rows() as u64;
            return self.inserts.write(batch).await;
        }
        let keys = fingerprint::rows(batch, self.comparison.key)?;
        let contents = fingerprint::rows(batch, &self.comparison.compared)?;
        let versions = if self.conflict == Conflict::Newest {
            fingerprint::versions(batch)?
        } else {
            Vec::new()
        };
        let days = self.days_of(batch);
        let news: Vec<News> = keys
            .iter()
            .zip(contents)
            .enumerate()
            .map(|(i, (key, content))| {
                let day = days.as_ref().map(|days| days.is_valid(i).then(|| days.value(i)));
                self.news(*key, content, versions.get(i).map(AsRef::as_ref), day)
            })
            .collect();
        let later = match self.comparison.order {
            Some(column) if self.conflict == Conflict::Append => Some(self.later(batch, column, &keys)?),
            _ => None,
        };
        let batch = later.as_ref().unwrap_or(batch);
        let of = |kind| news.iter().map(|n| *n == kind).collect();
        self.inserts
            .write(&fingerprint::keep(batch, of(News::Insert))?)
            .await?;
        self.updates
            .write(&fingerprint::keep(batch, of(News::Update))?)
            .await
    }

    /// The rows, each later than what is stored of its identity: the newest row is the one written last, whatever time a
    /// run was told it is.
    fn later(&self, batch: &RecordBatch, column: &str, keys: &[u128]) -> Result<RecordBatch, LakeError> {
        let own = times_of(batch, column)?;
        let times: Int64Array = keys
            .iter()
            .zip(own)
            .map(|(key, own)| match self.stored.time_of(*key) {
                Some(stored) => own.max(stored.saturating_add(1)),
                None => own,
            })
            .collect();
        let index = batch.schema_ref().index_of(column)?;
        let mut columns = batch.columns().to_vec();
        if let Some(slot) = columns.get_mut(index) {
            *slot = cast(&times, batch.schema_ref().field(index).data_type())?;
        }
        Ok(RecordBatch::try_new(batch.schema(), columns)?)
    }

    /// The days rows are of, when their table has days.
    fn days_of(&self, batch: &RecordBatch) -> Option<Date32Array> {
        let column = batch.column_by_name(self.partition?)?;
        column.as_primitive_opt::<Date32Type>().cloned()
    }

    /// Rows so far whose key was not stored in the scope.
    #[must_use]
    pub fn inserted(&self) -> u64 {
        self.part.outcome.inserted
    }

    /// What a row of a day is to what is stored; counts it and remembers the stored row it replaces.
    fn news(&mut self, key: u128, content: u128, version: Option<&[u8]>, day: Option<Option<i32>>) -> News {
        let outcome = &mut self.part.outcome;
        if self.conflict == Conflict::Append && !self.stored.is_first(key, content) {
            outcome.unchanged += 1;
            return News::Nothing;
        }
        let Some(stored) = self.stored.meet(key) else {
            outcome.inserted += 1;
            return News::Insert;
        };
        let older = self.conflict == Conflict::Newest && version < stored.version;
        if stored.content == content || older {
            outcome.unchanged += 1;
            return News::Nothing;
        }
        if self.conflict == Conflict::Append {
            outcome.inserted += 1;
            return News::Insert;
        }
        outcome.updated += 1;
        let stood = self.days.get(stored.file as usize).map(|d| d.map(DateKst::days));
        self.part.moved += u64::from(day.is_some() && day != stood);
        self.part.dead.entry(stored.file).or_default().insert(key);
        News::Update
    }

    /// Completes this writer's files.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn finish(mut self) -> Result<UpsertPart, LakeError> {
        self.part.staged = self.inserts.finish().await?;
        self.part.updates = self.updates.finish().await?;
        Ok(self.part)
    }
}

impl UpsertPart {
    fn absorb(&mut self, other: Self) {
        self.staged = std::mem::take(&mut self.staged).merge(other.staged);
        self.updates = std::mem::take(&mut self.updates).merge(other.updates);
        self.outcome = self.outcome.plus(other.outcome);
        self.moved += other.moved;
        self.range.absorb(other.range);
        for (file, keys) in other.dead {
            self.dead.entry(file).or_default().extend(keys);
        }
    }
}
