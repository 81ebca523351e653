//! What the API is told at start-up. Plain values: who read them from where is not its business.

use std::path::PathBuf;
use std::time::Duration;

use nsc_store::AuditOptions;

use crate::client_ip::TrustedProxies;

/// The environment in which authentication may be disabled.
const LOCAL: &str = "local";

/// Everything the API is configured with.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// `local`, or the name of any other environment; only `local` is lenient.
    pub environment: String,
    /// Who may look.
    pub auth: AuthOptions,
    /// Certificate and key; without them the connection is in the clear (behind a proxy that ends TLS).
    pub tls: Option<TlsOptions>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// What a request may cost.
    pub limits: Limits,
    /// How audit rows are committed.
    pub audit: AuditOptions,
    /// How long requests under way may take to finish after the shutdown.
    pub drain: Duration,
    /// Between two readings of pool, replication and pairing for the metrics.
    pub gauge_interval: Duration,
}

impl ApiOptions {
    /// An environment and who may look there, everything else as shipped.
    #[must_use]
    pub fn new(environment: impl Into<String>, auth: AuthOptions) -> Self {
        Self {
            environment: environment.into(),
            auth,
            tls: None,
            trusted_proxies: TrustedProxies::default(),
            limits: Limits::default(),
            audit: AuditOptions::default(),
            drain: Duration::from_secs(20),
            gauge_interval: Duration::from_secs(10),
        }
    }

    pub(crate) fn is_local(&self) -> bool {
        self.environment == LOCAL
    }
}

/// Who may look (contract section 7).
#[derive(Debug, Clone)]
pub enum AuthOptions {
    /// Whoever reaches the address. Only in environment `local`.
    Disabled {
        /// Also on an address that other machines can reach.
        on_any_address: bool,
    },
    /// Holders of a token of an OpenID Connect issuer, with one of the two roles.
    Oidc(OidcOptions),
}

/// An OpenID Connect issuer and what its tokens must say.
#[derive(Debug, Clone)]
pub struct OidcOptions {
    /// `iss` of its tokens, exactly.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audiences: Vec<String>,
    /// Where its keys are published.
    pub keys: KeyLocation,
    /// The claim with the roles; dots lead into objects (`realm_access.roles`).
    pub roles_claim: String,
    /// How far its clock may be from ours.
    pub leeway: Duration,
    /// Between two fetches of its keys when nothing is the matter.
    pub refresh: Duration,
    /// Between two fetches because of key ids nobody knows, after three at once.
    pub refetch_every: Duration,
    /// How old keys may be and still be used, when the issuer is away.
    pub max_key_age: Duration,
    /// How long one fetch may take.
    pub fetch_timeout: Duration,
}

impl OidcOptions {
    /// An issuer with a discovery document, everything else as shipped.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audiences: Vec<String>) -> Self {
        let issuer = issuer.into();
        Self {
            keys: KeyLocation::of_issuer(&issuer),
            issuer,
            audiences,
            roles_claim: "roles".to_owned(),
            leeway: Duration::from_secs(30),
            refresh: Duration::from_secs(300),
            refetch_every: Duration::from_secs(10),
            max_key_age: Duration::from_secs(24 * 3_600),
            fetch_timeout: Duration::from_secs(3),
        }
    }
}

/// Where an issuer publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLocation {
    /// In its discovery document, at this URL.
    Discovery(String),
    /// At this URL.
    Jwks(String),
}

impl KeyLocation {
    /// The discovery document at the place the standard names.
    #[must_use]
    pub fn of_issuer(issuer: &str) -> Self {
        Self::Discovery(format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        ))
    }
}

/// A certificate chain and its key, PEM. Read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// How often to look whether they changed.
    pub reload_every: Duration,
}

impl TlsOptions {
    /// Looked at every minute.
    #[must_use]
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            reload_every: Duration::from_secs(60),
        }
    }
}

/// What a request may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests being looked up at once; one more is answered with 503.
    pub in_flight: usize,
    /// From the first look at a request to its answer, before the audit row is committed.
    pub request_timeout: Duration,
    /// To send the headers of a request, and between two requests of a connection.
    pub header_timeout: Duration,
    /// Header lines together, names and values, bytes. (More than 100 lines are refused in any case.)
    pub header_bytes: usize,
    /// Path and query, bytes.
    pub target_bytes: usize,
    /// A body, which no request of this API needs, bytes.
    pub body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 512,
            request_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            header_bytes: 32 * 1024,
            target_bytes: 32 * 1024,
            body_bytes: 16 * 1024,
        }
    }
}
