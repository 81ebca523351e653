//! B-1 and B-2: balances against flows, and the state that carries from day to day.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, col, in_list, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_core::Money;

use super::ControlDay;
use super::verdicts::critical;
use crate::TransformError;
use crate::functions::{DEC2, utc_micros};
use crate::output::{finish, money, plan, text};
use crate::rules::SeverityRule;

/// `positions` before the first day of the lake: no wallet.
#[must_use]
pub fn empty_positions() -> RecordBatch {
    RecordBatch::new_empty(Arc::new(Schema::new(vec![
        Field::new("user_id", DataType::Utf8, false),
        Field::new("snapshot_ts", utc_micros(), true),
        Field::new("balance_total", DEC2, true),
        Field::new("flow_after", DEC2, false),
    ])))
}

/// What the day says of each wallet: its carried state, its first, last and last-but-the-end snapshot, and the flow
/// before each. Reads `positions`, `snapshots` and `entries`; one row per wallet.
///
/// # Errors
/// When the plan is refused: an input table or column is absent.
pub async fn wallet_day(ctx: &SessionContext, day: &ControlDay) -> Result<DataFrame, TransformError> {
    let end = ("end", crate::output::instant(day.end()));
    plan(
        ctx,
        "wallet_day",
        include_str!("../sql/wallet_day.sql"),
        vec![end],
    )
    .await
}

/// B-1, `gold.recon_daily_snapshot_flow`. Reads `wallet_day`. `rule` is `ledger.drift_abs`, named on every row;
/// `system_wallets` are those that issue and burn: without a snapshot they have no row.
///
/// # Errors
/// When the plan is refused.
pub async fn reconciliation(
    ctx: &SessionContext,
    day: &ControlDay,
    rule: &SeverityRule,
    system_wallets: &[String],
) -> Result<DataFrame, TransformError> {
    const TABLE: &str = "gold.recon_daily_snapshot_flow";
    let start = ("start", crate::output::instant(day.start()));
    let df = plan(
        ctx,
        TABLE,
        include_str!("../sql/recon_daily_snapshot_flow.sql"),
        vec![start],
    )
    .await?;
    let listed: Vec<Expr> = system_wallets.iter().map(|w| lit(w.as_str())).collect();
    let df = if listed.is_empty() {
        df
    } else {
        let issues = col("closing_ts")
            .is_null()
            .and(in_list(col("user_id"), listed, false));
        df.filter(issues.is_not_true())
            .map_err(TransformError::plan(TABLE))?
    };
    let mut constants = day.stamps(Some(&rule.rule_id));
    constants.push(("dq_tag", text(day.dq_tag.as_deref())));
    finish(df, TABLE, constants)
}

/// The carried state strictly before the day's end, in the shape of `positions`. Reads `wallet_day`.
///
/// # Errors
/// When the plan is refused.
pub async fn positions_next(ctx: &SessionContext) -> Result<DataFrame, TransformError> {
    plan(
        ctx,
        "positions",
        include_str!("../sql/positions_next.sql"),
        Vec::new(),
    )
    .await
}

/// B-2, `gold.ledger_supply_balance_daily`: always one row. Reads `entries` and `wallet_day`. `opening_supply` is the
/// issued supply up to `start`; `rule` is `ledger.supply_diff_abs`.
///
/// # Errors
/// When the plan is refused.
pub async fn supply(
    ctx: &SessionContext,
    day: &ControlDay,
    opening_supply: Money,
    rule: &SeverityRule,
) -> Result<DataFrame, TransformError> {
    const TABLE: &str = "gold.ledger_supply_balance_daily";
    let params = vec![
        ("start", crate::output::instant(day.start())),
        ("opening_supply", money(opening_supply.units())),
        ("threshold", money(rule.threshold.floor_at(2))),
        ("critical", critical(rule)),
        ("suppressed", ScalarValue::Boolean(Some(day.is_suppressed()))),
    ];
    let df = plan(
        ctx,
        TABLE,
        include_str!("../sql/ledger_supply_balance_daily.sql"),
        params,
    )
    .await?;
    let mut constants = day.stamps(Some(&rule.rule_id));
    constants.push(("dq_tag", text(day.dq_tag.as_deref())));
    finish(df, TABLE, constants)
}
