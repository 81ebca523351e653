//! What of a business day is not what it was: the rows of its controls and its facts that two versions do not have in common.

use nsc_contracts::control::CONTROLS;
use nsc_contracts::{TableContract, table};
use nsc_core::DateKst;
use nsc_lake::RunLogEntry;
use nsc_query::{Engine, QueryError};

use crate::Sections;
use crate::finder::{Finder, date_literal, literal};

/// Two states of a day.
#[derive(Debug)]
pub struct Compared<'a> {
    /// KST business day.
    pub date_kst: DateKst,
    /// The run that left the earlier one.
    pub from: &'a RunLogEntry,
    /// The run that left the later one; without it what stands now.
    pub to: Option<&'a RunLogEntry>,
    /// At most so many rows of a table.
    pub limit: usize,
}

/// Row by row what a day has lost (`before`) and gained (`now`), table by table; a table without a difference has no rows. Tables
/// that one of the runs neither wrote nor read are left out, and named.
///
/// # Errors
/// When a version cannot be read any more, or the lake cannot be.
pub async fn difference(engine: &Engine, compared: &Compared<'_>) -> Result<Sections, QueryError> {
    let finder = Finder { engine };
    let mut sections = Sections::default();
    sections.push("compared", finder.rows(&described(compared)).await?);
    let mut unknown = Vec::new();
    let others = ["gold.fact_payment_anonymized", "gold.exception_ledger"].map(table);
    for contract in CONTROLS
        .iter()
        .map(|c| &c.table)
        .chain(others.into_iter().flatten())
    {
        let name = contract.full_name();
        let before = compared.from.version_of(&name);
        let after = compared.to.map(|run| run.version_of(&name));
        let (Some(before), true) = (before, after != Some(None)) else {
            unknown.push(name);
            continue;
        };
        let now = match after.flatten() {
            Some(version) => format!("version_of('{name}', {version})"),
            None => name.clone(),
        };
        let before = format!("version_of('{name}', {before})");
        let rows = finder.rows(&query(contract, compared, &before, &now)).await?;
        sections.push(contract.name, rows);
    }
    if !unknown.is_empty() {
        let names: Vec<String> = unknown
            .iter()
            .map(|name| format!("({})", literal(name)))
            .collect();
        let left_out = format!(
            "SELECT name AS \"table\" FROM (VALUES {}) AS tables (name)",
            names.join(", ")
        );
        sections.push("not known of these runs", finder.rows(&left_out).await?);
    }
    Ok(sections)
}

/// Which runs are compared, as a query.
fn described(compared: &Compared<'_>) -> String {
    let row = |side: &str, run: Option<&RunLogEntry>| {
        let text = |name: &str| {
            run.and_then(|r| r.report.get(name)?.as_str())
                .map_or("NULL".to_owned(), literal)
        };
        let name = run.map_or("NULL".to_owned(), |r| literal(&r.name));
        format!(
            "SELECT '{side}' AS side, {name} AS run, {} AS pipeline, {} AS started_at",
            text("pipeline"),
            text("started_at")
        )
    };
    format!(
        "SELECT side, run, pipeline, arrow_cast(started_at, 'Timestamp(Microsecond, Some(\"UTC\"))') AS started_at \
         FROM ({} UNION ALL {}) AS runs ORDER BY side",
        row("before", Some(compared.from)),
        row("now", compared.to)
    )
}

/// The rows that only one of two states has. What only says which run wrote a row is not compared; rows without a key are counted.
fn query(contract: &TableContract, compared: &Compared<'_>, before: &str, now: &str) -> String {
    let day = contract.partition.first().copied().unwrap_or("date_kst");
    let columns: Vec<&str> = contract
        .columns
        .iter()
        .map(|c| c.name)
        .filter(|name| !contract.lineage.contains(name))
        .collect();
    let columns = columns.join(", ");
    let rows = |of: &str| {
        let rows = format!("FROM {of} WHERE {day} = {}", date_literal(compared.date_kst));
        if contract.key.is_empty() {
            format!("SELECT {columns}, count(*) AS times {rows} GROUP BY {columns}")
        } else {
            format!("SELECT {columns} {rows}")
        }
    };
    let order = if contract.key.is_empty() {
        columns.clone()
    } else {
        contract.key.join(", ")
    };
    format!(
        "WITH a AS ({}), b AS ({}) \
         SELECT * FROM (SELECT 'before' AS side, * FROM (SELECT * FROM a EXCEPT SELECT * FROM b) AS gone \
                        UNION ALL SELECT 'now', * FROM (SELECT * FROM b EXCEPT SELECT * FROM a) AS new) AS differing \
         ORDER BY {order}, side LIMIT {}",
        rows(before),
        rows(now),
        compared.limit
    )
}

/// Whether a report is of a run that computed the controls of a day.
#[must_use]
pub fn computed(report: &RunLogEntry, date: DateKst) -> bool {
    let day = date.to_string();
    report
        .reports()
        .filter_map(|r| r.get("verdicts")?.as_array())
        .flatten()
        .any(|verdict| {
            let text = |name: &str| verdict.get(name).and_then(|v| v.as_str()).unwrap_or_default();
            text("subject") == day && text("control").starts_with("B-")
        })
}
