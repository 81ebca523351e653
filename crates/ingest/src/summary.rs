//! What a load did.

use nsc_core::LoadId;
use serde::Serialize;

use crate::left_out::LeftOut;
use crate::parse::LineCounts;

/// How an input ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileOutcome {
    /// Its rows were committed.
    Loaded,
    /// The same delivery was loaded before (or just now): nothing was added.
    #[default]
    AlreadyLoaded,
}

/// Why an input was loaded or skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The table did not know its content.
    #[default]
    NewContent,
    /// The table knew its content, not under these marks.
    NewDelivery,
    /// The table knew this very delivery, and was told to take it once more.
    Forced,
    /// The table knew this very delivery, and none of its rows is there any more.
    RowsGone,
    /// Skipped: the same content with the same marks.
    SameDelivery,
    /// Skipped unread: the file looks as it did when this delivery was loaded.
    SameFile,
    /// Skipped: the content was loaded before deliveries were told apart, and nothing says that this is another.
    SameContent,
}

/// The load that a delivery was brought in by.
#[derive(Debug, Clone)]
pub(crate) enum Earlier {
    /// One whose id begins so.
    Load(String),
    /// One from before deliveries were told apart.
    Former,
}

/// What became of one input. The counts of a skipped input are 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FileSummary {
    /// The path, or `-`.
    pub input: String,
    /// BLAKE3 of the uncompressed content.
    pub content: String,
    /// What marks the delivery, as people read it; with the content it is its identity.
    pub delivery: String,
    /// Loaded or skipped.
    pub outcome: FileOutcome,
    /// Why.
    pub reason: Reason,
    /// Of a skipped input: how the id of the load begins that brought the delivery.
    pub earlier_load: Option<String>,
    /// What every row of it carries; `None` when nothing was added.
    pub load_id: Option<LoadId>,
    /// Delta version of the commit.
    pub version: Option<u64>,
    /// The lines.
    #[serde(flatten)]
    pub counts: LineCounts,
    /// Columns the table did not have.
    pub new_columns: Vec<String>,
    /// Uncompressed bytes.
    pub bytes: u64,
    /// Time taken.
    pub seconds: f64,
    /// Rows over seconds.
    pub rows_per_second: f64,
}

impl FileSummary {
    /// A skipped input with the load that brought it before.
    pub(crate) fn after(mut self, earlier: &Earlier) -> Self {
        match earlier {
            Earlier::Load(prefix) => self.earlier_load = Some(prefix.clone()),
            Earlier::Former => self.reason = Reason::SameContent,
        }
        self
    }
}

/// What became of all inputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadSummary {
    /// `bronze.<table>`.
    pub table: String,
    /// Every input, in the order loaded.
    pub files: Vec<FileSummary>,
    /// What else the directories named hold, and why it was not loaded.
    pub left_out: Vec<LeftOut>,
    /// Inputs skipped.
    pub already_loaded: usize,
    /// The lines of all inputs.
    #[serde(flatten)]
    pub counts: LineCounts,
    /// Columns the table did not have.
    pub new_columns: Vec<String>,
    /// Uncompressed bytes.
    pub bytes: u64,
    /// Time taken.
    pub seconds: f64,
    /// Rows over seconds.
    pub rows_per_second: f64,
}

impl LoadSummary {
    pub(crate) fn of(table: String, files: Vec<FileSummary>, left_out: Vec<LeftOut>, seconds: f64) -> Self {
        let mut counts = LineCounts::default();
        let mut new_columns = Vec::new();
        for file in &files {
            counts += file.counts;
            new_columns.extend(file.new_columns.iter().cloned());
        }
        Self {
            table,
            left_out,
            already_loaded: files
                .iter()
                .filter(|f| f.outcome == FileOutcome::AlreadyLoaded)
                .count(),
            counts,
            new_columns,
            bytes: files.iter().map(|f| f.bytes).sum(),
            seconds,
            rows_per_second: per_second(counts.rows, seconds),
            files,
        }
    }
}

/// A rate that is 0 rather than infinite.
#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}
