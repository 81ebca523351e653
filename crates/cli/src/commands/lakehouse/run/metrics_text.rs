//! What came of a run, as a text that Prometheus' node exporter picks up (`--metrics-file`).

use std::fmt::Write as _;
use std::path::Path;

use nsc_contracts::exception::ExceptionState;
use nsc_contracts::status::SUCCESS;
use nsc_core::{MICROS_PER_SECOND, UtcMicros};
use nsc_pipelines::RunReport;

use crate::failure::Refusal;
use crate::new_file::{NewFile, unwritable};

/// Writes the metrics of a run and its steps; a file that is there is replaced at once, for it may be read at any moment.
pub(super) fn write(report: &RunReport, path: &Path) -> Result<(), Refusal> {
    let file = NewFile::of(path);
    std::fs::write(file.path(), text(report)).map_err(|e| unwritable(path, e))?;
    file.finish()
}

/// The series of a run: one family after the other.
struct Families<'a> {
    text: String,
    /// Files of several schedules lie beside each other: no two series may have the same labels.
    run: String,
    parts: Vec<&'a RunReport>,
}

fn text(report: &RunReport) -> String {
    let own = report.parts.is_empty().then_some(report);
    let mut families = Families {
        text: String::new(),
        run: label("run", &report.pipeline),
        parts: report.parts.iter().chain(own).collect(),
    };
    families.runs();
    families.results();
    families.text
}

impl Families<'_> {
    fn labels(&self, part: &RunReport, more: &[String]) -> String {
        let own = [self.run.clone(), label("pipeline", &part.pipeline)];
        own.iter()
            .chain(more)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(",")
    }

    fn family(&mut self, name: &str, help: &str, samples: Vec<(String, String)>) {
        if !samples.is_empty() {
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge");
        }
        for (labels, value) in samples {
            let _ = writeln!(self.text, "{name}{{{labels}}} {value}");
        }
    }

    /// One number of each pipeline.
    fn of_each(&mut self, name: &str, help: &str, value: impl Fn(&RunReport) -> Option<String>) {
        let samples = self
            .parts
            .iter()
            .filter_map(|part| Some((self.labels(part, &[]), value(part)?)));
        let samples = samples.collect();
        self.family(name, help, samples);
    }

    /// How the runs went.
    fn runs(&mut self) {
        self.of_each(
            "nsc_run_success",
            "Whether the last run did its work (1) or failed (0).",
            |part| Some(u8::from(part.status == SUCCESS).to_string()),
        );
        self.of_each(
            "nsc_run_started_timestamp_seconds",
            "When the last run began.",
            |part| Some(seconds(part.started_at)),
        );
        self.of_each(
            "nsc_run_finished_timestamp_seconds",
            "When the last run ended.",
            |part| part.finished_at.map(seconds),
        );
        self.of_each(
            "nsc_run_duration_seconds",
            "How long the last run took.",
            |part| Some(format!("{:.3}", part.seconds)),
        );
    }

    /// What they found.
    fn results(&mut self) {
        let (mut quarantined, mut open, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
        for part in &self.parts {
            for (table, (reason, count)) in part
                .tables
                .iter()
                .flat_map(|t| t.quarantined.iter().map(move |r| (t, r)))
            {
                let of = [label("table", &table.table), label("reason", reason)];
                quarantined.push((self.labels(part, &of), count.to_string()));
            }
            for e in part
                .exceptions
                .iter()
                .filter(|e| e.state == ExceptionState::Open.name())
            {
                let of = [
                    label("date_kst", &e.date_kst.to_string()),
                    label("exception_type", &e.exception_type),
                    label("severity", &e.severity),
                ];
                open.push((self.labels(part, &of), e.count.to_string()));
            }
            for v in &part.verdicts {
                let of = [
                    label("control", &v.control),
                    label("subject", &v.subject),
                    label("verdict", &v.verdict),
                ];
                verdicts.push((self.labels(part, &of), "1".to_owned()));
            }
        }
        self.family(
            "nsc_run_quarantined_rows",
            "Rows the last run quarantined.",
            quarantined,
        );
        self.family("nsc_run_findings", "Breaches the last run found.", open);
        self.family(
            "nsc_run_verdict",
            "What each control says; the label verdict is the value.",
            verdicts,
        );
    }
}

fn label(name: &str, value: &str) -> String {
    let value = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

fn seconds(at: UtcMicros) -> String {
    at.micros().div_euclid(MICROS_PER_SECOND).to_string()
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_label_is_escaped_as_prometheus_reads_it() {
        assert_eq!(label("a", "b\"c\\d\n"), "a=\"b\\\"c\\\\d\\n\"");
    }
}
