//! The commands of the lakehouse.

mod diff;
pub(crate) mod explain;
mod findings;
mod ingest;
mod init;
mod loads;
pub(crate) mod rules;
mod run;
mod run_context;
mod runs;
mod sql;
mod table;

use clap::Subcommand;
use nsc_core::ExitStatus;

use crate::app::App;
use crate::config::{Flags, Scope};
use crate::failure::Outcome;

/// From source files to verified controls.
#[derive(Debug, Subcommand)]
pub(crate) enum LakehouseCommand {
    /// Make an empty lakehouse at the root
    Init(init::InitArgs),
    /// Load source files into Bronze
    Ingest(ingest::IngestArgs),
    /// Look at what was loaded; take a load back, and restore it
    Loads(loads::LoadsArgs),
    /// Run a pipeline, or the whole chain
    Run(run::RunArgs),
    /// Look at the reports of past runs
    Runs(runs::RunsArgs),
    /// Show what changed in a business day
    Diff(diff::DiffArgs),
    /// List what the controls found
    Findings(findings::FindingsArgs),
    /// Query the tables; without a statement, interactively
    Sql(sql::SqlArgs),
    /// Store, list and check the rules
    Rules(rules::RulesArgs),
    /// Look at and care for the tables
    Table(table::TableArgs),
}

impl LakehouseCommand {
    /// Adds a command's own flags that the configuration takes.
    #[cfg(feature = "serving")]
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        if let Self::Ingest(args) = self {
            args.add_to(flags);
        }
    }

    /// Which half of the configuration the command goes by.
    pub(crate) const fn scope(&self) -> Scope {
        match self {
            #[cfg(feature = "serving")]
            Self::Ingest(args) if args.is_a_stream() => Scope::Serving,
            _ => Scope::Lakehouse,
        }
    }

    /// Whether it takes tables through memory and ends.
    pub(crate) const fn is_a_job(&self) -> bool {
        matches!(self, Self::Ingest(_) | Self::Run(_))
    }
}

/// Runs the command.
pub(crate) async fn dispatch(command: LakehouseCommand, app: &mut App) -> Outcome<ExitStatus> {
    match command {
        LakehouseCommand::Init(args) => init::handle(args, app).await,
        LakehouseCommand::Ingest(args) => ingest::handle(args, app).await,
        LakehouseCommand::Loads(args) => loads::handle(args, app).await,
        LakehouseCommand::Run(args) => run::handle(args, app).await,
        LakehouseCommand::Runs(args) => runs::handle(args, app).await,
        LakehouseCommand::Diff(args) => diff::handle(args, app).await,
        LakehouseCommand::Findings(args) => findings::handle(args, app).await,
        LakehouseCommand::Sql(args) => sql::handle(args, app).await,
        LakehouseCommand::Rules(args) => rules::handle(args, app).await,
        LakehouseCommand::Table(args) => table::handle(args, app).await,
    }
}
