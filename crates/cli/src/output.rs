//! Results on stdout: rows or one document, for people or for machines.
//!
//! A command makes a [`Listing`] (or feeds a [`RowSink`] row by row) and never formats anything itself.

#[cfg(feature = "lakehouse")]
mod arrow_cells;
mod cell;
mod csv;
mod json;
mod listing;
mod look;
mod pager;
mod sections;
mod stdout;
mod table;
mod visible;

use clap::ValueEnum;

#[cfg(feature = "lakehouse")]
pub(crate) use arrow_cells::{BatchCells, columns_of};
pub(crate) use cell::Cell;
#[cfg(feature = "lakehouse")]
pub(crate) use csv::CsvSink;
pub(crate) use listing::{Align, Column, Listing, RowSink};
pub(crate) use look::{Look, Zone};
pub(crate) use pager::PagerCommand;
pub(crate) use sections::{Sections, listing_text};
pub(crate) use stdout::Printer;
pub(crate) use visible::{visible, visible_but_painted, visible_line};

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people.
    #[default]
    Table,
    /// Comma-separated values with a header, as RFC 4180 but for the ends of lines, which are LF.
    Csv,
    /// One JSON array (or object).
    Json,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// Whether errors are printed as JSON too.
    pub(crate) const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }
}
