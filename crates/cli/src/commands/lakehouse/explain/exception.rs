//! The rows behind an exception, by its type.

use nsc_core::DateKst;

use super::query::{Finder, date_literal, first_text, literal, texts};
use super::{ExceptionArgs, nothing};
use crate::failure::Outcome;
use crate::output::{Sections, Sheet};

/// The exceptions of a day, their rules, and, when they are all about one subject, the rows behind it.
pub(super) async fn explain(finder: &Finder<'_>, args: &ExceptionArgs) -> Outcome<Sections> {
    let mut filter = vec![format!("date_kst = {}", date_literal(args.date_kst))];
    filter.extend(
        args.exception_type
            .as_ref()
            .map(|t| format!("exception_type = {}", literal(t))),
    );
    filter.extend(args.subject.as_ref().map(|s| format!("subject = {}", literal(s))));
    let found = finder
        .rows(&format!(
            "SELECT exception_type, severity, state, subject, source_table, metric, metric_value, message, rule_id, run_id, \
             window_start_ts, window_end_ts, generated_at FROM gold.exception_ledger WHERE {} \
             ORDER BY generated_at DESC, exception_type, subject LIMIT {}",
            filter.join(" AND "),
            args.limit
        ))
        .await?;
    if found.rows.is_empty() {
        let hint = "nsc sql \"SELECT date_kst, exception_type, subject FROM gold.exception_ledger\"";
        return Err(nothing(format!("no exception of {} matches", args.date_kst), hint).into());
    }
    let mut sections = Sections::default();
    let rules = finder.rules(&texts(&found, "rule_id")).await?;
    let single = single_subject(&found);
    if found.rows.len() == 1 {
        sections.push_records("exceptions", found);
    } else {
        sections.push("exceptions", found);
    }
    sections.push("rules", rules);
    if let Some(subject) = single {
        behind(finder, args.date_kst, &subject, &mut sections).await?;
    }
    Ok(sections)
}

/// What one kind of exception is about.
struct Subject {
    exception_type: String,
    subject: Option<String>,
    source_table: Option<String>,
    run_id: Option<String>,
}

fn single_subject(found: &Sheet) -> Option<Subject> {
    let types = texts(found, "exception_type");
    let subjects = texts(found, "subject");
    let [exception_type] = types.as_slice() else {
        return None;
    };
    (subjects.len() <= 1).then(|| Subject {
        exception_type: exception_type.clone(),
        subject: subjects.first().cloned(),
        source_table: first_text(found, "source_table"),
        run_id: first_text(found, "run_id"),
    })
}

async fn behind(finder: &Finder<'_>, date: DateKst, what: &Subject, sections: &mut Sections) -> Outcome {
    let day = date_literal(date);
    match (what.exception_type.as_str(), &what.subject) {
        (kind, Some(wallet)) if kind.starts_with("RECON_") => {
            recon_sections(finder, date, wallet, sections).await?
        }
        ("LEDGER_ENTRY_CONFLICT", Some(tx_id)) => {
            let copies = format!(
                "SELECT * FROM bronze.transaction_ledger_raw WHERE tx_id = {} ORDER BY ingested_at",
                literal(tx_id)
            );
            sections.push_records("copies in Bronze", finder.rows(&copies).await?);
            let kept = format!(
                "SELECT * FROM silver.ledger_entries WHERE tx_id = {}",
                literal(tx_id)
            );
            sections.push_records("kept in Silver", finder.rows(&kept).await?);
        }
        ("SUPPLY_MISMATCH", _) => {
            let supply = format!("SELECT * FROM gold.ledger_supply_balance_daily WHERE date_kst = {day}");
            sections.push_records("supply of the day", finder.rows(&supply).await?);
        }
        ("BAD_RECORDS_RATE_EXCEEDED", _) => {
            let run = what
                .run_id
                .as_deref()
                .map(|r| format!("run_id = {}", literal(r)))
                .unwrap_or_else(|| "true".to_owned());
            let table = what
                .source_table
                .as_deref()
                .map(|t| format!("source_table = {}", literal(t)))
                .unwrap_or_else(|| "true".to_owned());
            let reasons = format!(
                "SELECT source_table, reason, count(*) AS rows, min(source_ref) AS for_example FROM silver.bad_records \
                 WHERE {run} AND {table} GROUP BY 1, 2 ORDER BY 3 DESC"
            );
            sections.push("reasons", finder.rows(&reasons).await?);
        }
        (_, _) => {
            let Some(table) = &what.source_table else {
                return Ok(());
            };
            let windows = format!(
                "SELECT window_start_ts, window_end_ts, freshness_sec, event_count, dup_rate, bad_records_rate, dq_tag, severity, rule_id \
                 FROM silver.dq_status WHERE date_kst = {day} AND source_table = {} AND dq_tag IS NOT NULL \
                 ORDER BY window_start_ts LIMIT 200",
                literal(table)
            );
            sections.push("windows that fired", finder.rows(&windows).await?);
        }
    }
    Ok(())
}

/// A wallet's row of a day, its two snapshots, the entries between them and those no snapshot proves yet.
pub(super) async fn recon_sections(
    finder: &Finder<'_>,
    date: DateKst,
    wallet: &str,
    sections: &mut Sections,
) -> Outcome {
    let (day, user) = (date_literal(date), literal(wallet));
    let row = finder
        .rows(&format!(
            "SELECT * FROM gold.recon_daily_snapshot_flow WHERE date_kst = {day} AND user_id = {user}"
        ))
        .await?;
    if row.rows.is_empty() {
        let hint = "A wallet has a row on days it has a snapshot or an entry; nsc run b --date-kst DATE computes a day.";
        return Err(nothing(
            format!("wallet {wallet} has no reconciliation row on {date}"),
            hint,
        )
        .into());
    }
    let (opening, closing) = (first_text(&row, "opening_ts"), first_text(&row, "closing_ts"));
    let rules = finder.rules(&texts(&row, "rule_id")).await?;
    sections.push_records("reconciliation", row);
    let end = format!("TIMESTAMP '{}'", date.end());
    if let (Some(opening), Some(closing)) = (&opening, &closing) {
        let snapshots = format!(
            "SELECT snapshot_ts, balance_available, balance_frozen, balance_total, source_ref FROM silver.wallet_snapshot \
             WHERE user_id = {user} AND snapshot_ts IN (TIMESTAMP '{opening}', TIMESTAMP '{closing}') ORDER BY snapshot_ts"
        );
        sections.push("opening and closing snapshot", finder.rows(&snapshots).await?);
        let between = entries(
            &user,
            Some(&format!("TIMESTAMP '{opening}'")),
            &format!("TIMESTAMP '{closing}'"),
        );
        sections.push("entries between them (net flow)", finder.rows(&between).await?);
        let pending = entries(&user, Some(&format!("TIMESTAMP '{closing}'")), &end);
        sections.push(
            "entries after the closing snapshot (pending)",
            finder.rows(&pending).await?,
        );
    } else {
        sections.push(
            "entries up to the end of the day (pending: no snapshot proves them)",
            finder.rows(&entries(&user, None, &end)).await?,
        );
    }
    sections.push("rule", rules);
    Ok(())
}

fn entries(user: &str, from: Option<&str>, to: &str) -> String {
    let from = from
        .map(|from| format!("event_time >= {from} AND "))
        .unwrap_or_default();
    format!(
        "SELECT event_time, tx_id, entry_type, amount, amount_signed, related_id, source_ref FROM silver.ledger_entries \
         WHERE wallet_id = {user} AND {from}event_time < {to} ORDER BY event_time, tx_id LIMIT 500"
    )
}
