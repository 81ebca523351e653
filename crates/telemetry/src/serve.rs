//! The side port of a process that serves nothing else: `/metrics`, `/healthz`, `/readyz`.

use std::future::Future;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::metrics::{Metrics, PROMETHEUS_TEXT};

const PLAIN: &str = "text/plain; charset=utf-8";
/// What a request under way gets to be answered once the shutdown is asked for. One that is never finished by its
/// client must not keep the process: whoever stops it waits half a minute and kills it.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves until `shutdown` resolves, then finishes the requests it has, for two seconds.
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
    let (told, asked) = oneshot::channel();
    let serving = axum::serve(listener, routes).with_graceful_shutdown(async move {
        shutdown.await;
        let _ = told.send(());
    });
    let drained = async {
        // Without a word the server has ended by itself, and says so below.
        let _ = asked.await;
        sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = drained => Ok(()),
    }
}

const fn headers(media_type: &'static str) -> [(HeaderName, &'static str); 2] {
    [(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store")]
}
