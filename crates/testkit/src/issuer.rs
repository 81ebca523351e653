//! An OpenID Connect issuer on loopback: discovery document and keys over HTTP, tokens of every kind (the forged ones
//! above all), keys that rotate, and outages.

mod keys;
mod text;
mod tokens;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use keys::{KeyKind, SigningKey};
pub use tokens::Token;

/// The audience of tokens unless a test says otherwise.
pub const AUDIENCE: &str = "api://nsc-test";
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
const KEYS_PATH: &str = "/keys";

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
    rotations: AtomicU64,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(server) = self
            .server
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
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
                mood: Mood::Well,
            }),
            fetches: AtomicU64::new(0),
        });
        let issuer = Self {
            address,
            server: Mutex::new(Some(serve(listener, Arc::clone(&shared)))),
            rotations: AtomicU64::new(0),
            shared,
        };
        issuer.publish(keys::first_rsa_key()?);
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
        let number = self.rotations.fetch_add(1, Ordering::Relaxed) + 1;
        let key = SigningKey::generate(kind, format!("key-{number}"))?;
        self.publish(key.clone());
        Ok(key)
    }

    /// Publishes a key beside the others, one with an id that another has too for example.
    pub fn publish(&self, key: SigningKey) {
        self.published().keys.push(key);
    }

    /// No longer publishes a key.
    pub fn withdraw(&self, key_id: &str) {
        self.published().keys.retain(|key| key.id() != key_id);
    }

    /// The key it signs with now.
    ///
    /// # Panics
    /// When all keys of the kind were withdrawn.
    #[must_use]
    pub fn key(&self, kind: KeyKind) -> SigningKey {
        let published = self.published();
        let current = published.keys.iter().rev().find(|key| key.kind() == kind);
        #[expect(
            clippy::expect_used,
            reason = "a test that withdraws a key does not sign with it"
        )]
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
        Token::of(self.url(), AUDIENCE, &self.key(KeyKind::Rsa))
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        self.shared
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
    let mood = shared
        .published
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .mood;
    match mood {
        Mood::Well => (
            [CLOSE, (header::CONTENT_TYPE, "application/json")],
            document.to_string(),
        )
            .into_response(),
        Mood::Failing => (StatusCode::INTERNAL_SERVER_ERROR, [CLOSE]).into_response(),
        Mood::Talking => ([CLOSE], "<html>Please sign in</html>").into_response(),
        Mood::Silent => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        }
    }
}
