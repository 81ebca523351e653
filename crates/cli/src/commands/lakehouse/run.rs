//! `nsc run`: one pipeline, or the whole chain.

mod period;
mod report_text;
mod run_metrics;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use nsc_contracts::rule::Severity;
use nsc_core::{DateKst, ExitStatus, RunId, UtcMicros};
use nsc_pipelines::{
    Analytics, Controls, Guardrail, Period, Pipeline, PipelineError, Progress, RuleSource, RunContext,
    RunReport, Silver, SyncRules,
};
use tokio::signal::unix::SignalKind;

pub(crate) use report_text::report_text;

use crate::app::App;
use crate::commands::lakehouse::rules;
use crate::commands::lakehouse::run_context::context;
use crate::failure::{Failure, OperatorMessage, Outcome};
use crate::new_file::NewFile;
use crate::progress;
use crate::signals;

/// Run a pipeline, or the whole chain
#[derive(Debug, Args)]
#[command(after_help = "\
Without a window Silver, B and C do yesterday (KST), Silver also what arrived late; A does every whole ten
minutes since its last run. A breach found by a control is not a failed run (exit 0) unless --fail-on is given.

Examples:
  nsc run e2e --date-kst 2026-01-05
  nsc run silver --date-kst-start 2026-01-05 --date-kst-end 2026-01-07
  nsc run a --run-mode backfill --start-ts 2026-01-05T00:00:00Z --end-ts 2026-01-05T06:00:00Z
  nsc run b --date-kst 2026-01-05 --rules-as-of 2026-01-06T00:00:00Z --fail-on critical --format json")]
pub(crate) struct RunArgs {
    /// What to run
    #[arg(value_enum, ignore_case = true)]
    pipeline: PipelineName,
    /// The run's id, written to every row it changes [env: DATABRICKS_JOB_RUN_ID]; made when absent
    #[arg(long, value_name = "ID", value_parser = run_id)]
    run_id: Option<RunId>,
    /// The run's now, instead of the clock
    #[arg(long, value_name = "TIME")]
    now: Option<UtcMicros>,
    /// Judge by the rules in force at this instant, instead of the current ones
    #[arg(long, value_name = "TIME")]
    rules_as_of: Option<UtcMicros>,
    /// Rules file for sync-rules and e2e, instead of the shipped rules
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    rules: Option<PathBuf>,
    /// Exit 10 when warnings were found (warn only), 11 when critical breaches were found, 12 when a control had
    /// nothing to judge
    #[arg(long, value_enum, value_name = "SEVERITY", ignore_case = true)]
    fail_on: Option<FailOn>,
    /// Wait so long for a run that holds the pipeline (90s, 10m, 2h), instead of not at all; e2e waits a minute for A,
    /// and goes on without it
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Write what came of the run to a file for the textfile collector of Prometheus' node exporter; each schedule has its own
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    metrics_file: Option<PathBuf>,
    // Last, because its heading covers every flag after it.
    /// The time the run is about
    #[command(flatten)]
    period: period::PeriodArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PipelineName {
    /// Bronze validated into Silver; bad records quarantined
    Silver,
    /// Guardrail: data quality of Bronze, every ten minutes
    A,
    /// Controls: reconciliation, supply, operational metrics
    B,
    /// Analytics: the anonymised payment fact
    C,
    /// The rules file into the rules table
    SyncRules,
    /// sync-rules, A, Silver, then B and C together
    E2e,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// On warnings and critical breaches
    Warn,
    /// On critical breaches
    Critical,
}

fn run_id(text: &str) -> Result<RunId, String> {
    RunId::parse(text).map_err(|e| e.to_string())
}

/// The id that a job scheduler gave the run: what it shows and what the rows carry are then the same.
fn run_id_of_the_job(app: &App) -> Outcome<Option<RunId>> {
    const VARIABLE: &str = "DATABRICKS_JOB_RUN_ID";
    let given = app.environment.get(VARIABLE).filter(|id| !nsc_core::is_blank(id));
    let parsed = given.map(|id| run_id(id).map_err(|why| (id, why))).transpose();
    parsed.map_err(|(id, why)| {
        OperatorMessage::usage(format!("{VARIABLE} is {id:?}, which is no run id"))
            .with_detail(why)
            .with_hint("Give --run-id, or unset the variable.")
            .into()
    })
}

/// What is to be run.
enum Wanted {
    One(Box<dyn Pipeline>),
    Chain(RuleSource),
}

fn wanted(pipeline: PipelineName, file: Option<PathBuf>) -> Outcome<Wanted> {
    let one: Box<dyn Pipeline> = match pipeline {
        PipelineName::Silver => Box::new(Silver),
        PipelineName::A => Box::new(Guardrail),
        PipelineName::B => Box::new(Controls),
        PipelineName::C => Box::new(Analytics),
        PipelineName::SyncRules => Box::new(SyncRules(RuleSource::File(rules::wanted(file)?))),
        PipelineName::E2e if file.is_none() => {
            return Ok(Wanted::Chain(RuleSource::Shipped(rules::wanted(None)?)));
        }
        PipelineName::E2e => return Ok(Wanted::Chain(RuleSource::File(rules::wanted(file)?))),
    };
    Ok(Wanted::One(one))
}

impl Wanted {
    fn name(&self) -> &'static str {
        match self {
            Self::One(pipeline) => pipeline.name(),
            Self::Chain(_) => nsc_pipelines::CHAIN,
        }
    }

    async fn run(self, context: &RunContext, period: Period) -> (RunReport, Result<(), PipelineError>) {
        match self {
            Self::One(pipeline) => nsc_pipelines::run(context, pipeline.as_ref(), period).await,
            Self::Chain(rules) => nsc_pipelines::run_chain(context, rules, period).await,
        }
    }
}

pub(crate) async fn handle(args: RunArgs, app: &mut App) -> Outcome<ExitStatus> {
    let now = app.now(args.now);
    let run_id = args
        .run_id
        .map_or_else(|| run_id_of_the_job(app), |id| Ok(Some(id)))?;
    let period = args.period.resolve(args.pipeline, now)?;
    let takes_rules = matches!(args.pipeline, PipelineName::SyncRules | PipelineName::E2e);
    if args.rules.is_some() && !takes_rules {
        return Err(OperatorMessage::usage("--rules is for sync-rules and e2e")
            .with_hint("Run `nsc rules sync FILE` first.")
            .into());
    }
    if let Some(file) = &args.metrics_file {
        // Said before the run, and not after it.
        NewFile::of(file)?;
    }
    let wanted = wanted(args.pipeline, args.rules)?;
    // Rules are brought in; anything else would find nothing in a lakehouse it made itself.
    let lake = match args.pipeline {
        PipelineName::SyncRules => app.lake_or_new()?,
        _ => app.lake_to_run().await?,
    };
    let spinner = progress::spinner(&app.bars, wanted.name());
    let told = spinner.clone();
    let context = RunContext {
        wait: args.wait,
        progress: Progress::to(move |what| told.set_message(what.to_owned())),
        ..context(app, lake, run_id, Some(now), args.rules_as_of)?
    };
    let stop = signals::told_to_stop(&[SignalKind::terminate(), SignalKind::interrupt()])?;
    let ended = tokio::select! {
        biased;
        ended = Box::pin(wanted.run(&context, period)) => Ok(ended),
        kind = stop => Err(kind),
    };
    spinner.finish_and_clear();
    let (report, outcome) = match ended {
        Ok(ended) => ended,
        // What was being written is no part of any table; the locks are free.
        Err(kind) => return interrupted(&context, kind, app).await,
    };
    // A single pipeline that is held did nothing there is to report.
    if !report.parts.is_empty() || !matches!(outcome, Err(PipelineError::Held { .. })) {
        print(&report, app)?;
    }
    let told = run_metrics::tell(&report, args.metrics_file.as_deref(), &app.config).await;
    // Why the run failed is said first.
    outcome?;
    told?;
    Ok(found(&report, args.fail_on))
}

/// Leaves word of a run that was told to stop.
async fn interrupted(context: &RunContext, kind: SignalKind, app: &mut App) -> Outcome<ExitStatus> {
    let signal = if kind == SignalKind::interrupt() {
        "SIGINT"
    } else {
        "SIGTERM"
    };
    if let Some(report) = nsc_pipelines::interrupted(context, signal).await? {
        let look = app.look();
        app.printer.document(&report, || report_text(&report, look))?;
    }
    Ok(ExitStatus::Interrupted)
}

/// `90s`, `10m`, `2h`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match text.get(digits.len()..) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3_600,
        _ => 0,
    };
    let number = digits.parse::<u64>().ok().filter(|_| seconds > 0);
    let seconds = number.and_then(|n| n.checked_mul(seconds));
    let seconds = seconds.ok_or_else(|| "a duration is such as 90s, 10m or 2h".to_owned())?;
    Ok(Duration::from_secs(seconds))
}

fn print(report: &RunReport, app: &mut App) -> Outcome {
    let json = serde_json::to_value(report).map_err(|e| Failure::unexpected("printing the report", e))?;
    let look = app.look();
    app.printer.document(report, || report_text(&json, look))
}

fn found(report: &RunReport, fail_on: Option<FailOn>) -> ExitStatus {
    match (report.gravest(), fail_on) {
        (Some(Severity::Critical), Some(_)) => ExitStatus::FoundCritical,
        // A night that looked at nothing has not passed.
        (_, Some(_)) if report.has_no_data() => ExitStatus::FoundNoData,
        (Some(_), Some(FailOn::Warn)) => ExitStatus::FoundWarning,
        _ => ExitStatus::Ok,
    }
}

/// The business day before the one `now` is in.
fn yesterday(now: UtcMicros) -> DateKst {
    now.date_kst().previous()
}
