//! A failure as the operator reads it: ERROR / DETAIL / HINT on stderr and the command that explains it, or one JSON object.

use std::error::Error;
use std::io::{self, Write};

use nsc_core::OperatorError;
use serde_json::json;

use crate::error_pages::title;
use crate::language::Language;
use crate::output::visible;

/// How to print a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureStyle {
    /// For people; the flag says whether in colour.
    Text {
        /// Use ANSI colours.
        color: bool,
        /// In Korean the title stands before the message.
        language: Language,
    },
    /// One JSON object on one line.
    Json,
}

const RED_BOLD: &str = "\x1b[1;31m";
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

/// Prints a failure.
pub(crate) fn print(out: &mut dyn Write, error: &dyn OperatorError, style: FailureStyle) -> io::Result<()> {
    match style {
        FailureStyle::Text { color, language } => print_text(out, error, color, language),
        FailureStyle::Json => writeln!(out, "{}", as_json(error)),
    }
}

/// The error as JSON, the same fields as the text.
pub(crate) fn as_json(error: &dyn OperatorError) -> serde_json::Value {
    let code = error.code();
    json!({"error": {
        "code": code.to_string(),
        "title": code.title(),
        "message": error.to_string(),
        "detail": error.detail(),
        "causes": causes(error),
        "hint": error.hint(),
        "explained_by": code.explained_by(),
        "exit_code": code.exit_status().number(),
    }})
}

fn print_text(
    out: &mut dyn Write,
    error: &dyn OperatorError,
    color: bool,
    language: Language,
) -> io::Result<()> {
    let paint = |style: &str, text: &str| {
        if color {
            format!("{style}{text}{RESET}")
        } else {
            text.to_owned()
        }
    };
    let message = error.to_string();
    let title = match language {
        Language::English => String::new(),
        Language::Korean => format!(" {}", title(error.code(), language)),
    };
    writeln!(
        out,
        "{} {}{title}: {}",
        paint(RED_BOLD, "ERROR"),
        error.code(),
        visible(&message)
    )?;
    let detail: Vec<String> = error.detail().into_iter().chain(causes(error)).collect();
    if !detail.is_empty() {
        writeln!(
            out,
            "{}: {}",
            paint(BOLD, "DETAIL"),
            indented(&visible(&detail.join("\n")), "DETAIL: ".len())
        )?;
    }
    if let Some(hint) = error.hint() {
        writeln!(
            out,
            "{}: {}",
            paint(BOLD, "HINT"),
            indented(&visible(&hint), "HINT: ".len())
        )?;
    }
    writeln!(out, "{}", error.code().explained_by())
}

/// What the error's message and detail do not say yet.
fn causes(error: &dyn OperatorError) -> Vec<String> {
    let mut told = error.to_string();
    told.push_str(error.detail().as_deref().unwrap_or_default());
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !told.contains(&text) {
            told.push_str(&text);
            causes.push(format!("caused by: {text}"));
        }
        source = Error::source(cause);
    }
    causes
}

/// Continuation lines start under the first.
fn indented(text: &str, by: usize) -> String {
    text.trim_end().replace('\n', &format!("\n{}", " ".repeat(by)))
}

#[cfg(test)]
mod tests {
    use nsc_core::ErrorCode;

    use super::{FailureStyle, print};
    use crate::failure::{Failure, OperatorMessage};
    use crate::language::Language;

    const ENGLISH: FailureStyle = FailureStyle::Text {
        color: false,
        language: Language::English,
    };

    fn printed(failure: &Failure, style: FailureStyle) -> String {
        let mut out = Vec::new();
        print(&mut out, failure.error(), style).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_error_reads_like_one_of_postgresql() {
        let refusal =
            OperatorMessage::new(ErrorCode::RuleChanged, "rule x is stored with another definition")
                .with_detail("threshold: 1 -> 2\nseverity_map.crit: 1 -> 2")
                .with_hint("Give the rule a new id.");
        let failure = Failure::from(refusal);
        insta::assert_snapshot!(printed(&failure, ENGLISH), @r"
        ERROR NSC0303: rule x is stored with another definition
        DETAIL: threshold: 1 -> 2
                severity_map.crit: 1 -> 2
        HINT: Give the rule a new id.
        nsc explain error NSC0303
        ");
        assert!(
            printed(
                &failure,
                FailureStyle::Text {
                    color: true,
                    language: Language::English
                }
            )
            .starts_with("\u{1b}[1;31mERROR\u{1b}[0m NSC0303")
        );
        insta::assert_snapshot!(printed(&failure, FailureStyle::Json));
    }

    /// An error quotes what a file, a server or a stranger says.
    #[test]
    fn what_an_error_quotes_reaches_the_terminal_without_its_controls() {
        let refusal = OperatorMessage::usage("\u{1b}]0;owned\u{7}no")
            .with_detail("a\nb\u{1b}[2J")
            .with_hint("\u{9b}1m");
        let said = printed(&Failure::from(refusal), ENGLISH);
        assert_eq!(
            said,
            "ERROR NSC0002: \\u{1b}]0;owned\\u{7}no\nDETAIL: a\n        b\\u{1b}[2J\nHINT: \\u{9b}1m\nnsc explain error NSC0002\n"
        );
    }

    #[test]
    fn what_nobody_foresaw_tells_its_causes() {
        let cause = std::io::Error::other("disk on fire");
        let failure = Failure::unexpected("writing the report", cause);
        insta::assert_snapshot!(printed(&failure, ENGLISH), @r"
        ERROR NSC0001: writing the report
        DETAIL: caused by: disk on fire
        HINT: This looks like a defect of nsc: run again with --log debug and report both.
        nsc explain error NSC0001
        ");
    }
}
