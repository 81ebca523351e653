//! Classifies, and writes the new data files of every Silver table without committing them.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int8Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::{cast, filter_record_batch, is_not_null};
use datafusion::arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::TryStreamExt;
use nsc_contracts::reason;
use nsc_contracts::rule::RuleSet;
use nsc_core::UtcWindow;
use nsc_lake::{Conflict, FilesTable, StagedUpsert, Upsert, UpsertPart, UpsertWriter};
use nsc_transforms::rules::Threshold;
use nsc_transforms::silver::{Kind, Selection, SourcePlan, classified, repeated_keys, with_order_status};

use super::bronze::BronzeInput;
use super::conflicts::Conflicts;
use super::scope;
use super::tally::Tally;
use crate::{PipelineError, RunContext, RunReport};

/// Sources that end in one table are staged as one change of it; orders come before the ledger.
const GROUPS: &[&[&str]] = &[&["user_wallets"], &["payment_orders", "orders"], &["transaction_ledger"], &["order_items"], &["products"]];

/// The rules Silver validates by.
#[derive(Clone)]
pub(super) struct SilverRules {
    pub(super) allowed_types: Vec<String>,
    pub(super) allowed_rule: String,
    pub(super) rate_rule: String,
    pub(super) rate: f64,
}

impl SilverRules {
    pub(super) fn of(rules: &RuleSet) -> Result<Self, PipelineError> {
        let types = rules.for_metric("silver", "entry_type_allowed", None)?;
        let rate = rules.for_metric("silver", "bad_records_rate", None)?;
        Ok(Self {
            allowed_types: types.allowed()?.to_vec(),
            allowed_rule: types.rule_id.clone(),
            rate_rule: rate.rule_id.clone(),
            rate: rate.fail()?,
        })
    }
}

/// Everything a run has staged.
pub(super) struct Staging {
    run: RunContext,
    pub(super) ctx: SessionContext,
    rules: SilverRules,
    bad: Upsert,
    bad_parts: Vec<UpsertPart>,
    tallies: BTreeMap<&'static str, Tally>,
    pub(super) staged: Vec<(&'static str, StagedUpsert)>,
    /// Valid orders without a business day: merged by version, not by day.
    pub(super) undated: Vec<RecordBatch>,
    /// Payment orders that arrived late: their statuses count before they are merged.
    late_orders: Option<(&'static SourcePlan, Arc<FilesTable>)>,
    /// Bronze tx_ids that stand more than once.
    repeated_entries: Option<Vec<RecordBatch>>,
}

/// What a stream of classified rows became.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) parts: Vec<UpsertPart>,
    pub(super) bad_parts: Vec<UpsertPart>,
    pub(super) tally: Tally,
    pub(super) undated: Vec<RecordBatch>,
}

impl Staging {
    pub(super) async fn begin(run: &RunContext, rules: &RuleSet) -> Result<Self, PipelineError> {
        let ctx = run.session()?;
        let bad_table = run.table("silver.bad_records").await?;
        let bad = Upsert::begin(&ctx, &bad_table, nsc_lake::Scope::of(bad_table.files()?, Conflict::Append)).await?;
        Ok(Self {
            run: run.clone(),
            ctx,
            rules: SilverRules::of(rules)?,
            bad,
            bad_parts: Vec::new(),
            tallies: BTreeMap::new(),
            staged: Vec::new(),
            undated: Vec::new(),
            late_orders: None,
            repeated_entries: None,
        })
    }

    /// Stages every table for a selection.
    pub(super) async fn take(&mut self, inputs: &[BronzeInput], selection: Selection, report: &mut RunReport) -> Result<(), PipelineError> {
        let Selection::Window(window) = selection else { return Ok(()) };
        let payments = inputs.iter().find(|i| i.plan.source == "payment_orders");
        self.late_orders = payments.and_then(|p| Some((p.plan, p.late_scan()?)));
        for group in GROUPS {
            let since = std::time::Instant::now();
            let members: Vec<&BronzeInput> = inputs.iter().filter(|i| group.contains(&i.plan.source)).collect();
            let Some(silver) = members.first().map(|m| m.plan.silver) else { continue };
            let table = self.run.table(silver).await?;
            report.read(&table);
            let scope = scope::of_window(&self.ctx, &table, &members, window).await?;
            let upsert = Upsert::begin(&self.ctx, &table, scope).await?;
            let mut parts = Vec::new();
            let mut lines = 0;
            for input in &members {
                let Some(rows) = input.window_rows(&self.ctx)? else {
                    self.tallies.entry(input.bronze).or_default();
                    continue;
                };
                let rows = self.plan(input, rows, selection).await?;
                let taken = consume(&self.run, rows, input, &upsert, &self.bad, &self.rules).await?;
                lines += taken.tally.lines();
                parts.extend(taken.parts);
                self.absorb(input, taken.bad_parts, taken.tally);
                self.undated.extend(taken.undated);
            }
            self.staged.push((silver, upsert.finish(&self.ctx, parts).await?));
            report.step(format!("stage {silver}"), since, lines, members.iter().map(|m| m.bytes()).sum());
        }
        Ok(())
    }

    /// Counts (and quarantines) the late rows; they are merged after the window is committed.
    pub(super) async fn count_late(&mut self, inputs: &[BronzeInput], window: UtcWindow, report: &mut RunReport) -> Result<(), PipelineError> {
        let since = std::time::Instant::now();
        let mut lines = 0;
        for input in inputs {
            let Some(rows) = input.late_rows(&self.ctx)? else { continue };
            let rows = self.plan(input, rows, Selection::LateFor(window)).await?;
            let taken = count(&self.run, rows, input, &self.bad, &self.rules).await?;
            lines += taken.tally.lines();
            self.absorb(input, taken.bad_parts, taken.tally);
        }
        report.step("validate late rows", since, lines, 0);
        Ok(())
    }

    fn absorb(&mut self, input: &BronzeInput, bad_parts: Vec<UpsertPart>, tally: Tally) {
        self.bad_parts.extend(bad_parts);
        self.tallies.entry(input.bronze).or_default().absorb(tally);
    }

    async fn plan(&mut self, input: &BronzeInput, rows: DataFrame, selection: Selection) -> Result<DataFrame, PipelineError> {
        let repeated = repeated(input.plan, &rows).await?;
        if input.plan.source == "transaction_ledger" && matches!(selection, Selection::Window(_)) {
            self.repeated_entries.clone_from(&repeated);
        }
        let named = rows.clone();
        let repeated = repeated.map(|batches| in_memory(&self.ctx, batches)).transpose()?;
        let classified = classified(input.plan, rows, repeated, selection, &self.rules.allowed_types)?;
        let (Selection::Window(window) | Selection::LateFor(window)) = selection;
        if input.plan.source != "transaction_ledger" {
            return Ok(classified);
        }
        let orders = self.order_statuses(named, window).await?;
        Ok(match orders {
            Some(orders) => with_order_status(classified, orders)?,
            None => classified,
        })
    }

    /// Statuses of the payment orders the entries may name: what this run staged for the window, else the newest of
    /// what it will merge by version (late and undated orders) and what is stored.
    async fn order_statuses(&self, entries: DataFrame, window: UtcWindow) -> Result<Option<DataFrame>, PipelineError> {
        let table = self.run.table("silver.order_events").await?;
        let staged = self.staged.iter().find(|(name, _)| *name == "silver.order_events").map(|(_, s)| s.scan());
        let new = match staged {
            Some(scan) if scan.row_count() > 0 => Some(scope::payment_statuses(self.ctx.read_table(scan)?)?),
            _ => None,
        };
        let mut others = Vec::new();
        let files = table.files()?;
        if !files.is_empty() {
            others.push(scope::payment_versions(self.ctx.read_table(table.scan(files))?)?);
        }
        if self.undated.iter().any(|b| b.num_rows() > 0) {
            others.push(scope::payment_versions(in_memory(&self.ctx, self.undated.clone())?)?);
        }
        if let Some((plan, late)) = &self.late_orders {
            let rows = self.ctx.read_table(Arc::<FilesTable>::clone(late))?;
            let repeated = repeated(plan, &rows).await?.map(|k| in_memory(&self.ctx, k)).transpose()?;
            let late = classified(plan, rows, repeated, Selection::LateFor(window), &[])?;
            others.push(scope::payment_versions(late.filter(col("kind").eq(lit(Kind::Row as i8)))?)?);
        }
        scope::order_statuses(entries, others, new)
    }

    /// Rows read.
    pub(super) fn lines(&self) -> u64 {
        self.tallies.values().map(Tally::lines).sum()
    }

    pub(super) fn tallies(&self) -> impl Iterator<Item = (&'static str, &Tally)> {
        self.tallies.iter().map(|(k, v)| (*k, v))
    }

    pub(super) fn rules(&self) -> &SilverRules {
        &self.rules
    }

    /// Sources over the bad-records rate.
    pub(super) fn offenders(&self) -> Result<Vec<(&'static str, Tally)>, PipelineError> {
        let threshold = Threshold::from_f64(self.rules.rate)?;
        Ok(self.tallies.iter().filter(|(_, t)| t.is_over(threshold)).map(|(s, t)| (*s, t.clone())).collect())
    }

    /// The error of a run that must stop, when a source is over the rate.
    pub(super) fn refusal(&self) -> Result<Option<PipelineError>, PipelineError> {
        Ok(self.offenders()?.into_iter().next().map(|(source, tally)| PipelineError::BadRecordsRate {
            source_table: source.to_owned(),
            bad: tally.bad_total(),
            total: tally.lines(),
            rule_id: self.rules.rate_rule.clone(),
            threshold: self.rules.rate,
        }))
    }

    /// Copies of one tx_id that disagree, among the Bronze rows of this run.
    pub(super) async fn conflicts(&self, inputs: &[BronzeInput], window: UtcWindow) -> Result<Conflicts, PipelineError> {
        let mut conflicts = Conflicts::default();
        if let Some(keys) = &self.repeated_entries {
            let ledger = inputs.iter().find(|i| i.plan.source == "transaction_ledger");
            if let Some(rows) = ledger.map(|l| l.window_rows(&self.ctx)).transpose()?.flatten() {
                let keys = in_memory(&self.ctx, keys.clone())?;
                conflicts.among(rows, keys, &self.rules.allowed_types, window).await?;
            }
        }
        Ok(conflicts)
    }

    /// The quarantine's change and the tables' changes.
    pub(super) async fn finish(self) -> Result<(StagedUpsert, Vec<(&'static str, StagedUpsert)>, Vec<RecordBatch>), PipelineError> {
        let bad = self.bad.finish(&self.ctx, self.bad_parts).await?;
        Ok((bad, self.staged, self.undated))
    }
}

/// Keys that repeat, or `None`.
pub(super) async fn repeated(plan: &SourcePlan, rows: &DataFrame) -> Result<Option<Vec<RecordBatch>>, PipelineError> {
    let batches = repeated_keys(plan, rows.clone())?.collect().await?;
    Ok(batches.iter().any(|b| b.num_rows() > 0).then_some(batches))
}

pub(crate) fn in_memory(ctx: &SessionContext, batches: Vec<RecordBatch>) -> Result<DataFrame, PipelineError> {
    let fields = batches.first().map(|b| b.schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>());
    let schema = Arc::new(Schema::new(fields.unwrap_or_default()));
    let batches = batches.iter().map(|b| in_schema(b, &schema)).collect::<Result<Vec<_>, _>>()?;
    Ok(ctx.read_table(Arc::new(MemTable::try_new(schema, vec![batches])?))?)
}

/// The same rows in another spelling of the schema (nullability, form of text).
fn in_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, PipelineError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(c, f)| cast(c, f.data_type())).collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}

/// Streams classified rows into the table's new files and the quarantine's.
pub(super) async fn consume(
    run: &RunContext,
    rows: DataFrame,
    input: &BronzeInput,
    upsert: &Upsert,
    bad: &Upsert,
    rules: &SilverRules,
) -> Result<Taken, PipelineError> {
    let stamps = Stamps::new(run, input, rules);
    let mut tasks = Vec::new();
    for stream in rows.execute_stream_partitioned().await? {
        tasks.push(tokio::spawn(drain(stream, Some(upsert.writer()?), bad.writer()?, stamps.clone())));
    }
    gather(tasks).await
}

/// Counts classified rows and quarantines the bad ones.
async fn count(run: &RunContext, rows: DataFrame, input: &BronzeInput, bad: &Upsert, rules: &SilverRules) -> Result<Taken, PipelineError> {
    let stamps = Stamps::new(run, input, rules);
    let mut tasks = Vec::new();
    for stream in rows.execute_stream_partitioned().await? {
        tasks.push(tokio::spawn(drain(stream, None, bad.writer()?, stamps.clone())));
    }
    gather(tasks).await
}

async fn gather(tasks: Vec<tokio::task::JoinHandle<Result<Taken, PipelineError>>>) -> Result<Taken, PipelineError> {
    let mut all = Taken::default();
    for task in tasks {
        let taken = task.await??;
        all.parts.extend(taken.parts);
        all.bad_parts.extend(taken.bad_parts);
        all.undated.extend(taken.undated);
        all.tally.absorb(taken.tally);
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

async fn drain(mut stream: SendableRecordBatchStream, mut writer: Option<UpsertWriter>, mut bad: UpsertWriter, stamps: Stamps) -> Result<Taken, PipelineError> {
    let mut taken = Taken::default();
    while let Some(batch) = stream.try_next().await? {
        let Some(kinds) = batch.column_by_name("kind").map(|k| k.as_primitive::<Int8Type>().clone()) else { continue };
        let rows = of_kind(&batch, &kinds, Kind::Row)?;
        let bad_rows = of_kind(&batch, &kinds, Kind::Bad)?;
        taken.tally.rows += rows.num_rows() as u64;
        taken.tally.duplicates += (batch.num_rows() - rows.num_rows() - bad_rows.num_rows()) as u64;
        if bad_rows.num_rows() > 0 {
            let quarantined = quarantine(&bad_rows, &stamps, &mut taken.tally)?;
            bad.write(&quarantined).await?;
        }
        if let Some(writer) = &mut writer {
            let (dated, undated) = stamped(&rows, &stamps)?;
            writer.write(&dated).await?;
            taken.undated.extend(undated);
        }
    }
    if let Some(writer) = writer {
        taken.parts.push(writer.finish().await?);
    }
    taken.bad_parts.push(bad.finish().await?);
    Ok(taken)
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
pub(super) fn stamp(rows: &RecordBatch, run_id: &str, rule_id: Option<&str>) -> Result<RecordBatch, PipelineError> {
    let mut fields: Vec<_> = rows.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    let mut columns = rows.columns().to_vec();
    for (name, value) in [("run_id", Some(run_id)), ("rule_id", rule_id)] {
        fields.push(Field::new(name, DataType::Utf8, true));
        columns.push(repeat_text(value, rows.num_rows()));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn stamped(rows: &RecordBatch, stamps: &Stamps) -> Result<(RecordBatch, Option<RecordBatch>), PipelineError> {
    let rows = stamp(rows, &stamps.run_id, stamps.rule_of_rows.as_deref())?;
    let days = rows.column_by_name("event_date_kst").filter(|d| stamps.dated && d.null_count() > 0);
    let Some(days) = days else { return Ok((rows, None)) };
    let dated = is_not_null(days)?;
    let undated = datafusion::arrow::compute::not(&dated)?;
    Ok((filter_record_batch(&rows, &dated)?, Some(filter_record_batch(&rows, &undated)?)))
}

fn quarantine(rows: &RecordBatch, stamps: &Stamps, tally: &mut Tally) -> Result<RecordBatch, PipelineError> {
    let count = rows.num_rows();
    let column = |name: &str| rows.column_by_name(name).cloned().unwrap_or_else(|| repeat_text(None, count));
    let reasons = cast(&column("reason"), &DataType::Utf8)?;
    let reasons = reasons.as_string::<i32>();
    for name in reasons.iter().flatten() {
        *tally.bad.entry(name.to_owned()).or_default() += 1;
    }
    let rules: StringArray = reasons.iter().map(|r| (r == Some(reason::INVALID_ENTRY_TYPE)).then_some(&*stamps.allowed_rule)).collect();
    let now = TimestampMicrosecondArray::from(vec![stamps.now; count]).with_timezone("UTC");
    Ok(RecordBatch::try_from_iter([
        ("detected_date_kst", Arc::new(Date32Array::from(vec![stamps.detected; count])) as ArrayRef),
        ("source_table", repeat_text(Some(stamps.source_table), count)),
        ("reason", Arc::new(reasons.clone())),
        ("record_json", column("record_json")),
        ("run_id", repeat_text(Some(&stamps.run_id), count)),
        ("rule_id", Arc::new(rules)),
        ("detected_at", Arc::new(now)),
        ("source_ref", column("source_ref")),
    ])?)
}
