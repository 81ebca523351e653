//! Why a statement was not answered.

use nsc_core::{ErrorCode, OperatorError, OperatorMessage};
use nsc_lake::LakeError;

/// Why a statement was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The statement, or what it asks for, is refused.
    #[error(transparent)]
    Refused(#[from] OperatorMessage),
    /// The lake refused.
    #[error(transparent)]
    Lake(#[from] LakeError),
}

impl OperatorError for QueryError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(error) => error.code(),
            Self::Lake(error) => error.code(),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::Refused(error) => error.detail(),
            Self::Lake(error) => error.detail(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(error) => error.hint(),
            Self::Lake(error) => error.hint(),
        }
    }
}
