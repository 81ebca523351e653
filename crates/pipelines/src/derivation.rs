//! What a result was computed from: when neither the inputs nor the result's own files have changed since, there is
//! nothing to compute.
//!
//! Data files are immutable, so equal names mean equal rows. A record names the files and rules that went in and
//! the files that came out; any difference on either side (a new Bronze file, another rule, a row changed by hand,
//! even a compaction) and the run computes and compares as ever. Records are a cache: they can be deleted.
//!
//! The exception ledger is everybody's, and grows by what others find: of it a record names the files of its days, and none
//! of those may be gone.

use std::collections::BTreeSet;
use std::time::Instant;

use nsc_contracts::exception::ExceptionState;
use nsc_core::DateKst;
use nsc_lake::{DataFile, Days, Table, UpsertOutcome};
use serde::{Deserialize, Serialize};

use crate::exceptions;
use crate::{ExceptionCount, PipelineError, RunContext, RunReport, TableReport, Verdict};

/// Names the plans of this build: a hash of their sources (`build.rs`).
pub(crate) const PLANS: &str = env!("PLANS_OF_BUILD");

/// The step of a report whose result stands.
pub(crate) const UNCHANGED: &str = "unchanged since the last run";

/// The inputs of one result: the files it reads, and everything else (its basis).
pub(crate) struct Derivation {
    name: String,
    basis: blake3::Hasher,
    files: BTreeSet<String>,
    /// Days whose findings are part of the result.
    judged: Days,
}

/// What a result was computed from, and what came of it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    basis: String,
    /// `<table>/<path>` of every file read.
    pub(crate) files: BTreeSet<String>,
    outputs: String,
    /// Files of the exception ledger that its findings stand in.
    findings: BTreeSet<String>,
    pub(crate) tables: Vec<TableReport>,
    verdicts: Vec<Verdict>,
    exceptions: Vec<ExceptionCount>,
}

/// How a file is named in a record.
pub(crate) fn file_name(table: &str, file: &DataFile) -> String {
    format!("{table}/{}", file.path)
}

/// A hash of table names and file paths, whatever their order.
pub(crate) fn files_hash<'a>(files: impl Iterator<Item = (&'a str, &'a DataFile)>) -> String {
    let mut names: Vec<String> = files.map(|(table, file)| file_name(table, file)).collect();
    names.sort_unstable();
    blake3::hash(names.join("\n").as_bytes()).to_hex().to_string()
}

/// A hash of every data file of some tables.
pub(crate) fn tables_hash(tables: &[Table]) -> Result<String, PipelineError> {
    let mut all = Vec::new();
    for table in tables {
        all.extend(table.files()?.into_iter().map(|f| (table.contract().name, f)));
    }
    Ok(files_hash(all.iter().map(|(name, file)| (*name, file))))
}

impl Derivation {
    pub(crate) fn new(name: String) -> Self {
        let mut basis = blake3::Hasher::new();
        basis.update(PLANS.as_bytes());
        Self {
            name,
            basis,
            files: BTreeSet::new(),
            judged: Days::default(),
        }
    }

    /// Adds days that findings are recorded of.
    pub(crate) fn judging(mut self, days: impl IntoIterator<Item = DateKst>) -> Self {
        self.judged.extend(days);
        self
    }

    /// Adds a part of the basis, told apart from its neighbours by its length.
    pub(crate) fn with(mut self, input: &str) -> Self {
        self.basis
            .update(&(input.len() as u64).to_le_bytes())
            .update(input.as_bytes());
        self
    }

    /// Adds files that are read, by [`file_name`].
    pub(crate) fn over(mut self, files: impl Iterator<Item = String>) -> Self {
        self.files.extend(files);
        self
    }

    fn basis_hash(&self) -> String {
        self.basis.finalize().to_hex().to_string()
    }

    /// The record of this result while its own files and its basis still are what they were, and no file it was
    /// computed from is gone: more files may have come.
    pub(crate) async fn recall(
        &self,
        run: &RunContext,
        outputs: &str,
    ) -> Result<Option<Record>, PipelineError> {
        let stored = run.lake.derivation(&self.name).await?;
        let record = stored.and_then(|s| serde_json::from_value::<Record>(s).ok());
        let Some(record) = record.filter(|r| {
            r.basis == self.basis_hash() && r.outputs == outputs && r.files.is_subset(&self.files)
        }) else {
            return Ok(None);
        };
        let is_kept = record.findings.is_empty()
            || record
                .findings
                .is_subset(&exceptions::files_of(run, &self.judged).await?);
        Ok(is_kept.then_some(record))
    }

    /// Whether the recorded result of these very inputs stands; then it is reported as it is, with a `step` that began then.
    pub(crate) async fn stands(
        &self,
        run: &RunContext,
        outputs: &str,
        (step, since): (String, Instant),
        report: &mut RunReport,
    ) -> Result<bool, PipelineError> {
        let known = self.recall(run, outputs).await?;
        let Some(record) = known.filter(|r| self.is_unchanged(r)) else {
            return Ok(false);
        };
        record.report(report);
        report.step(step, since, 0, 0);
        Ok(true)
    }

    /// Whether a record was computed from these very files.
    pub(crate) fn is_unchanged(&self, record: &Record) -> bool {
        record.files == self.files
    }

    /// Records a result: what the report gained since `before` (lengths of tables, verdicts, exceptions).
    pub(crate) async fn keep(
        &self,
        run: &RunContext,
        outputs: String,
        report: &RunReport,
        before: (usize, usize, usize),
    ) -> Result<(), PipelineError> {
        let record = Record {
            basis: self.basis_hash(),
            files: self.files.clone(),
            outputs,
            findings: exceptions::files_of(run, &self.judged).await?,
            tables: report.tables.get(before.0..).unwrap_or_default().to_vec(),
            verdicts: report.verdicts.get(before.1..).unwrap_or_default().to_vec(),
            exceptions: report.exceptions.get(before.2..).unwrap_or_default().to_vec(),
        };
        if let Ok(json) = serde_json::to_value(&record) {
            run.lake.store_derivation(&self.name, &json).await?;
        }
        Ok(())
    }
}

impl Record {
    /// Reports the recorded result as it is: nothing changed.
    pub(crate) fn report(self, report: &mut RunReport) {
        let record = self;
        report.tables.extend(record.tables.into_iter().map(|mut table| {
            let kept = table.outcome.inserted + table.outcome.updated + table.outcome.unchanged;
            table.outcome = UpsertOutcome {
                unchanged: kept,
                ..UpsertOutcome::default()
            };
            table
        }));
        report.verdicts.extend(record.verdicts);
        report.exceptions.extend(
            record
                .exceptions
                .into_iter()
                .filter(|e| e.state == ExceptionState::Open.name()),
        );
    }
}

/// Lengths of what a derivation records.
pub(crate) fn mark(report: &RunReport) -> (usize, usize, usize) {
    (
        report.tables.len(),
        report.verdicts.len(),
        report.exceptions.len(),
    )
}
