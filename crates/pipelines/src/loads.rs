//! Which Bronze rows count: those of loads that were not taken back (lakehouse contract 2, "Loads"). Every pipeline reads
//! Bronze through here.

use std::collections::BTreeSet;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type};
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::DateKst;
use nsc_lake::{DataFile, LoadStates, Table};

use crate::{PipelineError, RunContext};

/// The column that names a Bronze row's load.
pub(crate) const LOAD_ID: &str = "load_id";

/// The loads of one Bronze table that were taken back.
#[derive(Debug, Clone, Default)]
pub(crate) struct TakenBack(Vec<String>);

impl TakenBack {
    pub(crate) fn of(states: &LoadStates, table: &str) -> Self {
        Self(states.retracted(table).map(str::to_owned).collect())
    }

    /// Those of some rows that count.
    pub(crate) fn without(&self, bronze: DataFrame) -> Result<DataFrame, PipelineError> {
        if self.0.is_empty() {
            return Ok(bronze);
        }
        // Rows of before loads had names belong to none.
        let counts = col(LOAD_ID).is_null().or(of_loads(&self.0, true));
        Ok(bronze.filter(counts)?)
    }

    /// Tells one set of loads from another: what is computed from a table follows from it.
    pub(crate) fn mark(&self) -> String {
        self.0.join(" ")
    }
}

fn of_loads(loads: &[String], negated: bool) -> Expr {
    col(LOAD_ID).in_list(loads.iter().map(|id| lit(id.as_str())).collect(), negated)
}

/// Those of some rows that some loads brought.
pub(crate) fn rows_of(bronze: DataFrame, loads: &[String]) -> Result<DataFrame, PipelineError> {
    Ok(bronze.filter(of_loads(loads, false))?)
}

/// Loads that some rows are of.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    pub(crate) named: BTreeSet<String>,
    /// Rows of before loads had names are among them.
    pub(crate) nameless: bool,
}

/// The loads of some rows.
pub(crate) async fn loads_of(rows: DataFrame) -> Result<Loads, PipelineError> {
    let mut loads = Loads::default();
    for batch in rows.select_columns(&[LOAD_ID])?.distinct()?.collect().await? {
        let ids = cast(batch.column(0), &DataType::Utf8)?;
        for id in ids.as_string::<i32>() {
            match id {
                Some(id) => drop(loads.named.insert(id.to_owned())),
                None => loads.nameless = true,
            }
        }
    }
    Ok(loads)
}

/// Those of some rows that are of one of some loads.
pub(crate) fn rows_of_any(bronze: DataFrame, loads: &Loads) -> Result<DataFrame, PipelineError> {
    let named: Vec<String> = loads.named.iter().cloned().collect();
    let wanted = of_loads(&named, false);
    let wanted = if loads.nameless {
        wanted.or(col(LOAD_ID).is_null())
    } else {
        wanted
    };
    Ok(bronze.filter(wanted)?)
}

/// Files that may hold a row of one of some loads.
pub(crate) fn files_of(table: &Table, loads: &[String]) -> Result<Vec<DataFile>, PipelineError> {
    let mut files = table.files()?;
    files.retain(|f| loads.iter().any(|id| f.may_hold_text(LOAD_ID, id, id)));
    Ok(files)
}

/// The loads of a Bronze table that were taken back, as it is now.
pub(crate) async fn taken_back(
    run: &RunContext,
    ctx: &SessionContext,
    table: &str,
) -> Result<TakenBack, PipelineError> {
    Ok(TakenBack::of(&LoadStates::read(&run.lake, ctx).await?, table))
}

/// Rows of a load by the business day they belong to; those without a usable time by that of their `ingested_at`.
///
/// # Errors
/// Storage and engine errors, and a table the contract does not have.
pub async fn rows_by_day(
    run: &RunContext,
    table: &str,
    load: &str,
) -> Result<Vec<(DateKst, u64)>, PipelineError> {
    let Some(bronze) = run.existing(table).await? else {
        return Ok(Vec::new());
    };
    if bronze.schema().field_with_name(LOAD_ID).is_err() {
        return Ok(Vec::new());
    }
    let time = match bronze.contract().name {
        "user_wallets_raw" => "coalesce(source_extracted_at, ingested_at)",
        "transaction_ledger_raw" => {
            "coalesce(nsc_timestamp(created_at), nsc_timestamp(event_time), ingested_at)"
        }
        "payment_orders_raw" | "orders_raw" => "coalesce(nsc_timestamp(created_at), ingested_at)",
        _ => "ingested_at",
    };
    let (ctx, loads) = (run.session()?, [load.to_owned()]);
    let files = files_of(&bronze, &loads)?;
    let rows = rows_of(ctx.read_table(bronze.scan(files))?, &loads)?;
    let day = rows
        .parse_sql_expr(&format!("nsc_date_kst({time})"))?
        .alias("day");
    let count = datafusion::functions_aggregate::count::count(lit(1_i64)).alias("rows");
    let counted = rows.aggregate(vec![day], vec![count])?;
    let counted = counted.sort(vec![col("day").sort(true, true)])?.collect().await?;
    Ok(counted.iter().flat_map(days_in).collect())
}

fn days_in(batch: &RecordBatch) -> Vec<(DateKst, u64)> {
    let days = batch.column(0).as_primitive::<Date32Type>().values();
    let counts = batch.column(1).as_primitive::<Int64Type>().values();
    let counted = days.iter().zip(counts);
    counted
        .map(|(day, count)| {
            (
                DateKst::from_days(*day),
                u64::try_from(*count).unwrap_or_default(),
            )
        })
        .collect()
}
