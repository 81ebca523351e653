//! What B-1 and B-2 read: the day of each wallet, and the state that carries from day to day.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::prelude::{DataFrame, SessionContext};

use super::ControlDay;
use crate::TransformError;
use crate::functions::{DEC2, utc_micros};
use crate::output::plan;

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
