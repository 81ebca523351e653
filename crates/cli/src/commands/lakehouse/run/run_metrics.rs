//! What came of a run, measured: for the textfile collector of Prometheus' node exporter (`--metrics-file`) and for the
//! collector that `telemetry.otlp_endpoint` names.

use std::path::Path;

use nsc_contracts::exception::ExceptionState;
use nsc_contracts::status::SUCCESS;
use nsc_core::{MICROS_PER_SECOND, UtcMicros};
use nsc_pipelines::RunReport;
use nsc_telemetry::metrics::{RunMetrics, RunTimes};

use crate::commands::metrics;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::new_file::{NewFile, unwritable};

/// Tells whoever is to be told what came of a run and its steps. A collector that does not answer is a line of the log.
pub(super) async fn tell(report: &RunReport, file: Option<&Path>, config: &Config) -> Outcome {
    if file.is_none() && config.serving.otlp_endpoint.is_none() {
        return Ok(());
    }
    // Files of several schedules lie beside each other: no two series may have the same labels.
    let metrics = metrics::start(config, &format!("nsc-run-{}", report.pipeline))?;
    measure(report, &metrics.runs());
    let written = file.map_or(Ok(()), |path| {
        // It may be read at any moment.
        let file = NewFile::of(path)?;
        std::fs::write(file.path(), metrics.render()).map_err(|e| unwritable(path, e))?;
        file.finish()
    });
    // The collector may block.
    let sent = tokio::task::spawn_blocking(move || metrics.shutdown()).await;
    sent.map_err(|e| Failure::unexpected("sending the metrics of the run", e))?;
    Ok(written?)
}

fn measure(report: &RunReport, metrics: &RunMetrics) {
    let own = report.parts.is_empty().then_some(report);
    for part in report.parts.iter().chain(own) {
        let run = metrics.of(&report.pipeline, &part.pipeline);
        run.ended(
            part.status == SUCCESS,
            RunTimes {
                started: seconds(part.started_at),
                finished: part.finished_at.map(seconds),
                seconds: part.seconds,
            },
        );
        for table in &part.tables {
            for (reason, count) in &table.quarantined {
                run.quarantined(&table.table, reason, *count);
            }
        }
        let is_open = |state: &str| state == ExceptionState::Open.name();
        for e in part.exceptions.iter().filter(|e| is_open(&e.state)) {
            run.found(&e.date_kst.to_string(), &e.exception_type, &e.severity, e.count);
        }
        for v in &part.verdicts {
            run.said(&v.control, &v.subject, &v.verdict);
        }
    }
}

fn seconds(at: UtcMicros) -> u64 {
    u64::try_from(at.micros().div_euclid(MICROS_PER_SECOND)).unwrap_or_default()
}
