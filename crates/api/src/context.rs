//! What is known of a request from its first look to its last line: its ids, its route, when it came.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::MatchedPath;
use http::{HeaderMap, Request};
use nsc_core::UtcMicros;
use nsc_telemetry::correlation::{CORRELATION_HEADERS, TRACE_PARENT_HEADER};
use nsc_telemetry::{CorrelationId, TraceParent};

use crate::endpoint::Endpoint;

pub(crate) struct RequestContext {
    pub(crate) correlation_id: CorrelationId,
    /// Our own position in the caller's trace, when there is one.
    pub(crate) trace: Option<TraceParent>,
    pub(crate) endpoint: Endpoint,
    pub(crate) requested_at: UtcMicros,
    began: Instant,
}

impl RequestContext {
    pub(crate) fn of<B>(request: &Request<B>, now: UtcMicros) -> Arc<Self> {
        let matched = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let header = |name| the_only(request.headers(), name);
        Arc::new(Self {
            correlation_id: CORRELATION_HEADERS
                .into_iter()
                .find_map(|name| header(name).and_then(CorrelationId::parse))
                .unwrap_or_else(CorrelationId::fresh),
            trace: header(TRACE_PARENT_HEADER)
                .and_then(TraceParent::parse)
                .map(|caller| caller.child()),
            endpoint: Endpoint::of(matched),
            requested_at: now,
            began: Instant::now(),
        })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// A header that stands once; of two, neither is more right.
fn the_only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}
