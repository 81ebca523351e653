//! `LEDGER_ENTRY_CONFLICT`: valid copies of one tx_id that disagree on wallet, type, amount or time.
//! A ledger is append-only, so this is critical (lakehouse contract 3).

use datafusion::common::JoinType;
use datafusion::logical_expr::{Expr, col};
use datafusion::prelude::DataFrame;

use super::classify::{checked, version_order};
use super::plan_of;
use crate::TransformError;

const WHAT: &str = "ledger conflicts";

/// Copies among `bronze` rows of repeated tx_ids, whatever their window: `tx_id`, `facts` (how many different
/// ones), `event_time` of the newest copy (which dates the conflict), and the facts themselves in `evidence`.
///
/// # Errors
/// When the plan cannot be built.
pub fn conflicts_among_repeats(
    bronze: DataFrame,
    repeated: DataFrame,
    allowed_types: &[String],
) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan(WHAT)(e);
    let Some(plan) = plan_of("transaction_ledger") else {
        return Err(TransformError::Source("transaction_ledger".to_owned()));
    };
    let copies = bronze
        .join(repeated, JoinType::LeftSemi, &["tx_id"], &["k0"], None)
        .map_err(failed)?;
    let copies = checked(plan, copies, allowed_types)?;
    let copies = copies
        .clone()
        .filter(sql(&copies, "c['reason'] IS NULL")?)
        .map_err(failed)?;
    let order = version_order(&copies)?;
    let newest =
        datafusion::functions_aggregate::first_last::first_value(sql(&copies, "c['event_time']")?, order)
            .alias("event_time");
    // Every comparison is of the valid copies as one text: equal texts are the same fact.
    let fact = "concat_ws('|', wallet_id, coalesce(nsc_clean(\"type\"), nsc_clean(entry_type)), CAST(c['amount'] AS VARCHAR), CAST(c['event_time'] AS VARCHAR))";
    let copies = copies
        .clone()
        .with_column("fact", sql(&copies, fact)?)
        .map_err(failed)?;
    // Repeats of a copy change nothing: what counts is how many different facts there are.
    let aggregates = [
        "count(DISTINCT fact) AS facts",
        "string_agg(DISTINCT fact, ' / ' ORDER BY fact) AS evidence",
    ];
    let mut wanted = aggregates
        .iter()
        .map(|a| sql(&copies, a))
        .collect::<Result<Vec<Expr>, _>>()?;
    wanted.push(newest);
    let grouped = copies.aggregate(vec![col("tx_id")], wanted).map_err(failed)?;
    let disagree = sql(&grouped, "facts > 1")?;
    grouped
        .filter(disagree)
        .and_then(|d| d.select_columns(&["tx_id", "facts", "event_time", "evidence"]))
        .map_err(failed)
}

/// New Silver rows that disagree with a stored row of the same tx_id: same columns as
/// [`conflicts_among_repeats`].
///
/// # Errors
/// When the plan cannot be built.
pub fn conflicts_with_stored(new: DataFrame, stored: DataFrame) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan(WHAT)(e);
    let facts = ["tx_id", "wallet_id", "entry_type", "amount", "event_time"];
    let renamed: Vec<Expr> = facts
        .iter()
        .map(|f| col(*f).alias(format!("stored_{f}")))
        .collect();
    let stored = stored.select(renamed).map_err(failed)?;
    let joined = new
        .select_columns(&facts)
        .and_then(|n| n.join(stored, JoinType::Inner, &["tx_id"], &["stored_tx_id"], None))
        .map_err(failed)?;
    let disagree = "wallet_id <> stored_wallet_id OR entry_type <> stored_entry_type OR amount <> stored_amount OR event_time <> stored_event_time";
    let disagree = sql(&joined, disagree)?;
    let found = joined.filter(disagree).map_err(failed)?;
    let fact = "concat_ws('|', wallet_id, entry_type, CAST(amount AS VARCHAR), CAST(event_time AS VARCHAR))";
    let found = found
        .clone()
        .with_column("fact", sql(&found, fact)?)
        .map_err(failed)?;
    let evidence = "min(concat_ws('|', wallet_id, entry_type, CAST(amount AS VARCHAR), CAST(event_time AS VARCHAR)) || ' / ' || \
                    concat_ws('|', stored_wallet_id, stored_entry_type, CAST(stored_amount AS VARCHAR), CAST(stored_event_time AS VARCHAR))) AS evidence";
    let wanted = [
        "count(DISTINCT fact) + 1 AS facts",
        "max(event_time) AS event_time",
        evidence,
    ];
    let wanted = wanted
        .iter()
        .map(|w| sql(&found, w))
        .collect::<Result<Vec<_>, _>>()?;
    found.aggregate(vec![col("tx_id")], wanted).map_err(failed)
}

fn sql(df: &DataFrame, text: &str) -> Result<Expr, TransformError> {
    df.parse_sql_expr(text).map_err(TransformError::plan(WHAT))
}
