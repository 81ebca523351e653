//! RFC 4180, with a header; on a stream lines end in LF, as other tools of a pipe expect.

use std::io::{self, Write};

use super::{Cell, Column, RowSink};

/// Prints rows as CSV.
pub(crate) struct CsvSink<W> {
    out: W,
    line_end: &'static str,
}

impl<W: Write> CsvSink<W> {
    /// Prints the header.
    pub(crate) fn begin(out: W, columns: &[Column]) -> io::Result<Self> {
        Self::with_line_end(out, columns, "\n")
    }

    /// The same for a file, with the ends of lines of the RFC.
    #[cfg(feature = "lakehouse")]
    pub(crate) fn begin_file(out: W, columns: &[Column]) -> io::Result<Self> {
        Self::with_line_end(out, columns, "\r\n")
    }

    fn with_line_end(mut out: W, columns: &[Column], line_end: &'static str) -> io::Result<Self> {
        write_line(&mut out, columns.iter().map(|c| Some(c.name.clone())), line_end)?;
        Ok(Self { out, line_end })
    }

    /// What was written to.
    #[cfg(feature = "lakehouse")]
    pub(crate) fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> RowSink for CsvSink<W> {
    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        // Null is nothing between the commas, empty text is "": a reader can tell them apart.
        write_line(
            &mut self.out,
            cells.iter().map(|c| (*c != Cell::Null).then(|| c.to_string())),
            self.line_end,
        )
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_line(
    out: &mut dyn Write,
    fields: impl Iterator<Item = Option<String>>,
    line_end: &str,
) -> io::Result<()> {
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
    out.write_all(line_end.as_bytes())
}
