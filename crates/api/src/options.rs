//! What the API is told at start-up. Plain values: who read them from where is not its business.

use std::path::PathBuf;
use std::time::Duration;

use nsc_store::AuditOptions;

use crate::client_ip::TrustedProxies;

/// The environment of a developer's machine.
const LOCAL: &str = "local";
/// Nobody has said which environment this is.
const UNSET: &str = "unset";

/// Everything the API is configured with.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// `local`, `unset` when nobody has said, or the name of any other environment; only `local` is lenient.
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
            drain: Duration::from_secs(12),
            gauge_interval: Duration::from_secs(10),
        }
    }

    pub(crate) fn is_local(&self) -> bool {
        self.environment == LOCAL
    }

    /// Whether authentication may be disabled for this machine alone: where it is said to be a developer's, and where
    /// nothing is said of it.
    pub(crate) fn may_be_open_to_itself(&self) -> bool {
        self.is_local() || self.environment == UNSET
    }
}

/// Who may look (contract section 7).
#[derive(Debug, Clone)]
pub enum AuthOptions {
    /// Whoever reaches the address. Not where the environment is said to be another than `local`.
    Disabled {
        /// Also on an address that other machines can reach. Only in environment `local`.
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
    /// The claims that may hold roles; those of all of them count.
    pub roles_claims: Vec<ClaimPath>,
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
            roles_claims: ["roles", "scp"].map(ClaimPath::from).into(),
            leeway: Duration::from_secs(30),
            refresh: Duration::from_secs(300),
            refetch_every: Duration::from_secs(10),
            max_key_age: Duration::from_secs(24 * 3_600),
            fetch_timeout: Duration::from_secs(3),
        }
    }
}

/// Where in a token a claim is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimPath {
    /// Its name, which may hold dots (`https://example/roles`), or names with dots between them that lead into objects
    /// (`resource_access.my.client.roles`). Whatever name is longest goes first.
    Named(String),
    /// Names one inside the other, exactly.
    Names(Vec<String>),
}

impl From<&str> for ClaimPath {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl ClaimPath {
    pub(crate) fn is_blank(&self) -> bool {
        match self {
            Self::Named(name) => nsc_core::is_blank(name),
            Self::Names(names) => names.is_empty() || names.iter().any(|name| nsc_core::is_blank(name)),
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
            // Entra ID puts 200 groups into a token, Keycloak every role of every client; proxies hand on 64 KiB.
            header_bytes: 64 * 1024,
            target_bytes: 32 * 1024,
            body_bytes: 16 * 1024,
        }
    }
}
