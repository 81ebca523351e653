//! `nsc init`: an empty lakehouse at the root.

use clap::Args;
use nsc_contracts::{SOURCES, table};
use nsc_core::ExitStatus;
use serde::Serialize;

use crate::app::App;
use crate::failure::Outcome;

/// Make an empty lakehouse at the root
#[derive(Debug, Args)]
#[command(after_help = "\
Makes the root, when it is a directory, and the six Bronze tables. What is there already is left alone.

Examples:
  nsc init
  nsc init --root abfss://lake@account.dfs.core.windows.net/nsc")]
pub(crate) struct InitArgs {}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    root: String,
    /// Tables that were not there.
    tables: Vec<String>,
    /// How many were there.
    kept: usize,
}

pub(crate) async fn handle(_: InitArgs, app: &mut App) -> Outcome<ExitStatus> {
    let lake = app.lake_or_new()?;
    let mut made = Made {
        root: lake.root().to_string(),
        tables: Vec::new(),
        kept: 0,
    };
    for contract in SOURCES
        .iter()
        .filter_map(|s| table(&format!("bronze.{}", s.bronze)))
    {
        if lake.existing(contract).await?.is_some() {
            made.kept += 1;
        } else {
            made.tables.push(lake.table(contract).await?.name());
        }
    }
    app.printer.document(&made, || text(&made))?;
    Ok(ExitStatus::Ok)
}

fn text(made: &Made) -> String {
    let kept = if made.kept > 0 {
        format!(", {} were there", made.kept)
    } else {
        String::new()
    };
    format!("{}: {} Bronze tables made{kept}\n", made.root, made.tables.len())
}
