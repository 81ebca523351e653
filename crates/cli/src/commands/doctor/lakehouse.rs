//! Salt, root, tables, rules, locks, pipelines.

use nsc_contracts::Layer;
use nsc_contracts::rule::{RuleSet, default_rules, plan_sync};
use nsc_contracts::status::{STARTED, SUCCESS};
use nsc_core::{DateKst, MICROS_PER_SECOND, UtcMicros};
use nsc_lake::{Direction, Lake, LakeError, LoadStates, PipelineStates, RunLogEntry, Table, session};
use nsc_pipelines::PipelineError;
use serde_json::Value;

use super::Findings;
use crate::app::App;
use crate::commands::lakehouse::rules::stored;

/// How many of the newest runs are looked at.
const RUNS_LOOKED_AT: usize = 50;

/// Names under which runs hold their pipelines.
const PIPELINES: &[&str] = &[
    "pipeline_silver",
    "pipeline_a",
    "pipeline_b",
    "pipeline_c",
    "sync_rules",
];

pub(super) fn salt(app: &App, findings: &mut Findings) {
    match &app.config.analytics.salt {
        Some(salt) if app.config.analytics.has_dummy_salt() => findings.warn(
            "salt",
            format!(
                "{}: the published dummy, which hides nobody; user_key of Pipeline C is for trying things out only",
                salt.origin
            ),
        ),
        Some(salt) => findings.ok("salt", salt.origin.to_string()),
        None => findings.warn("salt", "not set: Pipeline C refuses to run once a day has a payment order with a user"),
    }
}

/// Whatever is in the lake, when there is one.
pub(super) async fn lake(app: &App, now: UtcMicros, findings: &mut Findings) {
    match app.lake_if_any() {
        Err(failure) => findings.failure("root", &failure),
        Ok(None) => findings.warn(
            "root",
            format!(
                "{} does not exist: mistyped, or nothing has been loaded yet (nsc init and nsc ingest make it)",
                app.config.lake.root.value
            ),
        ),
        Ok(Some(lake)) => {
            if root(&lake, findings).await {
                tables(&lake, findings).await;
                rules(app, findings).await;
                let running = locks(&lake, findings).await;
                runs(&lake, &running, findings).await;
                pipelines(app, &lake, now, findings).await;
            }
        }
    }
}

/// Whether the root can be used; a lock of our own proves reading and writing.
async fn root(lake: &Lake, findings: &mut Findings) -> bool {
    match lake.lock("doctor", "doctor").await {
        Ok(Ok(held)) => {
            held.release().await;
            findings.ok("root", format!("{} is readable and writable", lake.root()));
        }
        Ok(Err(other)) => findings.ok(
            "root",
            format!(
                "{} is readable; another doctor holds it (process {})",
                lake.root(),
                other.pid
            ),
        ),
        Err(e) => {
            findings.fail("root", &e);
            return false;
        }
    }
    true
}

async fn tables(lake: &Lake, findings: &mut Findings) {
    let (mut open, mut absent, mut is_lake) = (0, Vec::new(), false);
    for contract in nsc_contracts::open_tables() {
        match lake.existing(contract).await {
            Ok(Some(table)) => {
                open += 1;
                is_lake |= contract.layer == Layer::Bronze;
                log(&table, findings);
                if let Err(e) = table.check_files().await {
                    findings.fail(&table.name(), &e);
                }
            }
            Ok(None) => absent.push(contract.full_name()),
            Err(e) => {
                is_lake |= contract.layer == Layer::Bronze;
                findings.fail(&contract.full_name(), &e);
            }
        }
    }
    if !is_lake {
        return findings.warn(
            "tables",
            "no Bronze table: is the root mistyped? (nsc init and nsc ingest make a lakehouse)",
        );
    }
    match lake.lost_sources().await {
        Ok(gone) if gone.is_empty() => {}
        Ok(tables) => findings.fail("tables", &PipelineError::SourceGone { tables }),
        Err(e) => findings.fail("tables", &e),
    }
    let not_yet = match absent.as_slice() {
        [] => String::new(),
        [one] => format!(", {one} is not written yet"),
        [first, ..] => format!(", {} are not written yet ({first}, ...)", absent.len()),
    };
    findings.ok(
        "tables",
        format!("{open} open and agree with their contract{not_yet}"),
    );
}

/// What hinders writing, and what of the log is passed over.
fn log(table: &Table, findings: &mut Findings) {
    if let Err(e) = table.check_features(Direction::Write) {
        findings.fail(&table.name(), &e);
    }
    let passed_over = table.passed_over();
    if !passed_over.is_empty() {
        findings.warn(
            &table.name(),
            format!(
                "{} cannot be read and is passed over, the commits say the same: nsc table checkpoint {} writes a new one",
                passed_over.join(", "),
                table.name()
            ),
        );
    }
}

async fn rules(app: &App, findings: &mut Findings) {
    let versions = match stored(app).await {
        Ok(versions) => versions,
        Err(failure) => return findings.failure("rules", &failure),
    };
    if versions.is_empty() {
        return findings.warn("rules", "none stored yet: nsc rules sync");
    }
    let set = match RuleSet::current(&versions) {
        Ok(set) => set,
        Err(e) => return findings.fail("rules", &e),
    };
    let problems = set.problems();
    for problem in &problems {
        findings.fail("rules", problem);
    }
    for warning in set.warnings() {
        findings.warn("rules", &warning);
    }
    if problems.is_empty() {
        let shipped =
            default_rules().and_then(|wanted| plan_sync(&versions, &wanted, RuleSet::END_OF_TIME, true));
        let note = match shipped {
            Ok(plan) if plan.is_empty() => "as shipped".to_owned(),
            Ok(plan) => format!("{} differ from the shipped ones", plan.open.len()),
            Err(e) => format!("not comparable with the shipped ones: {e}"),
        };
        findings.ok("rules", format!("{} in force, {note}", set.iter().count()));
    }
}

/// The runs that hold a pipeline.
async fn locks(lake: &Lake, findings: &mut Findings) -> Vec<String> {
    let (mut held, mut running) = (Vec::new(), Vec::new());
    for pipeline in PIPELINES {
        match lake.holder(pipeline).await {
            Ok(Some(holder)) => {
                held.push(format!(
                    "{pipeline} by run {} (process {})",
                    holder.run_id, holder.pid
                ));
                running.push(holder.run_id);
            }
            Ok(None) => {}
            Err(e) => {
                findings.fail("locks", &e);
                return running;
            }
        }
    }
    findings.ok(
        "locks",
        if held.is_empty() {
            "none held".to_owned()
        } else {
            held.join("; ")
        },
    );
    running
}

/// Runs that began and left no end: killed, or out of memory.
async fn runs(lake: &Lake, running: &[String], findings: &mut Findings) {
    let newest = match lake.runs(RUNS_LOOKED_AT, |_| true).await {
        Ok(newest) => newest,
        Err(e) => return findings.fail("runs", &e),
    };
    let text = |entry: &RunLogEntry, field: &str| {
        let value = entry.report.get(field).and_then(Value::as_str);
        value.unwrap_or("-").to_owned()
    };
    let began = |entry: &RunLogEntry| UtcMicros::parse(&text(entry, "started_at"));
    // What died was made up for by a later run of the same kind.
    let is_made_up = |dead: &RunLogEntry| {
        newest.iter().any(|run| {
            text(run, "status") == SUCCESS
                && text(run, "pipeline") == text(dead, "pipeline")
                && began(run) > began(dead)
        })
    };
    let mut dead = 0;
    for entry in newest.iter().filter(|e| text(e, "status") == STARTED) {
        if running.contains(&text(entry, "run_id")) || is_made_up(entry) {
            continue;
        }
        dead += 1;
        findings.warn(
            "runs",
            format!(
                "{} of {} (now {}) began and has no end: it was killed, or is between two steps; running it again completes it",
                entry.name,
                text(entry, "pipeline"),
                text(entry, "now")
            ),
        );
    }
    if dead == 0 {
        findings.ok(
            "runs",
            format!(
                "none of the newest {} is without an end that a later run has not made up for",
                newest.len()
            ),
        );
    }
}

/// Whether the records of loads that Silver has seen are still there, and the rows of the loads that are recorded.
async fn load_records(app: &App, lake: &Lake, states: &PipelineStates, findings: &mut Findings) {
    if let Err(e) = looked_at_loads(app, lake, states, findings).await {
        findings.fail("loads", &e);
    }
}

async fn looked_at_loads(
    app: &App,
    lake: &Lake,
    states: &PipelineStates,
    findings: &mut Findings,
) -> Result<(), LakeError> {
    const NAMED: usize = 3;
    let ctx = session(&app.session_options())?;
    let loads = LoadStates::read(lake, &ctx).await?;
    let seen = states.get("pipeline_silver").map(|s| &s.input_versions);
    if let Some(lost) = seen.and_then(|seen| loads.lost(seen)) {
        findings.warn("loads", lost);
    }
    let lost = lake.lost_loads(&ctx).await?;
    if lost.is_empty() {
        return Ok(());
    }
    let named = lost.iter().take(NAMED);
    let named = named.map(|r| format!("{} ({})", r.load_id, r.input.as_deref().unwrap_or("-")));
    let mut named = named.collect::<Vec<_>>().join(", ");
    if let Some(more) = lost.len().checked_sub(NAMED).filter(|n| *n > 0) {
        named = format!("{named} and {more} more");
    }
    findings.warn(
        "loads",
        format!(
            "of {} loads no row is in the table: a load that was cut off, or rows that another program took out: {named}. nsc ingest \
             of their files loads them again",
            lost.len()
        ),
    );
    Ok(())
}

/// The last business day that the schedule has processed by now (lakehouse contract 4, "Schedule"): the night's runs have
/// begun by 00:35 KST, and have until two o'clock.
fn due_by(now: UtcMicros) -> DateKst {
    const UNTIL: i64 = 2 * 3_600 * MICROS_PER_SECOND;
    now.plus(-UNTIL).date_kst().previous()
}

async fn pipelines(app: &App, lake: &Lake, now: UtcMicros, findings: &mut Findings) {
    let loaded = match session(&app.session_options()) {
        Ok(ctx) => PipelineStates::load(lake, &ctx).await,
        Err(e) => Err(e),
    };
    let states = match loaded {
        Ok(Some(states)) => states,
        Ok(None) => return findings.ok("pipelines", "none has run yet"),
        Err(e) => return findings.fail("pipelines", &e),
    };
    for state in states.all() {
        let run = state.last_run_id.as_deref().unwrap_or("-");
        let end = state
            .last_processed_end
            .map_or_else(|| "nothing".to_owned(), |t| t.to_string());
        let detail = format!("processed up to {end}, last run {run}");
        let due = due_by(now);
        let is_overdue = state.last_processed_end.is_none_or(|end| end < due.end());
        if state.success && is_overdue {
            findings.warn(
                &state.pipeline_name,
                format!("overdue: {due} is not processed; {detail}"),
            );
        } else if state.success {
            findings.ok(&state.pipeline_name, detail);
        } else {
            findings.warn(
                &state.pipeline_name,
                format!("the last run failed: nsc runs show {run}; {detail}"),
            );
        }
    }
    load_records(app, lake, &states, findings).await;
    let newest = states.all().iter().map(|s| s.updated_at).max();
    if let Some(newest) = newest.filter(|t| *t > now.plus(300 * MICROS_PER_SECOND)) {
        findings.warn(
            "clock",
            format!("a pipeline ran at {newest}, after now ({now}): is the clock right?"),
        );
    }
}
