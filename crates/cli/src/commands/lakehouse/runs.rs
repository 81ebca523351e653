//! `nsc runs`: the stored reports.

use clap::{Args, Subcommand};
use nsc_core::{ErrorCode, ExitStatus};
use nsc_lake::{Lake, RunLogEntry};
use serde_json::Value;

use crate::app::App;
use crate::commands::lakehouse::run::report_text;
use crate::failure::{Outcome, Refusal};
use crate::output::{Cell, Column, Sheet};

/// Look at the reports of past runs
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// The newest runs
    #[command(after_help = "Examples:\n  nsc runs list\n  nsc runs list --limit 100 --format ndjson")]
    List {
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// The report of a run, or of one step of a chain
    #[command(
        after_help = "Examples:\n  nsc runs show 0199a2b4-...\n  nsc runs show 0199a2b4-....silver --format json"
    )]
    Show {
        /// The run's id, as listed
        run: String,
    },
}

pub(crate) async fn handle(args: RunsArgs, app: &mut App) -> Outcome<ExitStatus> {
    let lake = app.lake()?;
    match args.command {
        RunsCommand::List { limit } => {
            let runs = lake.runs(limit).await?;
            app.printer.sheet(&sheet(&runs))?;
        }
        RunsCommand::Show { run } => {
            let report = find(&lake, &run).await?;
            let width = app.terminal.stdout_width;
            app.printer.document(&report, || report_text(&report, width))?;
        }
    }
    Ok(ExitStatus::Ok)
}

/// A run under its own id, or a step inside the report of its chain (`RUN.silver`, `RUN.pipeline_b`).
async fn find(lake: &Lake, run: &str) -> Outcome<Value> {
    if let Some(entry) = lake.run(run).await? {
        return Ok(entry.report);
    }
    if let Some((chain, step)) = run.rsplit_once('.')
        && let Some(entry) = lake.run(chain).await?
    {
        let is_step = |part: &&Value| {
            let pipeline = part.get("pipeline").and_then(Value::as_str).unwrap_or_default();
            pipeline == step
                || pipeline.trim_start_matches("pipeline_") == step
                || pipeline.replace('_', "-") == step
        };
        let parts = entry.report.get("parts").and_then(Value::as_array);
        if let Some(part) = parts.into_iter().flatten().find(is_step) {
            return Ok(part.clone());
        }
    }
    Err(
        Refusal::new(ErrorCode::Usage, format!("no report of a run {run} is stored"))
            .with_hint("nsc runs list")
            .into(),
    )
}

/// A run whose id was used again is listed under the name its report is kept by, which `nsc runs show` takes.
fn sheet(runs: &[RunLogEntry]) -> Sheet {
    let mut sheet = Sheet {
        columns: ["run_id", "pipeline", "status", "now", "from", "to"]
            .map(Column::text)
            .into(),
        rows: Vec::new(),
    };
    sheet.columns.push(Column::number("seconds"));
    sheet.columns.push(Column::text("error"));
    for RunLogEntry { name, report } in runs {
        let text = |name: &str| Cell::text_or_null(report.get(name).and_then(Value::as_str));
        let windows = windows(report);
        let edge = |w: Option<&&Value>, name: &str| {
            Cell::text_or_null(w.and_then(|w| w.get(name)).and_then(Value::as_str))
        };
        sheet.push([
            Cell::text(name),
            text("pipeline"),
            text("status"),
            text("now"),
            edge(windows.first(), "start"),
            edge(windows.last(), "end"),
            report
                .get("seconds")
                .and_then(Value::as_f64)
                .map_or(Cell::Null, |s| Cell::exact(format!("{s:.2}"))),
            text("error"),
        ]);
    }
    sheet
}

/// Of the run itself, else of its last part that has some (a chain's own report has none).
fn windows(report: &Value) -> Vec<&Value> {
    let own = |r: &'_ Value| {
        r.get("windows")
            .and_then(Value::as_array)
            .is_some_and(|w| !w.is_empty())
    };
    let parts = report
        .get("parts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .rev();
    let chosen = std::iter::once(report).chain(parts).find(|r| own(r));
    chosen
        .and_then(|r| r.get("windows"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect()
}
