//! How a command ends when it cannot do what was asked: one error for the operator, whatever its crate.

use std::error::Error;
use std::fmt;
use std::io;

use nsc_core::{ErrorCode, OperatorError};

pub(crate) use nsc_core::OperatorMessage;

/// The error a command handler returns. Any [`OperatorError`] turns into one with `?`.
#[derive(Debug)]
pub(crate) struct Failure(Box<dyn OperatorError + Send + Sync>);

/// What a command handler returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl<E: OperatorError + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Failure {
    /// Wraps what nobody foresaw, with what was being done.
    pub(crate) fn unexpected(doing: &str, error: impl Into<anyhow::Error>) -> Self {
        Self(Box::new(Unexpected(error.into().context(doing.to_owned()))))
    }

    /// The operator's error.
    pub(crate) fn error(&self) -> &(dyn OperatorError + Send + Sync) {
        self.0.as_ref()
    }

    /// Whether the reader of our output has gone (`nsc ... | head`): not an error at all.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        let error: &(dyn Error + 'static) = self.0.as_ref();
        error
            .downcast_ref::<OutputError>()
            .is_some_and(|e| e.0.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Writing to stdout failed.
#[derive(Debug, thiserror::Error)]
#[error("the output could not be written")]
pub(crate) struct OutputError(#[from] pub(crate) io::Error);

impl OperatorError for OutputError {
    fn code(&self) -> ErrorCode {
        ErrorCode::Unexpected
    }

    fn detail(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// An error nobody foresaw; its chain of causes is its detail.
#[derive(Debug)]
struct Unexpected(anyhow::Error);

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Unexpected {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl OperatorError for Unexpected {
    fn code(&self) -> ErrorCode {
        ErrorCode::Unexpected
    }

    fn hint(&self) -> Option<String> {
        Some("This looks like a defect of nsc: run again with --log debug and report both.".to_owned())
    }
}
