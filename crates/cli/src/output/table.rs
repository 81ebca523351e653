//! Aligned columns for people, fitted to the terminal.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent};

use super::{Align, Cell, Column, RowSink, visible};

/// Rows whose widths are measured together; a longer result repeats its header, in bounded memory.
const ROWS_PER_BLOCK: usize = 5_000;

/// Prints rows as a table.
pub(crate) struct TableSink<W> {
    out: W,
    columns: Vec<Column>,
    width: Option<u16>,
    block: Vec<Vec<Cell>>,
    printed_any: bool,
}

impl<W: Write> TableSink<W> {
    /// Starts a table for a terminal of a width, or for a pipe.
    pub(crate) fn begin(out: W, columns: &[Column], width: Option<u16>) -> Self {
        Self {
            out,
            columns: columns.to_vec(),
            width,
            block: Vec::new(),
            printed_any: false,
        }
    }

    fn flush_block(&mut self) -> io::Result<()> {
        let mut table = Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_style(TableComponent::HeaderLines, '-');
        table.set_style(TableComponent::MiddleHeaderIntersections, ' ');
        match self.width {
            Some(width) => table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(width),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        let aligned = |cell: comfy_table::Cell, column: &Column| match column.align {
            Align::Left => cell,
            Align::Right => cell.set_alignment(CellAlignment::Right),
        };
        table.set_header(
            self.columns
                .iter()
                .map(|c| aligned(comfy_table::Cell::new(&c.name), c)),
        );
        for row in self.block.drain(..) {
            table.add_row(
                row.iter()
                    .zip(&self.columns)
                    .map(|(cell, c)| aligned(comfy_table::Cell::new(shown(cell)), c)),
            );
        }
        let last = self.columns.len().saturating_sub(1);
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if at == last { 0 } else { 2 }));
        }
        if self.printed_any {
            self.out.write_all(b"\n")?;
        }
        self.printed_any = true;
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl<W: Write> RowSink for TableSink<W> {
    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.block.push(cells);
        if self.block.len() < ROWS_PER_BLOCK {
            Ok(())
        } else {
            self.flush_block()
        }
    }

    fn end(&mut self) -> io::Result<()> {
        if self.block.is_empty() && self.printed_any {
            Ok(())
        } else {
            self.flush_block()
        }
    }
}

fn shown(cell: &Cell) -> String {
    visible(&cell.to_string()).into_owned()
}
