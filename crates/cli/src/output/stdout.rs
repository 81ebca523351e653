//! Where results go: stdout, buffered, in the format that was asked for.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::csv::CsvSink;
use super::json::JsonSink;
use super::pager::{Pager, PagerCommand};
use super::table::TableSink;
use super::{Column, Format, Listing, Look, RowSink, visible_but_painted};
use crate::failure::{OperatorMessage, Outcome, OutputError};
use crate::language::Language;

/// Prints results.
pub(crate) struct Printer {
    out: Target,
    format: Format,
    look: Look,
    pager: Option<PagerCommand>,
    /// How stdout looks, while what is printed goes into a file.
    look_of_stdout: Option<Look>,
}

enum Target {
    Stdout(BufWriter<io::Stdout>),
    Pager(Pager),
    File(BufWriter<File>),
    #[cfg(test)]
    Memory(Vec<u8>),
}

impl Printer {
    /// Prints to stdout.
    pub(crate) fn to_stdout(format: Format, look: Look) -> Self {
        Self {
            out: stdout(),
            format,
            look,
            pager: None,
            look_of_stdout: None,
        }
    }

    /// With a pager for long results.
    pub(crate) fn with_pager(mut self, pager: Option<PagerCommand>) -> Self {
        self.pager = pager;
        self
    }

    /// What is printed from here on is shown page by page, where a person looks at a terminal.
    #[cfg(feature = "lakehouse")]
    pub(crate) fn begin_pages(&mut self) {
        if matches!(self.out, Target::Stdout(_))
            && self.is_looked_at()
            && let Some(pager) = self.pager.as_ref().and_then(PagerCommand::start)
        {
            self.out = Target::Pager(pager);
        }
    }

    /// Waits until the pages were looked at.
    #[cfg(feature = "lakehouse")]
    pub(crate) fn end_pages(&mut self) -> Result<(), OutputError> {
        if matches!(self.out, Target::Pager(_))
            && let Target::Pager(pager) = std::mem::replace(&mut self.out, stdout())
        {
            pager.end()?;
        }
        Ok(())
    }

    /// What is printed from here on goes into a file, or to stdout again.
    #[cfg(feature = "lakehouse")]
    pub(crate) fn redirect(&mut self, file: Option<File>) -> Result<(), OutputError> {
        // What cannot be written any more keeps nobody from the terminal.
        let flushed = self.flush();
        if let Some(look) = self.look_of_stdout.take() {
            self.look = look;
        }
        self.out = match file {
            Some(file) => {
                self.look_of_stdout = Some(self.look);
                self.look = self.look.in_a_file();
                Target::File(BufWriter::new(file))
            }
            None => stdout(),
        };
        flushed
    }

    /// The language people are answered in.
    pub(crate) const fn language(&self) -> Language {
        self.look.language
    }

    #[cfg(test)]
    pub(crate) fn into_memory(format: Format) -> Self {
        Self {
            out: Target::Memory(Vec::new()),
            format,
            look: Look::of_a_pipe(),
            pager: None,
            look_of_stdout: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn into_text(self) -> String {
        match self.out {
            Target::Memory(bytes) => String::from_utf8(bytes).unwrap(),
            _ => String::new(),
        }
    }

    /// Prints a whole result.
    pub(crate) fn listing(&mut self, listing: &Listing) -> Result<(), OutputError> {
        let mut sink = self.rows(&listing.columns)?;
        for row in &listing.rows {
            sink.row(row.clone())?;
        }
        sink.end()?;
        drop(sink);
        self.flush()
    }

    /// Prints a result row by row; the caller ends the sink and flushes.
    pub(crate) fn rows<'a>(&'a mut self, columns: &[Column]) -> Result<Box<dyn RowSink + 'a>, OutputError> {
        let (format, look) = (self.format, self.look);
        let out = self.writer();
        Ok(match format {
            Format::Table => Box::new(TableSink::begin(out, columns, look)),
            Format::Csv => Box::new(CsvSink::begin(out, columns)?),
            Format::Json => Box::new(JsonSink::begin(out, columns, true)?),
            Format::Ndjson => Box::new(JsonSink::begin(out, columns, false)?),
        })
    }

    /// Prints one document: text for people, the same content as JSON for machines.
    pub(crate) fn document<T: Serialize>(&mut self, value: &T, text: impl FnOnce() -> String) -> Outcome {
        let format = self.format;
        let out = self.writer();
        let written = match format {
            Format::Table => out.write_all(visible_but_painted(&text()).as_bytes()),
            Format::Json => serde_json::to_writer_pretty(&mut *out, value)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n")),
            Format::Ndjson => serde_json::to_writer(&mut *out, value)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n")),
            Format::Csv => {
                return Err(OperatorMessage::usage(
                    "this result is not a list of rows, so it has no csv form",
                )
                .with_hint("Use --format json.")
                .into());
            }
        };
        written.map_err(OutputError)?;
        Ok(self.flush()?)
    }

    /// The form of what is printed.
    #[cfg(feature = "lakehouse")]
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether a person looks at a terminal.
    #[cfg(feature = "lakehouse")]
    pub(crate) fn is_looked_at(&self) -> bool {
        self.format == Format::Table && self.look.width.is_some()
    }

    /// Parts one result from the next, for people.
    pub(crate) fn between(&mut self) -> Result<(), OutputError> {
        if self.format == Format::Table {
            self.writer().write_all(b"\n")?;
        }
        Ok(())
    }

    /// Shows rows as records, a line per value, or as tables again; returns which.
    #[cfg(feature = "lakehouse")]
    pub(crate) fn turn_records(&mut self) -> bool {
        self.look.as_records = !self.look.as_records;
        self.look.as_records
    }

    /// Prints text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), OutputError> {
        self.writer().write_all(text.as_bytes())?;
        self.flush()
    }

    /// Hands everything to the system.
    pub(crate) fn flush(&mut self) -> Result<(), OutputError> {
        Ok(self.writer().flush()?)
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.out {
            Target::Stdout(out) => out,
            Target::Pager(pager) => pager,
            Target::File(file) => file,
            #[cfg(test)]
            Target::Memory(bytes) => bytes,
        }
    }
}

fn stdout() -> Target {
    Target::Stdout(BufWriter::with_capacity(1 << 16, io::stdout()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Printer;
    use crate::output::{Cell, Column, Format, Listing};

    fn printed(format: Format, width: Option<u16>, listing: &Listing) -> String {
        let mut printer = Printer::into_memory(format);
        printer.look.width = width;
        printer.listing(listing).unwrap();
        printer.into_text()
    }

    fn example() -> Listing {
        Listing {
            columns: vec![
                Column::text("merchant"),
                Column::number("amount"),
                Column::text("at"),
                Column::text("nested"),
            ],
            rows: vec![
                vec![
                    Cell::text("한빛 카페"),
                    Cell::exact("1234567890123456789012345678.90"),
                    Cell::time_or_null(Some("2026-01-05T15:00:00Z")),
                    Cell::Null,
                ],
                vec![
                    Cell::text("Blue, \"Mall\"\u{1b}[2J"),
                    Cell::exact("-0.10"),
                    Cell::Null,
                    Cell::Json(json!({"a": ["1.20"]})),
                ],
                vec![
                    Cell::text(""),
                    Cell::Int(5),
                    Cell::Bool(true),
                    Cell::Float(f64::NAN),
                ],
            ],
        }
    }

    #[test]
    fn every_format_keeps_the_exact_values() {
        for (name, format) in [
            ("table", Format::Table),
            ("csv", Format::Csv),
            ("json", Format::Json),
            ("ndjson", Format::Ndjson),
        ] {
            insta::assert_snapshot!(format!("format_{name}"), printed(format, None, &example()));
        }
    }

    #[test]
    fn a_table_fits_the_terminal() {
        let text = printed(Format::Table, Some(60), &example());
        assert!(text.lines().all(|l| l.chars().count() <= 60), "{text}");
    }

    #[test]
    fn what_does_not_fit_is_a_line_per_value_and_no_number_id_or_time_is_broken() {
        let exact = [
            "1234567890123456789012345678.90",
            "2026-01-05T15:00:00Z",
            r#"{"a":["1.20"]}"#,
        ];
        for width in 10..120 {
            let text = printed(Format::Table, Some(width), &example());
            for value in exact {
                assert!(text.contains(value), "{width}: {text}");
            }
            let is_table = text.starts_with("merchant");
            assert!(
                !is_table || text.lines().all(|l| l.chars().count() <= width.into()),
                "{width}: {text}"
            );
        }
        let text = printed(Format::Table, Some(40), &example());
        assert!(
            text.starts_with("-[ 1 ]--------\nmerchant  한빛 카페\namount    1234567"),
            "{text}"
        );
    }

    #[test]
    fn an_empty_result_is_a_header_or_an_empty_array() {
        let empty = Listing::of_text(&["a", "b"]);
        assert_eq!(printed(Format::Csv, None, &empty), "a,b\n");
        assert_eq!(printed(Format::Json, None, &empty), "[]\n");
        assert_eq!(printed(Format::Ndjson, None, &empty), "");
        assert!(printed(Format::Table, None, &empty).starts_with("a"));
    }

    #[test]
    fn a_long_table_repeats_its_header_in_blocks() {
        let listing = Listing {
            columns: vec![Column::number("n")],
            rows: (0..12_000).map(|n| vec![Cell::Int(n)]).collect(),
        };
        let text = printed(Format::Table, None, &listing);
        assert_eq!(text.lines().filter(|l| l.trim() == "n").count(), 3);
    }
}
