//! JSON: one array, or one object a line. Keys keep the order of the columns.

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Cell, Column, RowSink};

/// Prints rows as JSON objects.
pub(crate) struct JsonSink<W> {
    out: W,
    columns: Vec<Column>,
    /// Rows stand in one array; else each on its line.
    array: bool,
    first: bool,
}

impl<W: Write> JsonSink<W> {
    /// Starts an array, or nothing.
    pub(crate) fn begin(mut out: W, columns: &[Column], array: bool) -> io::Result<Self> {
        if array {
            out.write_all(b"[")?;
        }
        Ok(Self {
            out,
            columns: columns.to_vec(),
            array,
            first: true,
        })
    }
}

impl<W: Write> RowSink for JsonSink<W> {
    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        if self.array {
            self.out.write_all(if self.first { b"\n" } else { b",\n" })?;
        }
        self.first = false;
        serde_json::to_writer(
            &mut self.out,
            &Row {
                columns: &self.columns,
                cells: &cells,
            },
        )?;
        if self.array {
            Ok(())
        } else {
            self.out.write_all(b"\n")
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match (self.array, self.first) {
            (true, true) => self.out.write_all(b"]\n"),
            (true, false) => self.out.write_all(b"\n]\n"),
            (false, _) => Ok(()),
        }
    }
}

/// `serde_json::Map` would sort the keys.
struct Row<'a> {
    columns: &'a [Column],
    cells: &'a [Cell],
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for (column, cell) in self.columns.iter().zip(self.cells) {
            map.serialize_entry(&column.name, &cell.to_json())?;
        }
        map.end()
    }
}
