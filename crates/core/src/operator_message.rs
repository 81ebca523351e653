//! A refusal that is all words: code, message, detail and hint.

use std::error::Error;
use std::fmt;

use crate::{ErrorCode, OperatorError};

/// What is asked for and not done: a code and words, for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorMessage {
    code: ErrorCode,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl OperatorMessage {
    /// A refusal under a code.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    /// The same as another error says, where that one cannot be moved out of what wraps it.
    #[must_use]
    pub fn of(error: &dyn OperatorError) -> Self {
        Self {
            code: error.code(),
            message: error.to_string(),
            detail: error.detail(),
            hint: error.hint(),
        }
    }

    /// A command line that cannot be done.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Usage, message)
    }

    /// A configuration that cannot be used.
    #[must_use]
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Configuration, message)
    }

    /// Adds what exactly was seen.
    #[must_use]
    pub fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for OperatorMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for OperatorMessage {}

impl OperatorError for OperatorMessage {
    fn code(&self) -> ErrorCode {
        self.code
    }

    fn detail(&self) -> Option<String> {
        self.detail.clone()
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
