//! The metrics of a service, and of a run of a pipeline; those of the serving half under exactly the names of section 7.2 of the architecture.
//! Follows serving contract 8.
//!
//! Everything is measured once, through OpenTelemetry, and read twice: by Prometheus as text
//! ([`Metrics::render`]) and, when an endpoint is configured, by a collector over OTLP/HTTP. The handles
//! ([`ApiMetrics`], [`ConsumerMetrics`], [`PairingMetrics`], [`DbMetrics`]) are cheap to clone, never fail and
//! never block; a default one measures nothing, for tests and tools.
//!
//! Labels hold names from a short list (a route's template, a topic, an outcome), never an id, a payload or
//! anything a caller can invent.

mod api;
mod consumer;
mod db;
mod level;
mod otlp;
mod pairing;
mod run;

use std::fmt;
use std::time::Duration;

use opentelemetry::metrics::{Meter, MeterProvider, NoopMeterProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use prometheus::{Registry, TextEncoder};

pub use api::{ApiMetrics, InFlight};
pub use consumer::ConsumerMetrics;
pub use db::DbMetrics;
pub use pairing::{PairFlag, PairOutcome, PairingMetrics};
pub use run::{PipelineRun, RunMetrics, RunTimes};

/// The media type of [`Metrics::render`].
pub const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Who measures, and where else the numbers go.
#[derive(Debug, Clone)]
pub struct MetricsOptions {
    /// The process's name among others, such as `nsc-api`.
    pub service_name: String,
    /// The base URL of an OTLP/HTTP collector (`http://127.0.0.1:4318`); `/v1/metrics` is added. None: nothing is sent.
    pub otlp_endpoint: Option<String>,
    /// How often the numbers are sent there.
    pub otlp_interval: Duration,
}

impl MetricsOptions {
    /// For Prometheus only.
    #[must_use]
    pub fn named(service_name: impl Into<String>) -> Self {
        Self {
            service_name: service_name.into(),
            otlp_endpoint: None,
            otlp_interval: Duration::from_secs(60),
        }
    }
}

/// Why nothing can be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    /// Not a URL that numbers can be sent to.
    #[error("OTLP endpoint {endpoint:?} cannot be used: {reason}")]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Numbers would be sent without a pause.
    #[error("the interval between two OTLP exports must be longer than zero")]
    Interval,
    /// The measuring library refused its set-up.
    #[error("metrics could not be set up: {0}")]
    SetUp(String),
}

/// All metrics of this process. Clones share one set of numbers.
#[derive(Clone)]
pub struct Metrics {
    provider: Option<SdkMeterProvider>,
    /// Where the numbers are sent.
    endpoint: Option<String>,
    registry: Registry,
    api: ApiMetrics,
    consumer: ConsumerMetrics,
    pairing: PairingMetrics,
    db: DbMetrics,
    runs: RunMetrics,
}

impl Metrics {
    /// Begins to measure, and to send the numbers when an endpoint is configured. Does not connect: a collector
    /// that is away is a line in the log at every interval, and nothing else.
    ///
    /// # Errors
    /// When the endpoint is not an http(s) URL, or the interval is zero.
    pub fn start(options: &MetricsOptions) -> Result<Self, MetricsError> {
        let set_up = |e: &dyn fmt::Display| MetricsError::SetUp(e.to_string());
        let registry = Registry::new();
        // The names are the contract's: nothing is appended to them.
        let prometheus = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_units()
            .without_counter_suffixes()
            .scope_info_enabled(false)
            .build()
            .map_err(|e| set_up(&e))?;
        // An empty resource to begin with: the default one reads the environment.
        let resource = Resource::builder_empty()
            .with_service_name(options.service_name.clone())
            .build();
        let mut provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(prometheus);
        if let Some(endpoint) = &options.otlp_endpoint {
            if options.otlp_interval.is_zero() {
                return Err(MetricsError::Interval);
            }
            let reader = PeriodicReader::builder(otlp::exporter(endpoint)?)
                .with_interval(options.otlp_interval)
                .build();
            provider = provider.with_reader(reader);
        }
        let provider = provider.build();
        let mut metrics = Self::with_meter(&provider.meter("nsc"), Some(provider.clone()), registry);
        metrics.endpoint.clone_from(&options.otlp_endpoint);
        Ok(metrics)
    }

    /// Measures nothing and renders as an empty text.
    #[must_use]
    pub fn noop() -> Self {
        Self::with_meter(&noop_meter(), None, Registry::new())
    }

    fn with_meter(meter: &Meter, provider: Option<SdkMeterProvider>, registry: Registry) -> Self {
        Self {
            provider,
            endpoint: None,
            registry,
            api: ApiMetrics::new(meter),
            consumer: ConsumerMetrics::new(meter),
            pairing: PairingMetrics::new(meter),
            db: DbMetrics::new(meter),
            runs: RunMetrics::new(meter),
        }
    }

    /// Everything measured so far, as Prometheus text ([`PROMETHEUS_TEXT`]). What was never touched is absent.
    #[must_use]
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_else(|e| {
                tracing::error!(error = %e, "metrics could not be written as text");
                String::new()
            })
    }

    /// The admin API's.
    #[must_use]
    pub fn api(&self) -> ApiMetrics {
        self.api.clone()
    }

    /// The Kafka consumer's.
    #[must_use]
    pub fn consumer(&self) -> ConsumerMetrics {
        self.consumer.clone()
    }

    /// Those about the two halves of a payment.
    #[must_use]
    pub fn pairing(&self) -> PairingMetrics {
        self.pairing.clone()
    }

    /// The database's, as this process sees it.
    #[must_use]
    pub fn db(&self) -> DbMetrics {
        self.db.clone()
    }

    /// Those of a run of a pipeline.
    #[must_use]
    pub fn runs(&self) -> RunMetrics {
        self.runs.clone()
    }

    /// Sends what was not sent yet and stops. Blocks for up to some seconds while a collector does not answer:
    /// call it where blocking is allowed (`spawn_blocking`). A second call does nothing.
    pub fn shutdown(&self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown()
        {
            let Some(endpoint) = &self.endpoint else {
                tracing::debug!(%error, "metrics did not stop cleanly");
                return;
            };
            tracing::warn!(endpoint, %error, "the last metrics were not sent: the collector does not answer, or refuses them");
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("measures", &self.provider.is_some())
            .finish_non_exhaustive()
    }
}

fn noop_meter() -> Meter {
    NoopMeterProvider::new().meter("nsc")
}
