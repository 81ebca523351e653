//! `nsc doctor`: the health of a set-up, check by check.

#[cfg(feature = "lakehouse")]
mod lakehouse;
mod machine;
#[cfg(feature = "serving")]
mod serving;

use clap::{Args, ValueEnum};
use nsc_core::{ExitStatus, OperatorError, UtcMicros};

use crate::app::App;
use crate::config::{EnvironmentName, Scope};
use crate::failure::{Failure, Outcome};
use crate::output::{Cell, Listing};

/// Check the health of a set-up
#[derive(Debug, Args)]
#[command(after_help = "\
Exit 0 when nothing failed (warnings included, unless --fail-on warn is given: 10), else the exit code of the first failure.

Examples:
  nsc doctor
  nsc doctor --fail-on warn --format json            for a monitor
  nsc doctor --serving                               database, brokers and authentication as well
  nsc doctor --root abfss://lake@account.dfs.core.windows.net/nsc --format json")]
pub(crate) struct DoctorArgs {
    /// The time to check against, instead of the clock
    #[arg(long, value_name = "TIME")]
    now: Option<UtcMicros>,
    /// Check serving too: the database and its schema, the brokers, who is let in
    #[cfg(feature = "serving")]
    #[arg(long)]
    serving: bool,
    /// Exit 10 when something is to be looked at and nothing failed
    #[arg(long, value_enum, value_name = "RESULT", ignore_case = true)]
    fail_on: Option<FailOn>,
}

impl DoctorArgs {
    /// Which half of the configuration must be usable.
    pub(crate) const fn scope(&self) -> Scope {
        #[cfg(feature = "serving")]
        if self.serving {
            return Scope::All;
        }
        Scope::Lakehouse
    }
}

/// From which result on the exit code says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Warnings as well
    Warn,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Result {
    Ok,
    Warn,
    Fail(ExitStatus),
}

/// Every check's line, in order.
struct Findings(Vec<(String, Result, String)>);

impl Findings {
    fn add(&mut self, check: &str, result: Result, detail: impl Into<String>) {
        self.0.push((check.to_owned(), result, detail.into()));
    }

    fn ok(&mut self, check: &str, detail: impl Into<String>) {
        self.add(check, Result::Ok, detail);
    }

    fn warn(&mut self, check: &str, detail: impl Into<String>) {
        self.add(check, Result::Warn, detail);
    }

    /// An error a command would meet: its code, message, detail and hint.
    fn fail(&mut self, check: &str, error: &dyn OperatorError) {
        let more = [error.detail(), error.hint()]
            .into_iter()
            .flatten()
            .map(|t| format!("\n{t}"))
            .collect::<String>();
        self.add(
            check,
            Result::Fail(error.code().exit_status()),
            format!("{}: {error}{more}", error.code()),
        );
    }

    fn failure(&mut self, check: &str, failure: &Failure) {
        self.fail(check, failure.error());
    }
}

pub(crate) async fn handle(args: DoctorArgs, app: &mut App) -> Outcome<ExitStatus> {
    let now = app.now(args.now);
    let mut findings = Findings(Vec::new());
    configuration(app, &mut findings);
    #[cfg(feature = "lakehouse")]
    lakehouse::salt(app, &mut findings);
    machine::memory_and_disk(app, &mut findings);
    #[cfg(feature = "lakehouse")]
    lakehouse::lake(app, now, &mut findings).await;
    #[cfg(feature = "serving")]
    if args.serving {
        serving::serving(app, &mut findings).await;
    }
    machine::clock(now, &mut findings);
    let status = findings.0.iter().find_map(|(_, r, _)| {
        if let Result::Fail(status) = r {
            Some(*status)
        } else {
            None
        }
    });
    let has_warning = findings.0.iter().any(|(_, result, _)| *result == Result::Warn);
    let warned = (has_warning && args.fail_on == Some(FailOn::Warn)).then_some(ExitStatus::FoundWarning);
    app.printer.listing(&listing(findings))?;
    Ok(status.or(warned).unwrap_or(ExitStatus::Ok))
}

fn configuration(app: &App, findings: &mut Findings) {
    let config = &app.config;
    let file = config
        .file
        .as_ref()
        .map_or_else(|| "no file".to_owned(), |f| f.display().to_string());
    let environment = config.environment.value;
    let unset = if environment == EnvironmentName::Unset {
        " (NSC_ENV is not set: as strict as prod)"
    } else {
        ""
    };
    findings.ok(
        "configuration",
        format!("{file}, environment {environment}{unset}"),
    );
}

fn listing(findings: Findings) -> Listing {
    let mut listing = Listing::of_text(&["check", "result", "detail"]);
    for (check, result, detail) in findings.0 {
        let result = match result {
            Result::Ok => "ok",
            Result::Warn => "WARN",
            Result::Fail(_) => "FAIL",
        };
        listing.push([Cell::Text(check), Cell::text(result), Cell::Text(detail)]);
    }
    listing
}
