//! The side port of a process that serves nothing else: `/metrics`, `/healthz`, `/readyz`.

use std::future::Future;
use std::io;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::metrics::{Metrics, PROMETHEUS_TEXT};

const PLAIN: &str = "text/plain; charset=utf-8";

/// Serves until `shutdown` resolves, then finishes the requests it has.
///
/// - `/metrics`: [`Metrics::render`].
/// - `/healthz`: 200 while the process can answer at all.
/// - `/readyz`: 200 when `ready` gives `Ok`, else 503 with its reason, which is for operators and must not hold
///   a secret.
///
/// # Errors
/// When the listener fails.
pub async fn metrics_endpoint<R, F, S>(
    listener: TcpListener,
    metrics: Metrics,
    ready: R,
    shutdown: S,
) -> io::Result<()>
where
    R: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send,
    S: Future<Output = ()> + Send + 'static,
{
    let routes = Router::new()
        .route(
            "/metrics",
            get(move || {
                let body = metrics.render();
                async move { (headers(PROMETHEUS_TEXT), body) }
            }),
        )
        .route("/healthz", get(|| async { (headers(PLAIN), "alive\n") }))
        .route(
            "/readyz",
            get(move || {
                let asked = ready();
                async move {
                    match asked.await {
                        Ok(()) => (headers(PLAIN), "ready\n").into_response(),
                        Err(reason) => {
                            let body = format!("{reason}\n");
                            (StatusCode::SERVICE_UNAVAILABLE, headers(PLAIN), body).into_response()
                        }
                    }
                }
            }),
        );
    axum::serve(listener, routes)
        .with_graceful_shutdown(shutdown)
        .await
}

const fn headers(media_type: &'static str) -> [(HeaderName, &'static str); 2] {
    [(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store")]
}
