//! `nsc config show`.

use clap::{Args, Subcommand};
use nsc_core::ExitStatus;

use crate::app::App;
use crate::config;
use crate::failure::Outcome;

/// Show the configuration
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show every key, its effective value and where that came from; secrets are masked
    #[command(after_help = "\
Precedence: flag, environment (NSC_...), file (--config, NSC_CONFIG, ./nsc.toml, /etc/nsc/nsc.toml), default.

Examples:
  nsc config show
  nsc config show --config prod.toml --format json")]
    Show,
}

pub(crate) fn handle(args: &ConfigArgs, app: &mut App) -> Outcome<ExitStatus> {
    match args.command {
        ConfigCommand::Show => app.printer.sheet(&config::sheet(&app.config))?,
    }
    // Shown, and yet not usable as it is.
    match &app.config.objection {
        Some(objection) => Err(objection.clone().into()),
        None => Ok(ExitStatus::Ok),
    }
}
