//! `LEDGER_ENTRY_CONFLICT`: valid copies of one tx_id that disagree (lakehouse contract 3).
//!
//! A run looks for tx_ids in conflict where they can come up: among the Bronze rows it takes, and between what it
//! takes and what is stored, on whatever day. What is recorded of them is read from all their copies in Bronze, so that
//! it is the same whichever run finds them, and in whatever order the copies came. One tx_id is open on one day, that of its
//! newest copy: what was recorded of it for another day is closed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::col;
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::exception::LEDGER_ENTRY_CONFLICT;
use nsc_contracts::rule::Severity;
use nsc_core::{DateKst, UtcMicros, UtcWindow};
use nsc_lake::{DataFile, Days, Table};
use nsc_transforms::silver::{conflicts_among_copies, disagreeing_with_stored, key_column};
use nsc_transforms::vocabulary::Vocabulary;

use super::bronze::BronzeInput;
use crate::exceptions::{self, Finding, Judged};
use crate::held_rows::in_memory;
use crate::{PipelineError, RunContext, RunReport};

/// One tx_id whose copies disagree.
struct Conflict {
    facts: i64,
    event_time: UtcMicros,
    evidence: String,
    /// The days of its copies.
    dates: Vec<DateKst>,
}

/// What a run found so far.
#[derive(Default)]
pub(super) struct Conflicts {
    /// By tx_id, as far as the copies that were read tell.
    among: BTreeMap<String, Conflict>,
    /// Files those copies were read from; `None` before any was.
    read: Option<HashSet<String>>,
    /// Further tx_ids of which a copy contradicts a stored entry.
    stored: BTreeSet<String>,
    /// tx_ids that conflicts were recorded for on the days of `known_dates`.
    known: BTreeSet<String>,
    known_dates: Days,
}

impl Conflicts {
    /// Finds conflicts among the copies in some Bronze files (once), of the tx_ids in `wanted` (a [`key_column`]), of which some copy
    /// happened within `times`.
    pub(super) async fn among(
        &mut self,
        bronze: DataFrame,
        files: &[DataFile],
        wanted: DataFrame,
        words: &Vocabulary,
        times: UtcWindow,
    ) -> Result<(), PipelineError> {
        let found = conflicts_among_copies(bronze, wanted, words, Some(times))?;
        for (tx_id, conflict) in read_conflicts(&found.collect().await?)? {
            self.among.insert(tx_id, conflict);
        }
        self.read = Some(files.iter().map(|f| f.path.clone()).collect());
        Ok(())
    }

    /// Adds entries that contradict a stored one in some files of the ledger.
    pub(super) async fn with_stored(
        &mut self,
        ctx: &SessionContext,
        new: DataFrame,
        ledger: &Table,
        files: Vec<DataFile>,
    ) -> Result<(), PipelineError> {
        let Some((low, high)) = tx_range(new.clone()).await? else {
            return Ok(());
        };
        let near = files
            .into_iter()
            .filter(|f| f.may_hold_text("tx_id", &low, &high))
            .collect();
        let ids = new.clone().select_columns(&["tx_id"])?;
        let files = ledger.files_holding(ctx, near, "tx_id", ids).await?;
        if files.is_empty() {
            return Ok(());
        }
        let found = disagreeing_with_stored(new, ctx.read_table(ledger.scan(files))?)?;
        self.met(&found.collect().await?)
    }

    /// Adds the tx_ids (first column) of entries that stand on another day as well.
    pub(super) fn met(&mut self, keys: &[RecordBatch]) -> Result<(), PipelineError> {
        self.stored.extend(texts(keys)?);
        Ok(())
    }

    /// Takes up what was recorded for the days of a window, to close what is no longer so.
    pub(super) async fn recall(
        &mut self,
        run: &RunContext,
        ctx: &SessionContext,
        window: UtcWindow,
    ) -> Result<(), PipelineError> {
        self.known_dates = window.dates_kst().collect();
        let known = exceptions::subjects(run, ctx, LEDGER_ENTRY_CONFLICT, &self.known_dates).await?;
        self.known = texts(&known.collect().await?)?.collect();
        Ok(())
    }

    /// Takes up what was recorded of some tx_ids (first column) on the days of their copies.
    pub(super) async fn reconsider(
        &mut self,
        run: &RunContext,
        ctx: &SessionContext,
        days: &BTreeSet<DateKst>,
        tx_ids: &[RecordBatch],
    ) -> Result<(), PipelineError> {
        self.known_dates = days.iter().copied().collect();
        let known = exceptions::subjects(run, ctx, LEDGER_ENTRY_CONFLICT, &self.known_dates).await?;
        let known: BTreeSet<String> = texts(&known.collect().await?)?.collect();
        self.known = texts(tx_ids)?.filter(|id| known.contains(id)).collect();
        Ok(())
    }

    /// What was recalled, as a [`key_column`].
    pub(super) fn known(&self) -> Result<RecordBatch, PipelineError> {
        tx_id_column(&self.known)
    }

    /// Writes the exceptions: before the entries, for once they are stored nothing tells that they contradicted others.
    pub(super) async fn record(
        mut self,
        run: &RunContext,
        ledger: &BronzeInput,
        words: &Vocabulary,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let judged = self.tx_ids();
        if judged.is_empty() {
            return Ok(());
        }
        self.complete(run, ledger, words, &judged).await?;
        let findings: Vec<Finding> = self.among.iter().map(|(id, c)| c.finding(id)).collect();
        let found = vec![exceptions::rows(run, &findings)?];
        let mut dates = self.known_dates;
        dates.extend(self.among.values().flat_map(|c| c.dates.iter().copied()));
        let judged = Judged {
            dates,
            types: vec![LEDGER_ENTRY_CONFLICT],
            subjects: Some(judged),
            ..Judged::default()
        };
        exceptions::record(run, found, judged, report).await
    }

    fn tx_ids(&self) -> BTreeSet<String> {
        let met = self.among.keys().chain(&self.stored);
        met.chain(&self.known).cloned().collect()
    }

    /// Reads what is recorded from all copies, where some of them are in files that were not read.
    async fn complete(
        &mut self,
        run: &RunContext,
        ledger: &BronzeInput,
        words: &Vocabulary,
        wanted: &BTreeSet<String>,
    ) -> Result<(), PipelineError> {
        let (Some(low), Some(high)) = (wanted.first(), wanted.last()) else {
            return Ok(());
        };
        let files = ledger.files_with_text("tx_id", low, high)?;
        let is_complete = wanted.iter().all(|id| self.among.contains_key(id))
            && (self.read.as_ref()).is_some_and(|read| files.iter().all(|f| read.contains(&f.path)));
        if is_complete {
            return Ok(());
        }
        let ctx = run.session()?;
        let ids = tx_id_column(wanted)?;
        if let Some(rows) = ledger.rows(&ctx, &files)? {
            let found = conflicts_among_copies(rows, in_memory(&ctx, vec![ids])?, words, None)?;
            self.among = read_conflicts(&found.collect().await?)?.into_iter().collect();
        }
        Ok(())
    }
}

/// What a successful run closes: a refusal of the days it has processed.
pub(super) fn overcome(days: Days) -> Judged {
    Judged {
        dates: days,
        types: vec!["BAD_RECORDS_RATE_EXCEEDED"],
        ..Judged::default()
    }
}

/// The smallest and greatest tx_id.
async fn tx_range(rows: DataFrame) -> Result<Option<(String, String)>, PipelineError> {
    let ends = vec![min(col("tx_id")).alias("low"), max(col("tx_id")).alias("high")];
    let found = rows.aggregate(vec![], ends)?.collect().await?;
    let end = |i: usize| {
        found
            .first()
            .and_then(|b| ScalarValue::try_from_array(b.column(i), 0).ok())
            .and_then(|v| v.try_as_str().flatten().map(str::to_owned))
    };
    Ok(end(0).zip(end(1)))
}

/// Some tx_ids as a [`key_column`].
fn tx_id_column(ids: &BTreeSet<String>) -> Result<RecordBatch, PipelineError> {
    let ids: StringViewArray = ids.iter().map(Some).collect();
    Ok(RecordBatch::try_from_iter([(
        key_column(0),
        Arc::new(ids) as ArrayRef,
    )])?)
}

/// The texts of the first column.
fn texts(batches: &[RecordBatch]) -> Result<impl Iterator<Item = String>, PipelineError> {
    let columns = batches.iter().map(|b| cast(b.column(0), &DataType::Utf8));
    let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
    Ok(columns.into_iter().flat_map(|column| {
        let texts = column.as_string::<i32>().iter().flatten().map(str::to_owned);
        texts.collect::<Vec<_>>()
    }))
}

fn dates_in(list: &ArrayRef) -> Vec<DateKst> {
    let days = list.as_primitive::<Date32Type>();
    days.iter().flatten().map(DateKst::from_days).collect()
}

fn read_conflicts(found: &[RecordBatch]) -> Result<Vec<(String, Conflict)>, PipelineError> {
    let mut conflicts = Vec::new();
    for batch in found {
        let text = |i: usize| -> Result<StringArray, PipelineError> {
            Ok(cast(batch.column(i), &DataType::Utf8)?.as_string::<i32>().clone())
        };
        let (ids, evidence) = (text(0)?, text(3)?);
        let facts = cast(batch.column(1), &DataType::Int64)?;
        let dates = batch.column(4).as_list::<i32>();
        let times = batch.column(2).as_primitive::<TimestampMicrosecondType>();
        for i in (0..batch.num_rows()).filter(|i| times.is_valid(*i)) {
            conflicts.push((
                ids.value(i).to_owned(),
                Conflict {
                    facts: facts.as_primitive::<Int64Type>().value(i),
                    event_time: UtcMicros::new(times.value(i)),
                    evidence: evidence.value(i).to_owned(),
                    dates: dates_in(&dates.value(i)),
                },
            ));
        }
    }
    Ok(conflicts)
}

impl Conflict {
    fn finding(&self, tx_id: &str) -> Finding {
        let date = self.event_time.date_kst();
        Finding {
            date,
            domain: "ledger",
            exception_type: LEDGER_ENTRY_CONFLICT,
            severity: Severity::Critical,
            source_table: "transaction_ledger_raw".to_owned(),
            window: date.window(),
            metric: "facts",
            metric_value: Some(i128::from(self.facts) * 1_000_000),
            message: serde_json::json!({ "tx_id": tx_id, "versions": self.facts.to_string(), "facts": self.evidence }),
            rule_id: None,
            subject: Some(tx_id.to_owned()),
        }
    }
}
