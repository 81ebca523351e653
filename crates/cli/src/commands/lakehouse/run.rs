//! `nsc run`: one pipeline, or the whole chain.

mod period;
mod report_text;

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use nsc_core::{DateKst, ExitStatus, RunId, UtcMicros};
use nsc_pipelines::{Pipeline, PipelineError, RuleSource, RunContext, RunReport, RunSettings, Salt, run};
use secrecy::ExposeSecret;

pub(crate) use report_text::report_text;

use crate::app::App;
use crate::commands::lakehouse::rules;
use crate::failure::{Failure, Outcome, Refusal};
use crate::progress;

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
    #[arg(value_enum)]
    pipeline: PipelineName,
    /// The run's id, written to every row it changes; made when absent
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
    /// Exit 10 when warnings were found (warn only), 11 when critical breaches were found
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
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

pub(crate) async fn handle(args: RunArgs, app: &mut App) -> Outcome<ExitStatus> {
    let now = app.now(args.now);
    let period = args.period.resolve(args.pipeline, now)?;
    let takes_rules = matches!(args.pipeline, PipelineName::SyncRules | PipelineName::E2e);
    if args.rules.is_some() && !takes_rules {
        return Err(Refusal::usage("--rules is for sync-rules and e2e")
            .with_hint("Run `nsc rules sync FILE` first.")
            .into());
    }
    let pipeline = match args.pipeline {
        PipelineName::Silver => Pipeline::Silver,
        PipelineName::A => Pipeline::Guardrail,
        PipelineName::B => Pipeline::Controls,
        PipelineName::C => Pipeline::Analytics,
        PipelineName::SyncRules => Pipeline::SyncRules(RuleSource::File(rules::wanted(args.rules)?)),
        PipelineName::E2e if args.rules.is_none() => {
            Pipeline::Chain(RuleSource::Shipped(rules::wanted(None)?))
        }
        PipelineName::E2e => Pipeline::Chain(RuleSource::File(rules::wanted(args.rules)?)),
    };
    let context = context(app, args.run_id, Some(now), args.rules_as_of)?;
    let spinner = progress::spinner(&app.bars, pipeline.name());
    let (report, outcome) = run(&context, &pipeline, period).await;
    spinner.finish_and_clear();
    // A refused run did nothing there is to report.
    if !matches!(outcome, Err(PipelineError::Held { .. })) {
        print(&report, app)?;
    }
    outcome?;
    Ok(found(&report, args.fail_on))
}

fn print(report: &RunReport, app: &mut App) -> Outcome {
    let json = serde_json::to_value(report).map_err(|e| Failure::unexpected("printing the report", e))?;
    let width = app.terminal.stdout_width;
    app.printer.document(report, || report_text(&json, width))
}

fn found(report: &RunReport, fail_on: Option<FailOn>) -> ExitStatus {
    match (report.gravest(), fail_on) {
        (Some("CRITICAL"), Some(_)) => ExitStatus::FoundCritical,
        (Some(_), Some(FailOn::Warn)) => ExitStatus::FoundWarning,
        _ => ExitStatus::Ok,
    }
}

/// The context of a run; the pipelines take everything from it.
pub(crate) fn context(
    app: &App,
    run_id: Option<RunId>,
    now: Option<UtcMicros>,
    rules_as_of: Option<UtcMicros>,
) -> Outcome<RunContext> {
    Ok(RunContext {
        lake: app.lake_or_new()?,
        settings: RunSettings {
            session: app.session_options(),
            salt: salt(app)?,
        },
        run_id: run_id.unwrap_or_else(RunId::fresh),
        now: app.now(now),
        clock: app.now(None),
        rules_as_of,
    })
}

fn salt(app: &App) -> Outcome<Option<Salt>> {
    let environment = app.config.environment.value.name();
    let salt = app.config.analytics.salt.as_ref();
    let salt = salt.map(|salt| Salt::new(salt.value.expose_secret(), environment));
    Ok(salt.transpose()?)
}

/// The business day before the one `now` is in.
fn yesterday(now: UtcMicros) -> DateKst {
    now.date_kst().previous()
}
