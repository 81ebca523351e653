//! From a request's headers to a principal.

use std::time::Duration;

use http::HeaderMap;
use jsonwebtoken::{Algorithm, crypto};
use nsc_core::UtcMicros;
use tokio_util::sync::CancellationToken;

use super::claims::Expectations;
use super::jwks::VerifyingKey;
use super::keys::{KeyError, KeyPolicy, Keys};
use super::source::KeySource;
use super::{MAX_TRIES, Principal, SigningAlgorithm, TokenError, UnverifiedToken, bearer_token};
use crate::base64url;
use crate::error::ApiError;
use crate::options::{AuthOptions, OidcOptions};

/// Why nobody is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthFailure {
    /// The token is at fault: 401.
    Token(TokenError),
    /// The issuer's keys are at fault: 503, for another try may succeed.
    KeysUnavailable {
        /// When it is worth one.
        retry_after: Duration,
    },
}

/// Knows who asks.
pub(crate) enum Authenticator {
    /// Whoever reaches the address.
    Disabled {
        /// Under any name, as the operator has said explicitly.
        on_any_address: bool,
    },
    /// The holder of a token.
    Oidc(Box<Oidc>),
}

pub(crate) struct Oidc {
    keys: Keys,
    expected: Expectations,
}

impl Authenticator {
    pub(crate) fn new(options: &AuthOptions, local: bool) -> Result<Self, ApiError> {
        match options {
            AuthOptions::Disabled { on_any_address } => Ok(Self::Disabled {
                on_any_address: *on_any_address,
            }),
            AuthOptions::Oidc(oidc) => Ok(Self::Oidc(Box::new(Oidc::new(oidc, local)?))),
        }
    }

    pub(crate) async fn authenticate(
        &self,
        headers: &HeaderMap,
        now: UtcMicros,
    ) -> Result<Principal, AuthFailure> {
        match self {
            Self::Disabled { .. } => Ok(Principal::local()),
            Self::Oidc(oidc) => oidc.authenticate(headers, now).await,
        }
    }

    /// Whether a request must be addressed to this machine: nothing else tells its users from a web page that one of
    /// them looks at.
    pub(crate) const fn needs_loopback_host(&self) -> bool {
        matches!(
            self,
            Self::Disabled {
                on_any_address: false
            }
        )
    }

    /// Whether somebody can be authenticated at this moment.
    pub(crate) fn ready(&self) -> bool {
        match self {
            Self::Disabled { .. } => true,
            Self::Oidc(oidc) => oidc.keys.ready(),
        }
    }

    /// What has to go on in the background; returns at the shutdown.
    pub(crate) async fn run(&self, shutdown: &CancellationToken) {
        if let Self::Oidc(oidc) = self {
            oidc.keys.keep_fresh(shutdown).await;
        }
    }
}

impl Oidc {
    fn new(options: &OidcOptions, local: bool) -> Result<Self, ApiError> {
        let policy = KeyPolicy {
            refresh: options.refresh,
            refetch_every: options.refetch_every,
            max_age: options.max_key_age,
        };
        Ok(Self {
            keys: Keys::new(KeySource::new(options, local)?, policy),
            expected: Expectations {
                issuer: options.issuer.clone(),
                audiences: options.audiences.clone(),
                roles_claims: options.roles_claims.clone(),
                leeway: options.leeway,
            },
        })
    }

    async fn authenticate(&self, headers: &HeaderMap, now: UtcMicros) -> Result<Principal, AuthFailure> {
        let token = bearer_token(headers)
            .and_then(UnverifiedToken::parse)
            .map_err(AuthFailure::Token)?;
        let fitting = self.keys.find(&token.jose).await.map_err(|e| match e {
            KeyError::Unknown => AuthFailure::Token(TokenError::UnknownKey),
            KeyError::Unavailable { retry_after } => AuthFailure::KeysUnavailable { retry_after },
        })?;
        if !fitting.keys.iter().any(|key| verifies(&token, key)) {
            if fitting.is_cut {
                tracing::warn!(
                    tried = MAX_TRIES,
                    "more of the issuer's keys fit a token than are tried"
                );
                return Err(AuthFailure::Token(TokenError::TooManyKeys));
            }
            return Err(AuthFailure::Token(TokenError::Signature));
        }
        let claims =
            base64url::decode(token.claims.as_bytes()).ok_or(AuthFailure::Token(TokenError::Malformed))?;
        self.expected.principal(&claims, now).map_err(AuthFailure::Token)
    }
}

fn verifies(token: &UnverifiedToken<'_>, key: &VerifyingKey) -> bool {
    let algorithm = match key.algorithm {
        SigningAlgorithm::Rs256 => Algorithm::RS256,
        SigningAlgorithm::Es256 => Algorithm::ES256,
    };
    crypto::verify(token.signature, token.signed.as_bytes(), &key.key, algorithm).unwrap_or(false)
}
