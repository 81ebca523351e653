//! Sending the numbers to a collector: OTLP over HTTP, protobuf.

use std::thread;
use std::time::Duration;

use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig, WithHttpConfig};
use reqwest::blocking::Client;
use reqwest::redirect::Policy;

use super::MetricsError;

/// One export takes no longer than this; the next one sends the sums anyhow.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An exporter to `endpoint`, a base URL as `OTEL_EXPORTER_OTLP_ENDPOINT` has it.
pub(super) fn exporter(endpoint: &str) -> Result<MetricExporter, MetricsError> {
    let refused = |reason: String| MetricsError::Endpoint {
        endpoint: endpoint.to_owned(),
        reason,
    };
    let url = reqwest::Url::parse(endpoint).map_err(|e| refused(e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("it must begin with http:// or https://".to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it must be a base URL, without ? and #".to_owned()));
    }
    MetricExporter::builder()
        .with_http()
        .with_http_client(client().map_err(refused)?)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .with_endpoint(format!("{}/v1/metrics", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|e| refused(e.to_string()))
}

/// The exporter has a thread of its own and needs a client that blocks. Such a client must not be made inside an
/// asynchronous task, which is where a server starts: so it is made on another thread.
fn client() -> Result<Client, String> {
    let made = thread::spawn(|| {
        Client::builder()
            .timeout(TIMEOUT)
            .redirect(Policy::none())
            .build()
            .map_err(|e| e.to_string())
    });
    made.join()
        .unwrap_or_else(|_| Err("the HTTP client could not be made".to_owned()))
}
