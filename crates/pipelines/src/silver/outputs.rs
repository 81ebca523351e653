//! The tables a run of Silver may change: a name for all of their files, whether they stand, and the days with rows.

use std::collections::BTreeSet;

use nsc_core::DateKst;
use nsc_lake::{DataFile, PipelineStates, Table};

use crate::gate::SILVER;
use crate::{PipelineError, RunContext, derivation};

const OUTPUTS: [&str; 6] = [
    "silver.wallet_snapshot",
    "silver.ledger_entries",
    "silver.order_events",
    "silver.order_items",
    "silver.products",
    "silver.bad_records",
];

/// Names the data files of all of them.
pub(super) async fn hash(run: &RunContext) -> Result<String, PipelineError> {
    derivation::tables_hash(&open(run).await?)
}

/// The days that have a row in a table with days.
pub(super) async fn days_with_rows(run: &RunContext) -> Result<impl Iterator<Item = DateKst>, PipelineError> {
    let mut days = BTreeSet::new();
    for table in open(run).await? {
        if table.name() != "silver.bad_records" {
            days.extend(table.files()?.iter().filter_map(DataFile::partition_date));
        }
    }
    Ok(days.into_iter())
}

/// Opens them.
async fn open(run: &RunContext) -> Result<Vec<Table>, PipelineError> {
    let mut tables = Vec::new();
    for name in OUTPUTS {
        tables.push(run.table(name).await?);
    }
    Ok(tables)
}

/// A table that an earlier run has filled is not made again without a word: what it held of other days would be missing from
/// then on. A run of explicit days makes it anew.
pub(super) async fn stand(run: &RunContext, states: &PipelineStates) -> Result<(), PipelineError> {
    let silver = states.get(SILVER).filter(|s| s.last_success_ts.is_some());
    let mut days = silver.iter().flat_map(|s| s.processed_dates.ranges());
    let Some((first, last)) = days.next() else {
        return Ok(());
    };
    let last = days.last().map_or(last, |(_, last)| last);
    for name in OUTPUTS {
        if run.existing(name).await?.is_none() {
            return Err(PipelineError::OutputGone {
                table: name.to_owned(),
                first,
                last,
            });
        }
    }
    Ok(())
}
