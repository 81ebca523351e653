//! B-5 and B-6: pairing quality and the operator's search rows of a day (lakehouse contract 4).
//!
//! Both follow from the day's entries, taken together by `related_id`; what they say of a payment order stands in the entries
//! that name it. When only some entries have changed since a day was computed, only their `related_id`s are computed again: the
//! changed rows are those the runs since then have written, and the log tells which runs those are and that nothing was taken
//! away (docs/decisions/0024). In any doubt the whole day is computed.

use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::logical_expr::col;
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::control::{ORDER_SEARCH, PAIRING_QUALITY};
use nsc_lake::{Changes, Conflict, DataFile, LakeError, Scope, Table};
use nsc_transforms::controls::{ControlDay, PairingCounts, pairing_counts};
use serde::{Deserialize, Serialize};

use crate::derivation::{self, PLANS};
use crate::held_rows::in_memory;
use crate::{PipelineError, RunContext, RunReport};

use super::{Day, upsert};

/// What B-6 reads of an entry.
const OF_ENTRY: &[&str] = &[
    "event_date_kst",
    "tx_id",
    "wallet_id",
    "entry_type",
    "amount",
    "amount_signed",
    "event_time",
    "related_id",
    "related_type",
    "has_order",
    "merchant_name",
    "payment_status",
];
/// What B-5 reads.
const COUNTED: &[&str] = &["wallet_id", "related_id", "has_order"];

/// With more than one row in this many to look at, computing everything is the shorter way.
const CHANGED_SHARE: u64 = 8;

/// What a day's rows were computed from, and the counts of B-5. A cache: it can be deleted.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    plans: String,
    ledger: At,
    /// The day's files of the search.
    outputs: String,
    counts: PairingCounts,
}

/// A table at a version.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct At {
    id: String,
    version: u64,
}

impl At {
    fn of(table: &Table) -> Result<Self, PipelineError> {
        Ok(Self {
            id: table.id()?,
            version: table.version(),
        })
    }

    /// What has happened since, if that can be told and took no row away.
    async fn additions(&self, table: &Table) -> Result<Option<Changes>, PipelineError> {
        if self.id != table.id()? {
            return Ok(None);
        }
        let changes = table.changes_since(self.version).await?;
        Ok(changes.filter(|c| c.rows.deleted == 0))
    }
}

/// One day's B-5 and B-6.
pub(crate) struct Pairing<'a> {
    controls: &'a Day<'a>,
    run: &'a RunContext,
    day: &'a ControlDay,
    ledger: &'a Table,
}

/// A part of a day that keeps the entries of one `related_id` together: its rows as they were and as they are.
struct Part {
    before: DataFrame,
    after: DataFrame,
}

impl<'a> Pairing<'a> {
    pub(crate) fn of(controls: &'a Day<'a>) -> Self {
        Self {
            controls,
            run: controls.run,
            day: controls.day,
            ledger: &controls.history.ledger,
        }
    }

    fn record(&self) -> String {
        format!("search-{}", self.day.date)
    }

    /// Computes both; `ctx` has the day's `entries`, which take `bytes`.
    pub(crate) async fn run(
        &self,
        ctx: &SessionContext,
        bytes: u64,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let since = Instant::now();
        let search = self.controls.table(&ORDER_SEARCH).await?;
        let (counts, what) = match self.corrected(&search, report).await? {
            Some(counts) => (counts, "B-5 B-6 of what changed"),
            None => (self.whole(ctx, report).await?, "B-5 B-6"),
        };
        let quality = self.controls.rows(ctx, &PAIRING_QUALITY, counts.parameters());
        self.controls
            .replace(ctx, &PAIRING_QUALITY, quality.await?, report)
            .await?;
        let known = Known {
            plans: PLANS.to_owned(),
            ledger: At::of(self.ledger)?,
            outputs: outputs(&self.controls.table(&ORDER_SEARCH).await?, self.day)?,
            counts,
        };
        if let Ok(json) = serde_json::to_value(&known) {
            self.run.lake.store_derivation(&self.record(), &json).await?;
        }
        let entries = u64::try_from(counts.entries).unwrap_or_default();
        report.step(format!("{what} {}", self.day.date), since, entries, bytes);
        Ok(())
    }

    async fn whole(
        &self,
        ctx: &SessionContext,
        report: &mut RunReport,
    ) -> Result<PairingCounts, PipelineError> {
        let counts = pairing_counts(ctx).await?;
        if counts.unstamped > 0 {
            return Err(PipelineError::UpstreamNotReady {
                date: self.day.date,
                reason: format!(
                    "{} entries of it were written before entries said which order they name",
                    counts.unstamped
                ),
            });
        }
        let rows = self.controls.rows(ctx, &ORDER_SEARCH, Vec::new()).await?;
        self.controls.replace(ctx, &ORDER_SEARCH, rows, report).await?;
        Ok(counts)
    }

    /// Computes what has changed since the day was computed; `None` when that cannot be told, or is too much.
    async fn corrected(
        &self,
        search: &Table,
        report: &mut RunReport,
    ) -> Result<Option<PairingCounts>, PipelineError> {
        let stored = self.run.lake.derivation(&self.record()).await?;
        let Some(known) = stored.and_then(|s| serde_json::from_value::<Known>(s).ok()) else {
            return Ok(None);
        };
        if known.plans != PLANS || known.outputs != outputs(search, self.day)? {
            return Ok(None);
        }
        let ctx = self.run.session()?;
        let Some(part) = self.changed_part(&ctx, &known).await? else {
            return Ok(None);
        };
        // A session of its own: its table has the name of the other one.
        let then = self.run.session()?;
        then.register_table("entries", part.before.into_view())?;
        let before = pairing_counts(&then).await?;
        ctx.register_table("entries", part.after.into_view())?;
        let after = pairing_counts(&ctx).await?;
        let counts = known.counts.with_part_replaced(before, after);
        let files = self.ledger.files_of(&[self.day.date])?;
        let entries: Option<u64> = files.iter().map(|f| f.rows).sum();
        if entries != u64::try_from(counts.entries).ok() {
            // An entry has come or gone that no run has accounted for.
            return Ok(None);
        }
        let rows = self.controls.rows(&ctx, &ORDER_SEARCH, Vec::new()).await?;
        let rows = rows.collect().await?;
        let scope = Scope::of(search.files_of(&[self.day.date])?, Conflict::Newest);
        let scope = scope.for_rows(search, &rows)?;
        let rows = in_memory(&ctx, rows)?;
        let outcome = upsert(self.run, &ctx, search, scope, rows, report).await?;
        if let (Some(line), Some(entries)) = (report.tables.last_mut(), entries) {
            // The rows that were not looked at stand for themselves.
            line.rows = entries;
            line.outcome.unchanged = entries.saturating_sub(outcome.inserted + outcome.updated);
        }
        Ok(Some(counts))
    }

    /// The `related_id`s whose entries changed, with all their entries, and the changed entries without one.
    async fn changed_part(&self, ctx: &SessionContext, known: &Known) -> Result<Option<Part>, PipelineError> {
        let changes = known.ledger.additions(self.ledger).await?;
        // An entry that moved may have left the day, and then no new row of the day says so.
        let Some(changes) = changes.filter(|changes| changes.moved == 0) else {
            return Ok(None);
        };
        let of_day = |f: &&DataFile| f.partition_date() == Some(self.day.date);
        let added: Vec<DataFile> = changes.added.iter().filter(of_day).cloned().collect();
        let files = self.ledger.files_of(&[self.day.date])?;
        let total: u64 = files.iter().filter_map(|f| f.rows).sum();
        let is_new = |f: &DataFile| added.iter().any(|new| new.path == f.path);
        let kept = files.iter().filter(|f| !is_new(f));
        let files_before: Vec<DataFile> = kept
            .chain(changes.removed.iter().filter(of_day))
            .cloned()
            .collect();

        let new = written_by(ctx, self.ledger, added.clone(), &changes, OF_ENTRY).await?;
        let new = new.cache().await?;
        if is_much(&new, total).await? {
            return Ok(None);
        }
        let keys = collect(&new, &["tx_id", "wallet_id"]).await?;
        let replaced =
            self.ledger
                .rows_with(ctx, files_before.clone(), &["tx_id", "wallet_id"], &keys, COUNTED);
        let Some(replaced) = if_there(replaced.await)? else {
            return Ok(None);
        };
        let mut related = collect(&new, &["related_id"]).await?;
        related.extend(collect(&replaced, &["related_id"]).await?);
        let related = without_nulls(&related)?;

        let is_null = || col("related_id").is_null();
        let after = self
            .ledger
            .rows_with(ctx, files, &["related_id"], &related, OF_ENTRY)
            .await?;
        if is_much(&after, total).await? {
            return Ok(None);
        }
        let before = self
            .ledger
            .rows_with(ctx, files_before, &["related_id"], &related, COUNTED);
        let Some(before) = if_there(before.await)? else {
            return Ok(None);
        };
        Ok(Some(Part {
            before: before.union(replaced.filter(is_null())?)?,
            after: after.union(new.filter(is_null())?)?,
        }))
    }
}

/// Rows of files that were part of a table; `None` when a vacuum has removed one.
fn if_there(rows: Result<DataFrame, LakeError>) -> Result<Option<DataFrame>, PipelineError> {
    match rows {
        Err(
            LakeError::Store(_)
            | LakeError::Engine(_)
            | LakeError::DataFilesMissing { .. }
            | LakeError::DataFileDamaged { .. },
        ) => Ok(None),
        rows => Ok(Some(rows?)),
    }
}

/// Whether some rows are too many of all to look at them alone.
async fn is_much(rows: &DataFrame, of: u64) -> Result<bool, PipelineError> {
    let count = rows.clone().count().await? as u64;
    Ok(count.saturating_mul(CHANGED_SHARE) > of)
}

/// The rows of some files that one of the runs wrote.
async fn written_by(
    ctx: &SessionContext,
    table: &Table,
    files: Vec<DataFile>,
    changes: &Changes,
    columns: &[&str],
) -> Result<DataFrame, PipelineError> {
    let runs: StringArray = changes.runs.iter().map(|r| Some(r.as_str())).collect();
    let runs = RecordBatch::try_from_iter([("run_id", Arc::new(runs) as _)])?;
    Ok(table.rows_with(ctx, files, &["run_id"], &[runs], columns).await?)
}

async fn collect(rows: &DataFrame, columns: &[&str]) -> Result<Vec<RecordBatch>, PipelineError> {
    Ok(rows.clone().select_columns(columns)?.collect().await?)
}

fn without_nulls(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, PipelineError> {
    let some = batches.iter().map(|b| {
        let is_some = datafusion::arrow::compute::is_not_null(b.column(0))?;
        datafusion::arrow::compute::filter_record_batch(b, &is_some)
    });
    Ok(some.collect::<Result<_, _>>()?)
}

/// Names the day's files of the search.
fn outputs(search: &Table, day: &ControlDay) -> Result<String, PipelineError> {
    let files = search.files_of(&[day.date])?;
    Ok(derivation::files_hash(
        files.iter().map(|f| (ORDER_SEARCH.table.name, f)),
    ))
}
