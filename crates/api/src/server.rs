//! From options to a running server, and down again without losing a request.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use nsc_auth::{AuthOptions, Authenticator, ClaimPath};
use nsc_core::Clock;
use nsc_store::{AuditLog, Store};
use nsc_telemetry::Metrics;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, Shared};
use crate::error::ApiError;
use crate::gauges;
use crate::options::ApiOptions;
use crate::readiness::Readiness;
use crate::router::router;
use crate::tls::Tls;

/// hyper reads no more of a request's head than this; our own limits are below and answer with a problem.
const HEAD_BYTES: usize = 128 * 1024;

/// What an attempt that has lost its connection gets to be audited, whatever the drain has left.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The admin API, checked and ready to serve.
pub struct Api {
    options: ApiOptions,
    store: Store,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    auth: Authenticator,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// Checks the options; connects to nothing.
    ///
    /// # Errors
    /// When it is not known who may look, or when this environment forbids what is configured.
    pub fn new(
        options: ApiOptions,
        store: Store,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ApiError> {
        check(&options)?;
        let auth = Authenticator::new(&options.auth, options.is_local())?;
        Ok(Self {
            options,
            store,
            metrics,
            clock,
            auth,
        })
    }

    /// Asks the issuer for its keys, once: how many of them can be used. `None` where nobody is asked who they are.
    ///
    /// # Errors
    /// When the issuer does not give them.
    pub async fn ask_issuer(&self) -> Result<Option<usize>, ApiError> {
        Ok(self.auth.ask_issuer().await?)
    }

    /// Serves until the shutdown, then finishes the requests under way for as long as the drain allows. Must run in
    /// a tokio runtime.
    ///
    /// # Errors
    /// When authentication is disabled and other machines reach the address, when certificate or key are not
    /// usable, or when the listener fails.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ApiError> {
        let address = listener.local_addr()?;
        check_address(&self.options.auth, address)?;
        let tls = self.options.tls.clone().map(Tls::read).transpose()?;
        let (drain, gauge_interval) = (self.options.drain, self.options.gauge_interval);
        let app = self.app(shutdown.clone());
        let background = TaskTracker::new();
        background.spawn(keep_keys(Arc::clone(&app)));
        background.spawn(measure(Arc::clone(&app), gauge_interval));
        let config = tls.as_ref().map(|tls| tls.config.clone());
        if let Some(tls) = tls {
            background.spawn(tls.renew(shutdown.clone()));
        }
        background.close();
        tracing::info!(target: nsc_telemetry::SERVICE, %address, tls = config.is_some(), "the API serves");
        let asked = asked_at(shutdown.clone());
        let served = serve(listener, config, &app, drain).await;
        // However the server ended, nothing else may go on.
        shutdown.cancel();
        app.attempts.close();
        // One drain for connections and attempts together.
        let left = drain.saturating_sub(asked.await.map_or(Duration::ZERO, |at| at.elapsed()));
        if timeout(left.max(LAST_WORD), app.attempts.wait()).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
        app.audit.shutdown().await;
        background.wait().await;
        tracing::info!(target: nsc_telemetry::SERVICE, "the API has stopped");
        served
    }

    fn app(self, shutdown: CancellationToken) -> Shared {
        Arc::new(App {
            audit: AuditLog::start(self.store.clone(), self.options.audit),
            store: self.store,
            auth: self.auth,
            clock: self.clock,
            requests: self.metrics.api(),
            metrics: self.metrics,
            limits: self.options.limits,
            trusted_proxies: self.options.trusted_proxies,
            tls: self.options.tls.is_some(),
            places: Semaphore::new(self.options.limits.in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            attempts: TaskTracker::new(),
            readiness: Readiness::default(),
            shutdown,
        })
    }
}

/// When the shutdown was asked for.
fn asked_at(shutdown: CancellationToken) -> tokio::task::JoinHandle<Instant> {
    tokio::spawn(async move {
        shutdown.cancelled().await;
        Instant::now()
    })
}

async fn keep_keys(app: Shared) {
    app.auth.run(&app.shutdown).await;
}

async fn measure(app: Shared, every: Duration) {
    gauges::measure(&app, every).await;
}

async fn serve(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    app: &Shared,
    drain: Duration,
) -> Result<(), ApiError> {
    let handle = Handle::new();
    tokio::spawn({
        let (handle, shutdown) = (handle.clone(), app.shutdown.clone());
        async move {
            shutdown.cancelled().await;
            handle.graceful_shutdown(Some(drain));
        }
    });
    let service = router(Arc::clone(app)).into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?
        .http1_only()
        .handle(handle)
        .accept_error_handler(|peer, error| tracing::debug!(?peer, %error, "a connection was not made"));
    server
        .http_builder()
        .http1()
        .header_read_timeout(app.limits.header_timeout)
        .max_buf_size(HEAD_BYTES);
    match tls {
        None => server.acceptor(NoDelayAcceptor::new()).serve(service).await?,
        Some(config) => {
            let acceptor = RustlsAcceptor::new(config)
                .handshake_timeout(app.limits.header_timeout)
                .acceptor(NoDelayAcceptor::new());
            server.acceptor(acceptor).serve(service).await?;
        }
    }
    Ok(())
}

/// What can be known before there is an address.
fn check(options: &ApiOptions) -> Result<(), ApiError> {
    match &options.auth {
        AuthOptions::Disabled { on_any_address } => {
            let may = if *on_any_address {
                options.is_local()
            } else {
                options.may_be_open_to_itself()
            };
            may.then_some(()).ok_or_else(|| ApiError::DisabledOutsideLocal {
                environment: options.environment.clone(),
            })
        }
        AuthOptions::Oidc(oidc) => {
            let audiences_missing = oidc.audiences.iter().all(|a| nsc_core::is_blank(a));
            let missing = [
                (nsc_core::is_blank(&oidc.issuer), "an issuer"),
                (audiences_missing, "an audience"),
                (
                    oidc.roles_claims.is_empty() || oidc.roles_claims.iter().any(ClaimPath::is_blank),
                    "the name of the claim with the roles",
                ),
            ];
            match missing.into_iter().find(|(is_missing, _)| *is_missing) {
                Some((_, setting)) => Err(ApiError::Incomplete { setting }),
                None => Ok(()),
            }
        }
    }
}

fn check_address(auth: &AuthOptions, address: SocketAddr) -> Result<(), ApiError> {
    match auth {
        AuthOptions::Disabled {
            on_any_address: false,
        } if !address.ip().to_canonical().is_loopback() => Err(ApiError::DisabledOnOpenAddress { address }),
        _ => Ok(()),
    }
}
