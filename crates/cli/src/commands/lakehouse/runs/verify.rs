//! Whether stored reports are those the runs wrote.

use nsc_core::ErrorCode;
use nsc_lake::{Lake, RunLogEntry, steps_of};
use nsc_pipelines::{Evidence, Standing};
use serde_json::Value;

use super::known;
use crate::app::App;
use crate::failure::{OperatorMessage, Outcome};
use crate::output::{Cell, Listing};

/// Holds one report, or all, against what the runs recorded; all includes runs whose report is gone.
pub(super) async fn verify(lake: &Lake, run: Option<&str>, app: &mut App) -> Outcome {
    let evidence = Evidence::load(lake).await?;
    let entries = match run {
        Some(run) => vec![known(lake, run).await?],
        None => lake.runs(usize::MAX, |_| true).await?,
    };
    let mut listing = Listing::of_text(&["run_id", "pipeline", "report"]);
    let mut wrong = 0_u64;
    for RunLogEntry { name, report } in &entries {
        // A report lies under the id of its run; earlier ones of an id that was used again under that and a number.
        let id = report.get("run_id").and_then(Value::as_str).unwrap_or_default();
        let is_in_place = name == id || name.strip_prefix(id).is_some_and(|rest| rest.starts_with('.'));
        for part in std::iter::once(report).chain(steps_of(report)) {
            let text = |field: &str| part.get(field).and_then(Value::as_str).unwrap_or_default();
            let standing = if is_in_place {
                evidence.of(part)
            } else {
                Standing::Changed
            };
            wrong += u64::from(standing.is_wrong());
            let said = match standing {
                // It changes no state: what it did stands in the log of the rules.
                Standing::NotRecorded if text("pipeline") == "sync_rules" => {
                    "leaves no hash (nsc rules history)"
                }
                other => other.name(),
            };
            listing.push([Cell::text(name), Cell::text(text("pipeline")), Cell::text(said)]);
        }
    }
    if run.is_none() {
        let reports: Vec<&Value> = entries.iter().map(|entry| &entry.report).collect();
        for (run, pipeline) in evidence.without_report(&reports) {
            wrong += 1;
            listing.push([Cell::Text(run), Cell::Text(pipeline), Cell::text("MISSING")]);
        }
    }
    app.printer.listing(&listing)?;
    if wrong > 0 {
        return Err(OperatorMessage::new(
            ErrorCode::ReportChanged,
            format!("{wrong} of the reports are not what their runs recorded"),
        )
        .with_hint("What the run found stands in the tables: nsc diff DATE, nsc explain exception.")
        .into());
    }
    Ok(())
}
