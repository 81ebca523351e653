//! A window that was computed before and has gained Bronze files since: only their rows are taken, and merged by
//! version into what is stored. The end is that of computing everything again, at the cost of what is new
//! (docs/decisions/0019).

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::common::JoinType;
use datafusion::logical_expr::{Operator, binary_expr, col};
use datafusion::prelude::SessionContext;
use nsc_core::UtcWindow;
use nsc_lake::{Conflict, Upsert};

use super::bronze::BronzeInput;
use super::commit::line_of;
use super::drain::stamp;
use super::scope;
use super::stage::in_memory;
use super::tally::Tally;
use crate::derivation::Record;
use crate::exceptions::metadata;
use crate::{PipelineError, RunContext, RunReport};

/// With more than one fresh row in this many, comparing everything is the shorter way.
const FRESH_SHARE: u64 = 5;

/// What a window's stored result stands for.
#[derive(Debug, Clone, Default)]
pub(super) struct Base {
    /// By Bronze table.
    tallies: BTreeMap<String, Tally>,
    /// Rows of the window, by Silver table.
    rows: BTreeMap<String, u64>,
}

impl Base {
    /// Builds on a record: the inputs take their fresh files only. `None`, and all files are taken, when that would
    /// not be shorter.
    pub(super) fn of(record: &Record, inputs: &mut [BronzeInput]) -> Option<Self> {
        let (mut fresh, mut all) = (0, 0);
        for input in inputs.iter_mut() {
            input.take_fresh(&record.files);
            let (taken, there) = input.row_counts();
            fresh += taken;
            all += there;
        }
        if fresh.saturating_mul(FRESH_SHARE) > all {
            take_all(inputs);
            return None;
        }
        let mut base = Self::default();
        for line in &record.tables {
            if line.lines.is_some() {
                let tally = Tally {
                    rows: line.rows,
                    duplicates: line.duplicates.unwrap_or_default(),
                    bad: line.quarantined.clone(),
                };
                base.tallies.insert(line.table.clone(), tally);
            } else {
                base.rows.insert(line.table.clone(), line.rows);
            }
        }
        Some(base)
    }

    pub(super) fn tally(&self, bronze: &str) -> Tally {
        let name = format!("bronze.{bronze}");
        self.tallies.get(&name).cloned().unwrap_or_default()
    }

    pub(super) fn rows(&self, silver: &str) -> u64 {
        self.rows.get(silver).copied().unwrap_or_default()
    }
}

/// Every input takes all its files.
pub(super) fn take_all(inputs: &mut [BronzeInput]) {
    for input in inputs {
        input.take_all();
    }
}

/// Payment orders that changed: `order_ref`, `order_status`.
#[derive(Debug, Default)]
pub(super) struct ChangedOrders(pub(super) Vec<RecordBatch>);

impl ChangedOrders {
    /// Whether an order lost its status: then its entries go back to their own, which only Bronze knows.
    pub(super) fn lost_a_status(&self) -> bool {
        let lost = |b: &RecordBatch| {
            b.column_by_name("order_status")
                .is_none_or(|c| c.null_count() > 0)
        };
        self.0.iter().any(|b| b.num_rows() > 0 && lost(b))
    }

    /// Gives the stored entries of the window that name one of the orders its status.
    pub(super) async fn update_entries(
        self,
        run: &RunContext,
        ctx: &SessionContext,
        window: UtcWindow,
        rule_id: &str,
        report: &mut RunReport,
    ) -> Result<(), PipelineError> {
        const ENTRIES: &str = "silver.ledger_entries";
        if self.0.iter().all(|b| b.num_rows() == 0) {
            return Ok(());
        }
        let table = run.table(ENTRIES).await?;
        let scope = scope::of_window(ctx, &table, &[], window, Conflict::Newest).await?;
        let stored = ctx.read_table(table.scan(scope.files.clone()))?;
        let stored = match &scope.rows {
            Some(filter) => stored.filter(filter.clone())?,
            None => stored,
        };
        let orders = in_memory(ctx, self.0)?;
        // Which ones, by four columns; the others are read only when there are any.
        let differing = stored
            .clone()
            .select_columns(&["tx_id", "wallet_id", "related_id", "status"])?
            .join(orders, JoinType::Inner, &["related_id"], &["order_ref"], None)?
            .filter(binary_expr(
                col("status"),
                Operator::IsDistinctFrom,
                col("order_status"),
            ))?
            .select(vec![
                col("tx_id").alias("of_tx"),
                col("wallet_id").alias("of_wallet"),
                col("order_status"),
            ])?
            .collect()
            .await?;
        if differing.iter().all(|b| b.num_rows() == 0) {
            return Ok(());
        }
        let columns: Vec<_> = table
            .contract()
            .columns
            .iter()
            .map(|c| c.name)
            .filter(|name| !["run_id", "rule_id"].contains(name))
            .map(|name| {
                if name == "status" {
                    col("order_status").alias(name)
                } else {
                    col(name)
                }
            })
            .collect();
        let changed = stored
            .join(
                in_memory(ctx, differing)?,
                JoinType::Inner,
                &["tx_id", "wallet_id"],
                &["of_tx", "of_wallet"],
                None,
            )?
            .select(columns)?
            .collect()
            .await?;
        let upsert = Upsert::begin(ctx, &table, scope.for_rows(&table, &changed)?).await?;
        let mut writer = upsert.writer()?;
        for batch in &changed {
            writer
                .write(&stamp(batch, run.run_id.as_str(), Some(rule_id))?)
                .await?;
        }
        let part = writer.finish().await?;
        let staged = upsert.finish(ctx, vec![part]).await?;
        let (table, outcome) = staged.commit(metadata(run)).await?;
        report.wrote(&table);
        // These rows were counted as unchanged.
        let line = line_of(report, ENTRIES);
        line.outcome.updated += outcome.updated;
        line.outcome.unchanged = line.outcome.unchanged.saturating_sub(outcome.updated);
        Ok(())
    }
}
