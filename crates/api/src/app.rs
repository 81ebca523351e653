//! What every request shares.

use std::sync::Arc;

use nsc_auth::Authenticator;
use nsc_core::Clock;
use nsc_store::{AuditLog, Store};
use nsc_telemetry::{ApiMetrics, Metrics};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client_ip::TrustedProxies;
use crate::options::Limits;
use crate::readiness::Readiness;

pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) audit: AuditLog,
    pub(crate) auth: Authenticator,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) requests: ApiMetrics,
    pub(crate) limits: Limits,
    pub(crate) trusted_proxies: TrustedProxies,
    /// Whether TLS ends here.
    pub(crate) tls: bool,
    /// Places for lookups; who finds none is sent away.
    pub(crate) places: Semaphore,
    /// Attempts, which go on when the client goes away, so that they are audited.
    pub(crate) attempts: TaskTracker,
    pub(crate) readiness: Readiness,
    pub(crate) shutdown: CancellationToken,
}

pub(crate) type Shared = Arc<App>;
