//! Tokens for the brokers by client credentials, for example of Entra ID for Event Hubs.

use std::sync::Arc;
use std::time::Duration;

use nsc_consumer::{OauthToken, TokenError, TokenProvider};
use nsc_core::{Clock, MICROS_PER_SECOND, SystemClock};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::failure::{Failure, Outcome};

/// How long the token endpoint may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client and the endpoint that gives it tokens (RFC 6749, 4.4).
#[derive(Debug, Clone)]
pub(crate) struct ClientCredentials {
    pub(crate) token_url: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    pub(crate) scope: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    /// Seconds.
    expires_in: i64,
}

/// Asks the endpoint whenever the client library needs a token.
pub(crate) fn provider(credentials: ClientCredentials) -> Outcome<TokenProvider> {
    let client = reqwest::blocking::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|e| Failure::unexpected("setting up the token client", e))?;
    Ok(Arc::new(move || token(&client, &credentials)))
}

/// The message of an error never quotes what was sent.
fn token(
    client: &reqwest::blocking::Client,
    credentials: &ClientCredentials,
) -> Result<OauthToken, TokenError> {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", &credentials.client_id),
        ("client_secret", credentials.client_secret.expose_secret()),
    ];
    if let Some(scope) = &credentials.scope {
        form.push(("scope", scope));
    }
    let failed = |e: reqwest::Error| TokenError(format!("no token: {}", e.without_url()));
    let body = form
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}={}",
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC)
            )
        })
        .collect::<Vec<_>>()
        .join("&");
    let answer = client
        .post(&credentials.token_url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .and_then(reqwest::blocking::Response::error_for_status)
        .map_err(failed)?;
    let answer: Answer = answer.json().map_err(failed)?;
    Ok(OauthToken {
        token: SecretString::from(answer.access_token),
        principal: credentials.client_id.clone(),
        expires_at: SystemClock
            .now()
            .plus(answer.expires_in.saturating_mul(MICROS_PER_SECOND)),
    })
}
