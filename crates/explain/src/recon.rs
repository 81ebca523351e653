//! A wallet's reconciliation of a day.

use nsc_core::DateKst;
use nsc_query::{Engine, QueryError, Rows};

use crate::finder::{Finder, date_literal, literal};
use crate::{Sections, nothing};

/// Everything behind one wallet's row of `gold.recon_daily_snapshot_flow`, the verdict in a sentence first.
///
/// # Errors
/// When it has none, or the lake cannot be read.
pub async fn recon(engine: &Engine, date: DateKst, wallet: &str) -> Result<Sections, QueryError> {
    let finder = Finder { engine };
    let mut sections = Sections::default();
    recon_sections(&finder, date, wallet, &mut sections).await?;
    let findings = finder
        .rows(&format!(
            "SELECT exception_type, severity, state, metric_value, rule_id, run_id, generated_at FROM gold.exception_ledger \
             WHERE date_kst = {} AND subject = {} ORDER BY generated_at DESC, exception_type LIMIT 20",
            date_literal(date),
            literal(wallet)
        ))
        .await?;
    sections.push("findings of the wallet", findings);
    Ok(sections)
}

/// A wallet's row of a day as a sentence and an equation, its two snapshots, the entries between them with the balance they
/// lead to, and those no snapshot proves yet.
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
    sections.push_records("verdict", finder.rows(&verdict(&row, &user)).await?);
    sections.push_records("reconciliation", row);
    let end = format!("TIMESTAMP '{}'", date.end());
    if let (Some(opening), Some(closing)) = (&opening, &closing) {
        let (opening, closing) = (format!("TIMESTAMP '{opening}'"), format!("TIMESTAMP '{closing}'"));
        let snapshots = format!(
            "SELECT snapshot_ts, balance_available, balance_frozen, balance_total, source_ref FROM silver.wallet_snapshot \
             WHERE user_id = {user} AND snapshot_ts IN ({opening}, {closing}) ORDER BY snapshot_ts"
        );
        sections.push("opening and closing snapshot", finder.rows(&snapshots).await?);
        let between = entries(
            &user,
            Some(&opening),
            &closing,
            Some(&balance_at(&user, &opening)),
        );
        sections.push("entries between them (net flow)", finder.rows(&between).await?);
        let pending = entries(&user, Some(&closing), &end, Some(&balance_at(&user, &closing)));
        sections.push(
            "entries after the closing snapshot (pending)",
            finder.rows(&pending).await?,
        );
    } else {
        sections.push(
            "entries up to the end of the day (pending: no snapshot proves them)",
            finder.rows(&entries(&user, None, &end, None)).await?,
        );
    }
    sections.push("rule", rules);
    Ok(())
}

/// A query for what a row of the reconciliation says, in words and as a sum.
fn verdict(row: &Rows, user: &str) -> String {
    let text = |name: &str| row.first_text(name);
    let (Some(opening), Some(closing)) = (text("opening_ts"), text("closing_ts")) else {
        let pending = text("pending_flow").unwrap_or_default();
        return format!(
            "SELECT concat('No two snapshots of ', {user}, ' enclose its entries: {pending} of them is not proven yet.') AS verdict, \
             concat({user}, '의 항목을 앞뒤에서 확인할 스냅샷이 없습니다. {pending}은 아직 증명되지 않았습니다.') AS verdict_ko, \
             'not proven (pending) {pending}' AS equation"
        );
    };
    format!(
        "WITH r AS (SELECT {delta} AS delta, {flow} AS flow, {drift} AS drift), \
         s AS (SELECT sum(balance_total) FILTER (WHERE snapshot_ts = TIMESTAMP '{opening}') AS opening, \
                      sum(balance_total) FILTER (WHERE snapshot_ts = TIMESTAMP '{closing}') AS closing \
               FROM silver.wallet_snapshot WHERE user_id = {user} \
               AND snapshot_ts IN (TIMESTAMP '{opening}', TIMESTAMP '{closing}')) \
         SELECT CASE WHEN drift = 0 THEN concat('The balance of ', {user}, ' changed by exactly what its entries say.') \
                     WHEN delta < flow THEN concat({user}, ' holds ', drift, ' less than its entries say.') \
                     ELSE concat({user}, ' holds ', drift, ' more than its entries say.') END AS verdict, \
                CASE WHEN drift = 0 THEN concat({user}, '의 잔액은 원장 항목의 합과 정확히 같게 변했습니다.') \
                     WHEN delta < flow THEN concat({user}, '의 잔액이 원장 항목의 합보다 ', drift, '만큼 적습니다.') \
                     ELSE concat({user}, '의 잔액이 원장 항목의 합보다 ', drift, '만큼 많습니다.') END AS verdict_ko, \
                concat('opening ', opening, ' + entries ', flow, ' = expected ', opening + flow, '; closing ', closing, \
                       '; difference ', delta - flow) AS equation \
         FROM r, s",
        delta = number(text("delta_balance_total")),
        flow = number(text("net_flow_total")),
        drift = number(text("drift_abs")),
    )
}

/// An amount as SQL writes it.
fn number(amount: Option<String>) -> String {
    format!(
        "CAST('{}' AS DECIMAL(38, 2))",
        amount.unwrap_or_else(|| "0".to_owned())
    )
}

/// What a wallet held at a snapshot.
fn balance_at(user: &str, at: &str) -> String {
    format!(
        "(SELECT sum(balance_total) FROM silver.wallet_snapshot WHERE user_id = {user} AND snapshot_ts = {at})"
    )
}

fn entries(user: &str, from: Option<&str>, to: &str, balance: Option<&str>) -> String {
    let from = from
        .map(|from| format!("event_time >= {from} AND "))
        .unwrap_or_default();
    let balance = balance
        .map(|balance| {
            format!(
                "{balance} + sum(amount_signed) OVER (ORDER BY event_time, tx_id ROWS UNBOUNDED PRECEDING) AS leads_to, "
            )
        })
        .unwrap_or_default();
    format!(
        "SELECT event_time, tx_id, entry_type, amount, amount_signed, {balance}related_id, source_ref FROM silver.ledger_entries \
         WHERE wallet_id = {user} AND {from}event_time < {to} ORDER BY event_time, tx_id LIMIT 500"
    )
}
