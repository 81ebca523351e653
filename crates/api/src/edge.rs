//! The outermost layer: ids in and out, problems written, headers that every answer has, metrics, the access log, and
//! the last net under a panic.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue};
use nsc_telemetry::correlation::{CORRELATION_HEADER, TRACE_PARENT_HEADER};
use tracing::{Instrument, Span};

use crate::app::Shared;
use crate::context::RequestContext;
use crate::problem::Problem;

/// Answers hold payments: nobody may keep, embed or reinterpret them.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];
const CORRELATION: HeaderName = HeaderName::from_static(CORRELATION_HEADER);
const TRACE_PARENT: HeaderName = HeaderName::from_static(TRACE_PARENT_HEADER);
const OVER_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

pub(crate) async fn edge(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let context = RequestContext::of(&request, app.clock.now());
    let method = request.method().clone();
    let route = context.endpoint.label();
    let _in_flight = app.requests.started(route, method.as_str());
    request.extensions_mut().insert(Arc::clone(&context));
    let span = span(&context);
    let answered = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone());
    let mut response = answered
        .await
        .unwrap_or_else(|_| Problem::internal().into_response());
    finish(&mut response, &context, app.tls);
    let status = response.status().as_u16();
    let seconds = context.elapsed().as_secs_f64();
    app.requests.finished(route, method.as_str(), status, seconds);
    span.in_scope(|| log(method.as_str(), route, status, seconds));
    response
}

/// The ids stand on every line that is logged below.
fn span(context: &RequestContext) -> Span {
    match &context.trace {
        Some(trace) => tracing::info_span!(
            "request",
            correlation_id = context.correlation_id.as_str(),
            trace_id = %trace.trace_id(),
            span_id = %trace.span_id()
        ),
        None => tracing::info_span!("request", correlation_id = context.correlation_id.as_str()),
    }
}

fn finish(response: &mut Response, context: &RequestContext, tls: bool) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = problem.body(context.correlation_id.as_str());
    }
    let headers = response.headers_mut();
    headers.extend(ALWAYS.map(|(name, value)| (Some(name), value)));
    if tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, OVER_TLS);
    }
    if let Ok(id) = HeaderValue::from_str(context.correlation_id.as_str()) {
        headers.insert(CORRELATION, id);
    }
    if let Some(trace) = &context.trace
        && let Ok(position) = HeaderValue::from_str(&trace.to_string())
    {
        headers.insert(TRACE_PARENT, position);
    }
}

/// What was answered as it should be stands in the audit log; at the usual level, only the rest is worth a line. The
/// path is not logged: it holds somebody's ids.
fn log(method: &str, route: &'static str, status: u16, seconds: f64) {
    match status {
        500.. => tracing::warn!(target: "nsc_api::access", method, route, status, seconds, "answered"),
        400.. => tracing::info!(target: "nsc_api::access", method, route, status, seconds, "answered"),
        _ => tracing::debug!(target: "nsc_api::access", method, route, status, seconds, "answered"),
    }
}
