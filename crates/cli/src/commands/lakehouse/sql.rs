//! `nsc sql`: read-only queries over the lake, one statement or interactively.

mod catalog;
mod completion;
mod exact;
pub(crate) mod execute;
mod prompt;
mod repl;
mod statement;
mod time_travel;

use std::io::IsTerminal;

use clap::Args;
use nsc_core::ExitStatus;

use crate::app::App;
use crate::failure::Outcome;

/// Query the tables; without a statement, interactively
#[derive(Debug, Args)]
#[command(after_help = "\
Tables are bronze.x_raw, silver.x and gold.x. Only queries are allowed: SELECT, WITH, VALUES, SHOW TABLES,
SHOW COLUMNS, DESCRIBE, EXPLAIN. Amounts are exact in every format (strings in JSON).

gold.open_findings is a view: the newest row of each finding that is still open.

A table as it was:
  version_of('silver.ledger_entries', 12)
  as_of('silver.ledger_entries', '2026-01-05T15:00:00Z')

Examples:
  nsc sql \"SELECT exception_type, count(*) FROM gold.open_findings GROUP BY 1\"
  nsc sql --format csv \"SELECT * FROM gold.ledger_supply_balance_daily ORDER BY date_kst\" > supply.csv
  echo \"SHOW TABLES\" | nsc sql -
  nsc sql                              interactive; \\? lists its commands")]
pub(crate) struct SqlArgs {
    /// The statement, or - to read it from standard input
    statement: Option<String>,
}

pub(crate) async fn handle(args: SqlArgs, app: &mut App) -> Outcome<ExitStatus> {
    let engine = execute::Engine::new(app)?;
    // Without a statement a terminal gets a session, a pipe is read as the statement.
    let piped = || (!std::io::stdin().is_terminal()).then(|| "-".to_owned());
    match args.statement.or_else(piped) {
        None => repl::run(app, &engine).await?,
        Some(text) if text == "-" => {
            let text = std::io::read_to_string(std::io::stdin()).map_err(statement::unreadable)?;
            execute::print(&engine, &text, &mut app.printer).await?;
        }
        Some(text) => {
            execute::print(&engine, &text, &mut app.printer).await?;
        }
    }
    Ok(ExitStatus::Ok)
}
