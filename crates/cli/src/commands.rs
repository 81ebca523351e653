//! One module per command: its flags, and a thin handler that calls the libraries and prints. The commands of a half
//! stand together, for a build may carry one half alone (features `lakehouse` and `serving`).

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod explain;
#[cfg(feature = "lakehouse")]
pub(crate) mod lakehouse;
pub(crate) mod sample;
#[cfg(feature = "serving")]
pub(crate) mod serving;

use nsc_core::ExitStatus;

use crate::app::App;
use crate::args::Command;
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
        Command::Completions(args) => completions::handle(&args, app),
    }
}
