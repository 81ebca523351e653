//! Classifies, and writes the new data files of every Silver table without committing them.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::{cast, col, ident, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::rule::RuleSet;
use nsc_core::{DateKst, UtcWindow};
use nsc_lake::{Conflict, Scope, StagedUpsert, Table, Upsert, UpsertPart};
use nsc_transforms::rules::Threshold;
use nsc_transforms::silver::{
    Kind, Selection, SourcePlan, classified, key_column, repeated_keys, with_named_orders,
};

use super::bronze::BronzeInput;
use super::conflicts::Conflicts;
use super::extend::Base;
use super::row_counts::{LoadCounts, RowCounts};
use super::row_stream::write_rows;
use super::rules::SilverRules;
use super::scope;
use crate::held_rows::{in_memory, renamed};
use crate::{PipelineError, RunContext, RunReport};

/// Sources that end in one table are staged as one change of it; orders come before the ledger.
const GROUPS: &[&[&str]] = &[
    &["user_wallets"],
    &["payment_orders", "orders"],
    &["transaction_ledger"],
    &["order_items"],
    &["products"],
];

/// Everything a run has staged.
pub(super) struct Staging {
    run: RunContext,
    pub(super) ctx: SessionContext,
    rules: SilverRules,
    bad: Upsert,
    bad_parts: Vec<UpsertPart>,
    tallies: BTreeMap<&'static str, RowCounts>,
    /// Rows taken from Bronze.
    lines: u64,
    /// The stored result this run adds to; without one it stands for everything.
    base: Option<Base>,
    pub(super) staged: Vec<(&'static str, StagedUpsert)>,
    /// Valid orders without a business day: merged by version, not by day.
    pub(super) undated: Vec<RecordBatch>,
    /// Payment orders that arrived late: their statuses count before they are merged.
    late_orders: Option<(&'static SourcePlan, DataFrame)>,
    /// Payment orders a version of which was refused for its amount, and its day.
    pub(super) refused_orders: BTreeSet<(String, Option<DateKst>)>,
    /// Bronze tx_ids that stand more than once.
    repeated_entries: Option<Vec<RecordBatch>>,
}

impl Staging {
    pub(super) async fn begin(
        run: &RunContext,
        rules: &RuleSet,
        base: Option<Base>,
    ) -> Result<Self, PipelineError> {
        let ctx = run.session()?;
        let bad_table = run.table("silver.bad_records").await?;
        let bad = Upsert::begin(
            &ctx,
            &bad_table,
            nsc_lake::Scope::of(bad_table.files()?, Conflict::Append),
        )
        .await?;
        Ok(Self {
            run: run.clone(),
            ctx,
            rules: SilverRules::of(rules)?,
            bad,
            bad_parts: Vec::new(),
            tallies: BTreeMap::new(),
            lines: 0,
            base,
            staged: Vec::new(),
            undated: Vec::new(),
            late_orders: None,
            refused_orders: BTreeSet::new(),
            repeated_entries: None,
        })
    }

    /// Stages every table for a selection.
    pub(super) async fn take(
        &mut self,
        inputs: &[BronzeInput],
        selection: Selection,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let Selection::Window(window) = selection else {
            return Ok(());
        };
        let payments = inputs.iter().find(|i| i.plan.source == "payment_orders");
        self.late_orders = match payments {
            Some(input) => input.late_rows(&self.ctx)?.map(|rows| (input.plan, rows)),
            None => None,
        };
        for group in GROUPS {
            let since = std::time::Instant::now();
            let members: Vec<&BronzeInput> =
                inputs.iter().filter(|i| group.contains(&i.plan.source)).collect();
            let Some(silver) = members.first().map(|m| m.plan.silver) else {
                continue;
            };
            let table = self.run.table(silver).await?;
            report.read(&table);
            let mut taken = Vec::new();
            for input in &members {
                let start = self.base.as_ref().map(|b| b.counts(input.bronze));
                self.tallies
                    .entry(input.bronze)
                    .or_insert(start.unwrap_or_default());
                if let Some(rows) = input.window_rows(&self.ctx)? {
                    taken.push((*input, self.plan(input, rows, selection).await?));
                }
            }
            let scope = self.scope(&table, &members, window, &mut taken).await?;
            let upsert = Upsert::begin(&self.ctx, &table, scope).await?;
            // Sources of one table go through the same writers: few files a day, whatever a later day has to open.
            let mut writers = (0..self.ctx.state().config().target_partitions())
                .map(|_| upsert.writer())
                .collect::<Result<Vec<_>, _>>()?;
            let mut lines = 0;
            for (input, rows) in taken {
                let taken = write_rows(&self.run, rows, input, writers, &self.bad, &self.rules).await?;
                lines += taken.counts.lines();
                writers = taken.writers;
                self.absorb(input, taken.bad_parts, taken.counts, taken.inserted);
                self.undated.extend(taken.undated);
                self.refused_orders.extend(taken.refused_orders);
            }
            let mut parts = Vec::new();
            for writer in writers {
                parts.push(writer.finish().await?);
            }
            let upsert = upsert.finish(&self.ctx, parts).await?;
            self.staged.push((silver, upsert));
            report.step(
                format!("stage {silver}"),
                since,
                lines,
                members.iter().map(|m| m.bytes()).sum(),
            );
        }
        Ok(())
    }

    /// Counts (and quarantines) the late rows; they are merged after the window is committed.
    pub(super) async fn count_late(
        &mut self,
        inputs: &[BronzeInput],
        window: UtcWindow,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        let since = std::time::Instant::now();
        let mut lines = 0;
        for input in inputs {
            let Some(rows) = input.late_rows(&self.ctx)? else {
                continue;
            };
            let rows = self.plan(input, rows, Selection::LateFor(window)).await?;
            let taken = write_rows(&self.run, rows, input, Vec::new(), &self.bad, &self.rules).await?;
            lines += taken.counts.lines();
            let rows = taken.counts.rows;
            self.refused_orders.extend(taken.refused_orders);
            self.absorb(input, taken.bad_parts, taken.counts, rows);
        }
        report.step("validate late rows", since, lines, 0);
        Ok(())
    }

    /// The stored rows to compare with. With a base the new rows are few: they are held, and of the stored rows only
    /// those with their keys are looked at.
    async fn scope(
        &self,
        table: &Table,
        members: &[&BronzeInput],
        window: UtcWindow,
        taken: &mut [(&BronzeInput, DataFrame)],
    ) -> Result<Scope, PipelineError> {
        if self.base.is_none() {
            return scope::of_window(&self.ctx, table, members, window, Conflict::Replace).await;
        }
        let mut new = Vec::new();
        for (_, rows) in taken {
            let batches = rows.clone().collect().await?;
            *rows = in_memory(&self.ctx, batches.clone())?;
            new.extend(batches);
        }
        let scope = scope::of_window(&self.ctx, table, members, window, Conflict::Newest).await?;
        Ok(scope.for_rows(table, &new)?)
    }

    /// Counts what became of a source's rows. `inserted` of them had a key of their own; beside a base all others are
    /// copies of rows that are counted already.
    fn absorb(&mut self, input: &BronzeInput, bad: Vec<UpsertPart>, mut counts: RowCounts, inserted: u64) {
        self.bad_parts.extend(bad);
        self.lines += counts.lines();
        if self.base.is_some() {
            counts.duplicates += counts.rows.saturating_sub(inserted);
            counts.rows = counts.rows.min(inserted);
        }
        self.tallies.entry(input.bronze).or_default().absorb(counts);
    }

    /// Whether the stored result cannot be added to after all: everything is to be computed again.
    pub(super) fn needs_everything(&self) -> bool {
        self.base.is_some() && self.undated.iter().any(|b| b.num_rows() > 0)
    }

    pub(super) fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    /// Gives everything staged up.
    pub(super) async fn discard(self) -> Result<(), PipelineError> {
        let (bad, staged, _) = self.finish().await?;
        bad.discard().await?;
        for (_, upsert) in staged {
            upsert.discard().await?;
        }
        Ok(())
    }

    async fn plan(
        &mut self,
        input: &BronzeInput,
        rows: DataFrame,
        selection: Selection,
    ) -> Result<DataFrame, PipelineError> {
        let repeated = repeated(input.plan, &rows).await?;
        if input.plan.source == "transaction_ledger" && matches!(selection, Selection::Window(_)) {
            self.repeated_entries.clone_from(&repeated);
        }
        let named = rows.clone();
        let repeated = repeated
            .map(|batches| in_memory(&self.ctx, batches))
            .transpose()?;
        let classified = classified(input.plan, rows, repeated, selection, &self.rules.words)?;
        let (Selection::Window(window) | Selection::LateFor(window)) = selection else {
            return Ok(classified);
        };
        if input.plan.source != "transaction_ledger" {
            return Ok(classified);
        }
        let orders = self.orders_named(named, window).await?;
        Ok(match orders {
            Some(orders) => with_named_orders(classified, orders)?,
            None => classified,
        })
    }

    /// Statuses of the payment orders the entries may name: what this run staged for the window, else the newest of
    /// what it will merge by version (late and undated orders) and what is stored.
    async fn orders_named(
        &self,
        entries: DataFrame,
        window: UtcWindow,
    ) -> Result<Option<DataFrame>, PipelineError> {
        let table = self.run.table("silver.order_events").await?;
        let staged = self
            .staged
            .iter()
            .find(|(name, _)| *name == "silver.order_events")
            .map(|(_, s)| s.scan());
        let new = match staged {
            Some(scan) if scan.row_count() > 0 => Some(scope::named_orders(self.ctx.read_table(scan)?)?),
            _ => None,
        };
        let mut others = Vec::new();
        let files = scope::files_of_orders(
            &self.run,
            &self.ctx,
            &table,
            entries.clone().select_columns(&["related_id"])?,
        )
        .await?;
        if !files.is_empty() {
            let stored = match &self.base {
                // The entries are few, and so are their orders.
                Some(_) => {
                    let related = entries.clone().select_columns(&["related_id"])?.collect().await?;
                    let refs = renamed(&related, "order_ref")?;
                    table
                        .rows_with(&self.ctx, files, &["order_ref"], &refs, scope::VERSIONED)
                        .await?
                }
                None => self.ctx.read_table(table.scan(files))?,
            };
            others.push(scope::payment_versions(stored)?);
        }
        if self.undated.iter().any(|b| b.num_rows() > 0) {
            others.push(scope::payment_versions(in_memory(
                &self.ctx,
                self.undated.clone(),
            )?)?);
        }
        if let Some((plan, rows)) = &self.late_orders {
            let repeated = repeated(plan, rows)
                .await?
                .map(|k| in_memory(&self.ctx, k))
                .transpose()?;
            let selection = Selection::LateFor(window);
            let late = classified(plan, rows.clone(), repeated, selection, &self.rules.words)?;
            others.push(scope::payment_versions(
                late.filter(col("kind").eq(lit(Kind::Row as i8)))?,
            )?);
        }
        scope::orders_named_by(entries, others, new)
    }

    /// Rows read.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    pub(super) fn tallies(&self) -> impl Iterator<Item = (&'static str, &RowCounts)> {
        self.tallies.iter().map(|(k, v)| (*k, v))
    }

    pub(super) fn rules(&self) -> &SilverRules {
        &self.rules
    }

    /// Sources over the bad-records rate, together or in one load, with that load.
    pub(super) fn offenders(&self) -> Result<Vec<Offender>, PipelineError> {
        let threshold = Threshold::from_f64(self.rules.rate)?;
        let over = self.tallies.iter().filter(|(_, t)| t.is_over(threshold));
        Ok(over
            .map(|(source, counts)| Offender {
                source,
                counts: counts.clone(),
                load: counts
                    .worst_load(threshold)
                    .and_then(|(load, taken)| Some((load?.to_owned(), taken.clone()))),
            })
            .collect())
    }

    /// Conflicts of the window's entries: among their Bronze copies, and with what is stored on other days.
    pub(super) async fn conflicts(
        &self,
        ledger: &BronzeInput,
        window: UtcWindow,
    ) -> Result<Conflicts, PipelineError> {
        let mut conflicts = Conflicts::default();
        conflicts.recall(&self.run, &self.ctx, window).await?;
        let keys = match &self.base {
            Some(_) => self.suspects(ledger, conflicts.known()?).await?,
            None => self.repeated_entries.clone(),
        };
        let files = ledger.window_files();
        if let Some(keys) = keys {
            // Beside a base they are few.
            let rows = match &self.base {
                Some(_) => {
                    let ids = renamed(&keys, "tx_id")?;
                    ledger.rows_with(&self.ctx, files, &["tx_id"], &ids).await?
                }
                None => ledger.rows(&self.ctx, files)?,
            };
            if let Some(rows) = rows {
                let keys = in_memory(&self.ctx, keys)?;
                let words = &self.rules.words;
                conflicts.among(rows, files, keys, words, window).await?;
            }
        }
        if let Some((name, upsert)) = self.staged.iter().find(|(name, _)| *name == ledger.plan.silver) {
            conflicts.met(upsert.met_outside())?;
            let new = upsert.scan();
            if new.row_count() > 0 {
                let stored = self.run.table(name).await?;
                let days: Vec<_> = window.dates_kst().collect();
                let outside = stored
                    .files()?
                    .into_iter()
                    .filter(|f| f.partition_date().is_none_or(|d| !days.contains(&d)))
                    .collect();
                conflicts
                    .with_stored(&self.ctx, self.ctx.read_table(new)?, &stored, outside)
                    .await?;
            }
        }
        Ok(conflicts)
    }

    /// Beside a base: entries that may be in conflict, if any. A fresh row may repeat one that was taken before, and
    /// what was in conflict (`known`) still is.
    async fn suspects(
        &self,
        ledger: &BronzeInput,
        known: RecordBatch,
    ) -> Result<Option<Vec<RecordBatch>>, PipelineError> {
        let known = self.ctx.read_batch(known)?;
        let keys = match ledger.window_rows(&self.ctx)? {
            Some(fresh) => fresh
                .select(vec![cast(col("tx_id"), DataType::Utf8View).alias(key_column(0))])?
                .union(known)?,
            None => known,
        };
        let keys = keys
            .filter(ident(key_column(0)).is_not_null())?
            .distinct()?
            .collect()
            .await?;
        Ok(some_rows(keys))
    }

    /// The quarantine's change and the tables' changes.
    pub(super) async fn finish(
        self,
    ) -> Result<(StagedUpsert, Vec<(&'static str, StagedUpsert)>, Vec<RecordBatch>), PipelineError> {
        let bad = self.bad.finish(&self.ctx, self.bad_parts).await?;
        Ok((bad, self.staged, self.undated))
    }
}

/// A source over the bad-records rate.
pub(super) struct Offender {
    pub(super) source: &'static str,
    pub(super) counts: RowCounts,
    /// The load that is over it itself, of several that with the most bad rows.
    pub(super) load: Option<(String, LoadCounts)>,
}

/// Keys that repeat, or `None`.
pub(super) async fn repeated(
    plan: &SourcePlan,
    rows: &DataFrame,
) -> Result<Option<Vec<RecordBatch>>, PipelineError> {
    Ok(some_rows(repeated_keys(plan, rows.clone())?.collect().await?))
}

fn some_rows(batches: Vec<RecordBatch>) -> Option<Vec<RecordBatch>> {
    batches.iter().any(|b| b.num_rows() > 0).then_some(batches)
}
