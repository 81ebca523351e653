//! Aligned columns for people, fitted to the terminal. What does not fit without breaking a number, an id or a time is
//! printed as records, a line per value.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, TableComponent, Width};
use unicode_width::UnicodeWidthStr;

use super::visible::{PLAIN, RED, YELLOW};
use super::{Align, Cell, Column, Look, RowSink, visible, visible_line};

/// Rows whose widths are measured together; a longer result repeats its header, in bounded memory.
const ROWS_PER_BLOCK: usize = 5_000;
/// Blanks after a column that another follows.
const PADDING: usize = 2;
/// Blanks between two columns: the padding, and the gap in the line under the heading.
const BETWEEN: usize = PADDING + 1;

/// Prints rows as a table.
pub(crate) struct TableSink<W> {
    out: W,
    columns: Vec<Column>,
    look: Look,
    block: Vec<Vec<String>>,
    printed: usize,
}

impl<W: Write> TableSink<W> {
    /// Starts a table.
    pub(crate) fn begin(out: W, columns: &[Column], look: Look) -> Self {
        Self {
            out,
            columns: columns.iter().map(heading).collect(),
            look,
            block: Vec::new(),
            printed: 0,
        }
    }

    /// Prints what has been collected, as a table or as records.
    fn flush_block(&mut self) -> io::Result<()> {
        if self.printed > 0 {
            self.out.write_all(b"\n")?;
        }
        let rows = std::mem::take(&mut self.block);
        let count = rows.len();
        let least = self.least_widths(&rows);
        let needed: usize = least.iter().sum::<usize>() + BETWEEN * least.len().saturating_sub(1);
        let is_too_wide = self.look.width.is_some_and(|width| usize::from(width) < needed);
        if count > 0 && (is_too_wide || self.look.as_records) {
            self.records(&rows)?;
        } else {
            self.table(rows, &least)?;
        }
        self.printed += count.max(1);
        Ok(())
    }

    /// What each column takes when only texts are broken, and those between their words.
    fn least_widths(&self, rows: &[Vec<String>]) -> Vec<usize> {
        let words = |text: &str| {
            text.split_whitespace()
                .map(UnicodeWidthStr::width)
                .max()
                .unwrap_or(0)
        };
        let column = |at: usize, column: &Column| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            let widest = cells.map(|cell| words(cell)).max().unwrap_or(0);
            widest.max(words(&column.name))
        };
        self.columns
            .iter()
            .enumerate()
            .map(|(at, heading)| column(at, heading))
            .collect()
    }

    fn table(&mut self, rows: Vec<Vec<String>>, least: &[usize]) -> io::Result<()> {
        let width = self.look.width;
        let mut table = Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_style(TableComponent::HeaderLines, '-');
        table.set_style(TableComponent::MiddleHeaderIntersections, ' ');
        match width {
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
        for row in rows {
            let cells = row.into_iter().zip(&self.columns);
            table.add_row(cells.map(|(cell, c)| aligned(comfy_table::Cell::new(cell), c)));
        }
        let last = self.columns.len().saturating_sub(1);
        for (at, column) in table.column_iter_mut().enumerate() {
            let padding = if at == last { 0 } else { PADDING };
            column.set_padding((0, u16::try_from(padding).unwrap_or_default()));
            if width.is_some() {
                let least = least.get(at).copied().unwrap_or_default() + padding;
                let least = u16::try_from(least).unwrap_or(u16::MAX);
                column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
            }
        }
        for line in table.lines() {
            let line = line.trim_end();
            if self.look.has_color {
                writeln!(self.out, "{}", painted(line))?;
            } else {
                writeln!(self.out, "{line}")?;
            }
        }
        Ok(())
    }

    /// One line per value, each as long as it is: nothing is broken.
    fn records(&mut self, rows: &[Vec<String>]) -> io::Result<()> {
        let widest = self.columns.iter().map(|c| c.name.width()).max().unwrap_or(0);
        for (at, row) in rows.iter().enumerate() {
            writeln!(self.out, "-[ {} ]{}", self.printed + at + 1, "-".repeat(widest))?;
            for (column, value) in self.columns.iter().zip(row) {
                let blanks = " ".repeat(widest - column.name.width());
                // The lines of a text stand under each other.
                let below = format!("\n{}", " ".repeat(widest + PADDING));
                let value = value.trim_end().replace('\n', &below);
                let value = if self.look.has_color {
                    painted(&value)
                } else {
                    value
                };
                let line = format!("{}{blanks}  {value}", column.name);
                writeln!(self.out, "{}", line.trim_end())?;
            }
        }
        Ok(())
    }
}

impl<W: Write> RowSink for TableSink<W> {
    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        let look = self.look;
        self.block
            .push(cells.iter().map(|cell| shown(cell, look)).collect());
        if self.block.len() < ROWS_PER_BLOCK {
            Ok(())
        } else {
            self.flush_block()
        }
    }

    fn end(&mut self) -> io::Result<()> {
        if self.block.is_empty() && self.printed > 0 {
            Ok(())
        } else {
            self.flush_block()
        }
    }
}

/// Words that somebody should see first: severities, verdicts, results of checks, ends of runs.
const ERRORS: [&str; 6] = ["CRITICAL", "FAIL", "CHANGED", "MISSING", "UNKNOWN RUN", "failure"];
const WARNINGS: [&str; 4] = ["WARN", "interrupted", "no_data", "suppressed"];

/// A line with those words in colour where they stand by themselves.
fn painted(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 16);
    let mut rest = line;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let starts = |words: &[&'static str]| {
            let alone = |word: &&&str| {
                rest.strip_prefix(**word)
                    .is_some_and(|after| after.chars().next().is_none_or(char::is_whitespace))
            };
            words.iter().find(alone).copied()
        };
        let found = before.is_whitespace().then(|| match starts(&ERRORS) {
            Some(word) => Some((RED, word)),
            None => starts(&WARNINGS).map(|word| (YELLOW, word)),
        });
        let length = match found.flatten() {
            Some((color, word)) => {
                out.push_str(color);
                out.push_str(word);
                out.push_str(PLAIN);
                word.len()
            }
            None => {
                out.push(first);
                first.len_utf8()
            }
        };
        before = rest
            .get(..length)
            .and_then(|taken| taken.chars().last())
            .unwrap_or(first);
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// A heading may be text of a statement, as a cell may be a stranger's.
fn heading(column: &Column) -> Column {
    Column {
        name: visible_line(&column.name).into_owned(),
        ..column.clone()
    }
}

fn shown(cell: &Cell, look: Look) -> String {
    match cell {
        Cell::Instant(at) => look.zone.shown(at),
        cell => visible(&cell.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::painted;

    #[test]
    fn grave_words_are_painted_where_they_stand_alone() {
        assert_eq!(painted("a  CRITICAL  b"), "a  \u{1b}[31mCRITICAL\u{1b}[0m  b");
        assert_eq!(painted("WARN"), "\u{1b}[33mWARN\u{1b}[0m");
        for plain in ["NOTCRITICAL", "WARNING", "a failure-mode", "한글 WARN상점"] {
            assert_eq!(painted(plain), plain);
        }
    }
}
