//! What we are talking to: a terminal or a pipe, in colour or not.

use std::io::IsTerminal;

use clap::ValueEnum;

use crate::environment::Environment;
use crate::language::Language;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorChoice {
    /// In colour on a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// In colour always.
    Always,
    /// Never in colour.
    Never,
}

/// What stdout and stderr are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Columns of the terminal stdout is; `None` when it is a pipe or file.
    pub(crate) stdout_width: Option<u16>,
    /// Whether stderr is a terminal, so that progress may be drawn.
    pub(crate) stderr_is_terminal: bool,
    /// Colours on stderr.
    pub(crate) stderr_color: bool,
    /// Colours on stdout.
    pub(crate) stdout_color: bool,
    /// The language of whoever looks at it, as the environment says.
    pub(crate) language: Language,
}

impl Terminal {
    /// Looks at the process's streams.
    pub(crate) fn of_this_process(choice: ColorChoice, env: &Environment) -> Self {
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let plain = env.get("NO_COLOR").is_some() || env.get("TERM") == Some("dumb");
        let color = |is_terminal: bool| match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && !plain,
        };
        Self {
            stdout_width: if out {
                comfy_table::Table::new().width().or(Some(100))
            } else {
                None
            },
            stderr_is_terminal: err,
            stderr_color: color(err),
            stdout_color: color(out),
            language: Language::of_environment(env),
        }
    }
}
