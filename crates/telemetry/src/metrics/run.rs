//! What came of a run of a pipeline: gauges, each the last run's.

use std::fmt;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Gauge, Meter};

/// The gauges of runs.
#[derive(Clone)]
pub struct RunMetrics {
    success: Gauge<u64>,
    started: Gauge<u64>,
    finished: Gauge<u64>,
    duration: Gauge<f64>,
    quarantined: Gauge<u64>,
    findings: Gauge<u64>,
    verdict: Gauge<u64>,
}

/// When a run was, in seconds since the epoch, and how long it took.
#[derive(Debug, Clone, Copy)]
pub struct RunTimes {
    /// It began.
    pub started: u64,
    /// It ended.
    pub finished: Option<u64>,
    /// It took so many seconds.
    pub seconds: f64,
}

/// The gauges of one pipeline in one run.
#[derive(Debug)]
pub struct PipelineRun<'a> {
    metrics: &'a RunMetrics,
    labels: [KeyValue; 2],
}

impl RunMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let number =
            |name: &'static str, about: &'static str| meter.u64_gauge(name).with_description(about).build();
        Self {
            success: number(
                "nsc_run_success",
                "Whether the last run did its work (1) or failed (0)",
            ),
            started: number("nsc_run_started_timestamp_seconds", "When the last run began"),
            finished: number("nsc_run_finished_timestamp_seconds", "When the last run ended"),
            duration: meter
                .f64_gauge("nsc_run_duration_seconds")
                .with_description("How long the last run took")
                .build(),
            quarantined: number("nsc_run_quarantined_rows", "Rows the last run quarantined"),
            findings: number("nsc_run_findings", "Breaches the last run found"),
            verdict: number(
                "nsc_run_verdict",
                "What each control says; the label verdict is the value",
            ),
        }
    }

    /// Of a pipeline, run by itself (then both are called alike) or as a step of `run`: what is measured of several schedules
    /// must not have the same labels.
    #[must_use]
    pub fn of(&self, run: &str, pipeline: &str) -> PipelineRun<'_> {
        PipelineRun {
            metrics: self,
            labels: [
                KeyValue::new("run", run.to_owned()),
                KeyValue::new("pipeline", pipeline.to_owned()),
            ],
        }
    }
}

impl PipelineRun<'_> {
    fn with<const N: usize>(&self, more: [(&'static str, &str); N]) -> Vec<KeyValue> {
        let more = more.map(|(name, value)| KeyValue::new(name, value.to_owned()));
        self.labels.iter().cloned().chain(more).collect()
    }

    /// How it went.
    pub fn ended(&self, did_its_work: bool, times: RunTimes) {
        self.metrics.success.record(u64::from(did_its_work), &self.labels);
        self.metrics.started.record(times.started, &self.labels);
        if let Some(finished) = times.finished {
            self.metrics.finished.record(finished, &self.labels);
        }
        self.metrics.duration.record(times.seconds, &self.labels);
    }

    /// Rows of a table that it quarantined for a reason.
    pub fn quarantined(&self, table: &str, reason: &str, rows: u64) {
        let labels = self.with([("table", table), ("reason", reason)]);
        self.metrics.quarantined.record(rows, &labels);
    }

    /// Breaches of a type that it found for a business day.
    pub fn found(&self, date_kst: &str, exception_type: &str, severity: &str, count: u64) {
        let labels = self.with([
            ("date_kst", date_kst),
            ("exception_type", exception_type),
            ("severity", severity),
        ]);
        self.metrics.findings.record(count, &labels);
    }

    /// What a control says of a day or span.
    pub fn said(&self, control: &str, subject: &str, verdict: &str) {
        let labels = self.with([("control", control), ("subject", subject), ("verdict", verdict)]);
        self.metrics.verdict.record(1, &labels);
    }
}

impl fmt::Debug for RunMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunMetrics").finish_non_exhaustive()
    }
}
