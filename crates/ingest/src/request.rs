//! What to load, and how to follow it.

use std::path::PathBuf;

use nsc_contracts::Source;
use nsc_core::UtcMicros;

use crate::summary::FileSummary;

/// One input as the operator names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// `-`: standard input.
    Stdin,
    /// A file, a pattern or a directory.
    Path(PathBuf),
}

impl<T: Into<PathBuf>> From<T> for Input {
    fn from(named: T) -> Self {
        let path = named.into();
        if path.as_os_str() == "-" {
            Self::Stdin
        } else {
            Self::Path(path)
        }
    }
}

/// What to load into the Bronze table of a source.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// The source the lines come from.
    pub source: &'static Source,
    /// Files, patterns, directories, standard input; loaded in this order.
    pub inputs: Vec<Input>,
    /// For lines that carry no `source_system`.
    pub source_system: Option<String>,
    /// For lines that carry no `batch_id`.
    pub batch_id: Option<String>,
    /// For lines that carry no `source_extracted_at`.
    pub source_extracted_at: Option<UtcMicros>,
    /// For lines that carry no `ingested_at`.
    pub ingested_at: UtcMicros,
    /// The machine's time: when files are read, for what is remembered of them.
    pub clock: UtcMicros,
    /// Load deliveries that were loaded before, and files that look like another table's.
    pub force: bool,
    /// Read files again that look as they did when they were loaded.
    pub verify: bool,
    /// Who loads, for the record of loads.
    pub actor: String,
}

/// Follows a load, for a progress bar. Called from the task that awaits [`crate::load`].
pub trait LoadObserver: Send + Sync {
    /// Before the first line: what all inputs hold on disk, when that is known.
    fn started(&self, _total_bytes: Option<u64>) {}
    /// Now and then: bytes read from disk and lines parsed, over all inputs so far.
    fn progress(&self, _bytes: u64, _lines: u64) {}
    /// An input is loaded (or skipped).
    fn file_finished(&self, _file: &FileSummary) {}
}

/// Nobody looks.
impl LoadObserver for () {}
