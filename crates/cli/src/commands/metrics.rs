//! What a command measures, and where that is sent.

use std::time::Duration;

use nsc_telemetry::{Metrics, MetricsOptions};

use crate::config::Config;
use crate::failure::{OperatorMessage, Outcome};

/// Between two reports to a collector.
const OTLP_INTERVAL: Duration = Duration::from_secs(15);

/// Begins to measure, and to send the numbers where a collector is configured.
pub(crate) fn start(config: &Config, name: &str) -> Outcome<Metrics> {
    let options = MetricsOptions {
        service_name: name.to_owned(),
        otlp_endpoint: config.serving.otlp_endpoint.as_ref().map(|e| e.value.clone()),
        otlp_interval: OTLP_INTERVAL,
    };
    Metrics::start(&options).map_err(|e| {
        OperatorMessage::configuration("metrics cannot be sent")
            .with_detail(e)
            .into()
    })
}
