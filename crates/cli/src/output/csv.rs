//! RFC 4180, with a header; lines end in LF.

use std::io::{self, Write};

use super::{Cell, Column, RowSink};

/// Prints rows as CSV.
pub(crate) struct CsvSink<W> {
    out: W,
}

impl<W: Write> CsvSink<W> {
    /// Prints the header.
    pub(crate) fn begin(mut out: W, columns: &[Column]) -> io::Result<Self> {
        write_line(&mut out, columns.iter().map(|c| Some(c.name.clone())))?;
        Ok(Self { out })
    }
}

impl<W: Write> RowSink for CsvSink<W> {
    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        // Null is nothing between the commas, empty text is "": a reader can tell them apart.
        write_line(
            &mut self.out,
            cells.iter().map(|c| (*c != Cell::Null).then(|| c.to_string())),
        )
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_line(out: &mut dyn Write, fields: impl Iterator<Item = Option<String>>) -> io::Result<()> {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        match field {
            None => {}
            Some(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => out.write_all(text.as_bytes())?,
        }
    }
    out.write_all(b"\n")
}
