//! A wallet's reconciliation of a day.

use nsc_core::DateKst;
use nsc_query::{Engine, QueryError};

use crate::finder::{Finder, date_literal, literal};
use crate::{Sections, nothing};

/// Everything behind one wallet's row of `gold.recon_daily_snapshot_flow`.
///
/// # Errors
/// When it has none, or the lake cannot be read.
pub async fn recon(engine: &Engine, date: DateKst, wallet: &str) -> Result<Sections, QueryError> {
    let mut sections = Sections::default();
    recon_sections(&Finder { engine }, date, wallet, &mut sections).await?;
    Ok(sections)
}

/// A wallet's row of a day, its two snapshots, the entries between them and those no snapshot proves yet.
pub(crate) async fn recon_sections(
    finder: &Finder<'_>,
    date: DateKst,
    wallet: &str,
    sections: &mut Sections,
) -> Result<(), QueryError> {
    let (day, user) = (date_literal(date), literal(wallet));
    let row = finder
        .rows(&format!(
            "SELECT * FROM gold.recon_daily_snapshot_flow WHERE date_kst = {day} AND user_id = {user}"
        ))
        .await?;
    if row.count() == 0 {
        let hint = "A wallet has a row on days it has a snapshot or an entry; nsc run b --date-kst DATE computes a day.";
        return Err(nothing(
            format!("wallet {wallet} has no reconciliation row on {date}"),
            hint,
        )
        .into());
    }
    let (opening, closing) = (row.first_text("opening_ts"), row.first_text("closing_ts"));
    let rules = finder.rules(&row.texts("rule_id")).await?;
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
