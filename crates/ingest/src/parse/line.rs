//! Reads one line's object into the places of its values, not yet touching any column: only a line that is
//! right to its end may become a row.

use std::ops::Range;

use super::keys::{ColumnId, Keys};
use super::scan::{self, skip_blank};
use super::unescape::unescape;

/// Where a value's text stands.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// JSON null.
    Null,
    /// In the chunk, as written.
    Chunk(Range<usize>),
    /// In the line's scratch text, unescaped.
    Scratch(Range<usize>),
}

/// A field of the line whose column is known.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) column: ColumnId,
    pub(super) place: Place,
}

/// A field of the line that no column was known for when it was read.
#[derive(Debug, Clone)]
pub(super) struct UnknownField {
    pub(super) key: Place,
    pub(super) place: Place,
    /// The value as JSON, quotes included.
    pub(super) json: Range<usize>,
}

/// The fields of one line. Reused from line to line.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) fields: Vec<Field>,
    pub(super) unknown: Vec<UnknownField>,
    scratch: String,
    /// By column: the line it was last seen in.
    seen: Vec<u64>,
    line: u64,
    repeated: bool,
}

impl Line {
    fn begin(&mut self, columns: usize) {
        self.fields.clear();
        self.unknown.clear();
        self.scratch.clear();
        self.line += 1;
        self.repeated = false;
        if self.seen.len() < columns {
            self.seen.resize(columns, 0);
        }
    }

    /// Adds a field; of repeated ones the last will win.
    #[inline]
    pub(super) fn push(&mut self, column: ColumnId, place: Place) {
        if self.seen.len() <= column {
            self.seen.resize(column + 1, 0);
        }
        if let Some(seen) = self.seen.get_mut(column) {
            self.repeated |= *seen == self.line;
            *seen = self.line;
        }
        self.fields.push(Field { column, place });
    }

    /// Leaves of repeated fields only the last.
    pub(super) fn drop_repeated(&mut self) {
        if !self.repeated {
            return;
        }
        self.repeated = false;
        // A mark no line carries, set on the first sight from behind.
        let mut from_behind: Vec<Field> = Vec::with_capacity(self.seen.len().min(self.fields.len()));
        for field in self.fields.drain(..).rev() {
            if let Some(seen) = self.seen.get_mut(field.column)
                && *seen == self.line
            {
                *seen = 0;
                from_behind.push(field);
            }
        }
        from_behind.reverse();
        self.fields = from_behind;
    }

    /// The text at a place; `None` for null.
    #[inline]
    pub(super) fn text<'a>(&'a self, chunk: &'a str, place: &Place) -> Option<&'a str> {
        match place {
            Place::Null => None,
            Place::Chunk(range) => chunk.get(range.clone()),
            Place::Scratch(range) => self.scratch.get(range.clone()),
        }
    }

    /// Reads the object that begins at or after `start` and must fill its line. Returns the offset of the
    /// line feed behind it (or of the chunk's end); `None` when the line is not a JSON object.
    pub(super) fn read(&mut self, keys: &mut Keys, chunk: &str, start: usize) -> Option<usize> {
        let bytes = chunk.as_bytes();
        self.begin(keys.columns());
        let open = skip_blank(bytes, start);
        if bytes.get(open) != Some(&b'{') {
            return None;
        }
        let mut at = skip_blank(bytes, open + 1);
        if bytes.get(at) == Some(&b'}') {
            return line_end(bytes, at + 1);
        }
        let mut before = None;
        loop {
            at = self.field(keys, chunk, at, &mut before)?;
            at = skip_blank(bytes, at);
            match bytes.get(at)? {
                b',' => at = skip_blank(bytes, at + 1),
                b'}' => return line_end(bytes, at + 1),
                _ => return None,
            }
        }
    }

    /// Reads one field; returns the offset behind its value.
    #[inline]
    fn field(
        &mut self,
        keys: &mut Keys,
        chunk: &str,
        at: usize,
        before: &mut Option<ColumnId>,
    ) -> Option<usize> {
        let bytes = chunk.as_bytes();
        if let Some((column, length)) = keys.guess(*before, bytes.get(at..)?) {
            let start = skip_blank(bytes, at + length);
            let (place, end) = self.value(chunk, start, keys.is_declared(column))?;
            self.push(column, place);
            *before = Some(column);
            return Some(end);
        }
        let (key, colon) = self.key(chunk, at)?;
        let start = skip_blank(bytes, colon + 1);
        let column = self.text(chunk, &key).and_then(|name| keys.get(name));
        let is_declared = column.is_some_and(|column| keys.is_declared(column));
        let (place, end) = self.value(chunk, start, is_declared)?;
        match column {
            Some(column) => {
                keys.expect(*before, column);
                self.push(column, place);
                *before = Some(column);
            }
            None => self.unknown.push(UnknownField {
                key,
                place,
                json: start..end,
            }),
        }
        Some(end)
    }

    /// Reads a key; returns it and the offset of its colon.
    fn key(&mut self, chunk: &str, at: usize) -> Option<(Place, usize)> {
        let bytes = chunk.as_bytes();
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let (text, end) = self.string(chunk, at)?;
        // A name that no text says is no field of ours: it goes by its spelling.
        let key = text.unwrap_or(Place::Chunk(at + 1..end - 1));
        let colon = skip_blank(bytes, end);
        (bytes.get(colon) == Some(&b':')).then_some((key, colon))
    }

    /// Reads a string from its opening quote; returns the place of its text (`None` when no text says it) and the offset
    /// behind it.
    #[inline]
    fn string(&mut self, chunk: &str, open: usize) -> Option<(Option<Place>, usize)> {
        let quoted = scan::string(chunk.as_bytes(), open + 1)?;
        let raw = open + 1..quoted.close;
        if !quoted.escaped {
            return Some((Some(Place::Chunk(raw)), quoted.close + 1));
        }
        let from = self.scratch.len();
        let text = unescape(chunk.get(raw)?, &mut self.scratch);
        let place = text.map(|()| Place::Scratch(from..self.scratch.len()));
        Some((place, quoted.close + 1))
    }

    /// Reads any value; returns the place of its own text and the offset behind it. A string with half a surrogate pair, which no
    /// text can spell, is kept as it is written, quotes included, unless its field is declared.
    #[inline]
    fn value(&mut self, chunk: &str, at: usize, is_declared: bool) -> Option<(Place, usize)> {
        let bytes = chunk.as_bytes();
        let end = match bytes.get(at)? {
            b'"' => {
                let (text, end) = self.string(chunk, at)?;
                let written = (!is_declared).then_some(Place::Chunk(at..end));
                return Some((text.or(written)?, end));
            }
            b'n' => return scan::literal(bytes, at).map(|end| (Place::Null, end)),
            b'-' | b'0'..=b'9' => scan::number(bytes, at)?,
            b'{' | b'[' => scan::nested(bytes, at)?,
            _ => scan::literal(bytes, at)?,
        };
        Some((Place::Chunk(at..end), end))
    }
}

/// The offset of the line feed (or the end) when nothing but blanks comes before it.
fn line_end(bytes: &[u8], at: usize) -> Option<usize> {
    let end = skip_blank(bytes, at);
    matches!(bytes.get(end), None | Some(b'\n')).then_some(end)
}
