//! Every Bronze row of a selection exactly once: Silver row, duplicate, or quarantined.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, SortExpr, cast, col, ident, lit, when};
use datafusion::prelude::DataFrame;
use nsc_core::{UtcMicros, UtcWindow};

use super::plan_columns::{CHECK, PREFIX, RANK, checked, key_column, repeated_column};
use super::{SourcePlan, record};
use crate::TransformError;
use crate::vocabulary::Vocabulary;

/// What became of a Bronze row; the value of the plan's `kind` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum Kind {
    /// A Silver row.
    Row = 0,
    /// A valid copy that a newer one of the same key stands for.
    Duplicate = 1,
    /// Quarantined; `reason` says why.
    Bad = 2,
}

/// Which Bronze rows a run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Rows that belong to the window.
    Window(UtcWindow),
    /// Rows that belong to a day before the window, or to none, and not to the window.
    LateFor(UtcWindow),
    /// Rows that belong before an instant, or to no day: all that a run up to it and those before it have taken.
    Until(UtcMicros),
}

/// The keys that stand more than once in `bronze`, as columns [`key_column`]: the only rows that need ordering.
///
/// # Errors
/// When the plan cannot be built.
pub fn repeated_keys(plan: &SourcePlan, bronze: DataFrame) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan("repeated keys")(e);
    let keys = repeat_columns(plan, &bronze)?;
    let names: Vec<Expr> = (0..keys.len()).map(|i| ident(key_column(i))).collect();
    let known = names
        .iter()
        .cloned()
        .map(Expr::is_not_null)
        .reduce(Expr::and)
        .unwrap_or_else(|| lit(true));
    let count = datafusion::functions_aggregate::count::count(lit(1_i64)).alias("n");
    bronze
        .select(keys)
        .and_then(|d| d.filter(known))
        .and_then(|d| d.aggregate(names.clone(), vec![count]))
        .and_then(|d| d.filter(col("n").gt(lit(1_i64))))
        .and_then(|d| d.select(names))
        .map_err(failed)
}

fn repeat_columns(plan: &SourcePlan, bronze: &DataFrame) -> Result<Vec<Expr>, TransformError> {
    plan.repeat
        .iter()
        .enumerate()
        .map(|(i, e)| Ok(parsed(bronze, e)?.alias(key_column(i))))
        .collect()
}

pub(super) fn parsed(df: &DataFrame, sql: &str) -> Result<Expr, TransformError> {
    df.parse_sql_expr(sql)
        .map_err(TransformError::plan("a Silver expression"))
}

/// The classified rows of a source: `kind`, `reason`, `record_json`, the Silver columns, then
/// `source_extracted_at`, `ingested_at`, `source_ref`, `load_id`.
///
/// `repeated` holds what [`repeated_keys`] found (`None` when nothing repeats): only rows of those keys are
/// ordered, all others stream through.
///
/// # Errors
/// When the plan cannot be built.
pub fn classified(
    plan: &SourcePlan,
    bronze: DataFrame,
    repeated: Option<DataFrame>,
    selection: Selection,
    words: &Vocabulary,
) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan("classified rows")(e);
    let Some(repeated) = repeated else {
        return shaped(plan, selected(plan, bronze, selection, words)?, lit(1_u64), words);
    };
    let keys = repeat_columns(plan, &bronze)?;
    let keyed = bronze
        .clone()
        .select(
            vec![datafusion::prelude::wildcard()]
                .into_iter()
                .chain(keys.into_iter().map(Into::into))
                .collect::<Vec<_>>(),
        )
        .map_err(failed)?;
    let renamed: Vec<Expr> = (0..plan.repeat.len())
        .map(|i| ident(key_column(i)).alias(repeated_column(i)))
        .collect();
    let repeated = repeated.select(renamed).map_err(failed)?;
    let left: Vec<String> = (0..plan.repeat.len()).map(key_column).collect();
    let right: Vec<String> = (0..plan.repeat.len()).map(repeated_column).collect();
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    let single = keyed
        .clone()
        .join(repeated.clone(), JoinType::LeftAnti, &left, &right, None)
        .map_err(failed)?;
    let several = keyed
        .join(repeated, JoinType::LeftSemi, &left, &right, None)
        .map_err(failed)?;
    let single = shaped(plan, selected(plan, single, selection, words)?, lit(1_u64), words)?;
    let several = selected(plan, several, selection, words)?;
    let rank = newest_first(plan, &several)?;
    single.union(shaped(plan, several, rank, words)?).map_err(failed)
}

/// The rows of the selection with the check's result and the version order's columns.
pub(super) fn selected(
    plan: &SourcePlan,
    bronze: DataFrame,
    selection: Selection,
    words: &Vocabulary,
) -> Result<DataFrame, TransformError> {
    let checked = checked(plan, bronze, words)?;
    let instant = parsed(&checked, plan.instant)?;
    let business = parsed(&checked, plan.business_time)?;
    let at = |t: UtcMicros| lit(crate::output::instant(t));
    let inside = |w: UtcWindow| {
        let end = if plan.end_inclusive {
            instant.clone().lt_eq(at(w.end))
        } else {
            instant.clone().lt(at(w.end))
        };
        instant.clone().gt_eq(at(w.start)).and(end)
    };
    let filter = match selection {
        Selection::Window(w) => inside(w),
        Selection::Until(end) => {
            let start = UtcMicros::new(i64::MIN);
            business.clone().is_null().or(inside(UtcWindow { start, end }))
        }
        Selection::LateFor(w) => {
            let earlier_or_none = business.clone().is_null().or(business.lt(at(w.start)));
            earlier_or_none.and(datafusion::logical_expr::not(inside(w)).is_not_false())
        }
    };
    checked
        .filter(filter)
        .map_err(TransformError::plan("selected rows"))
}

/// Bronze with the check's result as column [`CHECK`].
pub(super) fn checked(
    plan: &SourcePlan,
    bronze: DataFrame,
    words: &Vocabulary,
) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan("checked rows")(e);
    let inputs = plan.check.inputs().iter();
    let inputs: Vec<String> = inputs.map(|c| words.column(c, &format!("\"{c}\""))).collect();
    let allowed = words.allowed_types.join("\n").replace('\'', "''");
    let call = parsed(
        &bronze,
        &format!("{}({}, '{allowed}')", plan.check.function(), inputs.join(", ")),
    )?;
    bronze.with_column(CHECK, call).map_err(failed)
}

fn is_meta(name: &str) -> bool {
    [
        "_corrupt_record",
        "ingested_at",
        "source_extracted_at",
        "batch_id",
        "source_system",
        "source_ref",
        "ingest_date",
        "load_id",
    ]
    .contains(&name)
        || name.starts_with(PREFIX)
}

/// 1 for the newest valid row of its key ("Newest" of the ground rules), more for the others.
pub(super) fn newest_first(plan: &SourcePlan, rows: &DataFrame) -> Result<Expr, TransformError> {
    let mut partition = plan
        .key
        .iter()
        .map(|k| parsed(rows, k))
        .collect::<Result<Vec<_>, _>>()?;
    partition.push(parsed(rows, concat!(checked!("reason"), " IS NULL"))?);
    let order = version_order(rows)?;
    row_number()
        .partition_by(partition)
        .order_by(order)
        .build()
        .map_err(TransformError::plan("newest first"))
        .map(|e| cast(e, DataType::UInt64))
}

/// Newest first: (`updated_at`, `source_extracted_at`, `ingested_at`, `load_id`, position in `source_ref`), nulls lowest.
pub(super) fn version_order(rows: &DataFrame) -> Result<Vec<SortExpr>, TransformError> {
    let mut order = Vec::new();
    if rows.schema().has_column_with_unqualified_name("updated_at") {
        order.push(parsed(rows, "nsc_timestamp(updated_at)")?);
    }
    for part in [
        "source_extracted_at",
        "ingested_at",
        "load_id",
        "nsc_ref_key(source_ref)",
    ] {
        order.push(parsed(rows, part)?);
    }
    Ok(order.into_iter().map(|e| e.sort(false, false)).collect())
}

pub(super) fn shaped(
    plan: &SourcePlan,
    rows: DataFrame,
    rank: Expr,
    words: &Vocabulary,
) -> Result<DataFrame, TransformError> {
    let failed = |e| TransformError::plan("shaped rows")(e);
    let fields: Vec<String> = rows
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .filter(|n| !is_meta(n))
        .collect();
    let quoted: Vec<String> = fields
        .iter()
        .map(|f| format!("\"{}\"", f.replace('"', "\"\"")))
        .collect();
    let names = fields.join("\n").replace('\'', "''");
    let record = format!(
        "{}({}, '{names}', _corrupt_record, {})",
        record::FUNCTION,
        checked!("reason"),
        quoted.join(", ")
    );
    let ranked = rows.with_column(RANK, rank).map_err(failed)?;
    let kind = |k: Kind| lit(k as i8);
    let kind = when(
        parsed(&ranked, concat!(checked!("reason"), " IS NOT NULL"))?,
        kind(Kind::Bad),
    )
    .when(ident(RANK).gt(lit(1_u64)), kind(Kind::Duplicate))
    .otherwise(kind(Kind::Row))
    .map_err(failed)?;
    let mut columns = vec![
        kind.alias("kind"),
        parsed(&ranked, checked!("reason"))?.alias("reason"),
        parsed(&ranked, &record)?.alias("record_json"),
    ];
    for (name, sql) in plan.columns {
        columns.push(parsed(&ranked, &words.column(name, sql))?.alias(*name));
    }
    columns.extend(["source_extracted_at", "ingested_at", "source_ref", "load_id"].map(col));
    ranked.select(columns).map_err(failed)
}
