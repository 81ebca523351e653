//! Tokens for the brokers by client credentials, for example of Entra ID for Event Hubs.

use std::path::PathBuf;
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
    /// Where it stands, when a secret store mounts it: read again for every token, so that it may be replaced.
    pub(crate) client_secret_file: Option<PathBuf>,
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

impl ClientCredentials {
    /// The secret as it stands now; as it was at the start while its file cannot be read.
    fn secret(&self) -> SecretString {
        let mounted = self.client_secret_file.as_ref().map(std::fs::read_to_string);
        match mounted {
            Some(Ok(text)) if !text.trim().is_empty() => {
                SecretString::from(text.trim_end_matches(['\r', '\n']))
            }
            _ => self.client_secret.clone(),
        }
    }
}

/// The message of an error never quotes what was sent.
fn token(
    client: &reqwest::blocking::Client,
    credentials: &ClientCredentials,
) -> Result<OauthToken, TokenError> {
    let secret = credentials.secret();
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", &credentials.client_id),
        ("client_secret", secret.expose_secret()),
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

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::ClientCredentials;

    #[test]
    fn a_secret_that_is_replaced_counts_from_the_next_token_on() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        std::fs::write(&file, "one\n").unwrap();
        let credentials = ClientCredentials {
            token_url: String::new(),
            client_id: String::new(),
            client_secret: "one".into(),
            client_secret_file: Some(file.clone()),
            scope: None,
        };
        assert_eq!(credentials.secret().expose_secret(), "one");
        std::fs::write(&file, "two\r\n").unwrap();
        assert_eq!(credentials.secret().expose_secret(), "two");
        // While it is being replaced the secret is what it was at the start.
        std::fs::write(&file, "").unwrap();
        assert_eq!(credentials.secret().expose_secret(), "one");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(credentials.secret().expose_secret(), "one");
    }
}
