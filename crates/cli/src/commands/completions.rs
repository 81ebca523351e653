//! `nsc completions`.

use clap::{Args, Command};
use clap_complete::Shell;
use nsc_core::ExitStatus;

use crate::app::App;
use crate::failure::Outcome;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsc completions bash > /etc/bash_completion.d/nsc
  nsc completions zsh > \"${fpath[1]}/_nsc\"
  nsc completions fish > ~/.config/fish/completions/nsc.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn handle(args: &CompletionsArgs, mut program: Command, app: &mut App) -> Outcome<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "nsc", &mut script);
    app.printer.text(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Ok)
}
