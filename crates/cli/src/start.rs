//! From the process's arguments to its exit code.

use std::any::Any;
use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use nsc_core::ExitStatus;

use crate::app::App;
use crate::args::Cli;
use crate::dispatch::dispatch;
use crate::environment::Environment;
use crate::failure::{Failure, OperatorMessage, Outcome};
use crate::failure_text::{self, FailureStyle};
use crate::output::{Look, Printer};
use crate::terminal::{ColorChoice, Terminal};
use crate::{allocator, args, arguments, commands, signals};

/// Runs the process.
pub(crate) fn start() -> ExitCode {
    let env = Environment::of_this_process();
    let arguments = arguments::without_blank_parameters(std::env::args_os().collect());
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(e) => return not_understood(&e, &arguments, &env),
    };
    let terminal = Terminal::of_this_process(cli.global.color, &env);
    let style = style_of(cli.global.format.is_json(), terminal);
    let words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
    let command_line = format!("nsc {}", words.collect::<Vec<_>>().join(" "));
    ended(execute(cli, env, terminal, command_line), style)
}

fn execute(cli: Cli, env: Environment, terminal: Terminal, command_line: String) -> Outcome<ExitStatus> {
    allocator::suit(&cli.command);
    if let args::Command::Explain(explain) = &cli.command {
        let mut printer = Printer::to_stdout(cli.global.format, Look::without_times(terminal));
        if let Some(outcome) = explain.handled_alone(&mut printer) {
            return outcome;
        }
    }
    let args::Cli { global, command } = cli;
    let mut flags = global.flags();
    command.add_to(&mut flags);
    let mut app = App::new(&global, &flags, command.scope(), env, terminal)?;
    app.command_line = command_line;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(app.config.resources.threads.value)
        .enable_all()
        .build()
        .map_err(|e| Failure::unexpected("starting the runtime", e))?;
    signals::end_the_first_process(grace_of(&command));
    let dispatched = catch_unwind(AssertUnwindSafe(|| runtime.block_on(dispatch(command, app))));
    let outcome = dispatched.unwrap_or_else(|panic| Err(defect(panic.as_ref())));
    // Whatever still runs in the background (a lock's renewal) has nothing more to say.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

/// A panic as the error it is: of this program, or of a library that was given bytes it did not expect.
fn defect(panic: &(dyn Any + Send)) -> Failure {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    Failure::unexpected(
        "a defect, or a data file whose bytes were changed (nsc doctor)",
        std::io::Error::other(said.unwrap_or("no reason was given").to_owned()),
    )
}

/// How long a command may take to write down that it was interrupted: a run of a pipeline does.
fn grace_of(command: &args::Command) -> Duration {
    #[cfg(feature = "lakehouse")]
    if matches!(
        command,
        args::Command::Lakehouse(commands::lakehouse::LakehouseCommand::Run(_))
    ) {
        return signals::GRACE;
    }
    Duration::ZERO
}

fn style_of(json: bool, terminal: Terminal) -> FailureStyle {
    if json {
        FailureStyle::Json
    } else {
        FailureStyle::Text {
            color: terminal.stderr_color,
            language: terminal.language,
        }
    }
}

fn ended(outcome: Outcome<ExitStatus>, style: FailureStyle) -> ExitCode {
    let status = match outcome {
        Ok(status) => status,
        Err(failure) if failure.is_broken_pipe() => ExitStatus::Ok,
        Err(failure) => {
            report(&failure, style);
            failure.error().code().exit_status()
        }
    };
    ExitCode::from(status.number())
}

fn report(failure: &Failure, style: FailureStyle) {
    let mut text = Vec::new();
    // Nothing is left to be done when stderr is gone as well.
    let _ = failure_text::print(&mut text, failure.error(), style);
    let _ = std::io::stderr().write_all(&text);
}

/// Help and version are results; anything else clap says is an error of ours, in our form.
fn not_understood(error: &clap::Error, arguments: &[OsString], env: &Environment) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let terminal = Terminal::of_this_process(ColorChoice::Auto, env);
    ended(
        Err(refusal_of(error).into()),
        style_of(asks_for_json(arguments), terminal),
    )
}

fn refusal_of(error: &clap::Error) -> OperatorMessage {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return OperatorMessage::usage("a command is missing")
            .with_detail(error.render())
            .with_hint("nsc --help");
    }
    if let Some(refusal) = arguments::replaced(error) {
        return refusal;
    }
    let text = error.render().to_string();
    let mut paragraphs = text.trim().split("\n\n").map(str::trim);
    let mut lines = paragraphs
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .lines()
        .map(str::trim);
    let first = lines.next().unwrap_or_default();
    let listed: Vec<&str> = lines.collect();
    let message = if first.ends_with(':') {
        format!("{first} {}", listed.join(", "))
    } else {
        first.to_owned()
    };
    let rest: Vec<&str> = paragraphs
        .filter(|p| !p.starts_with("For more information"))
        .collect();
    let own_lines = if first.ends_with(':') { Vec::new() } else { listed };
    let detail = own_lines
        .into_iter()
        .chain(rest.iter().copied())
        .collect::<Vec<_>>()
        .join("\n");
    let refusal = OperatorMessage::usage(message);
    let refusal = if detail.is_empty() {
        refusal
    } else {
        refusal.with_detail(detail)
    };
    refusal.with_hint(format!("{} --help", command_of(&rest)))
}

/// The command whose usage clap quotes: `Usage: nsc table show <TABLE>` is about `nsc table show`.
fn command_of(paragraphs: &[&str]) -> String {
    let usage = paragraphs
        .iter()
        .find_map(|p| p.strip_prefix("Usage: "))
        .unwrap_or("nsc");
    let words: Vec<&str> = usage
        .split_whitespace()
        .take_while(|w| w.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    words.join(" ")
}

/// Looked for by hand: the arguments did not parse.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let texts: Vec<&str> = arguments.iter().filter_map(|a| a.to_str()).collect();
    texts
        .iter()
        .any(|a| matches!(*a, "--format=json" | "--format=ndjson"))
        || texts
            .windows(2)
            .any(|w| matches!(w, ["--format", "json" | "ndjson"]))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use nsc_core::OperatorError;

    use super::refusal_of;
    use crate::args::Cli;

    fn refused(arguments: &[&str]) -> String {
        let error = Cli::try_parse_from([&["nsc"], arguments].concat()).unwrap_err();
        let refusal = refusal_of(&error);
        format!(
            "{refusal}\n  detail: {}\n  hint: {}",
            refusal.detail().unwrap_or_default().replace('\n', "\n    "),
            refusal.hint().unwrap_or_default()
        )
    }

    #[test]
    fn what_clap_refuses_becomes_an_error_of_ours() {
        let said = [
            refused(&["tabel"]),
            refused(&["table", "show"]),
            refused(&["config", "show", "--colour"]),
            refused(&["config", "show", "--format", "xml"]),
        ];
        insta::assert_snapshot!(said.join("\n\n"));
    }
}
