//! Several titled sheets as one result.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::table::TableSink;
use super::{RowSink, Sheet};

/// Sheets under titles, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sections(Vec<(String, Sheet)>);

impl Sections {
    /// Adds a sheet; an empty one is kept, it says that nothing was found.
    pub(crate) fn push(&mut self, title: impl Into<String>, sheet: Sheet) {
        self.0.push((title.into(), sheet));
    }

    /// For people: each title above its table.
    pub(crate) fn text(&self, width: Option<u16>) -> String {
        let parts = self.0.iter().map(|(title, sheet)| {
            let body = if sheet.rows.is_empty() { "(none)\n".to_owned() } else { sheet_text(sheet, width) };
            format!("{title}\n{body}")
        });
        parts.collect::<Vec<_>>().join("\n")
    }
}

/// A sheet as a table.
pub(crate) fn sheet_text(sheet: &Sheet, width: Option<u16>) -> String {
    let mut out = Vec::new();
    let mut sink = TableSink::begin(&mut out, &sheet.columns, width);
    // Writing to memory does not fail.
    let written = sheet.rows.iter().try_for_each(|row| sink.row(row.clone())).and_then(|()| sink.end());
    drop(sink);
    written.map_or_else(|_| String::new(), |()| String::from_utf8_lossy(&out).into_owned())
}

impl Serialize for Sections {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (title, sheet) in &self.0 {
            let rows: Vec<Value> = sheet
                .rows
                .iter()
                .map(|row| {
                    let pairs = sheet.columns.iter().zip(row).map(|(c, cell)| (c.name.clone(), cell.to_json()));
                    Value::Object(pairs.collect::<Map<_, _>>())
                })
                .collect();
            map.serialize_entry(title, &rows)?;
        }
        map.end()
    }
}
