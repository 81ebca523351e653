//! `nsc sql`: read-only queries over the lake, one statement or interactively.

mod completion;
mod prompt;
mod repl;

use std::io::IsTerminal;

use clap::Args;
use nsc_core::{ErrorCode, ExitStatus};
use nsc_query::{Engine, Rows};

use crate::app::App;
use crate::failure::{Failure, Outcome, OutputError, Refusal};
use crate::output::{BatchCells, Printer, Sheet, columns_of};

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
    let engine = engine(app)?;
    // Without a statement a terminal gets a session, a pipe is read as the statement.
    let piped = || (!std::io::stdin().is_terminal()).then(|| "-".to_owned());
    match args.statement.or_else(piped) {
        None => repl::run(app, &engine).await?,
        Some(text) if text == "-" => {
            let text = std::io::read_to_string(std::io::stdin()).map_err(unreadable)?;
            print(&engine, &text, &mut app.printer).await?;
        }
        Some(text) => {
            print(&engine, &text, &mut app.printer).await?;
        }
    }
    Ok(ExitStatus::Ok)
}

/// A session over the lake of the configuration.
pub(crate) fn engine(app: &App) -> Outcome<Engine> {
    Ok(Engine::new(app.lake()?, &app.session_options())?)
}

/// Runs one statement and prints its rows, streamed batch by batch; returns how many.
async fn print(engine: &Engine, text: &str, printer: &mut Printer) -> Outcome<u64> {
    let mut batches = engine.stream(text).await?;
    let mut count = 0;
    let mut sink = printer.rows(&columns_of(batches.schema()))?;
    while let Some(batch) = batches.next_batch().await? {
        let cells = BatchCells::new(&batch).map_err(unprintable)?;
        for row in cells.rows() {
            sink.row(row.map_err(unprintable)?).map_err(OutputError)?;
            count += 1;
        }
    }
    sink.end().map_err(OutputError)?;
    drop(sink);
    printer.flush()?;
    Ok(count)
}

/// Rows as a sheet.
pub(crate) fn sheet(rows: &Rows) -> Outcome<Sheet> {
    let mut sheet = Sheet {
        columns: columns_of(rows.schema()),
        rows: Vec::new(),
    };
    for batch in rows.batches() {
        let cells = BatchCells::new(batch).map_err(unprintable)?;
        for row in cells.rows() {
            sheet.push(row.map_err(unprintable)?);
        }
    }
    Ok(sheet)
}

fn unprintable(error: arrow::error::ArrowError) -> Failure {
    Failure::unexpected("reading a result", error)
}

/// Standard input could not be read.
fn unreadable(error: std::io::Error) -> Refusal {
    Refusal::new(
        ErrorCode::InputUnreadable,
        "standard input cannot be read as text",
    )
    .with_detail(error)
}
