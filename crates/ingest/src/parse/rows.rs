//! Collects values into the Arrow columns of a Bronze table.
//!
//! A column is brought up to a row only when a value for it comes (and at the end), so a field that a line
//! lacks costs nothing, and a column no row fed is left out of the batch altogether.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use nsc_contracts::ColumnType;
use nsc_core::UtcMicros;

use super::LoadStamp;
use crate::columns::LoadField;

/// A text column under construction.
#[derive(Debug, Default)]
struct TextColumn {
    values: StringBuilder,
    /// Rows in it.
    length: usize,
    /// Values, rows of the batch before: the first guess at how much space the next needs.
    usual: (usize, usize),
}

impl TextColumn {
    /// Brings the column up to `row` with what stands where no value came.
    #[inline]
    fn pad(&mut self, row: usize, absent: Option<&str>) {
        let missing = row.saturating_sub(self.length);
        if missing > 0 {
            self.length = row;
            match absent {
                Some(text) => self.values.append_value_n(text, missing),
                None => self.values.append_nulls(missing),
            }
        }
    }

    #[inline]
    fn put(&mut self, row: usize, absent: Option<&str>, text: &str) {
        if self.length == 0 && self.usual.0 > 0 {
            self.values = StringBuilder::with_capacity(self.usual.1, self.usual.0);
        }
        self.pad(row, absent);
        self.length += 1;
        self.values.append_value(text);
    }

    fn take(&mut self, rows: usize, absent: Option<&str>) -> ArrayRef {
        self.pad(rows, absent);
        let bytes = self.values.values_slice().len();
        self.usual = (bytes + bytes / 16, rows + rows / 16);
        self.length = 0;
        Arc::new(self.values.finish())
    }
}

/// The rows of the batch under construction.
#[derive(Debug)]
pub(super) struct Rows {
    stamp: Arc<LoadStamp>,
    /// By column index of the registry; the two times have their own builders below.
    texts: Vec<TextColumn>,
    corrupt: TextColumn,
    source_ref: TextColumn,
    ingested_at: Vec<i64>,
    extracted_at: TimestampMicrosecondBuilder,
    /// The load's id, as often as the longest batch so far has rows.
    load_ids: StringArray,
    rows: usize,
}

impl Rows {
    pub(super) fn new(stamp: Arc<LoadStamp>) -> Self {
        Self {
            stamp,
            texts: LoadField::ALL.iter().map(|_| TextColumn::default()).collect(),
            corrupt: TextColumn::default(),
            source_ref: TextColumn::default(),
            ingested_at: Vec::new(),
            extracted_at: TimestampMicrosecondBuilder::new(),
            load_ids: StringArray::new_null(0),
            rows: 0,
        }
    }

    /// What the rows at hand carry besides what they say themselves.
    pub(super) fn stamp(&mut self, stamp: Arc<LoadStamp>) {
        self.stamp = stamp;
    }

    /// Rows completed.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The text of a field of the row under construction.
    #[inline]
    pub(super) fn text(&mut self, column: usize, text: &str) {
        if self.texts.len() <= column {
            self.texts.resize_with(column + 1, TextColumn::default);
        }
        let absent = self.stamp.absent_text(column);
        if let Some(values) = self.texts.get_mut(column) {
            values.put(self.rows, absent, text);
        }
    }

    pub(super) fn corrupt(&mut self, text: &str) {
        self.corrupt.put(self.rows, None, text);
    }

    #[inline]
    pub(super) fn ingested_at(&mut self, at: UtcMicros) {
        self.ingested_at
            .resize(self.rows, self.stamp.ingested_at.micros());
        self.ingested_at.push(at.micros());
    }

    #[inline]
    pub(super) fn extracted_at(&mut self, at: UtcMicros) {
        self.pad_extracted();
        self.extracted_at.append_value(at.micros());
    }

    fn pad_extracted(&mut self) {
        let missing = self.rows - arrow::array::ArrayBuilder::len(&self.extracted_at).min(self.rows);
        match self.stamp.source_extracted_at {
            Some(at) => self.extracted_at.append_value_n(at.micros(), missing),
            None => self.extracted_at.append_nulls(missing),
        }
    }

    /// Completes the row.
    #[inline]
    pub(super) fn end_row(&mut self, source_ref: &str) {
        self.source_ref.put(self.rows, None, source_ref);
        self.rows += 1;
    }

    /// The load's id for so many rows: one array serves every batch.
    fn load_ids(&mut self, rows: usize) -> ArrayRef {
        if self.load_ids.len() < rows {
            let room = rows.next_power_of_two();
            self.load_ids = match &self.stamp.load_id {
                Some(id) => StringArray::from_iter_values(std::iter::repeat_n(id.as_str(), room)),
                None => StringArray::new_null(room),
            };
        }
        Arc::new(self.load_ids.slice(0, rows))
    }

    /// The rows as a batch, its columns named; begins the next one.
    pub(super) fn take(&mut self, names: &[Arc<str>]) -> Result<RecordBatch, ArrowError> {
        let rows = self.rows;
        let load_ids = self.load_ids(rows);
        let mut fields: Vec<Field> = Vec::with_capacity(self.texts.len() + 7);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.texts.len() + 7);
        let mut add = |name: &str, ty: ColumnType, nullable: bool, column: ArrayRef| {
            fields.push(Field::new(name, ty.arrow(), nullable));
            columns.push(column);
        };
        for (index, (text, name)) in self.texts.iter_mut().zip(names).enumerate() {
            let absent = self.stamp.absent_text(index);
            if text.length > 0 || absent.is_some() {
                add(name, ColumnType::Text, true, text.take(rows, absent));
            }
        }
        if self.corrupt.length > 0 {
            add(
                "_corrupt_record",
                ColumnType::Text,
                true,
                self.corrupt.take(rows, None),
            );
        }
        self.ingested_at.resize(rows, self.stamp.ingested_at.micros());
        let ingested = std::mem::replace(&mut self.ingested_at, Vec::with_capacity(rows + rows / 16));
        let dates: Date32Array = ingested
            .iter()
            .map(|at| Some(UtcMicros::new(*at).utc_day()))
            .collect();
        self.pad_extracted();
        let extracted = self.extracted_at.finish().with_timezone("UTC");
        add(
            "ingested_at",
            ColumnType::Timestamp,
            false,
            Arc::new(TimestampMicrosecondArray::from(ingested).with_timezone("UTC")),
        );
        add(
            "source_extracted_at",
            ColumnType::Timestamp,
            true,
            Arc::new(extracted),
        );
        add(
            "source_ref",
            ColumnType::Text,
            false,
            self.source_ref.take(rows, None),
        );
        add("ingest_date", ColumnType::Date, false, Arc::new(dates));
        add("load_id", ColumnType::Text, true, load_ids);
        self.rows = 0;
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}
