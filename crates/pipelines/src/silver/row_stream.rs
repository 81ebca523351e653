//! Streams of classified rows: Silver rows into a table's new files, bad rows into the quarantine's, all counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int8Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::compute::{cast, filter_record_batch, is_not_null};
use datafusion::arrow::datatypes::{DataType, Field, Int8Type, Schema};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::DataFrame;
use futures::TryStreamExt;
use futures::stream::select_all;
use nsc_contracts::reason;
use nsc_core::DateKst;
use nsc_lake::{Upsert, UpsertPart, UpsertWriter};
use nsc_transforms::silver::Kind;

use super::bronze::BronzeInput;
use super::refused;
use super::row_counts::RowCounts;
use super::rules::SilverRules;
use crate::loads::LOAD_ID;
use crate::{PipelineError, RunContext};

/// What a stream of classified rows became.
#[derive(Default)]
pub(super) struct Taken {
    /// Those that were given, to go on with.
    pub(super) writers: Vec<UpsertWriter>,
    /// Rows that had a key of their own.
    pub(super) inserted: u64,
    pub(super) bad_parts: Vec<UpsertPart>,
    pub(super) counts: RowCounts,
    pub(super) undated: Vec<RecordBatch>,
    /// Payment orders a version of which was refused for its amount, and its day.
    pub(super) refused_orders: BTreeSet<(String, Option<DateKst>)>,
}

/// Streams classified rows into the table's new files and the quarantine's, a task a writer: as many files as writers,
/// whatever the plan's parts. Without a writer the rows are only counted.
pub(super) async fn write_rows(
    run: &RunContext,
    rows: DataFrame,
    input: &BronzeInput,
    writers: Vec<UpsertWriter>,
    bad: &Upsert,
    rules: &SilverRules,
) -> Result<Taken, PipelineError> {
    let stamps = Stamps::new(run, input, rules);
    let mut lots: Vec<Vec<SendableRecordBatchStream>> = Vec::new();
    lots.resize_with(writers.len().max(1), Vec::new);
    let count = lots.len();
    for (n, stream) in rows.execute_stream_partitioned().await?.into_iter().enumerate() {
        lots[n % count].push(stream);
    }
    let mut writers = writers.into_iter();
    let mut tasks = Vec::new();
    for lot in lots {
        let (writer, bad) = (writers.next(), bad.writer()?);
        tasks.push(tokio::spawn(write_stream(lot, writer, bad, stamps.clone())));
    }
    gather(tasks).await
}

async fn gather(
    tasks: Vec<tokio::task::JoinHandle<Result<Taken, PipelineError>>>,
) -> Result<Taken, PipelineError> {
    let mut all = Taken::default();
    for task in tasks {
        let taken = task.await??;
        all.writers.extend(taken.writers);
        all.inserted += taken.inserted;
        all.bad_parts.extend(taken.bad_parts);
        all.undated.extend(taken.undated);
        all.refused_orders.extend(taken.refused_orders);
        all.counts.absorb(taken.counts);
    }
    Ok(all)
}

/// What every written row carries.
#[derive(Clone)]
struct Stamps {
    run_id: Arc<str>,
    now: i64,
    detected: i32,
    source_table: &'static str,
    allowed_rule: Arc<str>,
    /// Silver rows are judged by the entry-type rule (ledger only).
    rule_of_rows: Option<Arc<str>>,
    dated: bool,
}

impl Stamps {
    fn new(run: &RunContext, input: &BronzeInput, rules: &SilverRules) -> Self {
        let allowed_rule: Arc<str> = rules.allowed_rule.as_str().into();
        Self {
            run_id: run.run_id.as_str().into(),
            now: run.now.micros(),
            detected: run.now.date_kst().days(),
            source_table: input.bronze,
            rule_of_rows: (input.plan.source == "transaction_ledger").then(|| Arc::clone(&allowed_rule)),
            allowed_rule,
            dated: input.plan.silver == "silver.order_events",
        }
    }
}

async fn write_stream(
    streams: Vec<SendableRecordBatchStream>,
    mut writer: Option<UpsertWriter>,
    mut bad: UpsertWriter,
    stamps: Stamps,
) -> Result<Taken, PipelineError> {
    let mut taken = Taken::default();
    let before = writer.as_ref().map_or(0, UpsertWriter::inserted);
    let mut stream = select_all(streams);
    while let Some(batch) = stream.try_next().await? {
        let Some(kinds) = batch
            .column_by_name("kind")
            .map(|k| k.as_primitive::<Int8Type>().clone())
        else {
            continue;
        };
        let rows = of_kind(&batch, &kinds, Kind::Row)?;
        let bad_rows = of_kind(&batch, &kinds, Kind::Bad)?;
        taken.counts.rows += rows.num_rows() as u64;
        taken.counts.duplicates += (batch.num_rows() - rows.num_rows() - bad_rows.num_rows()) as u64;
        count_by_load(&batch, &kinds, &mut taken.counts)?;
        if bad_rows.num_rows() > 0 {
            let quarantined = quarantine(&bad_rows, &stamps, &mut taken.counts)?;
            if stamps.source_table == "payment_orders_raw" {
                taken.refused_orders.extend(refused_orders(&quarantined)?);
            }
            bad.write(&quarantined).await?;
        }
        if let Some(writer) = &mut writer {
            let (dated, undated) = stamped(&rows, &stamps)?;
            writer.write(&dated).await?;
            taken.undated.extend(undated);
        }
    }
    taken.inserted = writer.as_ref().map_or(0, UpsertWriter::inserted) - before;
    taken.writers.extend(writer);
    taken.bad_parts.push(bad.finish().await?);
    Ok(taken)
}

/// Counts the lines of a batch by the load that brought them. Lines of one load and kind mostly stand together.
fn count_by_load(
    batch: &RecordBatch,
    kinds: &Int8Array,
    counts: &mut RowCounts,
) -> Result<(), PipelineError> {
    let texts = |name: &str| match batch.column_by_name(name) {
        Some(column) => cast(column, &DataType::Utf8View),
        None => Ok(new_null_array(&DataType::Utf8View, batch.num_rows())),
    };
    let (loads, reasons) = (texts(LOAD_ID)?, texts("reason")?);
    let (loads, reasons) = (loads.as_string_view(), reasons.as_string_view());
    let of = |i: usize| {
        let load = loads.is_valid(i).then(|| loads.value(i));
        let is_bad = kinds.value(i) == Kind::Bad as i8 && reasons.is_valid(i);
        (load, is_bad.then(|| reasons.value(i)))
    };
    let mut start = 0;
    for end in 1..=batch.num_rows() {
        if end < batch.num_rows() && of(end) == of(start) {
            continue;
        }
        let (load, reason) = of(start);
        counts.count(load, (end - start) as u64, reason);
        start = end;
    }
    Ok(())
}

fn of_kind(batch: &RecordBatch, kinds: &Int8Array, kind: Kind) -> Result<RecordBatch, PipelineError> {
    let wanted = kind as i8;
    if kinds.values().iter().all(|k| *k == wanted) {
        return Ok(batch.clone());
    }
    let mask: BooleanArray = kinds.values().iter().map(|k| Some(*k == wanted)).collect();
    Ok(filter_record_batch(batch, &mask)?)
}

fn repeat_text(value: Option<&str>, rows: usize) -> ArrayRef {
    Arc::new(std::iter::repeat_n(value, rows).collect::<StringArray>())
}

/// Silver rows with run and rule; rows of a dated table without a day come apart.
pub(super) fn stamp(
    rows: &RecordBatch,
    run_id: &str,
    rule_id: Option<&str>,
) -> Result<RecordBatch, PipelineError> {
    let mut fields: Vec<_> = rows
        .schema()
        .fields()
        .iter()
        .map(|f| f.as_ref().clone())
        .collect();
    let mut columns = rows.columns().to_vec();
    for (name, value) in [("run_id", Some(run_id)), ("rule_id", rule_id)] {
        fields.push(Field::new(name, DataType::Utf8, true));
        columns.push(repeat_text(value, rows.num_rows()));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn stamped(rows: &RecordBatch, stamps: &Stamps) -> Result<(RecordBatch, Option<RecordBatch>), PipelineError> {
    let rows = stamp(rows, &stamps.run_id, stamps.rule_of_rows.as_deref())?;
    let days = rows
        .column_by_name("event_date_kst")
        .filter(|d| stamps.dated && d.null_count() > 0);
    let Some(days) = days else { return Ok((rows, None)) };
    let dated = is_not_null(days)?;
    let undated = datafusion::arrow::compute::not(&dated)?;
    Ok((
        filter_record_batch(&rows, &dated)?,
        Some(filter_record_batch(&rows, &undated)?),
    ))
}

/// The orders of the rows that were refused for their amount: with one that is none they cannot be.
fn refused_orders(quarantined: &RecordBatch) -> Result<Vec<(String, Option<DateKst>)>, PipelineError> {
    let text = |name: &str| -> Result<StringArray, PipelineError> {
        let column = quarantined.column_by_name(name);
        let column = column
            .cloned()
            .unwrap_or_else(|| repeat_text(None, quarantined.num_rows()));
        Ok(cast(&column, &DataType::Utf8)?.as_string::<i32>().clone())
    };
    let (reasons, records) = (text("reason")?, text("record_json")?);
    let of_amount = reasons.iter().zip(records.iter());
    let of_amount = of_amount.filter(|(reason, _)| *reason == Some(reason::INVALID_AMOUNT));
    Ok(of_amount
        .filter_map(|(_, record)| refused::order_of(record?))
        .collect())
}

fn quarantine(
    rows: &RecordBatch,
    stamps: &Stamps,
    counts: &mut RowCounts,
) -> Result<RecordBatch, PipelineError> {
    let count = rows.num_rows();
    let column = |name: &str| {
        rows.column_by_name(name)
            .cloned()
            .unwrap_or_else(|| repeat_text(None, count))
    };
    let reasons = cast(&column("reason"), &DataType::Utf8)?;
    let reasons = reasons.as_string::<i32>();
    for name in reasons.iter().flatten() {
        *counts.bad.entry(name.to_owned()).or_default() += 1;
    }
    let rules: StringArray = reasons
        .iter()
        .map(|r| (r == Some(reason::INVALID_ENTRY_TYPE)).then_some(&*stamps.allowed_rule))
        .collect();
    let now = TimestampMicrosecondArray::from(vec![stamps.now; count]).with_timezone("UTC");
    Ok(RecordBatch::try_from_iter([
        (
            "detected_date_kst",
            Arc::new(Date32Array::from(vec![stamps.detected; count])) as ArrayRef,
        ),
        ("source_table", repeat_text(Some(stamps.source_table), count)),
        ("reason", Arc::new(reasons.clone())),
        ("record_json", column("record_json")),
        ("run_id", repeat_text(Some(&stamps.run_id), count)),
        ("rule_id", Arc::new(rules)),
        ("detected_at", Arc::new(now)),
        ("source_ref", column("source_ref")),
        ("load_id", column("load_id")),
    ])?)
}
