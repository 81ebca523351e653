//! Turns the lines of chunks into rows (lakehouse contract 2).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use nsc_core::{UtcMicros, is_blank};

use super::keys::Keys;
use super::line::{Line, UnknownField};
use super::rows::Rows;
use super::{Chunk, LineCounts, LoadStamp, MAX_LINE_BYTES};
use crate::columns::{Aborted, EXTRA_COLUMN, LoadField, Registry, Target};

/// A batch is handed on at this many rows, or at the end of its chunk.
const BATCH_ROWS: usize = 64 << 10;
/// Some editors and most of Windows begin a text with this.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Why a chunk was given up.
#[derive(Debug)]
pub(crate) enum ParseError {
    /// Another part of the load failed.
    Aborted,
    /// Arrow refused the columns.
    Arrow(ArrowError),
}

impl From<Aborted> for ParseError {
    fn from(_: Aborted) -> Self {
        Self::Aborted
    }
}

impl From<ArrowError> for ParseError {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

/// Parses chunks of one input; one per thread, the columns are shared through the registry.
pub(crate) struct ChunkParser {
    registry: Arc<Registry>,
    /// The registry's column names, as far as known here.
    names: Vec<Arc<str>>,
    keys: Keys,
    line: Line,
    rows: Rows,
    source_ref: SourceRef,
    /// The last carried extraction time: many lines in a row carry the same.
    extracted: (String, Option<UtcMicros>),
    /// Name and JSON of the fields of the row under construction that get no column.
    surplus: Vec<(String, String)>,
    chunk: u64,
    counts: LineCounts,
    unmarked: u64,
}

impl ChunkParser {
    pub(crate) fn new(registry: Arc<Registry>, stamp: Arc<LoadStamp>) -> Self {
        let mut parser = Self {
            names: Vec::new(),
            keys: Keys::new(),
            line: Line::default(),
            rows: Rows::new(Arc::clone(&stamp)),
            source_ref: SourceRef::new(&stamp.source_ref),
            extracted: (String::new(), None),
            surplus: Vec::new(),
            chunk: 0,
            counts: LineCounts::default(),
            unmarked: 0,
            registry,
        };
        parser.names = parser.registry.names(0);
        for (index, field) in parser.registry.fields() {
            parser.keys.learn(&field, index);
        }
        parser.keys.end_declared();
        parser
    }

    /// Lines seen so far, over all chunks.
    pub(crate) fn counts(&self) -> LineCounts {
        self.counts
    }

    /// Rows of JSON objects so far that carry no mark of their delivery.
    pub(crate) fn unmarked(&self) -> u64 {
        self.unmarked
    }

    /// Parses a chunk, handing on its rows in batches.
    pub(crate) fn parse<E: From<ParseError>>(
        &mut self,
        chunk: &Chunk,
        mut emit: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        self.chunk = chunk.index;
        let mut number = chunk.first_line;
        let bytes = match chunk.index {
            0 => chunk.bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&chunk.bytes),
            _ => &chunk.bytes,
        };
        if let Some(length) = chunk.cut_line_bytes {
            let mark = (chunk.bytes.len() - bytes.len()) as u64;
            self.truncated(bytes, length - mark, number);
        } else if let Ok(text) = simdutf8::basic::from_utf8(bytes) {
            self.lines(text, &mut number, &mut emit)?;
        } else {
            // Somewhere in the chunk is a line that is not UTF-8: look at each by itself.
            for line in bytes.split_inclusive(|b| *b == b'\n') {
                match simdutf8::basic::from_utf8(line) {
                    Ok(text) => self.lines(text, &mut number, &mut emit)?,
                    Err(_) => {
                        self.odd_line(line, number);
                        number += 1;
                        self.emit_full(&mut emit)?;
                    }
                }
            }
        }
        self.registry.parsed(self.chunk);
        if self.rows.len() > 0 {
            emit(self.take_batch()?)
        } else {
            Ok(())
        }
    }

    fn lines<E: From<ParseError>>(
        &mut self,
        text: &str,
        number: &mut u64,
        emit: &mut impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            match self.line.read(&mut self.keys, text, at) {
                Some(end)
                    if end - at <= MAX_LINE_BYTES
                        || (end - at == MAX_LINE_BYTES + 1 && bytes.get(end - 1) == Some(&b'\r')) =>
                {
                    let is_marked = self.row(text, LoadFields::Taken).map_err(|e| E::from(e.into()))?;
                    self.unmarked += u64::from(!is_marked);
                    self.rows.end_row(self.source_ref.at(*number));
                    self.counts.lines += 1;
                    self.counts.rows += 1;
                    at = end + 1;
                }
                _ => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let line = memchr::memchr(b'\n', rest)
                        .and_then(|end| rest.get(..=end))
                        .unwrap_or(rest);
                    self.odd_line(line, *number);
                    at += line.len();
                }
            }
            *number += 1;
            self.emit_full(emit)?;
        }
        Ok(())
    }

    fn emit_full<E: From<ParseError>>(
        &mut self,
        emit: &mut impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.rows.len() >= BATCH_ROWS {
            emit(self.take_batch()?)
        } else {
            Ok(())
        }
    }

    /// Makes a row of a message, whatever its bytes: line feeds do not part it, and the load fields it carries are its
    /// producer's word and no more (sources contract 3.1).
    pub(crate) fn message(
        &mut self,
        payload: &[u8],
        source_ref: &str,
        sent_at: Option<UtcMicros>,
    ) -> Result<(), ParseError> {
        let payload = payload.strip_prefix(BYTE_ORDER_MARK).unwrap_or(payload);
        let text = match simdutf8::basic::from_utf8(payload) {
            Ok(text) if payload.len() <= MAX_LINE_BYTES => Some(on_one_line(text)),
            _ => None,
        };
        let object = text.filter(|text| self.line.read(&mut self.keys, text, 0) == Some(text.len()));
        if let Some(object) = object {
            self.row(&object, LoadFields::SetAside)?;
        } else if payload.len() > MAX_LINE_BYTES {
            let cut = cut(payload, payload.len() as u64);
            self.rows.corrupt(&cut);
            self.counts.truncated += 1;
            self.counts.malformed += 1;
        } else {
            self.rows.corrupt(&String::from_utf8_lossy(payload));
            self.counts.malformed += 1;
        }
        if let Some(at) = sent_at {
            self.rows.extracted_at(at);
        }
        self.rows.end_row(source_ref);
        self.counts.lines += 1;
        self.counts.rows += 1;
        Ok(())
    }

    /// The rows at hand, all with this stamp; none when there are none.
    pub(crate) fn take_stamped(&mut self, stamp: Arc<LoadStamp>) -> Result<Option<RecordBatch>, ParseError> {
        self.rows.stamp(stamp);
        (self.rows.len() > 0).then(|| self.take_batch()).transpose()
    }

    fn take_batch(&mut self) -> Result<RecordBatch, ParseError> {
        self.names.extend(self.registry.names(self.names.len()));
        Ok(self.rows.take(&self.names)?)
    }

    /// Makes a row of the object just read, but for its end; whether it carries a mark of its delivery.
    fn row(&mut self, chunk: &str, load_fields: LoadFields) -> Result<bool, Aborted> {
        if !self.line.unknown.is_empty() {
            self.place_unknown(chunk)?;
        }
        self.line.drop_repeated();
        let mut is_marked = false;
        for index in 0..self.line.fields.len() {
            let Some(field) = self.line.fields.get(index) else {
                break;
            };
            let Some(text) = self.line.text(chunk, &field.place) else {
                continue;
            };
            match LoadField::ALL.get(field.column) {
                None => self.rows.text(field.column, text),
                Some(_) if is_blank(text) => {}
                Some(load_field) => {
                    let (rows, extracted) = (&mut self.rows, &mut self.extracted);
                    if load_fields == LoadFields::Taken
                        && take_load_field(*load_field, field.column, text, rows, extracted)
                    {
                        is_marked |= load_field.marks_delivery();
                    } else {
                        match self.registry.set_aside(self.chunk, *load_field)? {
                            Target::Column(column) => self.rows.text(column, text),
                            Target::Extra => self.surplus.push((load_field.name().to_owned(), quoted(text))),
                        }
                    }
                }
            }
        }
        if !self.surplus.is_empty() {
            self.rows.text(EXTRA_COLUMN, &extra_object(&self.surplus));
            self.surplus.clear();
        }
        Ok(is_marked)
    }

    /// Finds the columns of fields no column was known for; what gets none is put together in `_extra`.
    fn place_unknown(&mut self, chunk: &str) -> Result<(), Aborted> {
        let mut position: HashMap<String, usize> = HashMap::new();
        for UnknownField { key, place, json } in std::mem::take(&mut self.line.unknown) {
            let Some(name) = self.line.text(chunk, &key).map(str::to_owned) else {
                continue;
            };
            match self.registry.field(self.chunk, &name)? {
                Target::Column(column) => {
                    self.keys.learn(&name, column);
                    self.line.push(column, place);
                }
                Target::Extra => {
                    let json = chunk.get(json).unwrap_or_default().to_owned();
                    match position.get(&name).and_then(|i| self.surplus.get_mut(*i)) {
                        Some(earlier) => earlier.1 = json,
                        None => {
                            position.insert(name.clone(), self.surplus.len());
                            self.surplus.push((name, json));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// A line (with its end) that is not an object: blank, malformed or too long.
    fn odd_line(&mut self, line: &[u8], number: u64) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > MAX_LINE_BYTES {
            return self.truncated(line, line.len() as u64, number);
        }
        let text = String::from_utf8_lossy(line);
        if is_blank(&text) {
            self.counts.lines += 1;
            self.counts.blank += 1;
        } else {
            self.corrupt(&text, number);
        }
    }

    /// Keeps the first MiB of a line of `length` bytes.
    fn truncated(&mut self, line: &[u8], length: u64, number: u64) {
        self.corrupt(&cut(line, length), number);
        self.counts.truncated += 1;
    }

    fn corrupt(&mut self, text: &str, number: u64) {
        self.rows.corrupt(text);
        self.rows.end_row(self.source_ref.at(number));
        self.counts.lines += 1;
        self.counts.rows += 1;
        self.counts.malformed += 1;
    }
}

/// What becomes of the load fields that an object carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoadFields {
    /// They count.
    Taken,
    /// Their texts are kept, and do not count.
    SetAside,
}

/// The first MiB of a line of `length` bytes, with a word about the rest.
fn cut(line: &[u8], length: u64) -> String {
    let mut end = MAX_LINE_BYTES.min(line.len());
    // Back to the beginning of a character: its following bytes are 10xxxxxx, three of them at most.
    for _ in 0..3 {
        end -= usize::from(line.get(end).is_some_and(|b| b & 0xc0 == 0x80) && end > 0);
    }
    let head = String::from_utf8_lossy(line.get(..end).unwrap_or_default());
    format!("{head} …[truncated: {length} bytes]")
}

/// JSON whose line feeds between tokens are blanks. Those inside a string, where JSON has none, stay: they make it malformed.
fn on_one_line(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\n', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let (mut in_string, mut is_escaped) = (false, false);
    let one_line = text.chars().map(|c| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match c {
            '"' if !was_escaped => in_string = !in_string,
            '\\' if in_string && !was_escaped => is_escaped = true,
            '\n' if !in_string => return ' ',
            _ => {}
        }
        c
    });
    Cow::Owned(one_line.collect())
}

/// Takes what a line carries of a load field; `false` for a time that is none.
#[inline]
fn take_load_field(
    field: LoadField,
    column: usize,
    text: &str,
    rows: &mut Rows,
    extracted: &mut (String, Option<UtcMicros>),
) -> bool {
    match field {
        LoadField::BatchId | LoadField::SourceSystem => rows.text(column, text),
        LoadField::IngestedAt => match UtcMicros::parse(text) {
            Some(at) => rows.ingested_at(at),
            None => return false,
        },
        LoadField::SourceExtractedAt => {
            if extracted.0 != text {
                text.clone_into(&mut extracted.0);
                extracted.1 = UtcMicros::parse(text);
            }
            match extracted.1 {
                Some(at) => rows.extracted_at(at),
                None => return false,
            }
        }
    }
    true
}

/// One JSON object of names and values already JSON.
fn extra_object(fields: &[(String, String)]) -> String {
    let mut object = String::from("{");
    for (name, json) in fields {
        if object.len() > 1 {
            object.push(',');
        }
        object.push_str(&quoted(name));
        object.push(':');
        object.push_str(json);
    }
    object.push('}');
    object
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `file:<name>#<line>`, built in place.
struct SourceRef {
    text: String,
    prefix: usize,
}

impl SourceRef {
    fn new(prefix: &str) -> Self {
        Self {
            text: prefix.to_owned(),
            prefix: prefix.len(),
        }
    }

    #[inline]
    fn at(&mut self, line: u64) -> &str {
        self.text.truncate(self.prefix);
        self.text.push_str(itoa::Buffer::new().format(line));
        &self.text
    }
}
