//! Which column a JSON key feeds, answered mostly without looking at the key: the lines of one file carry
//! their fields in one of few orders, so after a column the same one or two columns follow.

use std::collections::HashMap;

/// Index of a column in [`crate::columns::Registry`].
pub(crate) type ColumnId = usize;

/// The column each key feeds, and which key to expect next.
#[derive(Debug)]
pub(super) struct Keys {
    by_name: HashMap<Box<str>, ColumnId>,
    /// By column: the bytes its key is usually written with, `"name":`.
    written: Vec<Box<[u8]>>,
    /// By column, and at the end for the start of a line: the columns last seen to follow.
    follow: Vec<[ColumnId; 2]>,
    first: [ColumnId; 2],
    /// Columns below this one are the loader's and the contract's.
    declared: ColumnId,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            by_name: HashMap::new(),
            written: Vec::new(),
            follow: Vec::new(),
            first: [0, 0],
            declared: 0,
        }
    }

    /// Says that every column declared by the contract has been learnt: those to come are the source's own.
    pub(super) fn end_declared(&mut self) {
        self.declared = self.columns();
    }

    /// Whether what stands in a column is judged; any other field is kept, whatever it holds.
    #[inline]
    pub(super) fn is_declared(&self, column: ColumnId) -> bool {
        column < self.declared
    }

    /// Number of columns whose keys may be known.
    pub(super) fn columns(&self) -> usize {
        self.written.len()
    }

    /// Lets a field feed a column; columns between the last known one and this one stay without a key.
    pub(super) fn learn(&mut self, field: &str, column: ColumnId) {
        if self.written.len() <= column {
            self.written.resize_with(column + 1, Box::default);
            self.follow.resize(column + 1, [column, column]);
        }
        // A key with escapes is written in many ways; only the plain way is guessed.
        if let Some(written) = self.written.get_mut(column) {
            let plain = !field.bytes().any(|b| matches!(b, b'"' | b'\\' | 0..0x20));
            *written = if plain {
                format!("\"{field}\":").into_bytes().into()
            } else {
                Box::default()
            };
        }
        self.by_name.insert(field.into(), column);
    }

    /// The column of a key read in full.
    pub(super) fn get(&self, field: &str) -> Option<ColumnId> {
        self.by_name.get(field).copied()
    }

    /// The column whose key, colon included, stands at the front of `bytes`, if it is an expected one; and
    /// the key's length.
    #[inline]
    pub(super) fn guess(&self, before: Option<ColumnId>, bytes: &[u8]) -> Option<(ColumnId, usize)> {
        let expected = match before {
            Some(column) => self.follow.get(column)?,
            None => &self.first,
        };
        for column in expected {
            let written = self.written.get(*column)?;
            if !written.is_empty() && bytes.starts_with(written) {
                return Some((*column, written.len()));
            }
        }
        None
    }

    /// Remembers what followed.
    pub(super) fn expect(&mut self, before: Option<ColumnId>, column: ColumnId) {
        let expected = match before {
            Some(before) => self.follow.get_mut(before),
            None => Some(&mut self.first),
        };
        if let Some(expected) = expected {
            *expected = [column, expected[0]];
        }
    }
}
