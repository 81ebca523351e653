//! What a request may say: ids in the path and the query of a wallet's list. Nothing is guessed at, and a refusal
//! names the parameter. Pure functions from text, so that a fuzzer can reach all of it.

mod order;
mod path_id;
mod percent;
mod query;
mod time;
mod wallet;

pub use crate::endpoint::MAX_ID_CHARS;
pub use order::{OrderParameters, order_parameters};
pub use path_id::path_id;
pub use query::no_query;
pub use wallet::{DEFAULT_LIMIT, MAX_LIMIT, WalletParameters, wallet_parameters};

pub(crate) use query::redacted;

/// Where a parameter stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A segment of the path.
    Path,
    /// The query.
    Query,
}

impl Place {
    /// As a problem's `errors` write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
        }
    }
}

/// How wrong a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is understood and cannot be accepted: answered with 422.
    Unacceptable,
    /// It is not a parameter of this request, or no text: answered with 400.
    Malformed,
}

/// Why a parameter was refused. The value is not repeated: it may be somebody's data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} parameter {parameter:?} {detail}", place.name())]
pub struct ParameterError {
    /// Its name, cut when the client made it up.
    pub parameter: String,
    /// Where it stands.
    pub place: Place,
    /// How wrong it is.
    pub fault: Fault,
    /// What is expected, as the end of a sentence that begins with the name.
    pub detail: &'static str,
}

impl ParameterError {
    pub(crate) fn malformed(place: Place, parameter: impl Into<String>, detail: &'static str) -> Self {
        Self {
            parameter: parameter.into(),
            place,
            fault: Fault::Malformed,
            detail,
        }
    }

    pub(crate) fn unacceptable(place: Place, parameter: impl Into<String>, detail: &'static str) -> Self {
        Self {
            parameter: parameter.into(),
            place,
            fault: Fault::Unacceptable,
            detail,
        }
    }
}
