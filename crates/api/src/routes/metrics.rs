//! `GET /metrics`: for Prometheus.

use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use nsc_telemetry::metrics::PROMETHEUS_TEXT;

use crate::app::Shared;

/// What Prometheus collects
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics", tag = "operation",
    responses((status = 200, description = "All metrics in the text format 0.0.4.", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<Shared>) -> impl IntoResponse {
    ([(CONTENT_TYPE, PROMETHEUS_TEXT)], app.metrics.render())
}
