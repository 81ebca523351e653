//! The Bronze rows of some keys, of whatever day: what Silver says of a key follows from all of its copies.

use datafusion::common::JoinType;
use datafusion::logical_expr::{Expr, ident};
use datafusion::prelude::DataFrame;

use super::classify::{checked, newest_first, parsed, selected, shaped};
use super::plan_columns::{key_column, repeated_column};
use super::{Selection, SourcePlan};
use crate::TransformError;
use crate::vocabulary::Vocabulary;

const WHAT: &str = "rows of some keys";

/// The keys of some Bronze rows, each once, as columns of our own; rows without a whole key have none.
///
/// # Errors
/// When the plan cannot be built.
pub fn keys_of(plan: &SourcePlan, bronze: DataFrame) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan(WHAT)(e);
    let keys = keys(plan, &bronze)?;
    let known = (0..keys.len())
        .map(|n| ident(key_column(n)).is_not_null())
        .reduce(Expr::and);
    let keys = bronze.select(keys).map_err(failed)?;
    let keys = match known {
        Some(known) => keys.filter(known).map_err(failed)?,
        None => keys,
    };
    keys.distinct().map_err(failed)
}

fn keys(plan: &SourcePlan, bronze: &DataFrame) -> Result<Vec<Expr>, TransformError> {
    let keys = plan.repeat.iter().enumerate();
    keys.map(|(n, e)| Ok(parsed(bronze, e)?.alias(key_column(n))))
        .collect()
}

/// The Bronze rows that have one of the keys [`keys_of`] found.
///
/// # Errors
/// When the plan cannot be built.
pub fn copies_of(
    plan: &SourcePlan,
    bronze: DataFrame,
    wanted: DataFrame,
) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan(WHAT)(e);
    let own: Vec<Expr> = columns_of(&bronze).collect();
    let names: Vec<String> = (0..plan.repeat.len()).map(key_column).collect();
    let found: Vec<String> = (0..names.len()).map(repeated_column).collect();
    let renamed = names.iter().zip(&found).map(|(n, f)| ident(n).alias(f));
    let wanted = wanted.select(renamed.collect::<Vec<_>>()).map_err(failed)?;
    let mut keyed: Vec<Expr> = own.clone();
    keyed.extend(keys(plan, &bronze)?);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    bronze
        .select(keyed)
        .and_then(|b| b.join(wanted, JoinType::LeftSemi, &names, &found, None))
        .and_then(|b| b.select(own))
        .map_err(failed)
}

/// The columns of some rows, quoted: a source may call its fields anything.
fn columns_of(rows: &DataFrame) -> impl Iterator<Item = Expr> {
    let fields: Vec<String> = rows.schema().fields().iter().map(|f| f.name().clone()).collect();
    fields
        .into_iter()
        .map(|name| Expr::Column(datafusion::common::Column::new_unqualified(name)))
}

/// Some of a Silver table's columns, as they follow from each Bronze row, whether or not it passes the checks.
///
/// # Errors
/// When the plan cannot be built, and for a name the source does not fill.
pub fn silver_columns(
    plan: &SourcePlan,
    bronze: DataFrame,
    names: &[&str],
    words: &Vocabulary,
) -> Result<DataFrame, TransformError> {
    let rows = checked(plan, bronze, words)?;
    let mut wanted = Vec::new();
    for name in names {
        let Some((_, sql)) = plan.columns.iter().find(|(known, _)| known == name) else {
            return Err(TransformError::Source(format!("{}.{name}", plan.source)));
        };
        wanted.push(parsed(&rows, sql)?.alias(*name));
    }
    rows.select(wanted).map_err(TransformError::plan(WHAT))
}

/// As [`super::classified`], for rows of few keys: all of them are ordered.
///
/// # Errors
/// When the plan cannot be built.
pub fn classified_copies(
    plan: &SourcePlan,
    copies: DataFrame,
    selection: Selection,
    words: &Vocabulary,
) -> Result<DataFrame, TransformError> {
    let copies = selected(plan, copies, selection, words)?;
    let rank = newest_first(plan, &copies)?;
    shaped(plan, copies, rank, words)
}
