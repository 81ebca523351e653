//! What a run vouches for: the part of its report that says what was judged, by which rules, from which versions and what came of
//! it. Its hash stands in the commit of `gold.pipeline_state` that ends the run, so that a report that was changed afterwards is
//! found out (`nsc runs verify`). A chain leaves no state of its own: its report must say what its steps say.

use std::collections::{BTreeMap, BTreeSet};

use nsc_contracts::status;
use nsc_core::UtcMicros;
use nsc_lake::{Lake, steps_of};
use serde_json::Value;

use crate::context::contract;
use crate::{PipelineError, RunContext, RunReport};

/// Members of a report that the hash covers. Times, steps and memory are of the machine, and the state's own version is not
/// known before it is committed.
const COVERED: [&str; 18] = [
    "run_id",
    "pipeline",
    "status",
    "error",
    "now",
    "invoked_by",
    "version",
    "commit",
    "configuration",
    "rules_in_force",
    "windows",
    "affected_days",
    "tables",
    "exceptions",
    "verdicts",
    "versions_read",
    "versions_written",
    "notes",
];
/// The name of the hash in a commit.
const HASH: &str = "report_blake3";
/// The name of the pipeline in a commit.
const PIPELINE: &str = "pipeline";

/// The hash of what a report, as JSON, says was done.
fn hash(report: &Value) -> String {
    let mut text = String::new();
    for name in COVERED {
        if let Some(value) = report.get(name) {
            text.push_str(name);
            write(value, &mut text);
        }
    }
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// A value as text, members in the order of their names: equal values have one text, whoever wrote them down.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, &Value> = members.iter().collect();
            text.push('{');
            for (name, value) in sorted {
                text.push_str(&Value::from(name.as_str()).to_string());
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// What the commit that ends a run says of it. An error that is known is the run's.
pub(crate) fn metadata(
    run: &RunContext,
    report: &RunReport,
    error: Option<&PipelineError>,
) -> Vec<(String, Value)> {
    let mut ended = report.clone();
    let status = if error.is_some() {
        status::FAILURE
    } else {
        status::SUCCESS
    };
    status.clone_into(&mut ended.status);
    ended.error = error.map(ToString::to_string);
    ended.merge_tables();
    let json = serde_json::to_value(&ended).unwrap_or_default();
    let mut said = run.commit_metadata();
    said.extend([
        (PIPELINE.to_owned(), report.pipeline.as_str().into()),
        (HASH.to_owned(), hash(&json).into()),
    ]);
    said
}

/// How a stored report stands to what its run recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the report the run wrote.
    AsRecorded,
    /// It says something else than the run, or the steps of the chain, recorded.
    Changed,
    /// It says that a run succeeded that has left no word of it, in a time of which the log has the words of others.
    Unknown,
    /// There is no record to hold it against: the run has not ended or left no state, is of an earlier version, or the log of its
    /// time is gone.
    NotRecorded,
}

impl Standing {
    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsRecorded => "as recorded",
            Self::Changed => "CHANGED",
            Self::Unknown => "UNKNOWN RUN",
            Self::NotRecorded => "not recorded",
        }
    }

    /// Whether somebody has to look.
    #[must_use]
    pub const fn is_wrong(self) -> bool {
        matches!(self, Self::Changed | Self::Unknown)
    }
}

/// The hashes that the log of `gold.pipeline_state` holds, by run and pipeline. An id that was used again has several.
#[derive(Debug, Default)]
pub struct Evidence {
    hashes: BTreeMap<(String, String), Vec<String>>,
    /// When the oldest of them was written, milliseconds since the epoch.
    since: Option<i64>,
}

fn text<'a>(report: &'a Value, name: &str) -> &'a str {
    report.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Evidence {
    /// Reads the log, as far back as it is kept.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn load(lake: &Lake) -> Result<Self, PipelineError> {
        let Some(table) = lake.existing(contract("gold.pipeline_state")?).await? else {
            return Ok(Self::default());
        };
        let mut found = Self::default();
        // The newest first: the last one that is seen is the oldest.
        for commit in table.history(None).await? {
            let said = |name: &str| commit.get(name).and_then(Value::as_str).map(str::to_owned);
            if let (Some(run), Some(pipeline), Some(hash)) =
                (said(nsc_lake::RUN_ID), said(PIPELINE), said(HASH))
            {
                found.hashes.entry((run, pipeline)).or_default().push(hash);
                found.since = commit.get("timestamp").and_then(Value::as_i64);
            }
        }
        Ok(found)
    }

    /// How a report of one pipeline, or of a chain, stands to what was recorded.
    #[must_use]
    pub fn of(&self, report: &Value) -> Standing {
        if steps_of(report).next().is_some() {
            return of_chain(report);
        }
        if !has_ended(report) && !is_left_behind(report) {
            return Standing::Changed;
        }
        let key = (
            text(report, "run_id").to_owned(),
            text(report, "pipeline").to_owned(),
        );
        match self.hashes.get(&key) {
            Some(hashes) if hashes.contains(&hash(report)) => Standing::AsRecorded,
            Some(_) if has_ended(report) => Standing::Changed,
            None if text(report, "status") == status::SUCCESS && self.covers(report) => Standing::Unknown,
            Some(_) | None => Standing::NotRecorded,
        }
    }

    /// Whether a run of that pipeline would have left its word in what the log still has.
    fn covers(&self, report: &Value) -> bool {
        let leaves_state = self
            .hashes
            .keys()
            .any(|(_, pipeline)| pipeline == text(report, "pipeline"));
        let began = UtcMicros::parse(text(report, "started_at")).map(|at| at.micros().div_euclid(1_000));
        leaves_state && began.zip(self.since).is_some_and(|(began, since)| since < began)
    }

    /// What is recorded and none of the reports says: run and pipeline. A run whose report says that it has not ended was killed
    /// before it could say more.
    #[must_use]
    pub fn without_report(&self, reports: &[&Value]) -> Vec<(String, String)> {
        let mut said = BTreeSet::new();
        let mut killed = BTreeSet::new();
        for report in reports {
            if !has_ended(report) {
                killed.insert(text(report, "run_id").to_owned());
            }
            said.extend(std::iter::once(*report).chain(steps_of(report)).map(hash));
        }
        let lost = self.hashes.iter().filter(|((run, _), hashes)| {
            !killed.contains(run) && hashes.iter().any(|hash| !said.contains(hash))
        });
        lost.map(|(key, _)| key.clone()).collect()
    }
}

/// The run has said how it ended.
fn has_ended(report: &Value) -> bool {
    [status::SUCCESS, status::FAILURE].contains(&text(report, "status"))
}

/// What a run leaves that was killed, told to stop or held back: it has judged nothing.
fn is_left_behind(report: &Value) -> bool {
    let is_known = [status::STARTED, status::INTERRUPTED, status::SKIPPED].contains(&text(report, "status"));
    is_known && judges_nothing(report)
}

fn judges_nothing(report: &Value) -> bool {
    let is_empty = |name: &str| {
        report
            .get(name)
            .is_none_or(|v| v.as_array().is_none_or(Vec::is_empty))
    };
    ["verdicts", "exceptions", "tables", "affected_days"]
        .into_iter()
        .all(is_empty)
}

/// A chain judges nothing itself and ends as its steps do.
fn of_chain(report: &Value) -> Standing {
    if !has_ended(report) {
        return if is_left_behind(report) {
            Standing::NotRecorded
        } else {
            Standing::Changed
        };
    }
    let agree = |name: &str| steps_of(report).all(|step| step.get(name) == report.get(name));
    let failed = steps_of(report).find(|step| text(step, "status") == status::FAILURE);
    let ends_alike = match failed {
        None => text(report, "status") == status::SUCCESS && report.get("error").is_none(),
        Some(step) => text(report, "status") == status::FAILURE && report.get("error") == step.get("error"),
    };
    let agree = [
        "run_id",
        "now",
        "invoked_by",
        "version",
        "commit",
        "configuration",
    ]
    .into_iter()
    .all(agree);
    if judges_nothing(report) && agree && ends_alike {
        Standing::AsRecorded
    } else {
        Standing::Changed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Evidence, Standing, hash};

    #[test]
    fn the_hash_covers_what_was_judged_and_not_how_long_it_took() {
        let report = |verdict: &str, seconds: f64| {
            json!({"run_id": "r", "pipeline": "pipeline_b", "status": "success", "seconds": seconds,
                   "verdicts": [{"control": "B-1", "verdict": verdict}], "versions_read": {"b": 2, "a": 1}})
        };
        assert_eq!(hash(&report("ok", 1.0)), hash(&report("ok", 2.0)));
        assert_ne!(hash(&report("ok", 1.0)), hash(&report("CRITICAL", 1.0)));
        assert_ne!(hash(&json!({"error": "a"})), hash(&json!({"status": "a"})));
        assert_ne!(
            hash(&json!({"tables": ["a", "b"]})),
            hash(&json!({"tables": ["ab"]}))
        );
    }

    #[test]
    fn a_chain_says_what_its_steps_say() {
        let step = |status: &str, error: Option<&str>| {
            let mut step =
                json!({"run_id": "r", "pipeline": "p", "now": "n", "version": "1", "status": status});
            if let Some(error) = error {
                step["error"] = error.into();
            }
            step
        };
        let chain = |status: &str, steps: Vec<serde_json::Value>| {
            let mut chain = step(status, None);
            chain["parts"] = steps.into();
            chain
        };
        let of = |report: &serde_json::Value| Evidence::default().of(report);
        let (good, bad) = (step("success", None), step("failure", Some("no")));
        let skipped = step("skipped", Some("held"));
        assert_eq!(
            of(&chain("success", vec![good.clone(), skipped])),
            Standing::AsRecorded
        );
        assert_eq!(
            of(&chain("success", vec![good.clone(), bad.clone()])),
            Standing::Changed
        );
        let mut failed = chain("failure", vec![good.clone(), bad]);
        assert_eq!(of(&failed), Standing::Changed, "its error is gone");
        failed["error"] = "no".into();
        assert_eq!(of(&failed), Standing::AsRecorded);
        let mut judged = chain("success", vec![good]);
        judged["verdicts"] = json!([{"verdict": "ok"}]);
        assert_eq!(of(&judged), Standing::Changed);
        assert_eq!(of(&chain("started", vec![])), Standing::NotRecorded);
        let verdicts = json!([{"control": "B-1", "verdict": "ok"}]);
        for status in ["started", "interrupted", "skipped", "running"] {
            let mut forged = step(status, None);
            let silent = if status == "running" {
                Standing::Changed
            } else {
                Standing::NotRecorded
            };
            assert_eq!(of(&forged), silent, "{status}");
            forged["verdicts"] = verdicts.clone();
            assert_eq!(
                of(&forged),
                Standing::Changed,
                "a run that has not ended has judged nothing: {status}"
            );
        }
    }
}
