//! A number in the place of a date is refused: the engine would count it as days since 1970.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;
use nsc_core::{DateKst, ErrorCode, OperatorMessage};

use super::conversion::Conversion;

/// Refuses every conversion between numbers and dates, written or implied (a comparison, a list, a join, a set).
#[derive(Debug)]
pub(super) struct NumbersAreNoDates;

impl AnalyzerRule for NumbersAreNoDates {
    fn name(&self) -> &str {
        "numbers_are_no_dates"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.apply_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            node.apply_expressions(|expr| {
                expr.apply(|part| match confused(part, &schema) {
                    Some(refusal) => Err(DataFusionError::External(Box::new(refusal))),
                    None => Ok(TreeNodeRecursion::Continue),
                })
            })
        })?;
        Ok(plan)
    }
}

/// The refusal of an expression that takes a number for a date, or a date for a number.
fn confused(expr: &Expr, schema: &DFSchema) -> Option<OperatorMessage> {
    // The one function that counts days as well.
    if let Expr::ScalarFunction(call) = expr
        && call.name() == "to_date"
    {
        let first = call.args.first()?;
        let ty = first.get_type(schema).ok()?;
        return ty.is_numeric().then(|| number(first));
    }
    // What stands in for a row that is not there is converted where the function is computed.
    if let Expr::WindowFunction(call) = expr
        && let [value, _, instead] = call.params.args.as_slice()
    {
        let (from, to) = (instead.get_type(schema).ok()?, value.get_type(schema).ok()?);
        return Some(refused(instead, mistaken(&from, &to)?));
    }
    let Conversion { value, from, to, .. } = Conversion::of(expr, schema)?;
    Some(refused(value, mistaken(&from, &to)?))
}

/// What is taken for what.
enum Mistaken {
    NumberForDate,
    DateForNumber,
}

/// Of two types, or of those that they hold.
fn mistaken(from: &DataType, to: &DataType) -> Option<Mistaken> {
    use DataType::{Date32, Date64, FixedSizeList, LargeList, List, Struct};
    match (from, to) {
        (Date32 | Date64, to) if to.is_numeric() => Some(Mistaken::DateForNumber),
        (from, Date32 | Date64) if from.is_numeric() => Some(Mistaken::NumberForDate),
        (
            List(from) | LargeList(from) | FixedSizeList(from, _),
            List(to) | LargeList(to) | FixedSizeList(to, _),
        ) => mistaken(from.data_type(), to.data_type()),
        (Struct(from), Struct(to)) => from
            .iter()
            .zip(to)
            .find_map(|(from, to)| mistaken(from.data_type(), to.data_type())),
        _ => None,
    }
}

fn refused(value: &Expr, mistaken: Mistaken) -> OperatorMessage {
    match mistaken {
        Mistaken::NumberForDate => number(value),
        Mistaken::DateForNumber => refusal(format!("{value} is a date, and is taken for a number"))
            .with_hint(
                "Compare dates with dates (date '2026-01-05'), or write the number you mean: \
                 CAST(to_char(date_kst, '%Y%m%d') AS BIGINT).",
            ),
    }
}

fn refusal(message: String) -> OperatorMessage {
    OperatorMessage::new(ErrorCode::NumberForDate, message)
}

fn number(expr: &Expr) -> OperatorMessage {
    let literal = match expr {
        Expr::Literal(value, _) => Some(value.to_string()),
        _ => None,
    };
    let shown = literal.clone().unwrap_or_else(|| expr.to_string());
    let meant = literal
        .as_deref()
        .and_then(day_of_digits)
        .unwrap_or_else(|| "2026-01-05".to_owned());
    refusal(format!("{shown} is a number, and a date is meant there")).with_hint(format!(
        "Write the date as one: date '{meant}', or timestamp '{meant}T00:00:00Z' for an instant."
    ))
}

/// `20260105` as the day its writer means.
fn day_of_digits(digits: &str) -> Option<String> {
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = digits.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let text = format!("{year}-{month}-{day}");
    text.parse::<DateKst>().ok().map(|_| text)
}

#[cfg(test)]
mod tests {
    use super::day_of_digits;

    #[test]
    fn eight_digits_are_a_day_when_there_is_such_a_day() {
        assert_eq!(day_of_digits("20260105").as_deref(), Some("2026-01-05"));
        for no in ["20260230", "2026015", "202601055", "2026010x", "260105"] {
            assert_eq!(day_of_digits(no), None, "{no}");
        }
    }
}
