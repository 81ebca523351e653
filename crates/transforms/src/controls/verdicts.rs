//! The exceptions of B-1 and B-2, as rows of `gold.exception_ledger`.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::exception::ExceptionState;
use nsc_core::UtcMicros;

use super::ControlDay;
use crate::TransformError;
use crate::functions::MAX_38_DIGITS;
use crate::output::{date, finish, instant, money, plan, text};
use crate::rules::SeverityRule;

const TABLE: &str = "gold.exception_ledger";

/// RECON_DRIFT_HIGH, RECON_SNAPSHOT_MISSING and RECON_WALLET_UNKNOWN of the day, state `OPEN`. Reads `recon`.
/// On a gated day only RECON_WALLET_UNKNOWN is left.
///
/// # Errors
/// When the plan is refused.
pub async fn recon_exceptions(
    ctx: &SessionContext,
    day: &ControlDay,
    rule: &SeverityRule,
    generated_at: UtcMicros,
) -> Result<DataFrame, TransformError> {
    let mut params = verdict_params(day, rule);
    params.push(("start", instant(day.start())));
    let df = plan(ctx, TABLE, include_str!("../sql/recon_exceptions.sql"), params).await?;
    finish(
        df,
        TABLE,
        exception_stamps(day, "recon_daily_snapshot_flow", generated_at),
    )
}

/// SUPPLY_MISMATCH of the day, state `OPEN`; nothing on a gated day. Reads `supply`.
///
/// # Errors
/// When the plan is refused.
pub async fn supply_exceptions(
    ctx: &SessionContext,
    day: &ControlDay,
    rule: &SeverityRule,
    generated_at: UtcMicros,
) -> Result<DataFrame, TransformError> {
    let df = plan(
        ctx,
        TABLE,
        include_str!("../sql/supply_exceptions.sql"),
        verdict_params(day, rule),
    )
    .await?;
    finish(
        df,
        TABLE,
        exception_stamps(day, "ledger_supply_balance_daily", generated_at),
    )
}

/// The amount above which a breach is CRITICAL: `>` a threshold of any precision is `>` its floor in hundredths.
pub(super) fn critical(rule: &SeverityRule) -> ScalarValue {
    money(match (rule.warn, rule.crit) {
        (_, Some(crit)) => crit.floor_at(2),
        (Some(_), None) => MAX_38_DIGITS,
        (None, None) => rule.threshold.floor_at(2),
    })
}

fn verdict_params(day: &ControlDay, rule: &SeverityRule) -> Vec<(&'static str, ScalarValue)> {
    vec![
        ("suppressed", ScalarValue::Boolean(Some(day.is_suppressed()))),
        ("threshold", money(rule.threshold.floor_at(2))),
        ("critical", critical(rule)),
        (
            "threshold_text",
            ScalarValue::Utf8(Some(rule.threshold.to_string())),
        ),
        ("rule_id", ScalarValue::Utf8(Some(rule.rule_id.clone()))),
    ]
}

fn exception_stamps(day: &ControlDay, judged: &str, generated_at: UtcMicros) -> Vec<(&'static str, Expr)> {
    vec![
        ("date_kst", date(day.date)),
        ("domain", text(Some("ledger"))),
        ("source_table", text(Some(judged))),
        ("window_start_ts", lit(instant(day.start()))),
        ("window_end_ts", lit(instant(day.end()))),
        ("run_id", text(Some(day.run_id.as_str()))),
        ("generated_at", lit(instant(generated_at))),
        ("state", text(Some(ExceptionState::Open.name()))),
    ]
}
