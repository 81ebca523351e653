//! Runs B-1 and B-2 day after day as the pipeline does, carrying only `positions`.

use std::sync::Arc;

use arrow::array::{
    Array, AsArray, Date32Array, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, TimeUnit, TimestampMicrosecondType};
use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::control::{RECONCILIATION, SUPPLY};
use nsc_core::{DateKst, Money, RunId, UtcMicros};
use nsc_transforms::controls::{self, ControlDay, ControlRules};
use nsc_transforms::rules::SeverityRule;

use super::model::{History, PositionRow, ReconRow, SupplyRow};
use crate::support::{assert_contract, assert_required, collect, materialise, register};

pub(crate) fn control_day(date: DateKst, dq_tag: Option<&str>) -> ControlDay {
    ControlDay {
        date,
        run_id: RunId::parse("run-1").unwrap(),
        dq_tag: dq_tag.map(str::to_owned),
    }
}

pub(crate) fn drift_rule() -> SeverityRule {
    SeverityRule::new("ledger_recon_abs_default", 0.0, None, Some(0.0)).unwrap()
}

pub(crate) fn supply_rule() -> SeverityRule {
    SeverityRule::new("ledger_supply_diff_default", 0.0, None, Some(0.0)).unwrap()
}

/// What B-1 reads of its rules, no wallet being one that issues.
pub(crate) fn drift_rules() -> ControlRules {
    ControlRules::default()
        .judging(&drift_rule())
        .listing("system_wallets", None, &[])
}

/// The row of B-2.
pub(crate) async fn supply(
    ctx: &SessionContext,
    day: &ControlDay,
    opening: Money,
    rule: &SeverityRule,
) -> DataFrame {
    let rules = ControlRules::default().judging(rule);
    let opening = ("opening_supply", nsc_transforms::money(opening.units()));
    controls::rows(ctx, &SUPPLY, day, &rules, [opening])
        .await
        .unwrap()
}

fn money(values: impl IntoIterator<Item = i128>) -> Arc<dyn Array> {
    Arc::new(Decimal128Array::from_iter_values(values).with_data_type(DataType::Decimal128(38, 2)))
}

fn times(values: impl IntoIterator<Item = i64>) -> Arc<dyn Array> {
    Arc::new(TimestampMicrosecondArray::from_iter_values(values).with_timezone("UTC"))
}

/// The day's rows of `silver.ledger_entries`, the columns B reads.
pub(crate) fn entries_of(history: &History, day: DateKst) -> RecordBatch {
    let window = day.window();
    let inside = |t: i64| t >= window.start.micros() && t < window.end.micros();
    let all: Vec<_> = history
        .entries
        .iter()
        .enumerate()
        .filter(|(_, e)| inside(e.time))
        .collect();
    let text = |f: &dyn Fn(usize) -> String| -> Arc<dyn Array> {
        Arc::new(StringArray::from_iter_values(all.iter().map(|(i, _)| f(*i))))
    };
    let schema = Schema::new(vec![
        Field::new("tx_id", DataType::Utf8, false),
        Field::new("wallet_id", DataType::Utf8, false),
        Field::new(
            "event_time",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            false,
        ),
        Field::new("event_date_kst", DataType::Date32, false),
        Field::new("entry_type", DataType::Utf8, false),
        Field::new("amount", DataType::Decimal128(38, 2), false),
        Field::new("amount_signed", DataType::Decimal128(38, 2), false),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            text(&|i| format!("tx-{i}")),
            text(&|i| history.entries[i].wallet.clone()),
            times(all.iter().map(|(_, e)| e.time)),
            Arc::new(Date32Array::from_iter_values(all.iter().map(|_| day.days()))),
            text(&|i| history.entries[i].entry_type.to_owned()),
            money(all.iter().map(|(_, e)| e.amount)),
            money(all.iter().map(|(_, e)| e.signed())),
        ],
    )
    .unwrap()
}

/// The rows of `silver.wallet_snapshot` in `[start, end]`.
pub(crate) fn snapshots_of(history: &History, day: DateKst) -> RecordBatch {
    let window = day.window();
    let inside = |t: i64| t >= window.start.micros() && t <= window.end.micros();
    let all: Vec<_> = history
        .snapshots
        .iter()
        .filter(|((_, t), _)| inside(*t))
        .collect();
    let schema = Schema::new(vec![
        Field::new("user_id", DataType::Utf8, false),
        Field::new(
            "snapshot_ts",
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            false,
        ),
        Field::new("balance_total", DataType::Decimal128(38, 2), false),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(StringArray::from_iter_values(all.iter().map(|((w, _), _)| w))),
            times(all.iter().map(|((_, t), _)| *t)),
            money(all.iter().map(|(_, b)| **b)),
        ],
    )
    .unwrap()
}

/// Registers the day's inputs and the shared intermediate.
pub(crate) async fn prepare(
    ctx: &SessionContext,
    history: &History,
    day: &ControlDay,
    positions: RecordBatch,
) {
    register(ctx, "entries", entries_of(history, day.date));
    register(ctx, "snapshots", snapshots_of(history, day.date));
    register(ctx, "positions", positions);
    let df = controls::wallet_day(ctx, day).await.unwrap();
    materialise(ctx, "wallet_day", df).await;
}

/// One day: the rows of B-1, the row of B-2, the next positions.
pub(crate) async fn run_day(
    ctx: &SessionContext,
    history: &History,
    date: DateKst,
    positions: RecordBatch,
) -> (Vec<ReconRow>, SupplyRow, RecordBatch) {
    let day = control_day(date, None);
    prepare(ctx, history, &day, positions).await;
    let recon = controls::rows(ctx, &RECONCILIATION, &day, &drift_rules(), None)
        .await
        .unwrap();
    assert_contract(&recon, "gold.recon_daily_snapshot_flow");
    let recon = collect(recon).await;
    assert_required(&recon, "gold.recon_daily_snapshot_flow");
    let opening = Money::from_units(history.issued(date.start().micros())).unwrap();
    let supply = supply(ctx, &day, opening, &supply_rule()).await;
    assert_contract(&supply, "gold.ledger_supply_balance_daily");
    let supply = collect(supply).await;
    assert_required(&supply, "gold.ledger_supply_balance_daily");
    let next = collect(controls::positions_next(ctx).await.unwrap()).await;
    (recon_rows(&recon), supply_row(&supply), next)
}

fn dec(batch: &RecordBatch, name: &str, row: usize) -> Option<i128> {
    let a = batch
        .column_by_name(name)
        .unwrap()
        .as_primitive::<Decimal128Type>();
    a.is_valid(row).then(|| a.value(row))
}

fn ts(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let a = batch
        .column_by_name(name)
        .unwrap()
        .as_primitive::<TimestampMicrosecondType>();
    a.is_valid(row).then(|| a.value(row))
}

fn recon_rows(batch: &RecordBatch) -> Vec<ReconRow> {
    let wallets = arrow::compute::cast(batch.column_by_name("user_id").unwrap(), &DataType::Utf8).unwrap();
    let mut rows: Vec<ReconRow> = (0..batch.num_rows())
        .map(|r| ReconRow {
            wallet: wallets.as_string::<i32>().value(r).to_owned(),
            delta: dec(batch, "delta_balance_total", r).unwrap(),
            net_flow: dec(batch, "net_flow_total", r).unwrap(),
            drift_abs: dec(batch, "drift_abs", r).unwrap(),
            drift_pct: dec(batch, "drift_pct", r),
            opening_ts: ts(batch, "opening_ts", r),
            closing_ts: ts(batch, "closing_ts", r),
            pending_flow: dec(batch, "pending_flow", r).unwrap(),
        })
        .collect();
    rows.sort();
    rows
}

/// The rows of `positions`, by wallet.
pub(crate) fn position_rows(batch: &RecordBatch) -> Vec<PositionRow> {
    let wallets = arrow::compute::cast(batch.column_by_name("user_id").unwrap(), &DataType::Utf8).unwrap();
    let mut rows: Vec<PositionRow> = (0..batch.num_rows())
        .map(|r| {
            let wallet = wallets.as_string::<i32>().value(r).to_owned();
            let flow = dec(batch, "flow_after", r).unwrap();
            (
                wallet,
                ts(batch, "snapshot_ts", r),
                dec(batch, "balance_total", r),
                flow,
            )
        })
        .collect();
    rows.sort();
    rows
}

fn supply_row(batch: &RecordBatch) -> SupplyRow {
    assert_eq!(batch.num_rows(), 1);
    let money = |name| dec(batch, name, 0).unwrap();
    SupplyRow {
        issued: money("issued_supply"),
        wallets: money("wallet_total_balance"),
        diff: money("diff_amount"),
        is_ok: batch.column_by_name("is_ok").unwrap().as_boolean().value(0),
        pending: money("pending_flow_total"),
        opening: money("opening_supply"),
        moved: ["minted", "charged", "burned", "withdrawn"].map(money),
    }
}

pub(crate) fn micros(text: &str) -> i64 {
    UtcMicros::parse(text).unwrap().micros()
}
