//! The log: one subscriber for the process, for people or for machines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;

use crate::best_effort::BestEffort;
use crate::json_line::JsonLine;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// As the configuration writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LogFormat {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            _ => Err(LogError::Format(text.to_owned())),
        }
    }
}

/// What to log and how.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// For people or for machines.
    pub format: LogFormat,
    /// A level (`info`) or directives (`warn,nsc_lake=debug`).
    pub filter: String,
    /// Whether lines for people may hold colours.
    pub color: bool,
}

/// Why logging could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Neither `pretty` nor `json`.
    #[error("log format {0:?} is neither pretty nor json")]
    Format(String),
    /// Not a level and not a list of directives.
    #[error("log filter {filter:?} is not a level or a list of target=level: {reason}")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The process has a subscriber already.
    #[error("the log is already set up")]
    AlreadySet,
}

const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// Sends the process's log to stderr. A line that cannot be written is lost; the process goes on.
///
/// # Errors
/// When the filter is not understood, or the log was set up before.
pub fn init(options: &LogOptions) -> Result<(), LogError> {
    init_with_writer(options, std::io::stderr)
}

/// As [`init`], to another writer (one that knows about a progress bar on the same terminal).
///
/// # Errors
/// As [`init`].
pub fn init_with_writer<W>(options: &LogOptions, writer: W) -> Result<(), LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(&options.filter)?)
        .with_writer(BestEffort(writer))
        .log_internal_errors(false);
    let set = match options.format {
        LogFormat::Pretty => tracing::subscriber::set_global_default(lines.with_ansi(options.color).finish()),
        LogFormat::Json => {
            let lines = lines
                .with_ansi(false)
                .fmt_fields(JsonFields::new())
                .event_format(JsonLine);
            tracing::subscriber::set_global_default(lines.finish())
        }
    };
    set.map_err(|_| LogError::AlreadySet)
}

/// Whether a filter can be used and says something of targets that begin with `target`: a level for all, or directives
/// of which one names such a target.
#[must_use]
pub fn is_filter_for(text: &str, target: &str) -> bool {
    let says = |directive: &str| match directive.split_once('=') {
        None => true,
        Some((named, _)) => named.trim().starts_with(target),
    };
    filter(text).is_ok() && text.split(',').any(says)
}

/// A bare word must be a level: the library would take a misspelt one for the name of a target.
fn filter(text: &str) -> Result<EnvFilter, LogError> {
    let refused = |reason: String| LogError::Filter {
        filter: text.to_owned(),
        reason,
    };
    if let Some(word) = text
        .split(',')
        .map(str::trim)
        .find(|d| !d.contains('=') && !LEVELS.iter().any(|level| level.eq_ignore_ascii_case(d)))
    {
        return Err(refused(format!("{word:?} is none of {}", LEVELS.join(", "))));
    }
    EnvFilter::try_new(with_quiet_libraries(&with_service(text))).map_err(|e| refused(e.to_string()))
}

/// The target of the few lines that say a service has started, what it works with, and that it ends: they are logged at any
/// level but `off`, for a service that says nothing looks like one that hangs.
pub const SERVICE: &str = "nsc_service";

/// The filter with [`SERVICE`], unless it says something of it, or that nothing is wanted.
fn with_service(text: &str) -> String {
    let is_off = text.trim().eq_ignore_ascii_case("off");
    if is_off || text.contains(SERVICE) {
        text.to_owned()
    } else {
        format!("{text},{SERVICE}=info")
    }
}

/// Libraries that report as errors what their callers expect and handle (no table yet, a lost race that is
/// redone); what matters of it is logged by us.
const QUIET: &[&str] = &[
    "buoyant_kernel=off",
    "delta_kernel=off",
    "deltalake_core::kernel::transaction=off",
];

/// Unless somebody looks for trouble (debug, trace) or names the library, its false alarms are left out.
fn with_quiet_libraries(text: &str) -> String {
    let looking = text
        .to_ascii_lowercase()
        .split(',')
        .any(|d| d.trim().ends_with("debug") || d.trim().ends_with("trace"));
    let named = |quiet: &&&str| {
        quiet
            .split('=')
            .next()
            .is_some_and(|target| text.contains(target))
    };
    if looking {
        return text.to_owned();
    }
    QUIET
        .iter()
        .filter(|q| !named(q))
        .fold(text.to_owned(), |filter, quiet| format!("{filter},{quiet}"))
}

#[cfg(test)]
mod tests {
    use super::{LogError, LogFormat, filter, is_filter_for, with_quiet_libraries, with_service};

    #[test]
    fn formats_are_named() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!("JSON".parse::<LogFormat>(), Err(LogError::Format("JSON".into())));
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let refused = |text: &str| filter(text).err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(refused("warn,nsc_lake=debug"), "");
        assert!(refused("debgu").contains("\"debgu\" is none of off, error"));
        assert!(refused("nsc_lake=loud").contains("nsc_lake=loud"));
    }

    #[test]
    fn levels_are_read_in_any_case() {
        for text in ["INFO", "Warn,nsc_lake=DEBUG", "nsc=Trace"] {
            assert!(filter(text).is_ok(), "{text}");
        }
        assert_eq!(with_quiet_libraries("DEBUG"), "DEBUG");
    }

    #[test]
    fn a_filter_is_for_a_program_when_it_says_something_of_it() {
        for text in [
            "info",
            "INFO",
            "hyper=warn,nsc_lake=debug",
            "warn,hyper=off",
            "nsc=debug",
        ] {
            assert!(is_filter_for(text, "nsc"), "{text}");
        }
        for text in [
            "hyper=warn",
            "hyper",
            "info,h2",
            "",
            "info,",
            "h2=loud",
            "info/connect",
            "[span]=x=y",
        ] {
            assert!(!is_filter_for(text, "nsc"), "{text}");
        }
    }

    #[test]
    fn services_say_that_they_start_at_any_level_but_off() {
        let directives = |text: &str| filter(text).map(|f| f.to_string()).unwrap_or_default();
        assert!(directives("warn").contains("nsc_service=info"));
        assert!(!directives("off").contains("nsc_service"));
        assert_eq!(with_service("warn"), "warn,nsc_service=info");
        assert_eq!(
            with_service("error,nsc_lake=debug"),
            "error,nsc_lake=debug,nsc_service=info"
        );
        for text in ["off", " OFF", "warn,nsc_service=off", "nsc_service=debug"] {
            assert_eq!(with_service(text), text);
        }
    }

    #[test]
    fn false_alarms_are_left_out_unless_asked_for() {
        assert!(with_quiet_libraries("warn").starts_with("warn,buoyant_kernel=off,"));
        assert!(!with_quiet_libraries("warn,buoyant_kernel=error").contains("buoyant_kernel=off"));
        assert_eq!(with_quiet_libraries("debug"), "debug");
    }
}
