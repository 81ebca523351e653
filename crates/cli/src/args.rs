//! The command line: global flags and the list of commands. Each command's own flags stand in its module.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

use crate::commands;
use crate::config::{Flags, Scope, keys};
use crate::output::Format;
use crate::terminal::ColorChoice;

/// Lakehouse of a stablecoin payment platform: from raw JSONL to verified financial controls.
#[derive(Debug, Parser)]
#[command(name = "nsc", version, propagate_version = false, max_term_width = 110, after_help = EXAMPLES)]
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

/// Flags every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Lakehouse: a directory or an abfss:// URL [env: NSC_ROOT] [default: ./lakehouse]
    #[arg(long, global = true, value_name = "DIR|URL", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<String>,
    /// Configuration file [env: NSC_CONFIG] [default: ./nsc.toml, else /etc/nsc/nsc.toml]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Form of the result on stdout; errors are JSON on stderr with json and ndjson
    #[arg(
        long,
        global = true,
        value_enum,
        ignore_case = true,
        default_value_t,
        hide_possible_values = false
    )]
    pub(crate) format: Format,
    /// Log on stderr: a level, or target=level,... [env: NSC_LOG, RUST_LOG] [default: warn]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Log lines for people (pretty) or machines (json) [env: NSC_LOG_FORMAT] [default: pretty]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["pretty", "json"])]
    pub(crate) log_format: Option<String>,
    /// Colours; NO_COLOR is respected by auto
    #[arg(
        long,
        global = true,
        value_enum,
        ignore_case = true,
        value_name = "WHEN",
        default_value_t
    )]
    pub(crate) color: ColorChoice,
    /// Memory of the engine before it spills to disk, e.g. 4GiB [env: NSC_MEMORY_LIMIT] [default: 2GiB]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(crate) memory_limit: Option<String>,
    /// Time zone of the times in tables and reports, e.g. UTC [env: NSC_TIME_ZONE] [default: Asia/Seoul]
    #[arg(long = "tz", global = true, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// Threads [env: NSC_THREADS] [default: one per core]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<String>,
}

impl GlobalArgs {
    /// The part the configuration takes.
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags::default();
        flags.set(&keys::ROOT, self.root.as_ref());
        flags.set(&keys::LOG, self.log.as_ref());
        flags.set(&keys::LOG_FORMAT, self.log_format.as_ref());
        flags.set(&keys::MEMORY_LIMIT, self.memory_limit.as_ref());
        flags.set(&keys::THREADS, self.threads.as_ref());
        flags.set(&keys::TIME_ZONE, self.time_zone.as_ref());
        flags
    }
}

impl Command {
    /// Adds a command's own flags that the configuration takes.
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        match self {
            #[cfg(feature = "serving")]
            Self::Serving(command) => command.add_to(flags),
            Self::Sample(args) => args.add_to(flags),
            _ => {}
        }
    }

    /// Which half of the configuration the command goes by.
    pub(crate) const fn scope(&self) -> Scope {
        match self {
            #[cfg(feature = "serving")]
            Self::Serving(_) => Scope::Serving,
            Self::Sample(args) => args.scope(),
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
