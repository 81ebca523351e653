//! Why nobody could be authenticated at all: what an operator reads.

use nsc_core::{ErrorCode, OperatorError};

/// Why the issuer's keys cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// A URL that keys cannot be fetched from.
    #[error("the issuer's keys cannot be fetched from {url:?}")]
    KeyUrl {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No HTTPS connection can be made at all.
    #[error("connections to the issuer cannot be set up")]
    HttpClient(String),
    /// The issuer does not give them now.
    #[error("the issuer's keys cannot be fetched now")]
    Fetch(String),
}

impl OperatorError for AuthError {
    fn code(&self) -> ErrorCode {
        ErrorCode::AuthConfiguration
    }

    fn detail(&self) -> Option<String> {
        match self {
            Self::KeyUrl { reason, .. } | Self::HttpClient(reason) | Self::Fetch(reason) => {
                Some(reason.clone())
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::KeyUrl { .. } => "check OIDC_ISSUER; the issuer's keys must come over https",
            Self::HttpClient(_) => {
                "check that this machine has certificates of authorities (the package ca-certificates)"
            }
            Self::Fetch(_) => "check OIDC_ISSUER, and whether this machine reaches it",
        };
        Some(hint.to_owned())
    }
}
