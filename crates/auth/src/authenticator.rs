//! From a request's headers to a principal.

use std::time::Duration;

use http::HeaderMap;
use jsonwebtoken::{Algorithm, crypto};
use nsc_core::UtcMicros;
use tokio_util::sync::CancellationToken;

use crate::base64url;
use crate::bearer::bearer_token;
use crate::claims::Expectations;
use crate::error::AuthError;
use crate::jose::{SigningAlgorithm, UnverifiedToken};
use crate::jwks::VerifyingKey;
use crate::keys::{KeyError, KeyPolicy, Keys};
use crate::limits::MAX_TRIES;
use crate::options::{AuthOptions, OidcOptions};
use crate::principal::Principal;
use crate::source::KeySource;
use crate::token_error::TokenError;

/// Why nobody is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthFailure {
    /// The token is at fault: 401.
    Token(TokenError),
    /// The issuer's keys are at fault: 503, for another try may succeed.
    KeysUnavailable {
        /// When it is worth one.
        retry_after: Duration,
    },
}

/// Knows who asks.
pub struct Authenticator(Way);

enum Way {
    /// Whoever reaches the address.
    Disabled {
        /// Under any name, as the operator has said explicitly.
        on_any_address: bool,
    },
    /// The holder of a token.
    Oidc(Box<Oidc>),
}

struct Oidc {
    keys: Keys,
    expected: Expectations,
}

impl Authenticator {
    /// Checks the options; connects to nothing. `local` is the environment of a developer's machine, where an issuer's
    /// keys may come in the clear.
    ///
    /// # Errors
    /// When the issuer's keys cannot be fetched from where they are said to be.
    pub fn new(options: &AuthOptions, local: bool) -> Result<Self, AuthError> {
        Ok(Self(match options {
            AuthOptions::Disabled { on_any_address } => Way::Disabled {
                on_any_address: *on_any_address,
            },
            AuthOptions::Oidc(oidc) => Way::Oidc(Box::new(Oidc::new(oidc, local)?)),
        }))
    }

    /// Who sent a request with these headers.
    ///
    /// # Errors
    /// When the token is at fault, or the issuer's keys cannot be had.
    pub async fn authenticate(&self, headers: &HeaderMap, now: UtcMicros) -> Result<Principal, AuthFailure> {
        match &self.0 {
            Way::Disabled { .. } => Ok(Principal::local()),
            Way::Oidc(oidc) => oidc.authenticate(headers, now).await,
        }
    }

    /// Whether a request must be addressed to this machine: nothing else tells its users from a web page that one of
    /// them looks at.
    #[must_use]
    pub const fn needs_loopback_host(&self) -> bool {
        matches!(
            self.0,
            Way::Disabled {
                on_any_address: false
            }
        )
    }

    /// Whether somebody can be authenticated at this moment.
    #[must_use]
    pub fn ready(&self) -> bool {
        match &self.0 {
            Way::Disabled { .. } => true,
            Way::Oidc(oidc) => oidc.keys.ready(),
        }
    }

    /// Asks the issuer for its keys, once: how many of them can be used. `None` where nobody is asked who they are.
    ///
    /// # Errors
    /// When the issuer does not give them.
    pub async fn ask_issuer(&self) -> Result<Option<usize>, AuthError> {
        match &self.0 {
            Way::Disabled { .. } => Ok(None),
            Way::Oidc(oidc) => oidc.keys.ask().await.map(Some),
        }
    }

    /// What has to go on in the background; returns at the shutdown.
    pub async fn run(&self, shutdown: &CancellationToken) {
        if let Way::Oidc(oidc) = &self.0 {
            oidc.keys.keep_fresh(shutdown).await;
        }
    }
}

impl Oidc {
    fn new(options: &OidcOptions, local: bool) -> Result<Self, AuthError> {
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
