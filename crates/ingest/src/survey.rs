//! Whether an input is of the table it is loaded into at all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{Array, AsArray, RecordBatch};
use nsc_contracts::{SOURCES, Source};
use nsc_lake::{LakeError, Table};

use crate::chunk::Chunker;
use crate::columns::Registry;
use crate::content;
use crate::error::IngestError;
use crate::located::Located;
use crate::parse::{ChunkParser, LoadStamp, ParseError};

/// Bytes looked at before more are: a file of the right table is recognised by its first lines.
const CHUNK_BYTES: usize = 64 << 10;

/// The columns that some line gave a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    columns: BTreeSet<String>,
    /// Lines that are rows.
    rows: u64,
}

/// Whether a column has a value in some row: a blank text is none (lakehouse contract 1, "Missing").
fn has_value(column: &dyn Array) -> bool {
    let is_value = |text: &str| !nsc_core::is_blank(text);
    match (column.as_string_opt::<i32>(), column.as_string_view_opt()) {
        (Some(texts), _) => texts.iter().flatten().any(is_value),
        (_, Some(texts)) => texts.iter().flatten().any(is_value),
        _ => column.null_count() < column.len(),
    }
}

impl Seen {
    /// Takes up rows.
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        let schema = batch.schema_ref();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if !self.columns.contains(field.name()) && has_value(column) {
                self.columns.insert(field.name().clone());
            }
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.columns.extend(other.columns);
    }

    /// Required fields of a source that no line has.
    fn missing(&self, source: &Source) -> Vec<&'static str> {
        let is_missing = |spellings: &&&[&str]| !spellings.iter().any(|s| self.columns.contains(*s));
        let missing = source.required.iter().filter(is_missing);
        missing
            .filter_map(|spellings| spellings.first().copied())
            .collect()
    }

    fn is_complete(&self, source: &Source) -> bool {
        self.missing(source).is_empty()
    }

    /// Whether these lines are rather those of `other`: they have all that it requires, and either lack what `source`
    /// requires, or have nothing of what only `source` has.
    fn fits(&self, other: &Source, source: &Source) -> bool {
        if !self.is_complete(other) {
            return false;
        }
        let requires_more = other.required.len() > source.required.len()
            && source.required.iter().all(|field| other.required.contains(field));
        let theirs = fields_of(other);
        let has_own = fields_of(source)
            .iter()
            .any(|f| !theirs.contains(f) && self.columns.contains(*f));
        !self.is_complete(source) || requires_more && !has_own
    }

    /// What is wrong with taking these lines for those of a source: none of them has any of its required fields, or
    /// they are those of another source.
    pub(crate) fn refusal(&self, source: &Source, input: &Located) -> Option<IngestError> {
        let missing = self.missing(source);
        let others = SOURCES
            .iter()
            .filter(|s| s.name != source.name && self.fits(s, source));
        // Of several the one that says the most.
        let looks_like = others.max_by_key(|s| s.required.len()).map(|s| s.name);
        let has_nothing = missing.len() == source.required.len();
        if self.rows == 0 || !has_nothing && looks_like.is_none() {
            return None;
        }
        let known = |name: &&String| !LOADERS.contains(&name.as_str());
        Some(IngestError::OtherTable {
            input: input.shown(),
            table: source.name,
            missing,
            seen: self.columns.iter().filter(known).take(12).cloned().collect(),
            looks_like,
        })
    }
}

/// The fields a source declares.
fn fields_of(source: &Source) -> Vec<&'static str> {
    let columns = source.bronze_contract().map_or(&[][..], |c| c.columns);
    let names = columns.iter().map(|c| c.name);
    names.filter(|name| !LOADERS.contains(name)).collect()
}

/// Columns that the loader fills, or may.
const LOADERS: [&str; 8] = [
    "_corrupt_record",
    "ingested_at",
    "source_extracted_at",
    "batch_id",
    "source_system",
    "source_ref",
    "ingest_date",
    "load_id",
];

/// Reads a file as far as it takes to see that it is of its table, before a line of it is written.
pub(crate) fn look(
    input: &Located,
    source: &'static Source,
    table: &Table,
    stamp: LoadStamp,
) -> Result<Option<IngestError>, IngestError> {
    let shown = input.shown();
    let opened = content::open(input, &Arc::new(AtomicU64::new(0)))?;
    let registry = Arc::new(Registry::new(table.contract(), &table.schema()));
    let mut parser = ChunkParser::new(registry, Arc::new(stamp));
    let mut chunker = Chunker::new(opened.text, CHUNK_BYTES);
    let mut seen = Seen::default();
    let mut spare = Vec::new();
    while !seen.is_complete(source) {
        let lines = chunker.next_line() - 1;
        let next = chunker.next(std::mem::take(&mut spare));
        let next = next.map_err(|e| content::read_error(e, opened.compressed, &shown, lines))?;
        let Some(chunk) = next else { break };
        let take = |batch: RecordBatch| {
            seen.add(&batch);
            Ok::<(), ParseError>(())
        };
        parser.parse(&chunk, take).map_err(|e| match e {
            ParseError::Arrow(e) => LakeError::Arrow(e).into(),
            ParseError::Aborted => IngestError::Defect {
                input: shown.clone(),
                reason: "it was stopped".to_owned(),
            },
        })?;
        spare = chunk.bytes;
    }
    Ok(seen.refusal(source, input))
}
