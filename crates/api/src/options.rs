//! What the API is told at start-up. Plain values: who read them from where is not its business.

use std::path::PathBuf;
use std::time::Duration;

use nsc_auth::AuthOptions;
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
