//! `nsc runs`: the stored reports.

mod compare;
mod verify;

use clap::{Args, Subcommand};
use nsc_contracts::status::{FAILURE, INTERRUPTED, STARTED, SUCCESS};
use nsc_core::{DateKst, ErrorCode, ExitStatus, UtcMicros};
use nsc_lake::{Lake, NamedRun, RunLogEntry, steps_of};
use nsc_pipelines::report_schema;
use serde_json::Value;

use crate::app::App;
use crate::commands::lakehouse::run::report_text;
use crate::failure::{OperatorMessage, Outcome};
use crate::output::{Cell, Column, Listing};

/// Look at the reports of past runs
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  nsc runs list --pipeline e2e\n  nsc runs show last\n  nsc runs verify")]
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
  nsc runs list --pipeline e2e --since 2026-01-01
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
    /// What two runs say differently: verdicts, findings, rows, rules, versions
    #[command(after_help = "\
Examples:
  nsc runs diff 0199a2b4 last
  nsc runs diff 0199a2b4.pipeline_b last.pipeline_b")]
    Diff {
        /// The run that is compared with; named as for `show`
        before: String,
        /// The run that is compared
        after: String,
    },
    /// Print the JSON schema of a report, for whoever reads reports by machine
    #[command(after_help = "Examples:\n  nsc runs schema > report.schema.json")]
    Schema,
    /// Are the stored reports those the runs wrote? Each is held against the hash in the log of gold.pipeline_state
    #[command(after_help = "\
A run whose log is gone (retention), that has not ended, or of an earlier version is `not recorded`; the rules sync leaves no hash. One
report that differs, is missing, or is of a run nobody made, ends with exit code 6.

Examples:
  nsc runs verify
  nsc runs verify last")]
    Verify {
        /// Only this run, named as for `show`; all of them when absent
        run: Option<String>,
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
    /// Only runs that began at this time, or on this KST day, or later
    #[arg(long, value_name = "TIME", value_parser = time_or_day)]
    since: Option<UtcMicros>,
}

/// An instant, or a KST day for its beginning.
fn time_or_day(text: &str) -> Result<UtcMicros, String> {
    match text.parse::<DateKst>() {
        Ok(day) => Ok(day.start()),
        Err(_) => text.parse::<UtcMicros>().map_err(|e| e.to_string()),
    }
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
    is_of(report, wanted) || steps_of(report).any(|part| is_of(part, wanted))
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
    match args.command {
        RunsCommand::Schema => {
            let schema = report_schema().to_value();
            app.printer.document(&schema, || format!("{schema:#}\n"))?;
        }
        RunsCommand::List(args) => {
            let lake = app.lake()?;
            let runs = lake.runs(args.limit, |entry| args.is_wanted(&entry.report));
            app.printer.listing(&listing(&runs.await?))?;
        }
        RunsCommand::Show { run } => {
            let report = find(&app.lake()?, &run).await?;
            let look = app.look();
            app.printer.document(&report, || report_text(&report, look))?;
        }
        RunsCommand::Diff { before, after } => {
            let lake = app.lake()?;
            let (before, after) = (find(&lake, &before).await?, find(&lake, &after).await?);
            app.printer.listing(&compare::listing(&before, &after))?;
        }
        RunsCommand::Verify { run } => {
            let lake = app.lake()?;
            verify::verify(&lake, run.as_deref(), app).await?;
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
        && let Some(part) = steps_of(&entry.report).find(|part| is_of(part, step))
    {
        return Ok(part.clone());
    }
    Err(unknown(run).into())
}

fn unknown(run: &str) -> OperatorMessage {
    OperatorMessage::new(ErrorCode::Usage, format!("no report of a run {run} is stored"))
        .with_hint("nsc runs list")
}

/// A run under its own id, or an error that there is none.
pub(crate) async fn known(lake: &Lake, run: &str) -> Outcome<RunLogEntry> {
    match named(lake, run).await? {
        Some(entry) => Ok(entry),
        None => Err(unknown(run).into()),
    }
}

/// The report of that name, of the newest run (`last`), or of the one run whose id begins so.
async fn named(lake: &Lake, run: &str) -> Outcome<Option<RunLogEntry>> {
    if nsc_core::is_blank(run) {
        return Err(OperatorMessage::usage("the id of the run is blank")
            .with_hint("nsc runs list shows the ids; `last` is the newest run.")
            .into());
    }
    match lake.run_named(run).await? {
        NamedRun::One(entry) => Ok(Some(*entry)),
        NamedRun::None => Ok(None),
        NamedRun::Several(count) => Err(OperatorMessage::usage(format!(
            "{count} runs have ids that begin with {run}"
        ))
        .with_hint("Give more of the id; nsc runs list shows them.")
        .into()),
    }
}

/// A run whose id was used again is listed under the name its report is kept by, which `nsc runs show` takes.
fn listing(runs: &[RunLogEntry]) -> Listing {
    let mut listing = Listing {
        columns: ["run_id", "pipeline", "status", "started_at", "now", "from", "to"]
            .map(Column::text)
            .into(),
        rows: Vec::new(),
    };
    listing.columns.push(Column::number("seconds"));
    listing.columns.push(Column::text("error"));
    for RunLogEntry { name, report } in runs {
        let text = |name: &str| Cell::text_or_null(report.get(name).and_then(Value::as_str));
        let time = |name: &str| Cell::time_or_null(report.get(name).and_then(Value::as_str));
        let windows = windows(report);
        let edge = |w: Option<&&Value>, name: &str| {
            Cell::time_or_null(w.and_then(|w| w.get(name)).and_then(Value::as_str))
        };
        listing.push([
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
    listing
}

/// Of the run itself, else of its last part that has some (a chain's own report has none).
fn windows(report: &Value) -> Vec<&Value> {
    let own = |r: &'_ Value| {
        r.get("windows")
            .and_then(Value::as_array)
            .is_some_and(|w| !w.is_empty())
    };
    let chosen = std::iter::once(report)
        .chain(steps_of(report).rev())
        .find(|r| own(r));
    chosen
        .and_then(|r| r.get("windows"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect()
}
