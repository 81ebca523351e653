//! Why the API does not start, or stopped: what an operator reads.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use nsc_auth::AuthError;
use nsc_core::{ErrorCode, OperatorError};

/// Why the API does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Nobody would be asked who they are, outside a developer's machine.
    #[error("authentication cannot be disabled in environment {environment}")]
    DisabledOutsideLocal {
        /// The environment.
        environment: String,
    },
    /// Nobody would be asked who they are, and other machines reach the address.
    #[error("authentication cannot be disabled on {address}")]
    DisabledOnOpenAddress {
        /// The address.
        address: SocketAddr,
    },
    /// A setting without which no token can be judged.
    #[error("authentication with tokens needs {setting}")]
    Incomplete {
        /// Which one.
        setting: &'static str,
    },
    /// The issuer's keys cannot be had.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// A certificate or key that cannot be served with.
    #[error("TLS cannot be served with {}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The listener failed.
    #[error("the API cannot be served")]
    Serve(#[from] io::Error),
}

impl OperatorError for ApiError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::DisabledOutsideLocal { .. }
            | Self::DisabledOnOpenAddress { .. }
            | Self::Incomplete { .. } => ErrorCode::AuthConfiguration,
            Self::Auth(error) => error.code(),
            Self::Tls { .. } | Self::Serve(_) => ErrorCode::Listen,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::DisabledOutsideLocal { .. } => Some("AUTH_MODE is disabled".to_owned()),
            Self::DisabledOnOpenAddress { .. } => {
                Some("AUTH_MODE is disabled, and other machines may reach this address".to_owned())
            }
            Self::Incomplete { .. } => None,
            Self::Auth(error) => error.detail(),
            Self::Tls { reason, .. } => Some(reason.clone()),
            Self::Serve(error) => Some(error.to_string()),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::DisabledOutsideLocal { .. } => "set AUTH_MODE=oidc, OIDC_ISSUER and OIDC_AUDIENCE",
            Self::DisabledOnOpenAddress { .. } => {
                "listen on 127.0.0.1, set AUTH_MODE=oidc, or say explicitly that any address is meant"
            }
            Self::Incomplete { .. } => {
                "set OIDC_ISSUER and OIDC_AUDIENCE to the application registered with the issuer"
            }
            Self::Auth(error) => return error.hint(),
            Self::Tls { .. } => "give PEM files that belong together and that this process may read",
            Self::Serve(_) => "choose another address",
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use nsc_core::{ErrorCode, OperatorError};

    use super::ApiError;

    #[test]
    fn the_page_of_the_code_shows_what_is_printed() {
        let error = ApiError::DisabledOutsideLocal {
            environment: "prod".to_owned(),
        };
        assert_eq!(error.code(), ErrorCode::AuthConfiguration);
        assert_eq!(
            error.to_string(),
            "authentication cannot be disabled in environment prod"
        );
        assert_eq!(error.detail().as_deref(), Some("AUTH_MODE is disabled"));
        assert_eq!(
            error.hint().as_deref(),
            Some("set AUTH_MODE=oidc, OIDC_ISSUER and OIDC_AUDIENCE")
        );
    }
}
