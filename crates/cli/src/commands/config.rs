//! `nsc config`: what is configured, and a configuration of the first implementation.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use nsc_contracts::event::convert_profiles;
use nsc_core::{ErrorCode, ExitStatus};

use crate::app::App;
use crate::config;
use crate::failure::{OperatorMessage, Outcome};

/// Show the configuration
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  nsc config show\n  nsc config example > nsc.toml")]
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
    /// Print a configuration file with every key, its default and what it is for
    #[command(after_help = "Examples:\n  nsc config example > nsc.toml")]
    Example,
    /// Print the JSON schema of the configuration file, for an editor or a check before a deployment
    #[command(after_help = "\
An editor takes it from a first line of the file, `#:schema ./nsc.schema.json`.

Examples:
  nsc config schema > nsc.schema.json")]
    Schema,
    /// Print every key with its variable, flag, default and meaning, as the tables of the documentation
    #[command(after_help = "Examples:\n  nsc config reference | grep kafka")]
    Reference,
    /// Write a profile file of the first implementation as one for events.profiles_file
    #[cfg(feature = "serving")]
    #[command(after_help = "\
What it asks for and is not so here is refused, with each line that has to change.

Examples:
  nsc config convert-profile configs/event_profiles.yaml > event-profiles.yaml
  NSC_EVENT_PROFILES_FILE=event-profiles.yaml nsc consume --profile nsc-dev-v1")]
    ConvertProfile {
        /// The file, with topics, aliases and core_required
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

pub(crate) fn handle(args: &ConfigArgs, app: &mut App) -> Outcome<ExitStatus> {
    match &args.command {
        ConfigCommand::Show => app.printer.listing(&config::listing(&app.config))?,
        ConfigCommand::Example => app.printer.text(&config::example())?,
        ConfigCommand::Reference => app.printer.text(&config::tables().join("\n"))?,
        ConfigCommand::Schema => {
            let schema = config::schema();
            app.printer.document(&schema, || format!("{schema:#}\n"))?;
        }
        #[cfg(feature = "serving")]
        ConfigCommand::ConvertProfile { file } => {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).map_err(|e| {
                OperatorMessage::new(ErrorCode::InputUnreadable, format!("{name} cannot be read"))
                    .with_detail(e)
            })?;
            let converted = convert_profiles(&name, &text).map_err(|e| {
                OperatorMessage::new(ErrorCode::ForeignFile, format!("{name} cannot be converted"))
                    .with_detail(e)
                    .with_hint("Change the lines that are named, and convert it again.")
            })?;
            app.printer.text(&converted)?;
        }
    }
    // Shown, and yet not usable as it is.
    match &app.config.objection {
        Some(objection) => Err(objection.clone().into()),
        None => Ok(ExitStatus::Ok),
    }
}
