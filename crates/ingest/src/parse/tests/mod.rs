//! Lines in, rows out: what a line becomes, and that it does not depend on how the work was cut.

mod catalogue;
mod messages;
mod properties;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, TimestampMicrosecondType};
use nsc_core::{LoadId, UtcMicros};

use super::{ChunkParser, LineCounts, LoadStamp, ParseError};
use crate::chunk::Chunker;
use crate::columns::Registry;

/// A row: its columns that are not null, as text.
type Row = BTreeMap<String, String>;

struct Parsed {
    rows: Vec<Row>,
    counts: LineCounts,
    added: Vec<String>,
}

fn stamp() -> LoadStamp {
    LoadStamp {
        source_ref: "file:f#".to_owned(),
        load_id: Some(LoadId::after(None)),
        ingested_at: UtcMicros::new(1_000_000),
        source_extracted_at: None,
        batch_id: Some("load".to_owned()),
        source_system: None,
    }
}

/// At most so many bytes from each read: files and pipes do not give what is asked for.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

fn parse_in(text: &[u8], chunk_bytes: usize, read_bytes: usize) -> Parsed {
    let contract = nsc_contracts::table("transaction_ledger_raw").unwrap();
    let registry = Arc::new(Registry::new(contract, &contract.arrow_schema()));
    let mut chunker = Chunker::new(Slow(text, read_bytes), chunk_bytes);
    let mut parser = ChunkParser::new(Arc::clone(&registry), Arc::new(stamp()));
    let mut rows = Vec::new();
    let mut buffer = vec![7; 5];
    while let Some(chunk) = chunker.next(std::mem::take(&mut buffer)).unwrap() {
        let emit = |batch: RecordBatch| {
            rows.extend((0..batch.num_rows()).map(|i| row(&batch, i)));
            Ok::<(), ParseError>(())
        };
        parser.parse(&chunk, emit).unwrap();
        buffer = chunk.bytes;
    }
    Parsed {
        rows,
        counts: parser.counts(),
        added: registry.added(),
    }
}

fn parse(text: &[u8]) -> Parsed {
    parse_in(text, 1 << 20, usize::MAX)
}

fn row(batch: &RecordBatch, index: usize) -> Row {
    let schema = batch.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .filter(|(_, c)| c.is_valid(index));
    columns
        // A fresh one every time.
        .filter(|(field, _)| field.name() != "load_id")
        .map(|(field, column)| {
            let text = match column.data_type() {
                DataType::Utf8 => column.as_string::<i32>().value(index).to_owned(),
                DataType::Timestamp(..) => {
                    UtcMicros::new(column.as_primitive::<TimestampMicrosecondType>().value(index)).to_string()
                }
                DataType::Date32 => column.as_primitive::<Date32Type>().value(index).to_string(),
                other => panic!("{other}"),
            };
            (field.name().clone(), text)
        })
        .collect()
}

/// What a single line becomes, without what every row has.
fn fields(line: &str) -> Row {
    let mut parsed = parse(line.as_bytes());
    assert_eq!((parsed.rows.len(), parsed.counts.rows), (1, 1), "{line}");
    let mut row = parsed.rows.remove(0);
    for (name, value) in [
        ("source_ref", "file:f#1"),
        ("batch_id", "load"),
        ("ingested_at", "1970-01-01T00:00:01Z"),
        ("ingest_date", "0"),
    ] {
        if row.get(name).is_some_and(|v| v == value) {
            row.remove(name);
        }
    }
    row
}

fn expect<const N: usize>(pairs: [(&str, &str); N]) -> Row {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
