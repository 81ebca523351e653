//! Tokens as they should be, and as they should not.

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::keys::SigningKey;
use super::text::{base64url, merged};

/// How long tokens are valid unless a test says otherwise, seconds.
const LIFETIME_SECONDS: i64 = 600;

enum Signature {
    Key(SigningKey),
    Hmac(Vec<u8>),
    Literal(String),
}

/// A token to be.
pub struct Token {
    header: Value,
    claims: Value,
    signature: Signature,
}

impl Token {
    /// As it should be, for `ADMIN_READ`.
    pub(super) fn of(issuer: &str, audience: &str, key: &SigningKey) -> Self {
        let now = now_seconds();
        Self {
            header: json!({"typ": "JWT", "alg": key.algorithm(), "kid": key.id()}),
            claims: json!({
                "iss": issuer, "aud": audience, "sub": "subject-1", "oid": "object-1",
                "iat": now, "nbf": now - 1, "exp": now + LIFETIME_SECONDS, "roles": ["ADMIN_READ"],
            }),
            signature: Signature::Key(key.clone()),
        }
    }

    /// With another value of a claim, or without it when the value is null.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims = merged(self.claims, json!({ name: value.into() }));
        self
    }

    /// With another header parameter, or without it when the value is null.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header = merged(self.header, json!({ name: value.into() }));
        self
    }

    /// With these roles.
    #[must_use]
    pub fn roles(self, roles: &[&str]) -> Self {
        self.claim("roles", roles.iter().map(|r| Value::from(*r)).collect::<Vec<_>>())
    }

    /// Expiring this many seconds from now, or ago when negative.
    #[must_use]
    pub fn expires_in(self, seconds: i64) -> Self {
        self.claim("exp", now_seconds() + seconds)
    }

    /// Signed with this key, whose algorithm and id the header then has.
    #[must_use]
    pub fn signed_with(self, key: &SigningKey) -> Self {
        let (algorithm, id) = (key.algorithm(), key.id().to_owned());
        let signed = Self {
            signature: Signature::Key(key.clone()),
            ..self
        };
        signed.header("alg", algorithm).header("kid", id)
    }

    /// Signed with HS256 and this secret.
    #[must_use]
    pub fn signed_with_secret(self, secret: &[u8]) -> Self {
        let signed = Self {
            signature: Signature::Hmac(secret.to_vec()),
            ..self
        };
        signed.header("alg", "HS256")
    }

    /// With this text in place of the signature; the header stays as it is.
    #[must_use]
    pub fn signature(mut self, text: impl Into<String>) -> Self {
        self.signature = Signature::Literal(text.into());
        self
    }

    /// The token.
    #[must_use]
    pub fn mint(&self) -> String {
        let part = |json: &Value| base64url(json.to_string().as_bytes());
        let signed = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = match &self.signature {
            Signature::Key(key) => base64url(&key.sign(signed.as_bytes())),
            Signature::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                base64url(hmac::sign(&key, signed.as_bytes()).as_ref())
            }
            Signature::Literal(text) => text.clone(),
        };
        format!("{signed}.{signature}")
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens are judged against the machine's clock"
)]
fn now_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
