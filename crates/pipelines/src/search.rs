//! B-5 and B-6: pairing quality and the operator's search rows of a day (lakehouse contract 4).
//!
//! Both follow from the day's entries, taken together by `related_id`, and from the payment orders they name. When only some
//! entries or orders have changed since a day was computed, only their `related_id`s are computed again: the changed rows are
//! those the runs since then have written, and the log tells which runs those are and that nothing was taken away
//! (docs/decisions/0024). In any doubt the whole day is computed.

use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::{RecordBatch, StringArray};
use datafusion::common::JoinType;
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_lake::{Changes, Conflict, DataFile, LakeError, Scope, Table};
use nsc_transforms::controls::{ControlDay, PairingCounts, admin_tx_search, pairing_counts, pairing_quality};
use serde::{Deserialize, Serialize};

use crate::controls::{materialise, upsert};
use crate::derivation::{self, PLANS};
use crate::positions::History;
use crate::silver::{in_memory, renamed, scope};
use crate::{PipelineError, RunContext, RunReport};

const QUALITY: &str = "gold.ops_ledger_pairing_quality_daily";
const SEARCH: &str = "gold.admin_tx_search";
const ORDERS: &str = "silver.order_events";
/// What B-5 and B-6 read of an order, and of an entry.
const OF_ORDER: &[&str] = &["order_source", "order_ref", "merchant_name", "status"];
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
];
/// What the search keeps of an entry that B-5 counts.
const COUNTED: &[&str] = &["wallet_id", "related_id"];

/// With more than one row in this many to look at, computing everything is the shorter way.
const CHANGED_SHARE: u64 = 8;

/// What a day's rows were computed from, and the counts of B-5. A cache: it can be deleted.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    plans: String,
    ledger: At,
    orders: At,
    /// The day's files of [`SEARCH`].
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
pub(crate) struct Search<'a> {
    run: &'a RunContext,
    day: &'a ControlDay,
    ledger: &'a Table,
}

/// A part of a day that keeps the entries of one `related_id` together: its rows as they were and as they are.
struct Part {
    /// Rows of [`SEARCH`].
    before: DataFrame,
    orders_before: DataFrame,
    /// Rows of the ledger.
    after: DataFrame,
    orders_after: DataFrame,
}

impl<'a> Search<'a> {
    pub(crate) fn of(run: &'a RunContext, day: &'a ControlDay, history: &'a History) -> Self {
        Self {
            run,
            day,
            ledger: &history.ledger,
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
        let orders = self.run.table(ORDERS).await?;
        let search = self.run.table(SEARCH).await?;
        let (counts, what) = match self.corrected(&orders, &search, report).await? {
            Some(counts) => (counts, "B-5 B-6 of what changed"),
            None => (self.whole(ctx, &orders, &search, report).await?, "B-5 B-6"),
        };
        let quality = self.run.table(QUALITY).await?;
        let of_day = Scope::of(quality.files_of(&[self.day.date])?, Conflict::Replace);
        let rows = pairing_quality(ctx, self.day, counts).await?;
        upsert(self.run, ctx, &quality, of_day, rows, report).await?;
        let known = Known {
            plans: PLANS.to_owned(),
            ledger: At::of(self.ledger)?,
            orders: At::of(&orders)?,
            outputs: outputs(&self.run.table(SEARCH).await?, self.day)?,
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
        orders: &Table,
        search: &Table,
        report: &mut RunReport,
    ) -> Result<PairingCounts, PipelineError> {
        let entries = ctx.table("entries").await?;
        let named = entries
            .select(vec![col("related_id").alias("named")])?
            .filter(col("named").is_not_null())?
            .distinct()?;
        let files = scope::files_of_orders(ctx, orders, named.clone()).await?;
        let found = named_by(ctx.read_table(orders.scan(files))?)?.join(
            named,
            JoinType::LeftSemi,
            &["order_ref"],
            &["named"],
            None,
        )?;
        materialise(ctx, "orders_named", found).await?;
        let counts = pairing_counts(ctx).await?;
        let of_day = Scope::of(search.files_of(&[self.day.date])?, Conflict::Replace);
        let rows = admin_tx_search(ctx, self.day).await?;
        upsert(self.run, ctx, search, of_day, rows, report).await?;
        Ok(counts)
    }

    /// Computes what has changed since the day was computed; `None` when that cannot be told, or is too much.
    async fn corrected(
        &self,
        orders: &Table,
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
        let Some(part) = self.changed_part(&ctx, &known, orders, search).await? else {
            return Ok(None);
        };
        let before = counted(self.run, part.before, part.orders_before).await?;
        ctx.register_table("entries", part.after.into_view())?;
        ctx.register_table("orders_named", part.orders_after.into_view())?;
        let after = pairing_counts(&ctx).await?;
        let counts = known.counts.with_part_replaced(before, after);
        let files = self.ledger.files_of(&[self.day.date])?;
        let entries: Option<u64> = files.iter().map(|f| f.rows).sum();
        if entries != u64::try_from(counts.entries).ok() {
            // An entry has come or gone that no run has accounted for.
            return Ok(None);
        }
        let rows = admin_tx_search(&ctx, self.day).await?.collect().await?;
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

    /// The `related_id`s whose entries or orders changed, with all their entries, and the changed entries without one.
    async fn changed_part(
        &self,
        ctx: &SessionContext,
        known: &Known,
        orders: &Table,
        search: &Table,
    ) -> Result<Option<Part>, PipelineError> {
        let entries = known.ledger.additions(self.ledger).await?;
        // An entry that moved may have left the day, and then no new row of the day says so.
        let entries = entries.filter(|changes| changes.moved == 0);
        let (Some(entries), Some(order_changes)) = (entries, known.orders.additions(orders).await?) else {
            return Ok(None);
        };
        let day = [self.day.date];
        let (day_files, search_files) = (self.ledger.files_of(&day)?, search.files_of(&day)?);
        let total: u64 = day_files.iter().filter_map(|f| f.rows).sum();
        let of_day = |f: &DataFile| f.partition_date() == Some(self.day.date);

        let added = entries.added.iter().filter(|f| of_day(f)).cloned().collect();
        let new = written_by(ctx, self.ledger, added, &entries, OF_ENTRY).await?;
        let new_orders =
            written_by(ctx, orders, order_changes.added.clone(), &order_changes, OF_ORDER).await?;
        let new_orders = named_by(new_orders)?;
        let (new, new_orders) = (new.cache().await?, new_orders.cache().await?);
        if is_much(&new, total).await? {
            return Ok(None);
        }

        let keys = collect(&new, &["tx_id", "wallet_id"]).await?;
        let replaced = search
            .rows_with(ctx, search_files.clone(), &["tx_id", "wallet_id"], &keys, COUNTED)
            .await?;
        let mut related = collect(&new, &["related_id"]).await?;
        related.extend(collect(&replaced, &["related_id"]).await?);
        let changed_refs = collect(&new_orders, &["order_ref"]).await?;
        related.extend(renamed(&changed_refs, "related_id")?);
        let related = without_nulls(&related)?;

        let is_null = || col("related_id").is_null();
        let after = self
            .ledger
            .rows_with(ctx, day_files, &["related_id"], &related, OF_ENTRY)
            .await?;
        if is_much(&after, total).await? {
            return Ok(None);
        }
        let after = after.union(new.filter(is_null())?)?;
        let before = search
            .rows_with(ctx, search_files, &["related_id"], &related, COUNTED)
            .await?;
        let before = before.union(replaced.filter(is_null())?)?;

        // Changed orders that no entry of the day names do not matter.
        let named = after.clone().select_columns(&["related_id"])?;
        let named = named
            .union(before.clone().select_columns(&["related_id"])?)?
            .distinct()?;
        let refs = renamed(&collect(&named, &["related_id"]).await?, "order_ref")?;
        let files = scope::files_of_orders(ctx, orders, named).await?;
        let orders_after = named_by(
            orders
                .rows_with(ctx, files, &["order_ref"], &refs, OF_ORDER)
                .await?,
        )?
        .cache()
        .await?;
        let removed = order_changes.removed;
        let orders_before = orders_before(ctx, orders, removed, &changed_refs, new_orders, &orders_after);
        let Some(orders_before) = orders_before.await? else {
            return Ok(None);
        };
        Ok(Some(Part {
            before,
            orders_before,
            after,
            orders_after,
        }))
    }
}

/// Orders as they were. Those the runs did not write are as they are; of the others, those were known that stand in the files
/// of then, unless these are gone.
async fn orders_before(
    ctx: &SessionContext,
    orders: &Table,
    removed: Vec<DataFile>,
    changed_refs: &[RecordBatch],
    new_orders: DataFrame,
    orders_after: &DataFrame,
) -> Result<Option<DataFrame>, PipelineError> {
    let removed = orders
        .rows_with(ctx, removed, &["order_ref"], changed_refs, OF_ORDER)
        .await;
    let removed = match removed {
        Err(LakeError::Store(_) | LakeError::Engine(_) | LakeError::DataFilesMissing { .. }) => {
            return Ok(None);
        }
        other => named_by(other?)?,
    };
    let changed = new_orders.select(vec![col("order_ref").alias("changed")])?;
    let unchanged =
        orders_after
            .clone()
            .join(changed, JoinType::LeftAnti, &["order_ref"], &["changed"], None)?;
    Ok(Some(unchanged.union(removed)?))
}

/// Whether some rows are too many of all to look at them alone.
async fn is_much(rows: &DataFrame, of: u64) -> Result<bool, PipelineError> {
    let count = rows.clone().count().await? as u64;
    Ok(count.saturating_mul(CHANGED_SHARE) > of)
}

/// Counts a part as it was, in a session of its own: its tables have the names of the other ones.
async fn counted(
    run: &RunContext,
    entries: DataFrame,
    orders: DataFrame,
) -> Result<PairingCounts, PipelineError> {
    let ctx = run.session()?;
    ctx.register_table("entries", entries.into_view())?;
    ctx.register_table("orders_named", orders.into_view())?;
    Ok(pairing_counts(&ctx).await?)
}

/// What B-5 and B-6 read of the payment orders among some orders.
fn named_by(orders: DataFrame) -> Result<DataFrame, PipelineError> {
    let payments = orders.filter(col("order_source").eq(lit("PAYMENT_ORDERS")))?;
    Ok(payments.select_columns(&["order_ref", "merchant_name", "status"])?)
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
    Ok(derivation::files_hash(files.iter().map(|f| (SEARCH, f))))
}
