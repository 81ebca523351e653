//! From a parsed command to its handler.

use clap::CommandFactory;
use nsc_core::ExitStatus;

use crate::app::App;
use crate::args::{Cli, Command};
#[cfg(feature = "lakehouse")]
use crate::commands::lakehouse;
#[cfg(feature = "serving")]
use crate::commands::serving;
use crate::commands::{completions, config, doctor, explain, man, sample};
use crate::failure::Outcome;

/// Runs the command.
pub(crate) async fn dispatch(command: Command, mut app: App) -> Outcome<ExitStatus> {
    let app = &mut app;
    match command {
        #[cfg(feature = "lakehouse")]
        Command::Lakehouse(command) => lakehouse::dispatch(command, app).await,
        Command::Sample(args) => sample::handle(args, app).await,
        #[cfg(feature = "serving")]
        Command::Serving(command) => serving::dispatch(command, app).await,
        Command::Explain(args) => explain::handle(args, app).await,
        Command::Config(args) => config::handle(&args, app),
        Command::Doctor(args) => doctor::handle(args, app).await,
        Command::Man(args) => man::handle(&args, Cli::command(), app),
        Command::Completions(args) => completions::handle(&args, Cli::command(), app),
    }
}
