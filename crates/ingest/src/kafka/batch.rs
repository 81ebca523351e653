//! The messages of one commit: rows in memory, and which offsets of which partitions they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use nsc_core::UtcMicros;
use nsc_lake::Table;

use super::position::Position;
use super::record::Record;
use crate::columns::Registry;
use crate::error::IngestError;
use crate::parse::{ChunkParser, LineCounts, LoadStamp, ParseError};

/// What of a partition is in a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// Where the partition stood before; `None` when nothing of it was ever taken.
    pub(super) from: Option<i64>,
    pub(super) to: Position,
}

/// Rows that are committed together.
pub(super) struct Batch {
    topic: String,
    parser: ChunkParser,
    pub(super) registry: Arc<Registry>,
    pub(super) ranges: BTreeMap<i32, Range>,
    pub(super) tombstones: u64,
    pub(super) bytes: usize,
    records: usize,
}

impl Batch {
    /// An empty one for a table as it is now.
    pub(super) fn new(topic: &str, table: &Table) -> Self {
        let registry = Arc::new(Registry::new(table.contract(), &table.schema()));
        Self {
            topic: topic.to_owned(),
            parser: ChunkParser::new(
                Arc::clone(&registry),
                Arc::new(LoadStamp::of_stream(UtcMicros::new(0))),
            ),
            registry,
            ranges: BTreeMap::new(),
            tombstones: 0,
            bytes: 0,
            records: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Messages in it.
    pub(super) fn len(&self) -> usize {
        self.records
    }

    /// Takes a record that comes behind `from`.
    pub(super) fn push(&mut self, record: &Record, from: Option<i64>) -> Result<(), IngestError> {
        let to = Position {
            next: record.offset + 1,
            fingerprint: record.fingerprint(),
        };
        self.ranges
            .entry(record.partition)
            .and_modify(|range| range.to = to)
            .or_insert(Range { from, to });
        self.bytes += record.size();
        self.records += 1;
        match &record.payload {
            None => self.tombstones += 1,
            Some(payload) => {
                let source_ref = format!("kafka:{}/{}/{}", self.topic, record.partition, record.offset);
                self.parser
                    .message(payload, &source_ref, record.sent_at)
                    .map_err(|e| refused(&self.topic, e))?;
            }
        }
        Ok(())
    }

    /// The rows, all taken in at one moment; none when there are only tombstones.
    pub(super) fn rows(&mut self, ingested_at: UtcMicros) -> Result<Option<RecordBatch>, IngestError> {
        let stamp = Arc::new(LoadStamp::of_stream(ingested_at));
        self.parser
            .take_stamped(stamp)
            .map_err(|e| refused(&self.topic, e))
    }

    pub(super) fn counts(&self) -> LineCounts {
        self.parser.counts()
    }
}

fn refused(topic: &str, error: ParseError) -> IngestError {
    let reason = match error {
        ParseError::Aborted => "it was stopped".to_owned(),
        ParseError::Arrow(e) => e.to_string(),
    };
    IngestError::Defect {
        input: format!("topic {topic}"),
        reason,
    }
}

/// The same rows, taken in at another moment.
pub(super) fn restamped(rows: &RecordBatch, at: UtcMicros) -> Result<RecordBatch, ArrowError> {
    let count = rows.num_rows();
    let columns = rows.schema_ref().fields().iter().zip(rows.columns());
    let columns = columns.map(|(field, column)| -> ArrayRef {
        match field.name().as_str() {
            "ingested_at" => {
                Arc::new(TimestampMicrosecondArray::from_value(at.micros(), count).with_timezone("UTC"))
            }
            "ingest_date" => Arc::new(Date32Array::from_value(at.utc_day(), count)),
            _ => Arc::clone(column),
        }
    });
    RecordBatch::try_new(Arc::clone(rows.schema_ref()), columns.collect())
}
