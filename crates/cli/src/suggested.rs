//! Values that a shell may complete, of arguments that take others too, or of which our own error says more than the
//! parser's.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

/// Reads a value; completions offer some.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suggested<T> {
    read: fn(&str) -> Result<T, String>,
    offered: fn() -> Vec<String>,
}

impl<T> Suggested<T> {
    /// A value that `read` understands; the argument hides the possible values, or its help lists all that are offered.
    pub(crate) const fn new(read: fn(&str) -> Result<T, String>, offered: fn() -> Vec<String>) -> Self {
        Self { read, offered }
    }
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Suggested<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let read = self.read;
        (move |text: &str| read(text)).parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.offered)().into_iter().map(PossibleValue::new)))
    }
}

/// Any text, for whoever asks further: a table of the contract.
#[cfg(feature = "lakehouse")]
pub(crate) const fn table() -> Suggested<String> {
    Suggested::new(
        |text| Ok(text.to_owned()),
        || nsc_contracts::open_tables().map(|t| t.full_name()).collect(),
    )
}

/// Likewise: a source, by its own name.
#[cfg(feature = "lakehouse")]
pub(crate) const fn source() -> Suggested<String> {
    Suggested::new(
        |text| Ok(text.to_owned()),
        || nsc_contracts::SOURCES.iter().map(|s| s.name.to_owned()).collect(),
    )
}

/// Likewise: an error code.
pub(crate) const fn error_code() -> Suggested<String> {
    Suggested::new(
        |text| Ok(text.to_owned()),
        || {
            nsc_core::ErrorCode::ALL
                .iter()
                .map(|code| code.to_string())
                .collect()
        },
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap_complete::Shell;

    use crate::args::Cli;

    #[test]
    fn a_shell_completes_tables_types_sources_and_codes() {
        let mut script = Vec::new();
        clap_complete::generate(Shell::Bash, &mut Cli::command(), "nsc", &mut script);
        let script = String::from_utf8(script).unwrap();
        for value in [
            "gold.exception_ledger",
            "RECON_DRIFT_HIGH",
            "transaction_ledger",
            "NSC0401",
        ] {
            assert!(script.contains(value), "{value}");
        }
    }
}
