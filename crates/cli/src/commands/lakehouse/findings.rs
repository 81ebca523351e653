//! `nsc findings`: what the controls found and no later run has closed.

use clap::{Args, Subcommand, ValueEnum};
use nsc_contracts::exception::{EXCEPTION_TYPES, ExceptionType};
use nsc_contracts::rule::Severity;
use nsc_core::{DateKst, ErrorCode, ExitStatus};

use crate::app::App;
use crate::commands::lakehouse::sql;
use crate::failure::{OperatorMessage, Outcome};
use crate::suggested::Suggested;

/// List what the controls found
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  nsc findings list --severity critical")]
pub(crate) struct FindingsArgs {
    #[command(subcommand)]
    command: FindingsCommand,
}

#[derive(Debug, Subcommand)]
enum FindingsCommand {
    /// The findings that are open: found, and not closed by a later run
    #[command(after_help = "\
A finding has a row for every time it was found with other values, and one when a run no longer finds it. Open are those
whose newest row is no closing; gold.open_findings is the same list for nsc sql, with the numbers behind each in message.

Examples:
  nsc findings list
  nsc findings list --since 2026-01-01 --severity critical
  nsc findings list --type RECON_DRIFT_HIGH --format json")]
    List(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Of this KST business day and later ones
    #[arg(long, value_name = "DATE")]
    since: Option<DateKst>,
    /// Of this severity
    #[arg(long, value_enum, ignore_case = true)]
    severity: Option<SeverityName>,
    /// Of this type, e.g. RECON_DRIFT_HIGH
    #[arg(long = "type", value_name = "TYPE", value_parser = exception_type(), hide_possible_values = true)]
    exception_type: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SeverityName {
    /// Warnings
    Warn,
    /// Critical breaches
    Critical,
}

/// A type of finding, as `--type` takes it.
pub(super) const fn exception_type() -> Suggested<&'static str> {
    Suggested::new(known_type, || {
        EXCEPTION_TYPES.iter().map(|t| t.name.to_owned()).collect()
    })
}

/// The name of a type; a misspelt one would answer "nothing is open".
fn known_type(text: &str) -> Result<&'static str, String> {
    let known = ExceptionType::named(text).map(|t| t.name);
    known.ok_or_else(|| {
        let all: Vec<&str> = EXCEPTION_TYPES.iter().map(|t| t.name).collect();
        format!("no finding has this type; there are {}", all.join(", "))
    })
}

pub(crate) async fn handle(args: FindingsArgs, app: &mut App) -> Outcome<ExitStatus> {
    let FindingsCommand::List(args) = args.command;
    let engine = sql::engine(app)?;
    let mut filters = vec!["true".to_owned()];
    filters.extend(args.since.map(|day| format!("date_kst >= DATE '{day}'")));
    filters.extend(args.severity.map(|severity| {
        let severity = match severity {
            SeverityName::Warn => Severity::Warn,
            SeverityName::Critical => Severity::Critical,
        };
        format!("severity = '{}'", severity.name())
    }));
    filters.extend(
        args.exception_type
            .map(|name| format!("exception_type = '{name}'")),
    );
    let found = engine
        .rows(&format!(
            "SELECT date_kst, exception_type, severity, subject, source_table, window_start_ts, window_end_ts, metric, \
             metric_value, rule_id, run_id, generated_at FROM gold.open_findings WHERE {} \
             ORDER BY date_kst, exception_type, source_table, window_start_ts, subject",
            filters.join(" AND ")
        ))
        .await?;
    if found.schema().fields().is_empty() {
        return Err(OperatorMessage::new(
            ErrorCode::TableMissing,
            "no run has looked for findings in this lakehouse yet",
        )
        .with_hint("`nsc run e2e --date-kst DATE` judges a day.")
        .into());
    }
    app.printer.listing(&sql::listing(&found)?)?;
    Ok(ExitStatus::Ok)
}

#[cfg(test)]
mod tests {
    use super::known_type;

    #[test]
    fn a_type_is_found_in_any_case_and_a_misspelt_one_is_not() {
        assert_eq!(known_type("recon_drift_high"), Ok("RECON_DRIFT_HIGH"));
        assert!(
            known_type("RECON_DRIFT")
                .unwrap_err()
                .contains("RECON_DRIFT_HIGH")
        );
    }
}
