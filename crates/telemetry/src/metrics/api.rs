//! What the admin API measures of every request.

use std::fmt;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};

/// Seconds. 0.2 is the alert's limit, 0.01 and 0.04 are the targets: each must be a bound, or a quantile near it
/// is a guess.
const LATENCY_SECONDS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0,
];

/// Requests: how many, how long, how many at this moment.
#[derive(Clone)]
pub struct ApiMetrics {
    latency: Histogram<f64>,
    requests: Counter<u64>,
    inflight: UpDownCounter<i64>,
}

impl ApiMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            latency: meter
                .f64_histogram("api_request_latency_seconds")
                .with_description("From the request's headers to the end of the answer, audit included")
                .with_boundaries(LATENCY_SECONDS.to_vec())
                .build(),
            requests: meter
                .u64_counter("api_requests_total")
                .with_description("Requests answered")
                .build(),
            inflight: meter
                .i64_up_down_counter("api_requests_inflight")
                .with_description("Requests being answered")
                .build(),
        }
    }

    /// Measures nothing.
    #[must_use]
    pub fn noop() -> Self {
        Self::new(&super::noop_meter())
    }

    /// A request has begun; it counts as in flight until the guard is dropped, however it ends.
    ///
    /// `route` is the template (`/admin/tx/{tx_id}`), never the path: a path holds ids, and every id would be a
    /// series of its own.
    #[must_use = "the request is in flight for as long as the guard lives"]
    pub fn started(&self, route: &str, method: &str) -> InFlight {
        let labels = [route_label(route), method_label(method)];
        self.inflight.add(1, &labels);
        InFlight {
            inflight: self.inflight.clone(),
            labels,
        }
    }

    /// A request was answered with `status` after `seconds`.
    pub fn finished(&self, route: &str, method: &str, status: u16, seconds: f64) {
        let labels = [
            route_label(route),
            method_label(method),
            KeyValue::new("status_code", i64::from(status)),
        ];
        self.latency.record(seconds.max(0.0), &labels);
        self.requests.add(1, &labels);
    }
}

impl Default for ApiMetrics {
    fn default() -> Self {
        Self::noop()
    }
}

impl fmt::Debug for ApiMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiMetrics").finish_non_exhaustive()
    }
}

/// A request being answered.
pub struct InFlight {
    inflight: UpDownCounter<i64>,
    labels: [KeyValue; 2],
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.inflight.add(-1, &self.labels);
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}

fn route_label(route: &str) -> KeyValue {
    KeyValue::new("route", route.to_owned())
}

/// A caller may invent methods; all but the known ones are one.
fn method_label(method: &str) -> KeyValue {
    let method = match method {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "OTHER",
    };
    KeyValue::new("method", method)
}
