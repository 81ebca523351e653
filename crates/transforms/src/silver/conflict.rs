//! `LEDGER_ENTRY_CONFLICT`: valid copies of one tx_id that disagree on wallet, type, amount or time.
//! A ledger is append-only, so this is critical (lakehouse contract 3).

use datafusion::common::JoinType;
use datafusion::functions_aggregate::expr_fn::bool_or;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::DataFrame;
use nsc_core::UtcWindow;

use super::classify::{checked, version_order};
use super::plan_columns::{FACT, checked, key_column};
use super::plan_of;
use crate::TransformError;
use crate::output::instant;
use crate::vocabulary::Vocabulary;

const WHAT: &str = "ledger conflicts";

/// A copy as one text, so that equal texts are the same fact: a `|` or `\` of the source's own is marked with a `\`, or
/// two facts could be written alike.
fn fact_of(words: &Vocabulary) -> String {
    let entry_type = words.column(
        "entry_type",
        "coalesce(nsc_clean(\"type\"), nsc_clean(entry_type))",
    );
    let marked = |text: &str| format!("replace(replace({text}, '\\', '\\\\'), '|', '\\|')");
    format!(
        "concat_ws('|', {}, {}, CAST({} AS VARCHAR), CAST({} AS VARCHAR))",
        marked("wallet_id"),
        marked(&entry_type),
        checked!("amount"),
        checked!("event_time")
    )
}

/// Of some tx_ids those whose valid `bronze` copies disagree: `tx_id`, `facts` (how many different ones), `event_time` of
/// the newest copy (which dates the conflict), the facts themselves in `evidence`, and the `dates` (list of KST days) the
/// copies are of. With `times` only those of which some copy happened within them. `wanted` names the tx_ids in its first
/// [`key_column`].
///
/// # Errors
/// When the plan cannot be built.
pub fn conflicts_among_copies(
    bronze: DataFrame,
    wanted: DataFrame,
    words: &Vocabulary,
    times: Option<UtcWindow>,
) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan(WHAT)(e);
    let Some(plan) = plan_of("transaction_ledger") else {
        return Err(TransformError::Source("transaction_ledger".to_owned()));
    };
    let copies = bronze
        .join(wanted, JoinType::LeftSemi, &["tx_id"], &[&key_column(0)], None)
        .map_err(failed)?;
    let copies = checked(plan, copies, words)?;
    let copies = copies
        .clone()
        .filter(sql(&copies, concat!(checked!("reason"), " IS NULL"))?)
        .map_err(failed)?;
    let order = version_order(&copies)?;
    let happened = sql(&copies, checked!("event_time"))?;
    let newest =
        datafusion::functions_aggregate::first_last::first_value(happened.clone(), order).alias("event_time");
    let copies = copies
        .clone()
        .with_column(FACT, sql(&copies, &fact_of(words))?)
        .map_err(failed)?;
    // Repeats of a copy change nothing: what counts is how many different facts there are.
    let aggregates = [
        "count(DISTINCT \"nsc/fact\") AS facts",
        "string_agg(DISTINCT \"nsc/fact\", ' / ' ORDER BY \"nsc/fact\") AS evidence",
        concat!(
            "array_agg(DISTINCT nsc_date_kst(",
            checked!("event_time"),
            ")) AS dates"
        ),
    ];
    let mut measures = aggregates
        .iter()
        .map(|a| sql(&copies, a))
        .collect::<Result<Vec<Expr>, _>>()?;
    measures.push(newest);
    let inside = match times {
        Some(w) => happened
            .clone()
            .gt_eq(lit(instant(w.start)))
            .and(happened.lt(lit(instant(w.end)))),
        None => lit(true),
    };
    measures.push(bool_or(inside).alias("is_inside"));
    let grouped = copies.aggregate(vec![col("tx_id")], measures).map_err(failed)?;
    let disagree = sql(&grouped, "facts > 1 AND is_inside")?;
    grouped
        .filter(disagree)
        .and_then(|d| d.select_columns(&["tx_id", "facts", "event_time", "evidence", "dates"]))
        .map_err(failed)
}

/// `tx_id` of new Silver rows that disagree with a stored row of the same tx_id.
///
/// # Errors
/// When the plan cannot be built.
pub fn disagreeing_with_stored(new: DataFrame, stored: DataFrame) -> Result<DataFrame, TransformError> {
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
    joined
        .filter(disagree)
        .and_then(|d| d.select_columns(&["tx_id"]))
        .and_then(DataFrame::distinct)
        .map_err(failed)
}

fn sql(df: &DataFrame, text: &str) -> Result<Expr, TransformError> {
    df.parse_sql_expr(text).map_err(TransformError::plan(WHAT))
}
