//! How a connection to the brokers is protected, and who we are there.

use std::fmt;
use std::sync::Arc;

use nsc_core::UtcMicros;
use rdkafka::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

/// A token for SASL OAUTHBEARER.
#[derive(Debug, Clone)]
pub struct OauthToken {
    /// The token.
    pub token: SecretString,
    /// Whose it is; Event Hubs does not look at it.
    pub principal: String,
    /// When it ends. A new one is asked for at four fifths of its life.
    pub expires_at: UtcMicros,
}

/// Why there is no token; without secrets, as it is logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenError(pub String);

/// Gets a token, for example from Entra ID by client credentials. Called on a thread that may block, now and then.
pub type TokenProvider = Arc<dyn Fn() -> Result<OauthToken, TokenError> + Send + Sync>;

/// How the connection is protected and who we are.
#[derive(Clone)]
pub enum Security {
    /// Neither; for a broker on this machine.
    Plaintext,
    /// Encrypted, nobody in particular.
    Tls,
    /// SASL PLAIN over TLS: user and password. Event Hubs: `$ConnectionString` and the connection string.
    SaslPlain {
        /// User.
        username: String,
        /// Password.
        password: SecretString,
    },
    /// SASL OAUTHBEARER over TLS.
    OauthBearer(TokenProvider),
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plaintext => "Plaintext",
            Self::Tls => "Tls",
            Self::SaslPlain { .. } => "SaslPlain(..)",
            Self::OauthBearer(_) => "OauthBearer(..)",
        })
    }
}

impl Security {
    /// Tells librdkafka.
    pub(crate) fn set(&self, config: &mut ClientConfig) {
        let (protocol, mechanism) = match self {
            Security::Plaintext => ("plaintext", None),
            Security::Tls => ("ssl", None),
            Security::SaslPlain { username, password } => {
                config.set("sasl.username", username);
                config.set("sasl.password", password.expose_secret());
                ("sasl_ssl", Some("PLAIN"))
            }
            Security::OauthBearer(_) => ("sasl_ssl", Some("OAUTHBEARER")),
        };
        config.set("security.protocol", protocol);
        if let Some(mechanism) = mechanism {
            config.set("sasl.mechanism", mechanism);
            // Event Hubs closes connections that are idle for four minutes without a word.
            config.set("socket.keepalive.enable", "true");
            config.set("connections.max.idle.ms", "180000");
        }
    }
}
