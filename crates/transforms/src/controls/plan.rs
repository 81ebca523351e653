//! A control as plans: its rows, and what it finds among them. Both are SQL files named after its table.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use include_dir::{Dir, include_dir};
use nsc_contracts::control::Control;
use nsc_contracts::exception::ExceptionState;
use nsc_contracts::rule::{KNOWN_METRICS, Rule, RuleSet, RuleShape};
use nsc_core::UtcMicros;

use super::ControlDay;
use crate::TransformError;
use crate::functions::MAX_38_DIGITS;
use crate::output::{Parameter, date, finish, finish_table, instant, money, plan, text};
use crate::rules::SeverityRule;

const LEDGER: &str = "gold.exception_ledger";

static SQL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/sql");

/// The statement of a file that is named after a table.
fn statement(name: &str) -> Option<&'static str> {
    SQL.get_file(format!("{name}.sql"))?.contents_utf8()
}

/// What the rules of a control say, as its SQL reads it.
///
/// A rule in won gives `$threshold`, `$critical` (the amount above which a breach is CRITICAL) and `$threshold_text`; a rule
/// that lists words gives a list under the name of its metric. `$rule_id` is the first rule's.
#[derive(Debug, Clone, Default)]
pub struct ControlRules {
    rule_id: Option<String>,
    parameters: Vec<Parameter>,
}

impl ControlRules {
    /// Those that are in force.
    ///
    /// # Errors
    /// When one that is needed is missing, or one cannot be used: the error names it.
    pub fn of(control: &Control, rules: &RuleSet) -> Result<Self, TransformError> {
        let mut read = Self::default();
        let known = |subject: &&str| KNOWN_METRICS.iter().find(|k| k.subject() == **subject);
        for known in control.rules.iter().filter_map(known) {
            let rule = match known.is_needed() {
                true => Some(rules.for_metric(known.domain, known.metric, None)?),
                false => rules.optional(known.domain, known.metric),
            };
            read = match (known.shape, rule) {
                (RuleShape::Money, Some(rule)) => read.judging(&SeverityRule::of(rule)?),
                (RuleShape::Values, Some(rule)) => {
                    read.listing(known.metric, Some(&rule.rule_id), rule.allowed()?)
                }
                (_, rule) => {
                    let words = rule.map(Rule::any_values).transpose()?.unwrap_or_default();
                    read.listing(known.metric, rule.map(|r| r.rule_id.as_str()), words)
                }
            };
        }
        Ok(read)
    }

    /// With a threshold in won.
    #[must_use]
    pub fn judging(mut self, rule: &SeverityRule) -> Self {
        self.parameters.extend([
            ("threshold", money(rule.threshold.floor_at(2))),
            ("critical", critical(rule)),
            (
                "threshold_text",
                ScalarValue::Utf8(Some(rule.threshold.to_string())),
            ),
        ]);
        self.named(Some(&rule.rule_id))
    }

    /// With the words of a metric.
    #[must_use]
    pub fn listing(mut self, metric: &'static str, rule_id: Option<&str>, words: &[String]) -> Self {
        let words: Vec<ScalarValue> = words
            .iter()
            .map(|w| ScalarValue::Utf8View(Some(w.clone())))
            .collect();
        let list = ScalarValue::new_list_nullable(&words, &DataType::Utf8View);
        self.parameters.push((metric, ScalarValue::List(list)));
        self.named(rule_id)
    }

    fn named(mut self, rule_id: Option<&str>) -> Self {
        self.rule_id = self.rule_id.or_else(|| rule_id.map(str::to_owned));
        self
    }

    /// Everything a statement of the day can ask for.
    fn parameters(&self, day: &ControlDay) -> Vec<Parameter> {
        let mut all = vec![
            ("start", instant(day.start())),
            ("suppressed", ScalarValue::Boolean(Some(day.is_suppressed()))),
            ("rule_id", ScalarValue::Utf8(self.rule_id.clone())),
        ];
        all.extend(self.parameters.iter().cloned());
        all
    }
}

/// The amount above which a breach is CRITICAL: `>` a threshold of any precision is `>` its floor in hundredths.
fn critical(rule: &SeverityRule) -> ScalarValue {
    money(match (rule.warn, rule.crit) {
        (_, Some(crit)) => crit.floor_at(2),
        (Some(_), None) => MAX_38_DIGITS,
        (None, None) => rule.threshold.floor_at(2),
    })
}

/// A control's rows of a day, in the columns of its table. `more` are parameters that only this control's SQL has.
///
/// # Errors
/// When there is no SQL file of the table's name, or the plan is refused: a table or column it reads is absent.
pub async fn rows(
    ctx: &SessionContext,
    control: &'static Control,
    day: &ControlDay,
    rules: &ControlRules,
    more: impl IntoIterator<Item = Parameter>,
) -> Result<DataFrame, TransformError> {
    let table = &control.table;
    let sql = statement(table.name).ok_or(TransformError::NoPlan(table.name))?;
    let mut parameters = rules.parameters(day);
    parameters.extend(more);
    let rows = plan(ctx, table.name, sql, parameters).await?;
    let stamps = [
        ("date_kst", date(day.date)),
        ("run_id", text(Some(day.run_id.as_str()))),
        ("rule_id", text(rules.rule_id.as_deref())),
        ("dq_tag", text(day.dq_tag.as_deref())),
    ];
    let stamps = stamps.into_iter().filter(|(name, _)| control.has(name));
    finish_table(rows, table, stamps.collect())
}

/// What a control finds among its rows of a day, which are registered under its table's name; `None` when it looks for
/// nothing. State `OPEN`; on a gated day nothing that follows from a threshold.
///
/// # Errors
/// When the plan is refused.
pub async fn exceptions(
    ctx: &SessionContext,
    control: &'static Control,
    day: &ControlDay,
    rules: &ControlRules,
    generated_at: UtcMicros,
) -> Result<Option<DataFrame>, TransformError> {
    let Some(sql) = statement(&format!("{}_exceptions", control.table.name)) else {
        return Ok(None);
    };
    let found = plan(ctx, LEDGER, sql, rules.parameters(day)).await?;
    let domain = control.rules.first().and_then(|rule| rule.split_once('.'));
    let stamps: Vec<(&'static str, Expr)> = vec![
        ("date_kst", date(day.date)),
        ("domain", text(domain.map(|(domain, _)| domain))),
        ("source_table", text(Some(control.table.name))),
        ("window_start_ts", lit(instant(day.start()))),
        ("window_end_ts", lit(instant(day.end()))),
        ("run_id", text(Some(day.run_id.as_str()))),
        ("generated_at", lit(instant(generated_at))),
        ("state", text(Some(ExceptionState::Open.name()))),
    ];
    Ok(Some(finish(found, LEDGER, stamps)?))
}
