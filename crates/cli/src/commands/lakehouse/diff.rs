//! `nsc diff`: what of a business day is not what it was.

use std::num::NonZeroUsize;

use clap::Args;
use nsc_core::{DateKst, ErrorCode, ExitStatus};
use nsc_explain::{Compared, computed, difference};
use nsc_lake::{Lake, RunLogEntry};

use crate::app::App;
use crate::commands::lakehouse::{explain, runs, sql};
use crate::failure::{OperatorMessage, Outcome};

/// Show what changed in a business day since it was first computed, or between two runs
#[derive(Debug, Args)]
#[command(after_help = "\
Rows that only the earlier state has are marked `before`, those that only the later one has `now`. Which run wrote a row is not
compared. Versions that vacuum has removed cannot be read any more.

Examples:
  nsc diff 2026-01-05                      the first run that computed the day against what stands now
  nsc diff 2026-01-05 --from 0199a2b4 --to last")]
pub(crate) struct DiffArgs {
    /// KST business day
    #[arg(value_name = "DATE")]
    date_kst: DateKst,
    /// The run that left the earlier state; the first one that computed the day when absent
    #[arg(long, value_name = "RUN")]
    from: Option<String>,
    /// The run that left the later state; what stands now when absent
    #[arg(long, value_name = "RUN")]
    to: Option<String>,
    /// At most so many rows of a table
    #[arg(long, default_value = "50")]
    limit: NonZeroUsize,
}

pub(crate) async fn handle(args: DiffArgs, app: &mut App) -> Outcome<ExitStatus> {
    let lake = app.lake()?;
    let from = match &args.from {
        Some(run) => runs::known(&lake, run).await?,
        None => first(&lake, args.date_kst).await?,
    };
    let to = match &args.to {
        Some(run) => Some(runs::known(&lake, run).await?),
        None => None,
    };
    let compared = Compared {
        date_kst: args.date_kst,
        from: &from,
        to: to.as_ref(),
        limit: args.limit.get(),
    };
    let sections = explain::shown(&difference(&sql::engine(app)?, &compared).await?)?;
    let look = app.look();
    app.printer.document(&sections, || sections.text(look))?;
    Ok(ExitStatus::Ok)
}

/// The first run that computed a day.
async fn first(lake: &Lake, date: DateKst) -> Outcome<RunLogEntry> {
    for name in lake.run_names().await?.iter().rev() {
        if let Some(entry) = lake.run(name).await?
            && computed(&entry, date)
        {
            return Ok(entry);
        }
    }
    Err(OperatorMessage::new(
        ErrorCode::UpstreamNotReady,
        format!("no run is recorded that computed {date}"),
    )
    .with_hint(format!(
        "nsc run b --date-kst {date} computes it; nsc runs list shows the runs."
    ))
    .into())
}
