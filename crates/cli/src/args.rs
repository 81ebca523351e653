//! The command line: the list of commands, and the flags that all of them take. Each command's own flags stand in its module.

use clap::{Parser, Subcommand};

use crate::commands;
use crate::config::{Flags, Scope};
use crate::global_args::GlobalArgs;

/// Lakehouse of a stablecoin payment platform: from raw JSONL to verified financial controls.
#[derive(Debug, Parser)]
#[command(name = "nsc", version = crate::build::version(), propagate_version = false, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// Flags every command takes.
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  nsc sample generate --out data --faults              make a sample world
  nsc ingest transaction_ledger data/*ledger*.jsonl    load a file into Bronze
  nsc rules sync                                       store the shipped rules
  nsc run e2e --date-kst 2026-01-05                    run the whole chain for a day
  nsc sql \"SELECT * FROM gold.exception_ledger\"        look at what was found
  nsc serve api                                        answer what happened to a transaction

Exit codes:
  0 ok  1 unexpected  2 usage or configuration  3 upstream not ready  4 data-quality stop
  5 another run holds the pipeline  6 storage  10/11/12 warnings/critical breaches/nothing found to judge (--fail-on)
Errors carry a code NSCnnnn: nsc explain error NSCnnnn says what happened, why, and what to do.";

impl Command {
    /// Adds a command's own flags that the configuration takes.
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        match self {
            #[cfg(feature = "serving")]
            Self::Serving(command) => command.add_to(flags),
            #[cfg(all(feature = "lakehouse", feature = "serving"))]
            Self::Lakehouse(command) => command.add_to(flags),
            Self::Sample(args) => args.add_to(flags),
            _ => {}
        }
    }

    /// Which half of the configuration the command goes by.
    pub(crate) const fn scope(&self) -> Scope {
        match self {
            #[cfg(feature = "serving")]
            Self::Serving(_) => Scope::Serving,
            #[cfg(feature = "lakehouse")]
            Self::Lakehouse(command) => command.scope(),
            Self::Sample(args) => args.scope(),
            Self::Doctor(args) => args.scope(),
            Self::Config(_) => Scope::All,
            _ => Scope::Lakehouse,
        }
    }
}

/// Every command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "lakehouse")]
    #[command(flatten)]
    Lakehouse(commands::lakehouse::LakehouseCommand),
    /// Make sample data
    Sample(commands::sample::SampleArgs),
    #[cfg(feature = "serving")]
    #[command(flatten)]
    Serving(commands::serving::ServingCommand),
    /// Show a finding with its source rows and its rule, or what an error means
    Explain(commands::explain::ExplainArgs),
    /// Show the configuration
    Config(commands::config::ConfigArgs),
    /// Check the health of a set-up
    Doctor(commands::doctor::DoctorArgs),
    /// Print a completion script for a shell
    Completions(commands::completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands
    Man(commands::man::ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    /// Every help text, and that every command with an action of its own has examples.
    #[test]
    fn help_of_every_command() {
        let mut root = Cli::command().term_width(100);
        root.build();
        let mut texts = vec![root.render_long_help().to_string()];
        let mut open: Vec<clap::Command> = root.get_subcommands().cloned().collect();
        open.reverse();
        while let Some(mut command) = open.pop() {
            if command.get_name() == "help" {
                continue;
            }
            let nested: Vec<clap::Command> = command.get_subcommands().cloned().collect();
            open.extend(nested.iter().rev().cloned());
            let text = command.render_help().to_string();
            let (own, _global) = text.split_once("Global options:").unwrap_or((&text, ""));
            let examples = text.split_once("\nExamples:").map(|(_, e)| e.to_owned());
            assert!(
                examples.is_some() || !nested.is_empty(),
                "{} has no examples",
                command.get_name()
            );
            texts.push(format!(
                "{}\nExamples:{}",
                own.trim_end(),
                examples.unwrap_or_default()
            ));
        }
        insta::assert_snapshot!(texts.join("\n----\n"));
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
