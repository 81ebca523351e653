//! Tokens for the brokers by client credentials, for example of Entra ID for Event Hubs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nsc_core::{Clock, MICROS_PER_SECOND};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::security::{OauthToken, TokenError, TokenProvider};

/// How long the token endpoint may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client and the endpoint that gives it tokens (RFC 6749, 4.4).
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The endpoint.
    pub token_url: String,
    /// The client.
    pub client_id: String,
    /// Its secret, as it was at the start.
    pub client_secret: SecretString,
    /// Where it stands, when a secret store mounts it: read again for every token, so that it may be replaced.
    pub client_secret_file: Option<PathBuf>,
    /// What the token is to be for, when the endpoint wants to be told.
    pub scope: Option<String>,
}

/// Life of a token of which the endpoint says none, seconds. (RFC 6749 recommends to say it, and no more.) Asked again at
/// four fifths of it.
const LIFE_UNSAID_SECONDS: i64 = 300;
/// Longest life that is believed, seconds.
const LONGEST_LIFE_SECONDS: i64 = 86_400;

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<Seconds>,
}

/// A number of seconds as endpoints write it: 3599, "3599" (Entra ID v1, B2C, managed identities), 3599.5.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(serde_json::Number),
    Text(String),
}

impl Answer {
    fn read(body: &str) -> Result<(SecretString, i64), TokenError> {
        // What serde says may quote the answer, and with it a token.
        let answer: Self = serde_json::from_str(body).map_err(|e| {
            let place = format!("line {} column {}", e.line(), e.column());
            TokenError(format!(
                "no token: the answer is not a token answer (RFC 6749, 5.1), at {place}"
            ))
        })?;
        if answer.access_token.trim().is_empty() {
            return Err(TokenError(
                "no token: access_token in the answer is blank".to_owned(),
            ));
        }
        let life = match &answer.expires_in {
            None => LIFE_UNSAID_SECONDS,
            Some(seconds) => seconds.whole().ok_or_else(|| {
                TokenError("no token: expires_in in the answer is not a number of seconds above 0".to_owned())
            })?,
        };
        Ok((SecretString::from(answer.access_token), life))
    }
}

impl Seconds {
    /// The whole seconds, above zero and within what is believed.
    fn whole(&self) -> Option<i64> {
        let text = match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        };
        let seconds: f64 = text.parse().ok().filter(|s: &f64| *s >= 1.0)?;
        Some(seconds.min(LONGEST_LIFE_SECONDS as f64) as i64)
    }
}

impl ClientCredentials {
    /// Asks the endpoint whenever the client library needs a token.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn provider(self, clock: Arc<dyn Clock>) -> Result<TokenProvider, TokenError> {
        let client = reqwest::blocking::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| TokenError(format!("no token: the HTTP client could not be made: {e}")))?;
        Ok(Arc::new(move || token(&client, &self, &*clock)))
    }

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
    clock: &dyn Clock,
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
    let body = client
        .post(&credentials.token_url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .and_then(reqwest::blocking::Response::error_for_status)
        .and_then(reqwest::blocking::Response::text)
        .map_err(failed)?;
    let (token, life) = Answer::read(&body)?;
    Ok(OauthToken {
        token,
        principal: credentials.client_id.clone(),
        expires_at: clock.now().plus(life * MICROS_PER_SECOND),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::{Answer, ClientCredentials};

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

    fn life(expires_in: &str) -> Result<i64, String> {
        let body = format!(r#"{{"access_token":"s3cret","token_type":"Bearer"{expires_in}}}"#);
        let read = Answer::read(&body).map_err(|e| e.to_string())?;
        assert_eq!(read.0.expose_secret(), "s3cret");
        Ok(read.1)
    }

    #[test]
    fn the_life_of_a_token_is_read_as_endpoints_write_it() {
        for (written, seconds) in [
            (r#","expires_in":3599"#, 3_599),
            (r#","expires_in":"3599""#, 3_599),
            (r#","expires_in":" 3599 ""#, 3_599),
            (r#","expires_in":3599.9"#, 3_599),
            (r#","expires_in":"3599.0""#, 3_599),
            (r#","expires_in":3.6e3"#, 3_600),
            (r#","expires_in":null"#, 300),
            ("", 300),
            (
                r#","expires_in":"3599","expires_on":"1767603599","ext_expires_in":"x""#,
                3_599,
            ),
            // For ever, as some say it: asked again within a day.
            (r#","expires_in":9223372036854775807"#, 86_400),
            (r#","expires_in":1e300"#, 86_400),
        ] {
            assert_eq!(life(written), Ok(seconds), "{written}");
        }
    }

    #[test]
    fn an_answer_that_is_none_is_told_without_a_word_of_it() {
        for written in ["0", "-1", "0.5", "\"soon\"", "\"\"", "true", "[3599]", "\"NaN\""] {
            let said = life(&format!(r#","expires_in":{written}"#)).unwrap_err();
            assert!(
                said.starts_with("no token: ") && !said.contains("s3cret"),
                "{said}"
            );
        }
        for body in [
            "",
            "<html>s3cret</html>",
            r#"{"error":"s3cret"}"#,
            r#"{"access_token":" "}"#,
            r#"{"access_token":5}"#,
        ] {
            let said = Answer::read(body).unwrap_err().to_string();
            assert!(
                said.starts_with("no token: ") && !said.contains("s3cret"),
                "{said}"
            );
        }
    }
}
