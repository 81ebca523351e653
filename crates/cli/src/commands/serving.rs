//! The commands of serving: from events to an administrator's answer.

mod audit;
mod backfill;
mod consume;
mod correct_version;
mod dlq;
mod kinds;
mod migrate;
pub(crate) mod publish;
mod serve;
mod wiring;

pub(crate) use serve::who_is_let_in;
pub(crate) use wiring::{kafka, say_that_it_starts, services, shutdown};

use clap::Subcommand;
use nsc_core::ExitStatus;

use crate::app::App;
use crate::config::Flags;
use crate::failure::Outcome;

/// From events to an administrator's answer.
#[derive(Debug, Subcommand)]
pub(crate) enum ServingCommand {
    /// Bring the schema of the backoffice database up to date
    Migrate(migrate::MigrateArgs),
    /// Consume events into the backoffice database
    Consume(consume::ConsumeArgs),
    /// Load events from files into the backoffice database
    Backfill(backfill::BackfillArgs),
    /// Look at and replay events that could not be stored
    Dlq(dlq::DlqArgs),
    /// Lower the version of a stored entry or order, so that right events are taken again
    CorrectVersion(correct_version::CorrectVersionArgs),
    /// See who looked at what, and whether the record is whole
    Audit(audit::AuditArgs),
    /// Serve the admin API
    Serve(serve::ServeArgs),
}

impl ServingCommand {
    /// Adds a command's own flags that the configuration takes.
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        match self {
            Self::Migrate(_) | Self::CorrectVersion(_) | Self::Audit(_) => {}
            Self::Consume(args) => args.add_to(flags),
            Self::Backfill(args) => args.add_to(flags),
            Self::Dlq(args) => args.add_to(flags),
            Self::Serve(args) => args.add_to(flags),
        }
    }
}

/// Runs the command.
pub(crate) async fn dispatch(command: ServingCommand, app: &mut App) -> Outcome<ExitStatus> {
    match command {
        ServingCommand::Migrate(args) => migrate::handle(args, app).await,
        ServingCommand::Consume(args) => consume::handle(args, app).await,
        ServingCommand::Backfill(args) => backfill::handle(args, app).await,
        ServingCommand::Dlq(args) => dlq::handle(args, app).await,
        ServingCommand::CorrectVersion(args) => correct_version::handle(args, app).await,
        ServingCommand::Audit(args) => audit::handle(args, app).await,
        ServingCommand::Serve(args) => serve::handle(args, app).await,
    }
}
