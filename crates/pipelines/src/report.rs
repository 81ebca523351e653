//! What a run says of itself: printed, stored, and read back by `nsc runs` (lakehouse contract 4).

use std::collections::BTreeMap;
use std::time::Instant;

use nsc_contracts::exception::ExceptionState;
use nsc_contracts::rule::{RuleSet, Severity};
use nsc_contracts::status::{self, verdict};
use nsc_core::{DateKst, RunId, UtcMicros, UtcWindow};
use nsc_lake::UpsertOutcome;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use crate::progress::Progress;
use crate::{PipelineError, RunContext};

/// One source or table of a run.
#[derive(Debug, Clone, Default, JsonSchema, Serialize, Deserialize)]
pub struct TableReport {
    /// Table, `<layer>.<name>`.
    pub table: String,
    /// Bronze rows taken; equals rows + duplicates + quarantined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<u64>,
    /// Rows of the table this run stands for.
    pub rows: u64,
    /// Valid copies a newer one stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicates: Option<u64>,
    /// Quarantined rows by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quarantined: BTreeMap<String, u64>,
    /// What changed.
    #[serde(flatten)]
    pub outcome: UpsertOutcome,
}

impl TableReport {
    /// Adds what another day or step of the run did with the table.
    fn add(&mut self, other: Self) {
        let sum = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a + b).or(a).or(b);
        self.lines = sum(self.lines, other.lines);
        self.rows += other.rows;
        self.duplicates = sum(self.duplicates, other.duplicates);
        for (reason, count) in other.quarantined {
            *self.quarantined.entry(reason).or_default() += count;
        }
        self.outcome = self.outcome.plus(other.outcome);
    }
}

/// How long a step took.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct StepReport {
    /// Step.
    pub step: String,
    /// Rows it went through.
    pub rows: u64,
    /// Bytes it read.
    pub bytes: u64,
    /// Seconds of wall clock.
    pub seconds: f64,
}

/// Exceptions a run wrote.
#[derive(Debug, Clone, JsonSchema, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExceptionCount {
    /// Business day.
    #[schemars(with = "String")]
    pub date_kst: DateKst,
    /// Type.
    pub exception_type: String,
    /// `WARN` or `CRITICAL`.
    pub severity: String,
    /// `OPEN` or `CLEARED`.
    pub state: String,
    /// How many the run found (open) or closed.
    pub count: u64,
}

/// A control's verdict on one day or span.
#[derive(Debug, Clone, JsonSchema, Serialize, Deserialize)]
pub struct Verdict {
    /// Control, e.g. `B-2 supply`.
    pub control: String,
    /// Day or span.
    pub subject: String,
    /// `ok`, `WARN`, `CRITICAL`, `suppressed`, or `no_data`: there was nothing to judge.
    pub verdict: String,
    /// What was judged, and the numbers in short.
    pub detail: String,
}

/// The report of one run.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct RunReport {
    /// Run id.
    #[schemars(with = "String")]
    pub run_id: RunId,
    /// Pipeline, e.g. `pipeline_silver`.
    pub pipeline: String,
    /// `started`, then `success`, `failure` or `interrupted`; of a step of a chain also `skipped`.
    pub status: String,
    /// Why it is not a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a reader must know of how the results came about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The run's now.
    #[schemars(with = "String")]
    pub now: UtcMicros,
    /// The machine's time when it began.
    #[schemars(with = "String")]
    pub started_at: UtcMicros,
    /// The machine's time when it had ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<UtcMicros>,
    /// `user@host` that ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoked_by: Option<String>,
    /// Version of the program.
    #[schemars(with = "String")]
    pub version: &'static str,
    /// Commit the program was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub commit: Option<&'static str>,
    /// Hash of the effective configuration without its secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// The rules it judged by, whether or not they found anything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules_in_force: Vec<String>,
    /// What it was about.
    #[schemars(with = "Vec<Span>")]
    pub windows: Vec<UtcWindow>,
    /// Earlier business days whose rows changed by late arrivals: their controls and facts are to be repeated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub affected_days: Vec<DateKst>,
    /// Sources and tables.
    pub tables: Vec<TableReport>,
    /// Exceptions by type and severity.
    pub exceptions: Vec<ExceptionCount>,
    /// Verdicts.
    pub verdicts: Vec<Verdict>,
    /// What a rules sync did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<crate::SyncReport>,
    /// Where the time went.
    pub steps: Vec<StepReport>,
    /// Delta versions read, by table.
    pub versions_read: BTreeMap<String, u64>,
    /// Delta versions written, by table.
    pub versions_written: BTreeMap<String, u64>,
    /// Wall clock of the run.
    pub seconds: f64,
    /// Peak memory of the process so far.
    pub peak_memory_bytes: Option<u64>,
    /// Steps of a chain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<RunReport>,
    /// Who is told of each step.
    #[serde(skip)]
    progress: Progress,
}

/// A half-open span of time, as it is written down.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it describes what the vocabulary's type writes")]
struct Span {
    /// First instant inside.
    start: String,
    /// First instant after.
    end: String,
}

/// The JSON schema of a report, as `--format json` prints it and the lakehouse keeps it.
#[must_use]
pub fn report_schema() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<RunReport>()
}

impl RunReport {
    pub(crate) fn new(run: &RunContext, pipeline: &str) -> Self {
        let mut report = Self::empty(run.run_id.clone(), pipeline.to_owned(), run.now);
        report.started_at = run.machine_time();
        report.invoked_by.clone_from(&run.invocation.invoked_by);
        report.commit = run.invocation.commit;
        report.configuration.clone_from(&run.invocation.configuration);
        report.progress = run.progress.clone();
        report
    }

    /// An empty one, for what runs beside the rest of a run.
    pub(crate) fn beside(of: &Self) -> Self {
        let mut beside = Self::empty(of.run_id.clone(), of.pipeline.clone(), of.now);
        beside.progress = of.progress.clone();
        beside
    }

    fn empty(run_id: RunId, pipeline: String, now: UtcMicros) -> Self {
        Self {
            run_id,
            pipeline,
            status: status::STARTED.to_owned(),
            error: None,
            notes: Vec::new(),
            now,
            started_at: now,
            finished_at: None,
            invoked_by: None,
            version: env!("CARGO_PKG_VERSION"),
            commit: None,
            configuration: None,
            rules_in_force: Vec::new(),
            windows: Vec::new(),
            affected_days: Vec::new(),
            tables: Vec::new(),
            exceptions: Vec::new(),
            verdicts: Vec::new(),
            rules: None,
            steps: Vec::new(),
            versions_read: BTreeMap::new(),
            versions_written: BTreeMap::new(),
            seconds: 0.0,
            peak_memory_bytes: None,
            parts: Vec::new(),
            progress: Progress::default(),
        }
    }

    /// Says what the run is about to do.
    pub(crate) fn begins(&self, what: &str) {
        self.progress.say(&self.pipeline, what);
    }

    /// Takes down the rules that the run judges by, and hands them on.
    pub(crate) fn judging_by(&mut self, rules: RuleSet) -> RuleSet {
        self.rules_in_force = rules.iter().map(|rule| rule.rule_id.clone()).collect();
        self.rules_in_force.sort_unstable();
        rules
    }

    /// Takes over what ran beside: its tables, what it found, its steps, and the versions it read and wrote.
    pub(crate) fn absorb(&mut self, beside: Self) {
        self.notes.extend(beside.notes);
        self.tables.extend(beside.tables);
        self.exceptions.extend(beside.exceptions);
        self.verdicts.extend(beside.verdicts);
        self.steps.extend(beside.steps);
        self.versions_read.extend(beside.versions_read);
        self.versions_written.extend(beside.versions_written);
    }

    pub(crate) fn read(&mut self, table: &nsc_lake::Table) {
        self.versions_read.insert(table.name(), table.version());
    }

    pub(crate) fn wrote(&mut self, table: &nsc_lake::Table) {
        self.versions_written.insert(table.name(), table.version());
    }

    /// Takes down what a run has committed to a table. (Lines of one table become one in the end.)
    pub(crate) fn committed(&mut self, table: &nsc_lake::Table, outcome: UpsertOutcome) {
        if outcome.changed() > 0 {
            self.wrote(table);
        }
        self.tables.push(TableReport {
            table: table.name(),
            rows: outcome.inserted + outcome.updated + outcome.unchanged,
            outcome,
            ..TableReport::default()
        });
    }

    pub(crate) fn step(&mut self, step: impl Into<String>, since: Instant, rows: u64, bytes: u64) {
        let (step, seconds) = (step.into(), since.elapsed().as_secs_f64());
        tracing::info!(pipeline = self.pipeline, step, rows, seconds, "done");
        self.progress.say(&self.pipeline, &format!("{step} done"));
        self.steps.push(StepReport {
            step,
            rows,
            bytes,
            seconds,
        });
    }

    /// Says how the run ended, and makes one line of those that its days and steps have left for a table.
    pub(crate) fn end(&mut self, begun: Instant, outcome: &Result<(), PipelineError>) {
        let elapsed = begun.elapsed();
        self.seconds = elapsed.as_secs_f64();
        let micros = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        self.finished_at = Some(self.started_at.plus(micros));
        let status = if outcome.is_ok() {
            status::SUCCESS
        } else {
            status::FAILURE
        };
        status.clone_into(&mut self.status);
        self.error = outcome.as_ref().err().map(ToString::to_string);
        self.merge_tables();
    }

    /// One line of those that days and steps have left for a table.
    pub(crate) fn merge_tables(&mut self) {
        let mut tables: Vec<TableReport> = Vec::with_capacity(self.tables.len());
        for line in self.tables.drain(..) {
            match tables.iter_mut().find(|t| t.table == line.table) {
                Some(same) => same.add(line),
                None => tables.push(line),
            }
        }
        self.tables = tables;
    }

    /// Whether some control of the run and its parts had nothing to judge.
    #[must_use]
    pub fn has_no_data(&self) -> bool {
        let own = self.verdicts.iter().any(|v| v.verdict == verdict::NO_DATA);
        own || self.parts.iter().any(Self::has_no_data)
    }

    /// The gravest severity among the open exceptions of the run and its parts.
    #[must_use]
    pub fn gravest(&self) -> Option<Severity> {
        let open = self
            .exceptions
            .iter()
            .filter(|e| e.state == ExceptionState::Open.name() && e.count > 0);
        let own = open.filter_map(|e| Severity::named(&e.severity));
        own.chain(self.parts.iter().filter_map(Self::gravest)).max()
    }
}
