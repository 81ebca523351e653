//! Several titled sheets as one result.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::table::TableSink;
use super::{Cell, Column, Listing, Look, RowSink};
use crate::language::Language;

/// Sheets under titles, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sections(Vec<Section>);

#[derive(Debug, Clone)]
struct Section {
    title: String,
    listing: Listing,
    /// Shown to people on its side, a line per value.
    sideways: bool,
}

impl Sections {
    /// Adds a listing; an empty one is kept, it says that nothing was found.
    pub(crate) fn push(&mut self, title: impl Into<String>, listing: Listing) {
        self.0.push(Section {
            title: title.into(),
            listing,
            sideways: false,
        });
    }

    /// Adds a listing of few and wide rows.
    pub(crate) fn push_records(&mut self, title: impl Into<String>, listing: Listing) {
        self.0.push(Section {
            title: title.into(),
            listing,
            sideways: true,
        });
    }

    /// For people: each title above its table.
    pub(crate) fn text(&self, look: Look) -> String {
        let parts = self.0.iter().map(
            |Section {
                 title,
                 listing,
                 sideways,
             }| {
                let body = match (listing.rows.is_empty(), sideways) {
                    (true, _) => look.language.pick("(none)\n", "(없음)\n").to_owned(),
                    (false, true) => listing_text(&turned(&in_language(listing, look.language)), look),
                    (false, false) => listing_text(listing, look),
                };
                format!("{title}\n{body}")
            },
        );
        parts.collect::<Vec<_>>().join("\n")
    }
}

/// A listing as a table.
pub(crate) fn listing_text(listing: &Listing, look: Look) -> String {
    let mut out = Vec::new();
    let mut sink = TableSink::begin(&mut out, &listing.columns, look);
    // Writing to memory does not fail.
    let written = listing
        .rows
        .iter()
        .try_for_each(|row| sink.row(row.clone()))
        .and_then(|()| sink.end());
    drop(sink);
    written.map_or_else(|_| String::new(), |()| String::from_utf8_lossy(&out).into_owned())
}

/// Texts that stand there in both languages (`means` and `means_ko`), in the one that is read.
fn in_language(listing: &Listing, language: Language) -> Listing {
    let has = |name: &str| listing.columns.iter().any(|c| c.name == name);
    let keeps = |column: &Column| match column.name.strip_suffix("_ko") {
        Some(base) if has(base) => language == Language::Korean,
        _ => language == Language::English || !has(&format!("{}_ko", column.name)),
    };
    let kept: Vec<bool> = listing.columns.iter().map(keeps).collect();
    let columns = listing
        .columns
        .iter()
        .zip(&kept)
        .filter(|(_, kept)| **kept)
        .map(|(column, _)| {
            let name = column.name.strip_suffix("_ko").unwrap_or(&column.name);
            Column {
                name: name.to_owned(),
                ..column.clone()
            }
        });
    let rows = listing.rows.iter().map(|row| {
        let cells = row.iter().zip(&kept).filter(|(_, kept)| **kept);
        cells.map(|(cell, _)| cell.clone()).collect()
    });
    Listing {
        columns: columns.collect(),
        rows: rows.collect(),
    }
}

/// One line per value, nulls left out.
fn turned(listing: &Listing) -> Listing {
    let many = listing.rows.len() > 1;
    let mut turned = Listing {
        columns: vec![Column::text("field"), Column::text("value")],
        rows: Vec::new(),
    };
    if many {
        turned.columns.insert(0, Column::number("row"));
    }
    for (at, row) in listing.rows.iter().enumerate() {
        for (column, cell) in listing
            .columns
            .iter()
            .zip(row)
            .filter(|(_, cell)| **cell != Cell::Null)
        {
            let mut line = vec![Cell::text(&column.name), cell.clone()];
            if many {
                line.insert(0, Cell::count(at + 1));
            }
            turned.push(line);
        }
    }
    turned
}

/// A title as machines take it: words joined by underscores, what stands in brackets left out.
fn key(title: &str) -> String {
    let title = title.split('(').next().unwrap_or_default();
    let words: Vec<&str> = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    words.join("_")
}

impl Serialize for Sections {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for Section { title, listing, .. } in &self.0 {
            let rows: Vec<Value> = listing
                .rows
                .iter()
                .map(|row| {
                    let pairs = listing
                        .columns
                        .iter()
                        .zip(row)
                        .map(|(c, cell)| (c.name.clone(), cell.to_json()));
                    Value::Object(pairs.collect::<Map<_, _>>())
                })
                .collect();
            map.serialize_entry(&key(title), &rows)?;
        }
        map.end()
    }
}
