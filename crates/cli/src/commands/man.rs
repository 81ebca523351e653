//! `nsc man`.

use std::path::PathBuf;

use clap::{Args, Command, ValueHint};
use nsc_core::ExitStatus;

use crate::app::App;
use crate::failure::{Failure, Outcome};
use crate::new_file::unwritable;
use crate::output::{Cell, Column, Listing};

/// Print the manual page, or write those of all commands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nsc man | man -l -
  nsc man --out /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write a page for each command into this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

pub(crate) fn handle(args: &ManArgs, mut program: Command, app: &mut App) -> Outcome<ExitStatus> {
    program.build();
    let Some(out) = &args.out else {
        let page = page(&program)?;
        app.printer.text(&String::from_utf8_lossy(&page))?;
        return Ok(ExitStatus::Ok);
    };
    std::fs::create_dir_all(out).map_err(|e| unwritable(out, e))?;
    let mut listing = Listing::of_text(&["directory"]);
    listing.columns.push(Column::number("pages"));
    let program = program.disable_help_subcommand(true);
    listing.push([Cell::Text(out.display().to_string()), Cell::UInt(count(&program))]);
    clap_mangen::generate_to(program, out).map_err(|e| unwritable(out, e))?;
    app.printer.listing(&listing)?;
    Ok(ExitStatus::Ok)
}

/// How many pages a command and those below it have.
fn count(command: &Command) -> u64 {
    let below = command.get_subcommands().filter(|c| c.get_name() != "help");
    1 + below.map(count).sum::<u64>()
}

fn page(command: &Command) -> Outcome<Vec<u8>> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command.clone()).render(&mut page);
    rendered.map_err(|e| Failure::unexpected("writing a manual page", e))?;
    Ok(page)
}
