//! What a result was computed from: when neither the inputs nor the result's own files have changed since, there is
//! nothing to compute.
//!
//! Data files are immutable, so equal names mean equal rows. A record names the files and rules that went in and
//! the files that came out; any difference on either side (a new Bronze file, another rule, a row changed by hand,
//! even a compaction) and the run computes and compares as ever. Records are a cache: they can be deleted.

use nsc_lake::{DataFile, Table, UpsertOutcome};
use serde::{Deserialize, Serialize};

use crate::{ExceptionCount, PipelineError, RunContext, RunReport, TableReport, Verdict};

/// To be raised whenever a plan computes something else from the same rows.
const PLANS_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "/1");

/// The inputs of one result.
pub(crate) struct Derivation {
    name: String,
    inputs: blake3::Hasher,
}

#[derive(Serialize, Deserialize)]
struct Record {
    inputs: String,
    outputs: String,
    tables: Vec<TableReport>,
    verdicts: Vec<Verdict>,
    exceptions: Vec<ExceptionCount>,
}

/// A hash of table names and file paths, whatever their order.
pub(crate) fn files_hash<'a>(files: impl Iterator<Item = (&'a str, &'a DataFile)>) -> String {
    let mut names: Vec<String> = files
        .map(|(table, file)| format!("{table}/{}", file.path))
        .collect();
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
        let mut inputs = blake3::Hasher::new();
        inputs.update(PLANS_VERSION.as_bytes());
        Self { name, inputs }
    }

    /// Adds an input, told apart from its neighbours by its length.
    pub(crate) fn with(mut self, input: &str) -> Self {
        self.inputs
            .update(&(input.len() as u64).to_le_bytes())
            .update(input.as_bytes());
        self
    }

    fn hash(&self) -> String {
        self.inputs.finalize().to_hex().to_string()
    }

    /// When inputs and outputs are those of the record, reports its result as unchanged.
    pub(crate) async fn recall(
        &self,
        run: &RunContext,
        outputs: &str,
        report: &mut RunReport,
    ) -> Result<bool, PipelineError> {
        let Some(stored) = run.lake.derivation(&self.name).await? else {
            return Ok(false);
        };
        let Ok(record) = serde_json::from_value::<Record>(stored) else {
            return Ok(false);
        };
        if record.inputs != self.hash() || record.outputs != outputs {
            return Ok(false);
        }
        report.tables.extend(record.tables.into_iter().map(|mut table| {
            let kept = table.outcome.inserted + table.outcome.updated + table.outcome.unchanged;
            table.outcome = UpsertOutcome {
                unchanged: kept,
                ..UpsertOutcome::default()
            };
            table
        }));
        report.verdicts.extend(record.verdicts);
        report
            .exceptions
            .extend(record.exceptions.into_iter().filter(|e| e.state == "OPEN"));
        Ok(true)
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
            inputs: self.hash(),
            outputs,
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

/// Lengths of what a derivation records.
pub(crate) fn mark(report: &RunReport) -> (usize, usize, usize) {
    (
        report.tables.len(),
        report.verdicts.len(),
        report.exceptions.len(),
    )
}
