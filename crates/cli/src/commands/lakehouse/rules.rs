//! `nsc rules`: store, list and check the rules.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueHint};
use nsc_contracts::rule::{
    Rule, RuleError, RuleSet, RuleVersion, default_rules, parse_rules, plan_sync, rules_schema,
};
use nsc_core::{ErrorCode, ExitStatus, OperatorError, UtcMicros};
use nsc_lake::session;
use nsc_pipelines::{ACTOR, EFFECTIVE, REASON, RuleSource, SyncReport, sync_rules};
use serde_json::Value;

use crate::app::App;
use crate::commands::lakehouse::run_context::context;
use crate::failure::{OperatorMessage, Outcome};
use crate::output::{Cell, Column, Listing};

/// Store, list and check the rules
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nsc rules list\n  nsc rules check my-rules.yaml\n  nsc rules sync my-rules.yaml --bump"
)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// Store a rules file: changed rules close the old version and open a new one
    #[command(after_help = "\
Rules that are stored and not in the file stay in force. A second sync of the same file changes nothing.
A rule that a pipeline needs and that is neither in the file nor stored is named; --fill stores the shipped one.

Examples:
  nsc rules sync                      the shipped rules
  nsc rules sync my-rules.yaml --bump changed definitions get the next _vN id
  nsc rules sync my-rules.yaml --bump --reason 'limit agreed with finance, ticket 4711'
  nsc rules sync my-rules.json --fill a JSON array of rules, and the shipped ones it lacks")]
    Sync(SyncArgs),
    /// Print the JSON schema of a rules file, for an editor or a check before a sync
    #[command(after_help = "\
An editor takes it from a first line of the file, `# yaml-language-server: $schema=rules.schema.json`.

Examples:
  nsc rules schema > rules.schema.json")]
    Schema,
    /// The rules in force, now or at an instant
    #[command(after_help = "\
Examples:
  nsc rules list
  nsc rules list --as-of 2026-01-05T15:00:00Z --format json")]
    List {
        /// In force at this instant instead of now
        #[arg(long, value_name = "TIME")]
        as_of: Option<UtcMicros>,
    },
    /// Every version of every rule, or of one
    #[command(after_help = "\
Examples:
  nsc rules history
  nsc rules history ledger.drift_abs")]
    History {
        /// A rule_id or domain.metric
        rule: Option<String>,
    },
    /// Check the stored rules, or a file without storing it; exit 2 when something is wrong
    #[command(after_help = "\
Examples:
  nsc rules check                     are the stored rules complete and usable?
  nsc rules check my-rules.yaml       what would a sync of this file do?")]
    Check {
        /// Rules file
        #[arg(value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct SyncArgs {
    /// Rules file (YAML, or a JSON array of rules); the shipped rules when absent
    #[arg(value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Store the shipped rule for every metric that neither the file nor the lakehouse has one for
    #[arg(long, requires = "file")]
    fill: bool,
    /// Store a changed definition under the next _vN of its id
    #[arg(long)]
    bump: bool,
    /// Time the changes take effect, instead of now
    #[arg(long, value_name = "TIME")]
    now: Option<UtcMicros>,
    /// Why the rules change, and who agreed; `nsc rules history` shows it
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
}

pub(crate) async fn handle(args: RulesArgs, app: &mut App) -> Outcome<ExitStatus> {
    match args.command {
        RulesCommand::Sync(args) => sync(args, app).await,
        RulesCommand::Schema => {
            let schema = rules_schema().to_value();
            app.printer.document(&schema, || format!("{schema:#}\n"))?;
            Ok(ExitStatus::Ok)
        }
        RulesCommand::List { as_of } => {
            let set = RuleSet::as_of(&stored(app).await?, as_of.unwrap_or(RuleSet::END_OF_TIME))?;
            app.printer.listing(&rules_listing(&set))?;
            Ok(ExitStatus::Ok)
        }
        RulesCommand::History { rule } => history(rule.as_deref(), app).await,
        RulesCommand::Check { file: Some(file) } => check_file(file, app).await,
        RulesCommand::Check { file: None } => check_stored(app).await,
    }
}

async fn sync(args: SyncArgs, app: &mut App) -> Outcome<ExitStatus> {
    let wanted = wanted(args.file)?;
    let source = if args.fill {
        RuleSource::Filled(wanted)
    } else {
        RuleSource::File(wanted)
    };
    let mut run = context(app, app.lake_or_new()?, None, args.now, None)?;
    run.invocation.reason = args.reason;
    let report = sync_rules(&run, &source, args.bump).await?;
    if run.invocation.reason.is_some() && report.opened.is_empty() && report.closed.is_empty() {
        tracing::warn!("nothing changed: the reason is not recorded");
    }
    app.printer.document(&report, || sync_text(&report))?;
    Ok(ExitStatus::Ok)
}

fn sync_text(report: &SyncReport) -> String {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(report.closed.iter().map(|id| format!("closed  {id}")));
    lines.extend(report.opened.iter().map(|id| format!("opened  {id}")));
    lines.push(format!(
        "{} opened, {} closed, {} unchanged",
        report.opened.len(),
        report.closed.len(),
        report.unchanged
    ));
    lines.extend(report.missing.iter().map(|m| format!("missing {m}")));
    if !report.missing.is_empty() {
        lines.push(format!(
            "{} rules are missing: the pipelines that need them stop with NSC0301; --fill stores the shipped ones",
            report.missing.len()
        ));
    }
    lines.extend(report.warnings.iter().map(|w| format!("warning {w}")));
    lines.join("\n") + "\n"
}

/// The rules of a file, or the shipped ones.
pub(crate) fn wanted(file: Option<PathBuf>) -> Outcome<Vec<Rule>> {
    let Some(path) = file else {
        return Ok(default_rules()?);
    };
    let text = std::fs::read_to_string(&path).map_err(|e| {
        OperatorMessage::new(
            ErrorCode::InputUnreadable,
            format!("rules file {} cannot be read", path.display()),
        )
        .with_detail(e)
    })?;
    Ok(parse_rules(&path.display().to_string(), &text)?)
}

/// Every stored version.
pub(crate) async fn stored(app: &App) -> Outcome<Vec<RuleVersion>> {
    let ctx = session(&app.session_options())?;
    Ok(app.lake()?.rule_versions(&ctx).await?)
}

async fn history(rule: Option<&str>, app: &mut App) -> Outcome<ExitStatus> {
    let versions = stored(app).await?;
    let wanted = |v: &&RuleVersion| rule.is_none_or(|r| v.rule.rule_id == r || v.rule.subject() == r);
    let found: Vec<&RuleVersion> = versions.iter().filter(wanted).collect();
    if let (Some(rule), true) = (rule, found.is_empty()) {
        return Err(OperatorMessage::new(
            ErrorCode::RuleMissing,
            format!("no stored rule has the id or metric {rule}"),
        )
        .with_hint("`nsc rules history` lists every version.")
        .into());
    }
    let changes = app.lake()?.rule_changes().await?;
    app.printer.listing(&history_listing(&found, &changes))?;
    Ok(ExitStatus::Ok)
}

async fn check_stored(app: &mut App) -> Outcome<ExitStatus> {
    let set = RuleSet::current(&stored(app).await?)?;
    print_check(
        app,
        &set.problems(),
        &set.warnings(),
        &[format!("{} rules in force", set.iter().count())],
    )
}

async fn check_file(file: PathBuf, app: &mut App) -> Outcome<ExitStatus> {
    let wanted = wanted(Some(file))?;
    let versions = match app.lake_if_any()? {
        Some(_) => stored(app).await?,
        None => Vec::new(),
    };
    let now = app.now(None);
    let in_file = set_of(&wanted, now)?;
    let (problems, warnings, mut notes) = match plan_sync(&versions, &wanted, now, false) {
        Ok(plan) => {
            let after = RuleSet::current(&plan.applied(&versions))?;
            let missing = after
                .missing()
                .filter_map(|m| after.for_metric(m.domain, m.metric, None).err());
            let problems = missing.chain(plan.problems(&after)).collect::<Vec<RuleError>>();
            let stays = in_file
                .missing()
                .filter_map(|m| Some(after.for_metric(m.domain, m.metric, None).ok()?.rule_id.clone()));
            let ids = |v: &[RuleVersion]| list(v.iter().map(|v| v.rule.rule_id.clone()));
            (
                problems,
                after.warnings(),
                vec![
                    format!("a sync would open: {}", ids(&plan.open)),
                    format!("a sync would close: {}", ids(&plan.close)),
                    format!("needed, not in the file, and stays as stored: {}", list(stays)),
                ],
            )
        }
        Err(e) => (vec![e], in_file.warnings(), Vec::new()),
    };
    notes.insert(0, format!("{} rules in the file", wanted.len()));
    print_check(app, &problems, &warnings, &notes)
}

/// The rules of a file as if they alone were in force.
fn set_of(wanted: &[Rule], now: UtcMicros) -> Outcome<RuleSet> {
    let opened = wanted.iter().map(|rule| RuleVersion {
        rule: rule.clone(),
        effective_start: now,
        effective_end: None,
        is_current: true,
    });
    Ok(RuleSet::current(&opened.collect::<Vec<_>>())?)
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}

fn print_check(
    app: &mut App,
    problems: &[RuleError],
    warnings: &[String],
    notes: &[String],
) -> Outcome<ExitStatus> {
    let mut listing = Listing::of_text(&["result", "what", "detail"]);
    for problem in problems {
        listing.push([
            Cell::text("ERROR"),
            Cell::exact(format!("{}: {problem}", problem.code())),
            Cell::text_or_null(problem.detail().as_deref()),
        ]);
    }
    for warning in warnings {
        listing.push([Cell::text("WARN"), Cell::exact(warning), Cell::Null]);
    }
    for note in notes {
        listing.push([Cell::text("ok"), Cell::text(note), Cell::Null]);
    }
    app.printer.listing(&listing)?;
    Ok(problems
        .first()
        .map_or(ExitStatus::Ok, |p| p.code().exit_status()))
}

fn definition(rule: &Rule) -> [Cell; 5] {
    let levels: Vec<String> = rule
        .severity_map
        .iter()
        .map(|(k, v)| format!("{k} {v}"))
        .collect();
    let levels = if levels.is_empty() {
        Cell::Null
    } else {
        Cell::Text(levels.join(", "))
    };
    let values = if rule.allowed_values.is_empty() {
        Cell::Null
    } else {
        Cell::Text(rule.allowed_values.join(" "))
    };
    [
        Cell::text(&rule.rule_id),
        Cell::Text(rule.subject()),
        rule.threshold.map_or(Cell::Null, Cell::Float),
        levels,
        values,
    ]
}

fn definition_columns() -> Vec<Column> {
    vec![
        Column::text("rule_id"),
        Column::text("metric"),
        Column::number("threshold"),
        Column::text("severity"),
        Column::text("allowed_values"),
    ]
}

fn rules_listing(set: &RuleSet) -> Listing {
    let mut columns = definition_columns();
    columns.push(Column::text("comment"));
    let rows = set.iter().map(|r| {
        let mut row = definition(r).to_vec();
        row.push(Cell::text_or_null(r.comment.as_deref()));
        row
    });
    Listing {
        rows: rows.collect(),
        columns,
    }
}

/// `by` and `reason` are of the change that brought a version into force, as far as the log is kept.
fn history_listing(versions: &[&RuleVersion], changes: &[HashMap<String, Value>]) -> Listing {
    let mut columns = definition_columns();
    columns.extend(["effective_start", "effective_end", "is_current", "by", "reason"].map(Column::text));
    let said = |version: &RuleVersion, name: &str| {
        let effective = version.effective_start.to_string();
        let of_version =
            |c: &&HashMap<String, Value>| c.get(EFFECTIVE).and_then(Value::as_str) == Some(&effective);
        let change = changes.iter().find(of_version);
        Cell::text_or_null(change.and_then(|c| c.get(name)?.as_str()))
    };
    let rows = versions.iter().map(|v| {
        let mut row = definition(&v.rule).to_vec();
        row.extend([
            Cell::instant(v.effective_start),
            v.effective_end.map_or(Cell::Null, Cell::instant),
            Cell::Bool(v.is_current),
            said(v, ACTOR),
            said(v, REASON),
        ]);
        row
    });
    Listing {
        rows: rows.collect(),
        columns,
    }
}
