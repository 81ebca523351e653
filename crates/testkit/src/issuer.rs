//! An OpenID Connect issuer on loopback: discovery document and keys over HTTP, tokens of every kind (the forged ones
//! above all), keys that rotate, and outages.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The audience of tokens unless a test says otherwise.
pub const AUDIENCE: &str = "api://nsc-test";
/// How long tokens are valid unless a test says otherwise, seconds.
const LIFETIME_SECONDS: i64 = 600;
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
const KEYS_PATH: &str = "/keys";

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RS256.
    Rsa,
    /// ES256.
    Ec,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
}

/// A key with its id; the issuer's, or an attacker's.
#[derive(Clone)]
pub struct SigningKey {
    id: String,
    pair: Arc<Pair>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// When the random numbers of the system fail.
    pub fn generate(kind: KeyKind, id: impl Into<String>) -> io::Result<Self> {
        let failed = |_| io::Error::other("a key could not be made");
        let pair = match kind {
            KeyKind::Rsa => Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?)),
            KeyKind::Ec => Pair::Ec(Box::new(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?,
            )),
        };
        Ok(Self {
            id: id.into(),
            pair: Arc::new(pair),
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// As it is published.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let common = json!({"kid": self.id, "use": "sig"});
        let particular = match &*self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                let n = base64url(key.modulus().big_endian_without_leading_zero());
                let e = base64url(key.exponent().big_endian_without_leading_zero());
                json!({"kty": "RSA", "alg": "RS256", "n": n, "e": e})
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let half = |range: std::ops::Range<usize>| base64url(point.get(range).unwrap_or_default());
                json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "x": half(1..33), "y": half(33..65)})
            }
        };
        merged(common, particular)
    }

    /// The public key as DER: what an attacker who confuses RS256 with HS256 takes for a secret.
    #[must_use]
    pub fn public_der(&self) -> Vec<u8> {
        let der = match &*self.pair {
            Pair::Rsa(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
            Pair::Ec(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
        };
        der.map(|der| der.as_ref().to_vec()).unwrap_or_default()
    }

    fn algorithm(&self) -> &'static str {
        match &*self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
                signed.map(|()| signature).unwrap_or_default()
            }
            Pair::Ec(pair) => pair
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .unwrap_or_default(),
        }
    }
}

/// What the issuer answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// As it should.
    #[default]
    Well,
    /// 500.
    Failing,
    /// 200 and something that is no JSON.
    Talking,
    /// Not at all.
    Silent,
}

struct Published {
    keys: Vec<SigningKey>,
    made: u32,
    mood: Mood,
}

struct Shared {
    url: String,
    published: Mutex<Published>,
    fetches: AtomicU64,
}

/// A running issuer; it ends when it is dropped.
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(server) = self.server.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            server.abort();
        }
    }
}

impl Issuer {
    /// Starts one with an RSA key and an EC key. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When there is no free port or no key can be made.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            url: format!("http://{address}"),
            published: Mutex::new(Published {
                keys: Vec::new(),
                made: 0,
                mood: Mood::Well,
            }),
            fetches: AtomicU64::new(0),
        });
        let issuer = Self {
            address,
            server: Mutex::new(Some(serve(listener, Arc::clone(&shared)))),
            shared,
        };
        issuer.rotate(KeyKind::Rsa)?;
        issuer.rotate(KeyKind::Ec)?;
        Ok(issuer)
    }

    /// `iss` of its tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Where its discovery document is.
    #[must_use]
    pub fn discovery_url(&self) -> String {
        format!("{}{DISCOVERY_PATH}", self.shared.url)
    }

    /// Where its keys are.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}{KEYS_PATH}", self.shared.url)
    }

    /// How often its keys were fetched.
    #[must_use]
    pub fn fetches(&self) -> u64 {
        self.shared.fetches.load(Ordering::Relaxed)
    }

    /// Publishes a new key, with which it signs from now on. The ones before stay published.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn rotate(&self, kind: KeyKind) -> io::Result<SigningKey> {
        let mut published = self.published();
        published.made += 1;
        let key = SigningKey::generate(kind, format!("key-{}", published.made))?;
        published.keys.push(key.clone());
        Ok(key)
    }

    /// No longer publishes a key.
    pub fn withdraw(&self, key_id: &str) {
        self.published().keys.retain(|key| key.id != key_id);
    }

    /// The key it signs with now.
    ///
    /// # Panics
    /// When all keys of the kind were withdrawn.
    #[must_use]
    pub fn key(&self, kind: KeyKind) -> SigningKey {
        let published = self.published();
        let current = published.keys.iter().rev().find(|key| match &*key.pair {
            Pair::Rsa(_) => kind == KeyKind::Rsa,
            Pair::Ec(_) => kind == KeyKind::Ec,
        });
        #[expect(clippy::expect_used, reason = "a test that withdraws a key does not sign with it")]
        current.expect("the issuer has no key of this kind").clone()
    }

    /// Answers differently from now on.
    pub fn be(&self, mood: Mood) {
        self.published().mood = mood;
    }

    /// An outage: connections are refused until [`Issuer::restart`].
    pub async fn stop(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            server.abort();
            // Wait until the listener is gone; that it was aborted is what was asked for.
            let _ = server.await;
        }
    }

    /// Ends the outage, on the same port.
    ///
    /// # Errors
    /// When somebody took the port meanwhile.
    pub async fn restart(&self) -> io::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        let server = serve(listener, Arc::clone(&self.shared));
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(())
    }

    /// A token as it should be, for `ADMIN_READ`, signed with RS256; change what is to be wrong with it.
    #[must_use]
    pub fn token(&self) -> Token {
        let now = now_seconds();
        let claims = json!({
            "iss": self.url(), "aud": AUDIENCE, "sub": "subject-1", "oid": "object-1",
            "iat": now, "nbf": now - 1, "exp": now + LIFETIME_SECONDS, "roles": ["ADMIN_READ"],
        });
        Token::new(claims, self.key(KeyKind::Rsa))
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        self.shared.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
    fn new(claims: Value, key: SigningKey) -> Self {
        let header = json!({"typ": "JWT", "alg": key.algorithm(), "kid": key.id});
        Self {
            header,
            claims,
            signature: Signature::Key(key),
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
        let (algorithm, id) = (key.algorithm(), key.id.clone());
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
        f.debug_struct("Token").field("claims", &self.claims).finish_non_exhaustive()
    }
}

fn serve(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    let routes = Router::new()
        .route(DISCOVERY_PATH, get(discovery))
        .route(KEYS_PATH, get(keys))
        .with_state(shared);
    tokio::spawn(async move {
        // It ends by being aborted.
        let _ = axum::serve(listener, routes).await;
    })
}

async fn discovery(State(shared): State<Arc<Shared>>) -> Response {
    let url = &shared.url;
    let document = json!({
        "issuer": url, "jwks_uri": format!("{url}{KEYS_PATH}"), "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    });
    answer(&shared, &document).await
}

async fn keys(State(shared): State<Arc<Shared>>) -> Response {
    shared.fetches.fetch_add(1, Ordering::Relaxed);
    let keys: Vec<Value> = {
        let published = shared.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.keys.iter().map(SigningKey::jwk).collect()
    };
    answer(&shared, &json!({ "keys": keys })).await
}

/// Connections are not kept, so that an outage is one for a client that was connected before, too.
const CLOSE: (HeaderName, &str) = (header::CONNECTION, "close");

async fn answer(shared: &Shared, document: &Value) -> Response {
    let mood = shared.published.lock().unwrap_or_else(PoisonError::into_inner).mood;
    match mood {
        Mood::Well => ([CLOSE, (header::CONTENT_TYPE, "application/json")], document.to_string()).into_response(),
        Mood::Failing => (StatusCode::INTERNAL_SERVER_ERROR, [CLOSE]).into_response(),
        Mood::Talking => ([CLOSE], "<html>Please sign in</html>").into_response(),
        Mood::Silent => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        }
    }
}

/// `changes` over `base`; null takes a member away.
fn merged(base: Value, changes: Value) -> Value {
    let (Value::Object(mut base), Value::Object(changes)) = (base, changes) else {
        return Value::Object(Map::new());
    };
    for (name, value) in changes {
        if value.is_null() {
            base.remove(&name);
        } else {
            base.insert(name, value);
        }
    }
    Value::Object(base)
}

#[expect(clippy::disallowed_methods, reason = "tokens are judged against the machine's clock")]
fn now_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - group.len()));
        for at in 0..=group.len() {
            let six = usize::try_from((bits >> (18 - 6 * at)) & 0x3f).unwrap_or_default();
            text.extend(ALPHABET.get(six).map(|c| char::from(*c)));
        }
    }
    text
}
