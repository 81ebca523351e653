//! The Bronze rows a Silver run reads: which files can hold rows of the window, and which arrived since the
//! last success.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use datafusion::arrow::array::RecordBatch;
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::Source;
use nsc_core::{MICROS_PER_DAY, UtcMicros, UtcWindow};
use nsc_lake::{Arrivals, DataFile, Days, PipelineState, PipelineStates, Removal, Table};
use nsc_transforms::silver::{PLANS, SourcePlan};

use super::load_changes::LoadChanges;
use crate::derivation::file_name;
use crate::gate::SILVER;
use crate::loads::{self, Loads, TakenBack};
use crate::{PipelineError, RunContext, RunReport};

/// One source's part of the run.
pub(super) struct BronzeInput {
    pub(super) plan: &'static SourcePlan,
    pub(super) bronze: &'static str,
    table: Option<Table>,
    window_files: Vec<DataFile>,
    /// Of the window's files those a recorded result does not know yet; `None` when there is no such result.
    fresh_files: Option<Vec<DataFile>>,
    late_files: Vec<DataFile>,
    /// Loads whose rows do not count.
    taken_back: TakenBack,
    /// Those of them that were retracted since the last success.
    retracted: Vec<String>,
    /// Loads that count again since then, and the files beside the late ones that may hold their rows.
    restored: Vec<String>,
    restored_files: Vec<DataFile>,
    /// The loads to take from the late and those files together; `None` when there are none of those.
    late_loads: Option<Loads>,
}

/// Days before a scheduled run's window that no run has processed (a night that was missed or refused): their rows may
/// stand in files that earlier runs have seen, and are taken with the late ones.
pub(super) fn missed_days(states: &PipelineStates, window: UtcWindow) -> Days {
    let gaps = |s: &PipelineState| s.processed_dates.gaps_before(window.start.date_kst());
    states.get(SILVER).map(gaps).unwrap_or_default()
}

impl BronzeInput {
    /// The rows to take: of all files that can hold rows of the window, or of the fresh ones when the others are
    /// stored already. `None` when there is none.
    pub(super) fn window_rows(&self, ctx: &SessionContext) -> Result<Option<DataFrame>, PipelineError> {
        self.rows(ctx, self.taken_files())
    }

    fn taken_files(&self) -> &[DataFile] {
        self.fresh_files.as_deref().unwrap_or(&self.window_files)
    }

    /// Rows that arrived since the last success, or count again since then; `None` when there is no file of them.
    pub(super) fn late_rows(&self, ctx: &SessionContext) -> Result<Option<DataFrame>, PipelineError> {
        let Some(loads) = &self.late_loads else {
            return self.rows(ctx, &self.late_files);
        };
        // One scan of all files and not two put together, which the engine's optimizer gets wrong.
        let files = [self.late_files.as_slice(), &self.restored_files].concat();
        let rows = self.rows(ctx, &files)?;
        rows.map(|rows| loads::rows_of_any(rows, loads)).transpose()
    }

    /// The loads whose rows are taken with the late ones, where files hold others as well.
    async fn late_loads(&self, run: &RunContext) -> Result<Option<Loads>, PipelineError> {
        if self.restored_files.is_empty() {
            return Ok(None);
        }
        let mut loads = match self.rows(&run.session()?, &self.late_files)? {
            Some(late) => loads::loads_of(late).await?,
            None => Loads::default(),
        };
        loads.named.extend(self.restored.iter().cloned());
        Ok(Some(loads))
    }

    /// All rows of some files, those of retracted loads as well; `None` when there is no file.
    pub(super) fn every_row(
        &self,
        ctx: &SessionContext,
        files: Vec<DataFile>,
    ) -> Result<Option<DataFrame>, PipelineError> {
        match &self.table {
            Some(table) if !files.is_empty() => Ok(Some(ctx.read_table(table.scan(files))?)),
            _ => Ok(None),
        }
    }

    /// The loads that were retracted since the last success.
    pub(super) fn retracted(&self) -> &[String] {
        &self.retracted
    }

    /// The loads whose rows do not count.
    pub(super) fn taken_back(&self) -> &TakenBack {
        &self.taken_back
    }

    /// The table, when it exists.
    pub(super) fn table(&self) -> Option<&Table> {
        self.table.as_ref()
    }

    /// All files of the table that may hold a text between two (inclusive) in a column.
    pub(super) fn files_with_text(
        &self,
        column: &str,
        low: &str,
        high: &str,
    ) -> Result<Vec<DataFile>, PipelineError> {
        let Some(table) = &self.table else {
            return Ok(Vec::new());
        };
        Ok(table
            .files()?
            .into_iter()
            .filter(|f| f.may_hold_text(column, low, high))
            .collect())
    }

    /// All files that can hold rows of the window.
    pub(super) fn window_files(&self) -> &[DataFile] {
        &self.window_files
    }

    /// Files that arrived since the last success.
    pub(super) fn late_files(&self) -> &[DataFile] {
        &self.late_files
    }

    /// The rows of some files that count; `None` when there is no file.
    pub(super) fn rows(
        &self,
        ctx: &SessionContext,
        files: &[DataFile],
    ) -> Result<Option<DataFrame>, PipelineError> {
        let all = self.every_row(ctx, files.to_vec())?;
        all.map(|rows| self.taken_back.without(rows)).transpose()
    }

    /// Rows of some files whose `column` is among some values, for few of many rows; `None` when there is no file.
    pub(super) async fn rows_with(
        &self,
        ctx: &SessionContext,
        files: &[DataFile],
        column: &'static [&'static str],
        values: &[RecordBatch],
    ) -> Result<Option<DataFrame>, PipelineError> {
        match &self.table {
            Some(table) if !files.is_empty() => {
                let schema = table.schema();
                let all: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                let found = table.rows_with(ctx, files.to_vec(), column, values, &all);
                Ok(Some(self.taken_back.without(found.await?)?))
            }
            _ => Ok(None),
        }
    }

    /// Names the files the window is read from.
    pub(super) fn window_names(&self) -> impl Iterator<Item = String> + '_ {
        self.window_files.iter().map(|f| file_name(self.bronze, f))
    }

    /// Takes only the rows of files a recorded result does not know.
    pub(super) fn take_fresh(&mut self, known: &BTreeSet<String>) {
        let is_fresh = |f: &&DataFile| !known.contains(&file_name(self.bronze, f));
        self.fresh_files = Some(self.window_files.iter().filter(is_fresh).cloned().collect());
    }

    /// Takes the rows of all files again.
    pub(super) fn take_all(&mut self) {
        self.fresh_files = None;
    }

    /// Rows of the files to take, and of all files of the window, as far as the log says.
    pub(super) fn row_counts(&self) -> (u64, u64) {
        let rows = |files: &[DataFile]| files.iter().filter_map(|f| f.rows).sum();
        (rows(self.taken_files()), rows(&self.window_files))
    }

    pub(super) fn has_late(&self) -> bool {
        !self.late_files.is_empty() || !self.restored_files.is_empty()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.taken_files().iter().map(|f| f.size).sum()
    }
}

/// Opens the six Bronze tables and chooses the files.
pub(super) async fn inputs(
    run: &RunContext,
    states: &PipelineStates,
    window: UtcWindow,
    scheduled: bool,
    missed: &Days,
    changes: &LoadChanges,
    report: &mut RunReport,
) -> Result<Vec<BronzeInput>, PipelineError> {
    let before = states
        .get(SILVER)
        .map(|s| s.input_versions.clone())
        .unwrap_or_default();
    let mut inputs = Vec::with_capacity(PLANS.len());
    for plan in PLANS {
        let bronze = Source::named(plan.source).map_or(plan.source, |s| s.bronze);
        let name = format!("bronze.{bronze}");
        let table = run.existing(&name).await?;
        let (mut window_files, mut late_files, mut restored_files) = (Vec::new(), Vec::new(), Vec::new());
        let restored = changes.restored(&name);
        if let Some(table) = &table {
            report.read(table);
            let files = table.files()?;
            if scheduled {
                let new = new_files(table, before.get(&name).copied(), report).await?;
                let missed = missed.ranges().map(|(first, last)| UtcWindow {
                    start: first.start(),
                    end: last.end(),
                });
                let missed: Vec<UtcWindow> = missed.collect();
                let is_of_missed = |f: &DataFile| missed.iter().any(|w| may_hold(f, plan.source, *w));
                late_files = files
                    .iter()
                    .filter(|f| new.contains(&f.path) || is_of_missed(f))
                    .cloned()
                    .collect();
                restored_files = loads::files_of(table, &restored)?;
                restored_files.retain(|f| late_files.iter().all(|late| late.path != f.path));
            }
            window_files = files
                .into_iter()
                .filter(|f| may_hold(f, plan.source, window))
                .collect();
        }
        let mut input = BronzeInput {
            plan,
            bronze,
            table,
            window_files,
            fresh_files: None,
            late_files,
            taken_back: changes.taken_back(&name),
            retracted: changes.retracted(&name),
            restored,
            restored_files,
            late_loads: None,
        };
        input.late_loads = input.late_loads(run).await?;
        inputs.push(input);
    }
    Ok(inputs)
}

/// Says that rows of a Bronze table, which only grows, are gone: what was computed from them goes as well.
fn tell_removal(table: &Table, removal: &Removal, report: &mut RunReport) {
    let told = format!(
        "another program took rows out of {} ({}, version {}) since the last run; what was computed from them goes with them. \
         Was it not meant, load the files again: nsc doctor names the loads whose rows are gone",
        table.name(),
        removal.operation,
        removal.version
    );
    tracing::warn!("{told}");
    report.notes.push(told);
}

/// The Bronze versions of a run's inputs, by table.
pub(super) fn versions(inputs: &[BronzeInput]) -> BTreeMap<String, u64> {
    inputs
        .iter()
        .filter_map(|i| i.table.as_ref())
        .map(|t| (t.name(), t.version()))
        .collect()
}

/// Files with rows that came since the version the last success read. Where that cannot be told, every file counts as new:
/// merging a row twice changes nothing.
async fn new_files(
    table: &Table,
    version: Option<u64>,
    report: &mut RunReport,
) -> Result<HashSet<String>, PipelineError> {
    let new = match version {
        Some(version) => {
            let Arrivals { new, removals } = table.arrivals_since(version).await?;
            for removal in &removals {
                tell_removal(table, removal, report);
            }
            new
        }
        None => table.files()?,
    };
    Ok(new.into_iter().map(|f| f.path).collect())
}

/// Whether rows of the window can be in the file, by the log's statistics.
///
/// Source times are text of any offset. Every text that is a time begins with its own date, which is at most a
/// day away from the UTC date, so bounds widened by two days can only keep too many files.
pub(crate) fn may_hold(file: &DataFile, source: &str, window: UtcWindow) -> bool {
    if file.may_hold_instant("ingested_at", window.start, window.end) {
        return true;
    }
    let date = |micros: i64| {
        // Beyond the calendar, texts do not compare as times do.
        UtcMicros::new(micros.clamp(UtcMicros::FIRST.micros(), UtcMicros::LAST.micros()))
            .to_string()
            .get(..10)
            .unwrap_or_default()
            .to_owned()
    };
    let low = date(window.start.micros() - 2 * MICROS_PER_DAY);
    let high = format!("{}~", date(window.end.micros() + 2 * MICROS_PER_DAY));
    match source {
        "user_wallets" => file.may_hold_instant("source_extracted_at", window.start, window.end),
        "transaction_ledger" => {
            file.may_hold_text("created_at", &low, &high) || file.may_hold_text("event_time", &low, &high)
        }
        "payment_orders" | "orders" => file.may_hold_text("created_at", &low, &high),
        _ => false,
    }
}
