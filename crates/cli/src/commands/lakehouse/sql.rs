//! `nsc sql`: read-only queries over the lake, one statement or interactively.

mod completion;
mod prompt;
mod repl;
mod statements;

use std::fmt::Display;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueHint};
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

Several statements are separated by semicolons; all of them are checked before the first is run. A table may be named without
its layer. Times are shown in --tz in tables; AT TIME ZONE 'Asia/Seoul' shows them so in every format.

Examples:
  nsc sql \"SELECT exception_type, count(*) FROM gold.open_findings GROUP BY 1\"
  nsc sql --format csv \"SELECT * FROM gold.ledger_supply_balance_daily ORDER BY date_kst\" > supply.csv
  echo \"SHOW TABLES\" | nsc sql -
  nsc sql -f night.sql
  nsc sql                              interactive; \\? lists its commands")]
pub(crate) struct SqlArgs {
    /// The statement, or several; - reads them from standard input
    statement: Option<String>,
    /// The same, as psql has it; may be given several times
    #[arg(short = 'c', long = "command", value_name = "SQL", conflicts_with_all = ["statement", "files"])]
    commands: Vec<String>,
    /// Read the statements from a file; may be given several times
    #[arg(short = 'f', long = "file", value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "statement")]
    files: Vec<PathBuf>,
}

impl SqlArgs {
    /// What was given to be run; `None` for a session.
    fn text(self) -> Outcome<Option<String>> {
        if !self.commands.is_empty() {
            return Ok(Some(self.commands.join(";\n")));
        }
        if !self.files.is_empty() {
            let read =
                |file: &PathBuf| std::fs::read_to_string(file).map_err(|e| unreadable(&file.display(), e));
            let texts = self.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            return Ok(Some(texts.join("\n;\n")));
        }
        // Without a statement a terminal gets a session, a pipe is read as the statement.
        let piped = || (!std::io::stdin().is_terminal()).then(|| "-".to_owned());
        match self.statement.or_else(piped) {
            Some(text) if text == "-" => {
                let text = std::io::read_to_string(std::io::stdin());
                Ok(Some(text.map_err(|e| unreadable(&"standard input", e))?))
            }
            given => Ok(given),
        }
    }
}

pub(crate) async fn handle(args: SqlArgs, app: &mut App) -> Outcome<ExitStatus> {
    let engine = engine(app)?;
    match args.text()? {
        None => repl::run(app, &engine).await?,
        Some(text) => {
            print_all(&engine, &text, &mut app.printer).await?;
        }
    }
    Ok(ExitStatus::Ok)
}

/// Runs the statements of a text one after the other; returns how many rows they had. None is run unless all are allowed.
async fn print_all(engine: &Engine, text: &str, printer: &mut Printer) -> Outcome<u64> {
    let mut statements = statements::all(text);
    if statements.is_empty() {
        // To be told so.
        statements.push(text);
    }
    for statement in &statements {
        Engine::check(statement)?;
    }
    let mut count = 0;
    for (at, statement) in statements.iter().enumerate() {
        if at > 0 {
            printer.between()?;
        }
        count += print(engine, statement, printer).await?;
    }
    Ok(count)
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

/// Statements that could not be read.
fn unreadable(what: &dyn Display, error: std::io::Error) -> Refusal {
    Refusal::new(
        ErrorCode::InputUnreadable,
        format!("{what} cannot be read as text"),
    )
    .with_detail(error)
}
