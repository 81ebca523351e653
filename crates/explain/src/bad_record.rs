//! A quarantined row.

use nsc_contracts::reason::Reason;
use nsc_query::{Engine, QueryError};

use crate::finder::{Finder, Meaning, literal};
use crate::{Sections, nothing};

/// A quarantined row by its `source_ref`: why, the Bronze row as it came, the rule.
///
/// # Errors
/// When there is none, or the lake cannot be read.
pub async fn bad_record(engine: &Engine, source_ref: &str) -> Result<Sections, QueryError> {
    let finder = Finder { engine };
    let found = finder
        .rows(&format!(
            "SELECT source_table, source_ref, load_id, reason, rule_id, run_id, detected_at, record_json \
             FROM silver.bad_records WHERE source_ref = {} ORDER BY detected_at",
            literal(source_ref)
        ))
        .await?;
    let hint = "nsc sql \"SELECT source_table, source_ref, reason FROM silver.bad_records LIMIT 20\"";
    let Some(table) = found.first_text("source_table") else {
        return Err(nothing(format!("no bad record has the source_ref {source_ref}"), hint).into());
    };
    let rules = found.texts("rule_id");
    let reasons = found.texts("reason");
    let mut sections = Sections::default();
    let said = of_reasons(&reasons);
    let both = |pick: fn(&Meaning) -> &'static str| said.iter().map(pick).collect::<Vec<_>>().join(" ");
    let verdict = format!(
        "SELECT {} AS verdict, {} AS verdict_ko",
        literal(&format!(
            "{source_ref} of {table} is quarantined. {}",
            both(|m| m.means.en)
        )),
        literal(&format!(
            "{table}의 {source_ref}은 격리되었습니다. {}",
            both(|m| m.means.ko)
        ))
    );
    sections.push_records("verdict", finder.rows(&verdict).await?);
    sections.push_records("bad record", found);
    sections.push_records("meaning", finder.meaning(said).await?);
    if nsc_contracts::table(&format!("bronze.{table}")).is_some() {
        let source = finder
            .rows(&format!(
                "SELECT r.* FROM bronze.{table} r \
                 JOIN (SELECT DISTINCT load_id FROM silver.bad_records \
                       WHERE source_table = {} AND source_ref = {reference}) bad \
                 ON r.load_id IS NOT DISTINCT FROM bad.load_id \
                 WHERE r.source_ref = {reference} ORDER BY r.ingested_at",
                literal(&table),
                reference = literal(source_ref)
            ))
            .await?;
        sections.push_records("source row", source);
    }
    sections.push("rule", finder.rules(&rules).await?);
    Ok(sections)
}

/// What is wrong with a row that was quarantined for some reasons.
fn of_reasons(names: &[String]) -> Vec<Meaning> {
    let reasons = names.iter().filter_map(|name| Reason::named(name));
    reasons
        .map(|r| Meaning {
            name: r.name,
            means: r.means,
            look_at: None,
        })
        .collect()
}
