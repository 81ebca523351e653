//! `cargo run -p xtask -- TASK`: the chores of the tree that are too much for a line of shell.

use std::io;
use std::process::ExitCode;

use xtask::{circles, clauses, dbt, layers, site, subjects, tidy, tree};

const HELP: &str = "\
usage: cargo run -p xtask -- TASK

  tidy       what neither rustfmt nor clippy looks at: module headers, file sizes, leftovers, machine paths, what the
             docs name, the subjects of commits
  contracts  writes docs/contracts.md and docs/dbt/sources.yml from the table contracts
  circles    do the modules of a crate form a circle?
  clauses    writes docs/clauses.md from what modules and tests say they follow
  site       writes the documentation as web pages into target/site
  layers     does every crate depend on what the plan allows, and on nothing else?";

#[expect(clippy::disallowed_methods, reason = "a binary reads its own command line")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let findings: io::Result<Vec<String>> = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["circles"] => circles::check(&tree::root()),
        ["tidy"] => tidy(),
        ["layers"] => layers::check(&tree::root()),
        ["contracts"] => write_contracts(),
        ["site"] => write_site(),
        ["clauses"] => write_clauses(),
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

fn write_contracts() -> io::Result<Vec<String>> {
    let docs = tree::root().join("docs");
    std::fs::write(docs.join("contracts.md"), nsc_contracts::reference_page())?;
    std::fs::write(docs.join("dbt/sources.yml"), dbt::sources())?;
    Ok(Vec::new())
}

fn write_site() -> io::Result<Vec<String>> {
    let root = tree::root();
    let out = root.join("target/site");
    let count = site::write(&root, &out)?;
    println!("{count} pages in {}", out.display());
    Ok(Vec::new())
}

fn tidy() -> io::Result<Vec<String>> {
    let root = tree::root();
    let mut found: Vec<String> = tidy::check(&root)?.iter().map(ToString::to_string).collect();
    found.extend(subjects::check(&root)?);
    Ok(found)
}

fn write_clauses() -> io::Result<Vec<String>> {
    let root = tree::root();
    let (page, found) = clauses::generated(&tree::texts(&root)?);
    std::fs::write(root.join(clauses::PAGE), page)?;
    Ok(found.iter().map(ToString::to_string).collect())
}
