//! `nsc runs`: the stored reports.

use clap::{Args, Subcommand};
use nsc_contracts::status::{FAILURE, INTERRUPTED, STARTED, SUCCESS};
use nsc_core::{ErrorCode, ExitStatus, UtcMicros};
use nsc_lake::{Lake, NamedRun, RunLogEntry};
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
    #[command(after_help = "\
Examples:
  nsc runs list
  nsc runs list --pipeline e2e --since 2026-01-01T00:00:00Z
  nsc runs list --status failure --limit 100 --format ndjson")]
    List(ListArgs),
    /// The report of a run, or of one step of a chain
    #[command(after_help = "\
Examples:
  nsc runs show last
  nsc runs show 0199a2b4
  nsc runs show last.silver --format json")]
    Show {
        /// The run's id or the beginning of it, or `last`; with `.silver` and so on one step of a chain
        run: String,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: usize,
    /// Only runs of this, and chains with such a step: silver, a, b, c, sync-rules or e2e
    #[arg(long, value_name = "PIPELINE", value_parser = ["silver", "a", "b", "c", "sync-rules", "e2e"], ignore_case = true, hide_possible_values = true)]
    pipeline: Option<String>,
    /// Only runs that ended so: success, failure, interrupted, or started (and has not ended)
    #[arg(long, value_name = "STATUS", value_parser = [SUCCESS, FAILURE, INTERRUPTED, STARTED], ignore_case = true)]
    status: Option<String>,
    /// Only runs that began at this time or later
    #[arg(long, value_name = "TIME")]
    since: Option<UtcMicros>,
}

impl ListArgs {
    fn is_wanted(&self, report: &Value) -> bool {
        let text = |name: &str| report.get(name).and_then(Value::as_str);
        let pipeline = self.pipeline.as_ref();
        let status = self.status.as_ref();
        // Reports of earlier versions say only what the run's now was.
        let began = text("started_at").or_else(|| text("now"));
        let began = began.and_then(UtcMicros::parse);
        pipeline.is_none_or(|wanted| has_step(report, wanted))
            && status.is_none_or(|wanted| text("status").is_some_and(|s| s.eq_ignore_ascii_case(wanted)))
            && self
                .since
                .is_none_or(|since| began.is_some_and(|began| since <= began))
    }
}

/// Whether a report is of the pipeline that is meant, or of a chain with a step of it.
fn has_step(report: &Value, wanted: &str) -> bool {
    is_of(report, wanted) || parts(report).any(|part| is_of(part, wanted))
}

/// The reports of a chain's steps; a single run has none.
fn parts(report: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    report
        .get("parts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn is_of(report: &Value, meant: &str) -> bool {
    let pipeline = report.get("pipeline").and_then(Value::as_str);
    pipeline.is_some_and(|pipeline| is_called(pipeline, meant))
}

/// Whether a pipeline is the one that is meant: by its own name, or as `nsc run` takes it.
fn is_called(pipeline: &str, meant: &str) -> bool {
    pipeline == meant
        || pipeline
            .trim_start_matches("pipeline_")
            .eq_ignore_ascii_case(meant)
        || pipeline.replace('_', "-").eq_ignore_ascii_case(meant)
}

pub(crate) async fn handle(args: RunsArgs, app: &mut App) -> Outcome<ExitStatus> {
    let lake = app.lake()?;
    match args.command {
        RunsCommand::List(args) => {
            let runs = lake.runs(args.limit, |entry| args.is_wanted(&entry.report));
            app.printer.sheet(&sheet(&runs.await?))?;
        }
        RunsCommand::Show { run } => {
            let report = find(&lake, &run).await?;
            let look = app.look();
            app.printer.document(&report, || report_text(&report, look))?;
        }
    }
    Ok(ExitStatus::Ok)
}

/// A run under its own id, or a step inside the report of its chain (`RUN.silver`, `RUN.pipeline_b`).
async fn find(lake: &Lake, run: &str) -> Outcome<Value> {
    if let Some(entry) = named(lake, run).await? {
        return Ok(entry.report);
    }
    if let Some((chain, step)) = run.rsplit_once('.')
        && let Some(entry) = named(lake, chain).await?
        && let Some(part) = parts(&entry.report).find(|part| is_of(part, step))
    {
        return Ok(part.clone());
    }
    Err(
        Refusal::new(ErrorCode::Usage, format!("no report of a run {run} is stored"))
            .with_hint("nsc runs list")
            .into(),
    )
}

/// The report of that name, of the newest run (`last`), or of the one run whose id begins so.
async fn named(lake: &Lake, run: &str) -> Outcome<Option<RunLogEntry>> {
    if nsc_core::is_blank(run) {
        return Err(Refusal::usage("the id of the run is blank")
            .with_hint("nsc runs list shows the ids; `last` is the newest run.")
            .into());
    }
    match lake.run_named(run).await? {
        NamedRun::One(entry) => Ok(Some(*entry)),
        NamedRun::None => Ok(None),
        NamedRun::Several(count) => Err(Refusal::usage(format!(
            "{count} runs have ids that begin with {run}"
        ))
        .with_hint("Give more of the id; nsc runs list shows them.")
        .into()),
    }
}

/// A run whose id was used again is listed under the name its report is kept by, which `nsc runs show` takes.
fn sheet(runs: &[RunLogEntry]) -> Sheet {
    let mut sheet = Sheet {
        columns: ["run_id", "pipeline", "status", "started_at", "now", "from", "to"]
            .map(Column::text)
            .into(),
        rows: Vec::new(),
    };
    sheet.columns.push(Column::number("seconds"));
    sheet.columns.push(Column::text("error"));
    for RunLogEntry { name, report } in runs {
        let text = |name: &str| Cell::text_or_null(report.get(name).and_then(Value::as_str));
        let time = |name: &str| Cell::time_or_null(report.get(name).and_then(Value::as_str));
        let windows = windows(report);
        let edge = |w: Option<&&Value>, name: &str| {
            Cell::time_or_null(w.and_then(|w| w.get(name)).and_then(Value::as_str))
        };
        sheet.push([
            Cell::text(name),
            text("pipeline"),
            text("status"),
            time("started_at"),
            time("now"),
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
    let chosen = std::iter::once(report)
        .chain(parts(report).rev())
        .find(|r| own(r));
    chosen
        .and_then(|r| r.get("windows"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect()
}
