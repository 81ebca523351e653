//! Rows as an Excel workbook. Its numbers are binary: what has more digits than they keep is written as text.

use std::fmt;
use std::io::Write;

use arrow::datatypes::{DataType, SchemaRef};
use rust_xlsxwriter::{ExcelDateTime, Format, XlsxError};

use crate::output::{Cell, Zone};

/// Rows of a sheet beside its heading.
const MOST_ROWS: u32 = 1_048_575;
/// Digits that a number of Excel keeps.
const MOST_DIGITS: usize = 15;
/// Characters of a cell.
const MOST_CHARS: usize = 32_767;

/// Why a workbook cannot hold the rows.
#[derive(Debug)]
pub(super) enum Unfit {
    Rows,
    Text { row: u32, column: String },
    Library(XlsxError),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows => write!(
                f,
                "a sheet of Excel has {MOST_ROWS} rows and the result has more; write .csv or .parquet"
            ),
            Self::Text { row, column } => write!(
                f,
                "{column} in row {row} has more than the {MOST_CHARS} characters of a cell of Excel; write .csv or .parquet"
            ),
            Self::Library(error) => error.fmt(f),
        }
    }
}

impl From<XlsxError> for Unfit {
    fn from(error: XlsxError) -> Self {
        Self::Library(error)
    }
}

/// What a column holds, as Excel is to show it.
enum Kind {
    Plain,
    Amount(Format),
    Date(Format),
    Instant(Format),
}

/// One sheet that grows row by row, in little memory.
pub(super) struct Workbook {
    book: rust_xlsxwriter::Workbook,
    kinds: Vec<Kind>,
    names: Vec<String>,
    zone: Zone,
    row: u32,
}

impl Workbook {
    /// A sheet with its heading. Excel knows no time zones: times are those of `zone`, which the heading names.
    pub(super) fn begin(schema: &SchemaRef, zone: Zone) -> Result<Self, Unfit> {
        let mut book = rust_xlsxwriter::Workbook::new();
        let sheet = book.add_worksheet_with_constant_memory()?;
        sheet.set_freeze_panes(1, 0)?;
        let heading = Format::new().set_bold();
        let mut kinds = Vec::new();
        for (at, field) in (0..).zip(schema.fields()) {
            let kind = match field.data_type() {
                DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => {
                    let places = "0".repeat(usize::try_from(*scale).unwrap_or_default());
                    let number = if places.is_empty() {
                        "#,##0".to_owned()
                    } else {
                        format!("#,##0.{places}")
                    };
                    Kind::Amount(Format::new().set_num_format(number))
                }
                DataType::Date32 | DataType::Date64 => Kind::Date(Format::new().set_num_format("yyyy-mm-dd")),
                DataType::Timestamp(..) => {
                    Kind::Instant(Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"))
                }
                _ => Kind::Plain,
            };
            let name = match field.data_type() {
                DataType::Timestamp(_, Some(_)) => format!("{} ({zone})", field.name()),
                _ => field.name().clone(),
            };
            sheet.write_string_with_format(0, at, name, &heading)?;
            kinds.push(kind);
        }
        Ok(Self {
            book,
            kinds,
            names: schema.fields().iter().map(|f| f.name().clone()).collect(),
            zone,
            row: 0,
        })
    }

    /// The next row.
    pub(super) fn row(&mut self, cells: &[Cell]) -> Result<(), Unfit> {
        if self.row == MOST_ROWS {
            return Err(Unfit::Rows);
        }
        self.row += 1;
        let sheet = self.book.worksheet_from_index(0)?;
        for ((at, cell), kind) in (0..).zip(cells).zip(&self.kinds) {
            match (cell, kind) {
                (Cell::Null, _) => {}
                (Cell::Bool(value), _) => drop(sheet.write_boolean(self.row, at, *value)?),
                (Cell::Exact(text), Kind::Amount(format)) if fits(text) => {
                    let number = text.parse::<f64>().unwrap_or_default();
                    sheet.write_number_with_format(self.row, at, number, format)?;
                }
                (Cell::Exact(text) | Cell::Instant(text), Kind::Date(format) | Kind::Instant(format)) => {
                    let text = self.zone.shown(text);
                    match date_time(&text) {
                        Some(time) => drop(sheet.write_datetime_with_format(self.row, at, &time, format)?),
                        None => drop(sheet.write_string(self.row, at, text)?),
                    }
                }
                (cell, _) => {
                    let text = cell.to_string();
                    match cell {
                        Cell::Int(_) | Cell::UInt(_) | Cell::Float(_) if fits(&text) => {
                            sheet.write_number(self.row, at, text.parse::<f64>().unwrap_or_default())?;
                        }
                        _ if text.chars().count() > MOST_CHARS => {
                            let column = self.names.get(usize::from(at)).cloned().unwrap_or_default();
                            return Err(Unfit::Text {
                                row: self.row,
                                column,
                            });
                        }
                        _ => drop(sheet.write_string(self.row, at, text)?),
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes the workbook.
    pub(super) fn end(mut self, out: &mut (impl Write + std::io::Seek + Send)) -> Result<(), Unfit> {
        Ok(self.book.save_to_writer(out)?)
    }
}

/// Whether a number of Excel keeps every digit.
fn fits(number: &str) -> bool {
    let digits = number.trim_start_matches(['-', '0', '.']);
    digits.chars().filter(char::is_ascii_digit).count() <= MOST_DIGITS
}

/// A time as Excel keeps it, without its offset: since 1900, to the millisecond. `None` for any other.
fn date_time(text: &str) -> Option<ExcelDateTime> {
    let (day, time) = text.split_once('T').unwrap_or((text, ""));
    let time = time.split(['Z', '+', '-']).next().unwrap_or_default();
    let thousandths = time
        .split_once('.')
        .map_or(0, |(_, digits)| digits.trim_end_matches('0').len());
    // What is before its calendar, and what is finer than its clock, stays a text.
    if day < "1900-01-01" || day.len() != "1900-01-01".len() || thousandths > 3 {
        return None;
    }
    let clock = if time.is_empty() {
        day.to_owned()
    } else {
        format!("{day}T{time}")
    };
    ExcelDateTime::parse_from_str(&clock).ok()
}

#[cfg(test)]
mod tests {
    use super::{date_time, fits};

    #[test]
    fn a_number_of_excel_keeps_fifteen_digits() {
        assert!(fits("1234567890123.45") && fits("-0.000001") && fits("0"));
        assert!(!fits("12345678901234.56") && !fits("9007199254740993"));
    }

    #[test]
    fn times_lose_their_offset_and_nothing_else() {
        assert!(date_time("2026-01-06T00:00:00+09:00").is_some());
        assert!(date_time("2026-01-06").is_some());
        assert!(date_time("1899-12-31").is_none() && date_time("0001-01-01T00:00:00Z").is_none());
        assert!(date_time("2026-01-06T00:00:00.362000Z").is_some());
        assert!(date_time("2026-01-06T00:00:00.362115Z").is_none());
    }
}
