//! The interactive session: history, completion, multi-line statements, backslash commands.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use nsc_query::{Engine, has_code};
use reedline::{
    ColumnarMenu, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, Reedline, ReedlineEvent,
    ReedlineMenu, Signal, default_emacs_keybindings,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::completion::SqlCompleter;
use super::copy::{self, unquoted};
use super::editor::edit;
use super::export::Target;
use super::prompt::{SqlPrompt, UntilSemicolon};
use super::{ROWS_ON_A_TERMINAL, Text, print_all};
use crate::app::App;
use crate::commands::lakehouse::table::named;
use crate::failure::{Failure, OperatorMessage, Outcome};
use crate::failure_text::{self, FailureStyle};
use crate::new_file::unwritable;
use crate::output::{Cell, Listing};

const HISTORY_ENTRIES: usize = 5_000;
const MENU: &str = "completion";
const HELP: &str = "\
\\d           the tables          \\d TABLE    a table's columns
\\x           records on/off      \\i FILE     run the statements of a file
\\e           edit the last statement with $EDITOR, and run it
\\o FILE      results go to a file \\o          and to the terminal again
\\copy TABLE|(QUERY) to FILE       the rows as .csv, .parquet or .xlsx
\\timing      show seconds on/off \\q or ^D    leave
A statement ends with a semicolon and may run over several lines. Tab completes.
^C ends a statement that runs, a second one the session.
A table as it was: version_of('silver.products', 1), as_of('silver.products', '2026-01-05T15:00:00Z'),
as_of_run('silver.products', 'last').
Times are computed in UTC and shown in --tz: a KST day is (event_time AT TIME ZONE 'Asia/Seoul')::date.
";

/// Reads statements until the operator leaves; an error ends a statement, not the session.
pub(super) async fn run(app: &mut App, engine: &Engine) -> Outcome {
    let mut editor = editor(app);
    let mut session = Session {
        timing: false,
        last: String::new(),
        interrupts: interrupts().map_err(|e| Failure::unexpected("listening for ^C", e))?,
    };
    if app.terminal.stderr_is_terminal {
        aside(&format!(
            "nsc sql on {}; read-only, \\? for help",
            engine.lake().root()
        ));
    }
    loop {
        let read = tokio::task::block_in_place(|| editor.read_line(&SqlPrompt));
        match read.map_err(|e| Failure::unexpected("reading from the terminal", e))? {
            Signal::Success(text) => match session.handle(text.trim(), app, engine).await {
                Ok(Next::Read) => {}
                Ok(Next::Leave) => return Ok(()),
                Err(failure) if failure.is_broken_pipe() => return Err(failure),
                Err(failure) => show(app, &failure),
            },
            Signal::CtrlD => return Ok(()),
            // ^C drops the line being typed.
            _ => {}
        }
    }
}

fn show(app: &App, failure: &Failure) {
    let style = FailureStyle::Text {
        color: app.terminal.stderr_color,
        language: app.terminal.language,
    };
    // Without stderr there is nobody to tell.
    let _ = failure_text::print(&mut io::stderr(), failure.error(), style);
}

/// A word to the operator on stderr; without stderr there is nobody to tell.
fn aside(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

enum Next {
    Read,
    Leave,
}

struct Session {
    timing: bool,
    /// What was run last, for `\\e`.
    last: String,
    interrupts: Arc<Interrupts>,
}

/// Tells a statement that runs of ^C.
#[derive(Default)]
struct Interrupts {
    pressed: Notify,
    /// Whether a statement runs, and has been told: [`IDLE`], [`RUNNING`] or [`TOLD`].
    state: AtomicU8,
}

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const TOLD: u8 = 2;
/// What a shell calls the end by ^C.
const ENDED_BY_INTERRUPT: i32 = 130;

impl Interrupts {
    /// One key. A statement that computes without a pause hears nothing: the second key ends the session.
    #[expect(
        clippy::disallowed_methods,
        reason = "the thread that would return the error is the one that hears nothing"
    )]
    fn press(&self) {
        match self.state.load(Ordering::SeqCst) {
            TOLD => std::process::exit(ENDED_BY_INTERRUPT),
            RUNNING => self.state.store(TOLD, Ordering::SeqCst),
            _ => {}
        }
        self.pressed.notify_waiters();
    }
}

/// Listens for ^C, on a thread of its own: a statement may keep those of the runtime busy.
fn interrupts() -> io::Result<Arc<Interrupts>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let mut pressed = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt())?
    };
    let interrupts = Arc::new(Interrupts::default());
    let told = Arc::clone(&interrupts);
    std::thread::Builder::new()
        .name("interrupts".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                while pressed.recv().await.is_some() {
                    told.press();
                }
            });
        })?;
    Ok(interrupts)
}

impl Session {
    async fn handle(&mut self, text: &str, app: &mut App, engine: &Engine) -> Outcome<Next> {
        let line = text.trim_end_matches(';').trim();
        let named = line
            .split_once(char::is_whitespace)
            .map(|(_, name)| unquoted(name));
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (None, _) => {}
            (Some("\\q" | "exit" | "quit"), None) => return Ok(Next::Leave),
            (Some("\\?" | "\\h" | "help"), None) => aside(HELP.trim_end()),
            (Some("\\timing"), None) => {
                self.timing = !self.timing;
                aside(if self.timing {
                    "Timing is on."
                } else {
                    "Timing is off."
                });
            }
            (Some("\\x"), None) => {
                aside(if app.printer.turn_records() {
                    "Rows are shown as records."
                } else {
                    "Rows are shown as tables where they fit."
                });
            }
            (Some("\\i"), Some(_)) => {
                let text = Text::of_file(&named.unwrap_or_default())?;
                self.query(text, app, engine).await?;
            }
            (Some("\\e"), None) => {
                let edited = tokio::task::block_in_place(|| edit(&self.last, &app.environment))?;
                if has_code(&edited) {
                    self.query(Text::given(edited), app, engine).await?;
                }
            }
            (Some("\\o"), _) => app
                .printer
                .redirect(named.as_deref().map(new_file).transpose()?)?,
            (Some("\\copy"), _) => self.copy(text, app, engine).await?,
            (Some("\\d"), None) => app.printer.listing(&tables())?,
            (Some("\\d"), Some(table)) => describe(table, app, engine).await?,
            (Some(word), _) if word.starts_with('\\') => aside(HELP.trim_end()),
            _ => self.query(Text::given(text.to_owned()), app, engine).await?,
        }
        Ok(Next::Read)
    }

    async fn query(&mut self, text: Text, app: &mut App, engine: &Engine) -> Outcome {
        let begun = Instant::now();
        self.last.clone_from(&text.text);
        let texts = [text];
        let interrupted = self.interrupts.pressed.notified();
        self.interrupts.state.store(RUNNING, Ordering::SeqCst);
        let rows = tokio::select! {
            biased;
            // At the prompt the editor takes the key; here it ends the statement and not the session.
            () = interrupted => None,
            rows = print_all(engine, &texts, Some(ROWS_ON_A_TERMINAL), &mut app.printer) => Some(rows),
        };
        self.interrupts.state.store(IDLE, Ordering::SeqCst);
        app.printer.end_pages()?;
        let Some(rows) = rows else {
            aside("cancelled");
            return Ok(());
        };
        let rows = rows?;
        let plural = plural(rows);
        if self.timing {
            let seconds = begun.elapsed().as_secs_f64();
            aside(&format!("({rows} row{plural}, {seconds:.3} s)"));
        } else {
            aside(&format!("({rows} row{plural})"));
        }
        Ok(())
    }
}

impl Session {
    /// Writes the rows of a table or query to a file.
    async fn copy(&self, text: &str, app: &App, engine: &Engine) -> Outcome {
        let (statement, file) = copy::parsed(text)?;
        let target = Target::of(file, false)?;
        Engine::check(&statement)?;
        let zone = app.config.display.time_zone.value;
        self.interrupts.state.store(RUNNING, Ordering::SeqCst);
        let written = target.write(engine, &statement, zone).await;
        self.interrupts.state.store(IDLE, Ordering::SeqCst);
        match written? {
            Some(rows) => aside(&format!(
                "({rows} row{} in {})",
                plural(rows),
                target.path().display()
            )),
            None => aside("cancelled"),
        }
        Ok(())
    }
}

const fn plural(rows: u64) -> &'static str {
    if rows == 1 { "" } else { "s" }
}

/// A file that results go to; one that is there is emptied.
fn new_file(name: &str) -> Result<File, OperatorMessage> {
    File::create(name).map_err(|e| unwritable(Path::new(name), e))
}

fn tables() -> Listing {
    let mut listing = Listing::of_text(&["table", "description"]);
    for table in nsc_contracts::open_tables() {
        listing.push([Cell::Text(table.full_name()), Cell::text(table.description)]);
    }
    listing
}

/// The contract's columns, and those a source added.
async fn describe(table: &str, app: &mut App, engine: &Engine) -> Outcome {
    let contract = named(table)?;
    let mut listing = Listing::of_text(&["column", "type", "null", "meaning"]);
    for c in contract.columns {
        let null = if c.nullable { "" } else { "not null" };
        listing.push([
            Cell::text(c.name),
            Cell::text(c.ty.name()),
            Cell::text(null),
            Cell::text(c.description),
        ]);
    }
    if let Some(stored) = engine.lake().existing(contract).await? {
        let added = stored.schema();
        let added = added
            .fields()
            .iter()
            .filter(|f| contract.columns.iter().all(|c| c.name != f.name()));
        for field in added {
            listing.push([
                Cell::text(field.name()),
                Cell::text("string"),
                Cell::text(""),
                Cell::text("added by a source"),
            ]);
        }
    }
    Ok(app.printer.listing(&listing)?)
}

fn editor(app: &App) -> Reedline {
    let mut keys = default_emacs_keybindings();
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![
            ReedlineEvent::Menu(MENU.to_owned()),
            ReedlineEvent::MenuNext,
        ]),
    );
    let menu = ColumnarMenu::default().with_name(MENU);
    let editor = Reedline::create()
        .with_validator(Box::new(UntilSemicolon))
        .with_completer(Box::new(SqlCompleter))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_ansi_colors(app.terminal.stdout_color);
    match history_file(app).map(|file| FileBackedHistory::with_file(HISTORY_ENTRIES, file)) {
        Some(Ok(history)) => editor.with_history(Box::new(history)),
        Some(Err(e)) => {
            tracing::warn!(error = %e, "the history is not kept");
            editor
        }
        None => editor,
    }
}

/// `NSC_HISTORY`, else the XDG state directory, else `~/.local/state`.
fn history_file(app: &App) -> Option<PathBuf> {
    let env = &app.environment;
    if let Some(named) = env.get("NSC_HISTORY") {
        return Some(PathBuf::from(named));
    }
    let state = env.get("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| {
        env.get("HOME")
            .map(|home| PathBuf::from(home).join(".local/state"))
    })?;
    Some(state.join("nsc").join("sql_history"))
}
