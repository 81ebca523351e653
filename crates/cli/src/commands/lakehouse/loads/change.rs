//! Taking a load back, and restoring it: one more row in the record, and word of what follows.

use nsc_core::{DateKst, ErrorCode};
use nsc_lake::{Lake, LoadRecord, LoadState};
use nsc_pipelines::rows_by_day;
use serde_json::json;

use super::{ChangeArgs, Load};
use crate::app::App;
use crate::commands::lakehouse::run_context::context;
use crate::failure::{OperatorMessage, Outcome};

pub(super) async fn to(
    app: &mut App,
    lake: &Lake,
    load: Load,
    state: LoadState,
    args: ChangeArgs,
) -> Outcome {
    let newest = load.newest();
    let is_retracted = newest.state == LoadState::Retracted;
    if is_retracted == (state == LoadState::Retracted) {
        return Err(unchanged(&load, state).into());
    }
    let run = context(app, lake.clone(), None, args.now, None)?;
    let days = rows_by_day(&run, &newest.table_name, load.id()).await?;
    let rows: u64 = days.iter().map(|(_, rows)| rows).sum();
    if rows == 0 && load.first().rows != Some(0) {
        return Err(OperatorMessage::new(
            ErrorCode::LoadNotCommitted,
            format!("load {} has no rows in {}", load.id(), newest.table_name),
        )
        .with_detail("it was begun and never committed, or its rows are past their retention")
        .with_hint("There is nothing to take back.")
        .into());
    }
    let record = LoadRecord {
        state,
        actor: Some(app.actor()),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        reason: Some(args.reason.clone()),
        // Later than what is there, whatever the clock says: the newest row counts.
        recorded_at: run.now.max(newest.recorded_at.plus(1)),
        ..newest.clone()
    };
    if !args.dry_run {
        lake.record_load(&record).await?;
    }
    let document = json!({
        "load_id": load.id(), "table": record.table_name, "input": record.input, "state": state.name(), "reason": args.reason,
        "rows": rows, "dry_run": args.dry_run,
        "days": days.iter().map(|(day, rows)| json!({"date_kst": day.to_string(), "rows": rows})).collect::<Vec<_>>(),
    });
    app.printer
        .document(&document, || text(&load, state, rows, &days, args.dry_run))
}

fn unchanged(load: &Load, state: LoadState) -> OperatorMessage {
    let newest = load.newest();
    let by = newest.actor.as_deref().unwrap_or("somebody");
    let refusal = match state {
        LoadState::Retracted => OperatorMessage::new(
            ErrorCode::LoadStateUnchanged,
            format!("load {} is retracted already", load.id()),
        ),
        _ => OperatorMessage::new(
            ErrorCode::LoadStateUnchanged,
            format!("load {} is not retracted", load.id()),
        ),
    };
    refusal
        .with_detail(format!("{} by {by} at {}", newest.state, newest.recorded_at))
        .with_hint(format!("nsc loads show {}", load.id()))
}

fn text(load: &Load, state: LoadState, rows: u64, days: &[(DateKst, u64)], dry_run: bool) -> String {
    let on = match days {
        [] => "no day".to_owned(),
        [(day, _)] => day.to_string(),
        [(first, _), .., (last, _)] => format!("{} days from {first} to {last}", days.len()),
    };
    let (done, follows) = match state {
        LoadState::Retracted => (
            "retracted; its rows stay in Bronze and count no more",
            "takes them out of Silver",
        ),
        _ => ("restored; its rows count again", "brings them back into Silver"),
    };
    let would = if dry_run { "would be " } else { "" };
    format!(
        "{} of {}, load {}: {rows} rows of {on}\n\
         {would}{done}\n\
         The next scheduled run of Silver {follows}, and B and C compute the days that change (nsc run e2e).\n",
        load.input(),
        load.first().table_name,
        load.id(),
    )
}
