//! One module per command: its flags, and a thin handler that calls the libraries and prints.

pub(crate) mod backfill;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod consume;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod ingest;
pub(crate) mod migrate;
mod oauth;
pub(crate) mod rules;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sample;
pub(crate) mod serve;
pub(crate) mod serving;
pub(crate) mod sql;
pub(crate) mod table;

use nsc_core::ExitStatus;

use crate::app::App;
use crate::args::Command;
use crate::failure::Outcome;

/// Runs the command.
pub(crate) async fn dispatch(command: Command, mut app: App) -> Outcome<ExitStatus> {
    let app = &mut app;
    match command {
        Command::Ingest(args) => ingest::handle(args, app).await,
        Command::Run(args) => run::handle(args, app).await,
        Command::Runs(args) => runs::handle(args, app).await,
        Command::Explain(args) => explain::handle(args, app).await,
        Command::Sql(args) => sql::handle(args, app).await,
        Command::Rules(args) => rules::handle(args, app).await,
        Command::Table(args) => table::handle(args, app).await,
        Command::Sample(args) => sample::handle(args, app).await,
        Command::Migrate(args) => migrate::handle(args, app).await,
        Command::Consume(args) => consume::handle(args, app).await,
        Command::Backfill(args) => backfill::handle(args, app).await,
        Command::Dlq(args) => dlq::handle(args, app).await,
        Command::Serve(args) => serve::handle(args, app).await,
        Command::Config(args) => config::handle(&args, app),
        Command::Doctor(args) => doctor::handle(args, app).await,
        Command::Completions(args) => completions::handle(&args, app),
    }
}
