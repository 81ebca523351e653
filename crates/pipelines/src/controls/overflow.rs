//! Names the rows whose amounts a control cannot add up: each of them is exact, and together they are over 38 digits.

use datafusion::arrow::array::{Array, AsArray, Decimal128Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type};
use nsc_core::DateKst;
use nsc_lake::{DataFile, Table};

use crate::error::LargeAmount;
use crate::{PipelineError, RunContext};

use super::positions::History;

/// Up to a thousandth of the largest amount counts as one of those that matter.
const SHARE: i128 = 1000;

const LARGEST: &str = "\
    SELECT concat('entry ', tx_id) AS what, wallet_id AS wallet, CAST(event_date_kst AS VARCHAR) AS day, amount, source_ref, load_id \
    FROM entries \
    UNION ALL \
    SELECT concat('snapshot ', CAST(snapshot_ts AS VARCHAR)), user_id, CAST(snapshot_date_kst AS VARCHAR), balance_total, source_ref, load_id \
    FROM snapshots \
    ORDER BY amount DESC LIMIT 5";

/// The error of a control of a day, with the rows up to its end that carry the largest amounts.
pub(crate) async fn named(run: &RunContext, history: &History, day: DateKst, what: String) -> PipelineError {
    let rows = largest(run, history, day).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the rows with the largest amounts could not be looked up");
        Vec::new()
    });
    PipelineError::AmountOverflow {
        what,
        day: Some(day),
        rows,
    }
}

async fn largest(
    run: &RunContext,
    history: &History,
    day: DateKst,
) -> Result<Vec<LargeAmount>, PipelineError> {
    let ctx = run.session()?;
    let up_to = |table: &Table, last: DateKst| -> Result<Vec<DataFile>, PipelineError> {
        let mut files = table.files()?;
        files.retain(|f| f.partition_date().is_some_and(|d| d <= last));
        Ok(files)
    };
    let (ledger, snapshots) = (&history.ledger, &history.snapshots);
    ctx.register_table("entries", ledger.scan(up_to(ledger, day)?))?;
    // A snapshot on the day's end stands in the next day's partition.
    ctx.register_table("snapshots", snapshots.scan(up_to(snapshots, day.next())?))?;
    let mut rows = Vec::new();
    for batch in ctx.sql(LARGEST).await?.collect().await? {
        read(&batch, &mut rows)?;
    }
    let most = rows.first().map_or(0, |(units, _)| *units);
    let large = rows.into_iter().filter(|(units, _)| *units >= most / SHARE);
    Ok(large.map(|(_, row)| row).collect())
}

/// Adds the rows of a batch, with their amounts in hundredths.
fn read(batch: &RecordBatch, rows: &mut Vec<(i128, LargeAmount)>) -> Result<(), PipelineError> {
    let text = |column: usize| -> Result<StringArray, PipelineError> {
        Ok(cast(batch.column(column), &DataType::Utf8)?
            .as_string::<i32>()
            .clone())
    };
    let (what, wallet, day, amount) = (text(0)?, text(1)?, text(2)?, text(3)?);
    let (source_ref, load) = (text(4)?, text(5)?);
    let units: &Decimal128Array = batch.column(3).as_primitive::<Decimal128Type>();
    let known = |of: &StringArray, i: usize| of.is_valid(i).then(|| of.value(i).to_owned());
    for i in 0..batch.num_rows() {
        let row = LargeAmount {
            what: what.value(i).to_owned(),
            wallet: wallet.value(i).to_owned(),
            day: day.value(i).to_owned(),
            amount: amount.value(i).to_owned(),
            source_ref: known(&source_ref, i),
            load_id: known(&load, i),
        };
        rows.push((units.value(i), row));
    }
    Ok(())
}
