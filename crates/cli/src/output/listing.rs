//! Rows under named columns, whole or one by one.

use std::io;

use super::Cell;

/// Which side a column's values stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A column's heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Name; the key in JSON.
    pub(crate) name: String,
    /// Side in a table.
    pub(crate) align: Align,
}

impl Column {
    /// A column of text.
    pub(crate) fn text(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            align: Align::Left,
        }
    }

    /// A column of numbers.
    pub(crate) fn number(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            align: Align::Right,
        }
    }
}

/// A whole result in memory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listing {
    /// Headings.
    pub(crate) columns: Vec<Column>,
    /// Rows, each as wide as the headings.
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Listing {
    /// An empty listing of text columns.
    pub(crate) fn of_text(columns: &[&str]) -> Self {
        Self {
            columns: columns.iter().map(|c| Column::text(c)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: impl Into<Vec<Cell>>) {
        self.rows.push(row.into());
    }
}

/// Takes rows one by one and prints them in one format.
pub(crate) trait RowSink {
    /// The next row.
    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()>;

    /// After the last row.
    fn end(&mut self) -> io::Result<()>;
}
