//! The soft gate: a source that is stale or losing events suppresses the day's threshold verdicts
//! (seed 4.4, "dq_tags"; lakehouse contract 4, Pipeline B).

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::prelude::SessionContext;
use nsc_contracts::rule::{RuleSet, TAGS};
use nsc_core::DateKst;

use crate::{PipelineError, RunContext};

/// The sources B reads.
const SOURCES: [&str; 2] = ["transaction_ledger_raw", "user_wallets_raw"];

/// The gating tag of a day, when there is one. Scope `closing` asks the newest window of each source, scope
/// `any` every window.
pub(crate) async fn gating_tag(
    run: &RunContext,
    ctx: &SessionContext,
    rules: &RuleSet,
    day: DateKst,
) -> Result<Option<String>, PipelineError> {
    let gating = rules.for_metric("ledger", "gate_tags", None)?.allowed()?.to_vec();
    let scope = rules
        .for_metric("ledger", "gate_scope", None)?
        .choice(&["closing", "any"])?
        .to_owned();
    let Some(table) = run.existing("silver.dq_status").await? else {
        return Ok(None);
    };
    let rows = ctx
        .read_table(table.scan(table.files_of(&[day])?))?
        .select_columns(&["source_table", "window_end_ts", "generated_at", "dq_tag"])?
        .collect()
        .await?;
    // Of several rows of one window the newest counts.
    let mut windows: BTreeMap<(String, i64), (i64, Option<String>)> = BTreeMap::new();
    for batch in &rows {
        let (sources, tags) = (
            cast(batch.column(0), &DataType::Utf8)?,
            cast(batch.column(3), &DataType::Utf8)?,
        );
        let (sources, tags) = (sources.as_string::<i32>(), tags.as_string::<i32>());
        let ends = batch.column(1).as_primitive::<TimestampMicrosecondType>();
        let written = batch.column(2).as_primitive::<TimestampMicrosecondType>();
        for i in (0..batch.num_rows()).filter(|i| SOURCES.contains(&sources.value(*i))) {
            let tag = tags.is_valid(i).then(|| tags.value(i).to_owned());
            let entry = windows
                .entry((sources.value(i).to_owned(), ends.value(i)))
                .or_insert((i64::MIN, None));
            if written.value(i) >= entry.0 {
                *entry = (written.value(i), tag);
            }
        }
    }
    let mut tags: Vec<String> = Vec::new();
    for source in SOURCES {
        let mut of_source = windows
            .iter()
            .filter(|((s, _), _)| s == source)
            .map(|(_, (_, tag))| tag.clone());
        match scope.as_str() {
            "any" => tags.extend(of_source.flatten()),
            _ => tags.extend(of_source.next_back().flatten()),
        }
    }
    Ok(TAGS
        .iter()
        .find(|t| gating.iter().any(|g| g == *t) && tags.iter().any(|x| x == *t))
        .map(|t| (*t).to_owned()))
}
