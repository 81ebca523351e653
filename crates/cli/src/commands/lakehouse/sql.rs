//! `nsc sql`: read-only queries over the lake, one statement or interactively.

mod completion;
mod copy;
mod editor;
mod export;
mod prompt;
mod repl;
mod workbook;

use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use nsc_core::{ErrorCode, ExitStatus, OperatorError};
use nsc_query::{Engine, LookLog, Rows, statements};

use export::Target;

use crate::app::App;
use crate::failure::{Failure, OperatorMessage, Outcome, OutputError};
use crate::output::{BatchCells, Cell, Column, Listing, Printer, columns_of};

/// Query the tables; without a statement, interactively
#[derive(Debug, Args)]
#[command(after_help = "\
Tables are bronze.x_raw, silver.x and gold.x. Only queries are allowed: SELECT, WITH, VALUES, SHOW TABLES,
SHOW COLUMNS, DESCRIBE, EXPLAIN. Amounts are exact in every format (strings in JSON).

The numbers of a finding are JSON: message->>'drift_abs', json_get_int(message, 'n'), message ? 'drift_abs'.

gold.open_findings is a view: the newest row of each finding that is still open.

A table as it was:
  version_of('silver.ledger_entries', 12)
  as_of('silver.ledger_entries', '2026-01-05T15:00:00Z')
  as_of_run('gold.recon_daily_snapshot_flow', 'last')      as a run left it, or read it; by its id or the beginning of it

Several statements are separated by semicolons; none is run unless all of them are queries. Their results follow one another: one
JSON array after the other. A table may be named without its layer. Times are shown in --tz in tables; AT TIME ZONE 'Asia/Seoul' shows them so in every format.

Examples:
  nsc sql \"SELECT exception_type, count(*) FROM gold.open_findings GROUP BY 1\"
  nsc sql --format csv \"SELECT * FROM gold.ledger_supply_balance_daily ORDER BY date_kst\" > supply.csv
  echo \"SHOW TABLES\" | nsc sql -
  nsc sql -f night.sql
  nsc sql --out supply.xlsx \"SELECT * FROM gold.ledger_supply_balance_daily\"
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
    /// Write the rows to a file instead: .csv (lines end in CRLF), .parquet or .xlsx; one statement
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    out: Option<PathBuf>,
    /// Rows shown on a terminal, 0 for all; in a pipe or file it is always all
    #[arg(long, value_name = "N", default_value_t = ROWS_ON_A_TERMINAL)]
    max_rows: u64,
    /// Begin the .csv with the mark of UTF-8, without which Excel takes Korean for another encoding
    #[arg(long, requires = "out")]
    csv_bom: bool,
}

/// A terminal is for looking at some.
pub(super) const ROWS_ON_A_TERMINAL: u64 = 1_000;

impl SqlArgs {
    /// The texts that were given to be run, each by itself; `None` for a session.
    fn texts(self) -> Outcome<Option<Vec<Text>>> {
        if !self.commands.is_empty() {
            return Ok(Some(self.commands.into_iter().map(Text::given).collect()));
        }
        if !self.files.is_empty() {
            let texts = self
                .files
                .iter()
                .map(|file| Text::of_file(&file.to_string_lossy()));
            return Ok(Some(texts.collect::<Result<_, _>>()?));
        }
        // Without a statement a terminal gets a session, a pipe is read as the statement.
        let piped = || (!std::io::stdin().is_terminal()).then(|| "-".to_owned());
        match self.statement.or_else(piped) {
            Some(text) if text == "-" => {
                let text = std::io::read_to_string(std::io::stdin());
                Ok(Some(vec![Text::read("standard input", text)?]))
            }
            given => Ok(given.map(|text| vec![Text::given(text)])),
        }
    }
}

/// Statements, and where they are from.
struct Text {
    /// A file; none for what was given with the command.
    file: Option<String>,
    text: String,
}

impl Text {
    fn given(text: String) -> Self {
        Self { file: None, text }
    }

    fn of_file(file: &str) -> Result<Self, OperatorMessage> {
        Self::read(file, std::fs::read_to_string(file))
    }

    fn read(file: &str, text: std::io::Result<String>) -> Result<Self, OperatorMessage> {
        let text = text.map_err(|e| {
            OperatorMessage::new(
                ErrorCode::InputUnreadable,
                format!("{file} cannot be read as text"),
            )
            .with_detail(e)
        })?;
        Ok(Self {
            file: Some(file.to_owned()),
            // Editors of Windows put a mark before a text.
            text: text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned(),
        })
    }
}

/// One statement, and how an error names it.
struct Placed<'a> {
    statement: &'a str,
    place: Option<String>,
}

/// The statements of all texts, in their order.
fn placed(texts: &[Text]) -> Vec<Placed<'_>> {
    let mut found = Vec::new();
    for Text { file, text } in texts {
        let statements = statements(text);
        let count = statements.len();
        for (at, statement) in statements.into_iter().enumerate() {
            let number = format!("statement {} of {count}", at + 1);
            let place = match file {
                Some(file) => Some(format!("{file}, {number}")),
                None => (count > 1).then_some(number),
            };
            found.push(Placed { statement, place });
        }
    }
    found
}

impl Placed<'_> {
    /// An error of the statement, with its place.
    fn failed(&self, failure: Failure) -> Failure {
        match &self.place {
            Some(place) if !failure.is_broken_pipe() => {
                let refusal = OperatorMessage::of(failure.error());
                let detail = refusal.detail();
                let detail = detail.map_or_else(|| place.clone(), |detail| format!("{place}: {detail}"));
                refusal.with_detail(detail).into()
            }
            _ => failure,
        }
    }
}

pub(crate) async fn handle(args: SqlArgs, app: &mut App) -> Outcome<ExitStatus> {
    let engine = Engine::new(app.lake()?, &app.session_options())?.recorded(looks(app));
    let max_rows = args.max_rows;
    let target = args
        .out
        .clone()
        .map(|path| Target::of(path, args.csv_bom))
        .transpose()?;
    match (args.texts()?, target) {
        (None, None) => repl::run(app, &engine).await?,
        (texts, Some(target)) => return export(&engine, &texts.unwrap_or_default(), &target, app).await,
        (Some(texts), None) => {
            let most = (max_rows > 0).then_some(max_rows);
            let printed = print_all(&engine, &texts, most, &mut app.printer).await;
            app.printer.end_pages()?;
            printed?;
        }
    }
    Ok(ExitStatus::Ok)
}

/// Writes the rows of the one statement to a file.
async fn export(engine: &Engine, texts: &[Text], target: &Target, app: &mut App) -> Outcome<ExitStatus> {
    let statements = placed(texts);
    let [placed] = statements.as_slice() else {
        return Err(OperatorMessage::usage(format!(
            "--out takes one statement, and {} were given",
            statements.len()
        ))
        .into());
    };
    Engine::check(placed.statement).map_err(|e| placed.failed(e.into()))?;
    let zone = app.config.display.time_zone.value;
    let written = target.write(engine, placed.statement, zone).await;
    let Some(count) = written.map_err(|e| placed.failed(e))? else {
        return Ok(ExitStatus::Interrupted);
    };
    let mut listing = Listing::of_text(&["file"]);
    listing.columns.push(Column::number("rows"));
    listing.push([Cell::Text(target.path().display().to_string()), Cell::UInt(count)]);
    app.printer.listing(&listing)?;
    Ok(ExitStatus::Ok)
}

/// Runs the statements of texts one after the other; returns how many rows they had. None is run unless all are allowed.
async fn print_all(
    engine: &Engine,
    texts: &[Text],
    most: Option<u64>,
    printer: &mut Printer,
) -> Outcome<u64> {
    let statements = placed(texts);
    if statements.is_empty() {
        // To be told so.
        Engine::check("")?;
    }
    for placed in &statements {
        Engine::check(placed.statement).map_err(|e| placed.failed(e.into()))?;
    }
    let mut count = 0;
    for (at, placed) in statements.iter().enumerate() {
        if at > 0 {
            printer.between()?;
        }
        let printed = print(engine, placed.statement, most, printer).await;
        count += printed.map_err(|e| placed.failed(e))?;
    }
    Ok(count)
}

/// Where looks are recorded, if anywhere.
fn looks(app: &App) -> Option<LookLog> {
    let file = app.config.query.looks_file.as_ref()?;
    Some(LookLog::new(file.value.clone(), app.actor()))
}

/// A session over the lake of the configuration for a command that asks several things: what is recorded is the command.
pub(crate) fn engine(app: &App) -> Outcome<Engine> {
    let lake = app.lake()?;
    if let Some(looks) = looks(app) {
        looks.record(lake.root().as_str(), &app.command_line)?;
    }
    Ok(Engine::new(lake, &app.session_options())?)
}

/// Runs one statement and prints its rows, streamed batch by batch; returns how many. On a terminal it stops at the most that are
/// to be shown, and says so.
async fn print(engine: &Engine, text: &str, most: Option<u64>, printer: &mut Printer) -> Outcome<u64> {
    let mut batches = engine.stream(text).await?;
    if printer.format().is_json() {
        refuse_namesakes(batches.schema())?;
    }
    let most = most.filter(|_| printer.is_looked_at());
    printer.begin_pages();
    let mut count = 0;
    let mut has_more = false;
    let mut sink = printer.rows(&columns_of(batches.schema()))?;
    'rows: while let Some(batch) = batches.next_batch().await? {
        let cells = BatchCells::new(&batch).map_err(unprintable)?;
        for row in cells.rows() {
            if most.is_some_and(|most| count >= most) {
                has_more = true;
                break 'rows;
            }
            sink.row(row.map_err(unprintable)?).map_err(OutputError)?;
            count += 1;
        }
        // Rows that come without a wait would leave no moment for ^C.
        tokio::task::yield_now().await;
    }
    sink.end().map_err(OutputError)?;
    drop(sink);
    printer.flush()?;
    if has_more {
        printer.text(&format!(
            "the first {count} rows; --max-rows 0 shows all of them, --out writes them to a file\n"
        ))?;
    }
    Ok(count)
}

/// Of two members of one name a reader of JSON keeps one.
fn refuse_namesakes(schema: &arrow::datatypes::Schema) -> Result<(), OperatorMessage> {
    let mut seen = HashSet::new();
    match schema.fields().iter().find(|field| !seen.insert(field.name())) {
        None => Ok(()),
        Some(field) => Err(OperatorMessage::new(
            ErrorCode::Sql,
            format!("two columns of the result are called {}", field.name()),
        )
        .with_hint("Give one of them another name (a.x AS other), or use --format csv.")),
    }
}

/// Rows as a listing.
pub(crate) fn listing(rows: &Rows) -> Outcome<Listing> {
    let mut listing = Listing {
        columns: columns_of(rows.schema()),
        rows: Vec::new(),
    };
    for batch in rows.batches() {
        let cells = BatchCells::new(batch).map_err(unprintable)?;
        for row in cells.rows() {
            listing.push(row.map_err(unprintable)?);
        }
    }
    Ok(listing)
}

fn unprintable(error: arrow::error::ArrowError) -> Failure {
    Failure::unexpected("reading a result", error)
}
