//! `nsc explain`: what a finding follows from, and what an error means.

mod error;

use clap::{Args, Subcommand};
use nsc_core::ExitStatus;

use crate::app::App;
use crate::failure::Outcome;
use crate::output::Printer;
use crate::suggested;

#[cfg(feature = "lakehouse")]
use super::lakehouse::explain::{self, FindingCommand};

/// Show a finding with its source rows and its rule, or what an error means
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  nsc explain error NSC0401")]
pub(crate) struct ExplainArgs {
    #[command(subcommand)]
    command: ExplainCommand,
}

#[derive(Debug, Subcommand)]
enum ExplainCommand {
    #[cfg(feature = "lakehouse")]
    #[command(flatten)]
    Finding(FindingCommand),
    /// An error: what happened and why, what to do, an example; without a code, all of them
    #[command(after_help = "\
Examples:
  nsc explain error NSC0401
  nsc explain error                    every code, its title and exit code")]
    Error {
        /// The code an error names, NSC0401 or 401
        #[arg(value_parser = suggested::error_code(), hide_possible_values = true)]
        code: Option<String>,
    },
}

impl ExplainArgs {
    /// Prints what needs no configuration: an error may be about the very file that holds it.
    pub(crate) fn handled_alone(&self, printer: &mut Printer) -> Option<Outcome<ExitStatus>> {
        match &self.command {
            ExplainCommand::Error { code } => Some(error::handle(code.as_deref(), printer)),
            #[cfg(feature = "lakehouse")]
            ExplainCommand::Finding(_) => None,
        }
    }
}

pub(crate) async fn handle(args: ExplainArgs, app: &mut App) -> Outcome<ExitStatus> {
    match args.command {
        ExplainCommand::Error { code } => error::handle(code.as_deref(), &mut app.printer),
        #[cfg(feature = "lakehouse")]
        ExplainCommand::Finding(command) => explain::handle(command, app).await,
    }
}
