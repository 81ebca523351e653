//! `cargo run -p xtask -- TASK`: the chores of the tree that are too much for a line of shell.

use std::io;
use std::process::ExitCode;

use xtask::{circles, layers, tidy, tree};

const HELP: &str = "\
usage: cargo run -p xtask -- TASK

  tidy       what neither rustfmt nor clippy looks at: module headers, file sizes, leftovers, machine paths
  contracts  writes docs/contracts.md from the table contracts
  circles    do the modules of a crate that shall have none form a circle?
  layers     does every crate depend on what the plan allows, and on nothing else?";

#[expect(clippy::disallowed_methods, reason = "a binary reads its own command line")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let findings: io::Result<Vec<String>> = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tidy"] => tidy::check(&tree::root()).map(|found| found.iter().map(ToString::to_string).collect()),
        ["circles"] => circles::check(&tree::root()),
        ["layers"] => layers::check(&tree::root()),
        ["contracts"] => std::fs::write(
            tree::root().join("docs/contracts.md"),
            nsc_contracts::reference_page(),
        )
        .map(|()| Vec::new()),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match findings {
        Ok(found) if found.is_empty() => {
            println!("{}: nothing to say", args.join(" "));
            ExitCode::SUCCESS
        }
        Ok(found) => {
            for line in &found {
                println!("{line}");
            }
            eprintln!("{}: {} findings", args.join(" "), found.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
