//! The supply of a day, and which wallets its difference comes from.

use nsc_query::QueryError;

use crate::Sections;
use crate::finder::Finder;

/// The equation of a day's supply, and the difference split by wallet: a known wallet by what its entries say beyond its balance,
/// one that no snapshot knows by all of its entries. What days before have left is one row of its own.
pub(crate) async fn supply_sections(
    finder: &Finder<'_>,
    day: &str,
    sections: &mut Sections,
) -> Result<(), QueryError> {
    let equation = format!(
        "SELECT concat('issued ', issued_supply, ' - balances ', wallet_total_balance, ' - pending ', pending_flow_total, \
                       ' = difference ', diff_amount) AS equation, \
                concat('opening ', opening_supply, ' + minted ', minted, ' + charged ', charged, ' - burned ', burned, \
                       ' - withdrawn ', withdrawn, ' = issued ', issued_supply) AS issued \
         FROM gold.ledger_supply_balance_daily WHERE date_kst = {day}"
    );
    sections.push_records("equation", finder.rows(&equation).await?);
    let of_wallets = format!(
        "SELECT r.user_id, \
                CASE WHEN u.subject IS NULL THEN r.net_flow_total - r.delta_balance_total \
                     ELSE r.net_flow_total + r.pending_flow END AS difference, \
                CASE WHEN u.subject IS NULL THEN 'the balance is not what the entries say' \
                     ELSE 'no snapshot knows the wallet' END AS because \
         FROM gold.recon_daily_snapshot_flow r \
         LEFT JOIN (SELECT DISTINCT subject FROM gold.exception_ledger \
                    WHERE date_kst = {day} AND exception_type = 'RECON_WALLET_UNKNOWN') u ON u.subject = r.user_id \
         WHERE r.date_kst = {day}"
    );
    let split = format!(
        "WITH w AS (SELECT * FROM ({of_wallets}) AS wallets WHERE difference <> 0), \
              d AS (SELECT diff_amount FROM gold.ledger_supply_balance_daily WHERE date_kst = {day}) \
         SELECT user_id, difference, because FROM ( \
           SELECT user_id, difference, because, 0 AS place FROM w \
           UNION ALL \
           SELECT NULL, d.diff_amount - coalesce((SELECT sum(difference) FROM w), 0), 'of days before, or not of one wallet', 1 FROM d) AS parts \
         WHERE difference <> 0 ORDER BY place, abs(difference) DESC, user_id LIMIT 200"
    );
    sections.push("difference by wallet", finder.rows(&split).await?);
    Ok(())
}
