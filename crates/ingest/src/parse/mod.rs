//! From a chunk of whole lines to Arrow batches; no I/O, no lake.

mod keys;
mod line;
mod parser;
mod rows;
mod scan;
#[cfg(test)]
mod tests;
mod unescape;

pub(crate) use parser::{ChunkParser, ParseError};

use nsc_core::{LoadId, UtcMicros};

use crate::columns::LoadField;

/// A line over this many bytes is kept cut in `_corrupt_record`.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;

/// What every row of a load carries unless its line says otherwise.
#[derive(Debug, Clone)]
pub(crate) struct LoadStamp {
    /// `file:<name>#`, what a line's number is put behind.
    pub(crate) source_ref: String,
    /// None for rows of a stream: no load can be taken back of them.
    pub(crate) load_id: Option<LoadId>,
    pub(crate) ingested_at: UtcMicros,
    pub(crate) source_extracted_at: Option<UtcMicros>,
    pub(crate) batch_id: Option<String>,
    pub(crate) source_system: Option<String>,
}

impl LoadStamp {
    /// Of the messages of one batch.
    pub(crate) const fn of_stream(ingested_at: UtcMicros) -> Self {
        Self {
            source_ref: String::new(),
            load_id: None,
            ingested_at,
            source_extracted_at: None,
            batch_id: None,
            source_system: None,
        }
    }

    /// What stands in a text column (by its index in the registry) where a line has no value.
    fn absent_text(&self, column: usize) -> Option<&str> {
        match LoadField::ALL.get(column) {
            Some(LoadField::BatchId) => self.batch_id.as_deref(),
            Some(LoadField::SourceSystem) => self.source_system.as_deref(),
            _ => None,
        }
    }
}

/// A run of whole lines of one input.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Position among the input's chunks.
    pub(crate) index: u64,
    /// Number of the first line, from 1.
    pub(crate) first_line: u64,
    /// The lines; only the input's last line may lack its line feed.
    pub(crate) bytes: Vec<u8>,
    /// Set when `bytes` is only the beginning of one line that is so long.
    pub(crate) cut_line_bytes: Option<u64>,
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct LineCounts {
    /// Lines read; every one is either blank or a row.
    pub lines: u64,
    /// Lines with nothing but blanks on them.
    pub blank: u64,
    /// Rows made of lines, the malformed ones among them.
    pub rows: u64,
    /// Rows that keep a line that is not a JSON object.
    pub malformed: u64,
    /// Malformed rows whose line was over 1 MiB and is kept cut.
    pub truncated: u64,
}

impl std::ops::AddAssign for LineCounts {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.blank += other.blank;
        self.rows += other.rows;
        self.malformed += other.malformed;
        self.truncated += other.truncated;
    }
}
