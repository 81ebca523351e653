//! Whose fault a refusal is: the database is asked for rows that the contract allows.

use nsc_core::{Money, UtcMicros};
use sqlx::Connection;

use crate::apply::Writer;
use crate::error::StoreError;
use crate::fold::Folded;
use crate::rows::{Batch, LedgerRow, MAX_TEXT_CHARS, MAX_UNITS, OrderRow};
use crate::store::Store;

/// What the keys begin with of rows that are never committed.
const PROBE: &str = "nsc-probe";

impl Store {
    /// Whether rows can be stored as the contract allows them: ordinary ones, and ones at its limits (every character,
    /// the longest texts, the largest numbers). They are rolled back. Asked when the database refuses rows that keep the
    /// contract: where these are refused too it is set up wrong, and where they are taken the row is at fault.
    ///
    /// # Errors
    /// Why they cannot.
    pub async fn takes_rows_of_the_contract(&self, now: UtcMicros) -> Result<(), StoreError> {
        let batch = rows_of_the_contract(now);
        let mut lease = self.writer(self.common_pool()).await?;
        let connection = lease.connection();
        let mut transaction = self.timed("begin", connection.begin()).await?;
        let mut writer = Writer::new(self, &mut transaction, now);
        writer.write(Folded::of(&batch), &batch).await?;
        self.timed("rollback", transaction.rollback()).await?;
        self.written(lease);
        Ok(())
    }
}

fn rows_of_the_contract(now: UtcMicros) -> Batch {
    let [small, large] = [100, MAX_UNITS].map(|units| Money::from_units(units).unwrap_or(Money::ZERO));
    let entry = LedgerRow {
        tx_id: PROBE.to_owned(),
        wallet_id: PROBE.to_owned(),
        entry_type: "CHARGE".to_owned(),
        amount: small,
        amount_signed: None,
        related_id: None,
        related_type: None,
        event_time: now,
        created_at: None,
        updated_at: Some(now),
        source_version: None,
        place: None,
    };
    let order = OrderRow {
        order_id: PROBE.to_owned(),
        user_id: None,
        merchant_name: None,
        amount: small,
        status: "PAID".to_owned(),
        created_at: now,
        updated_at: Some(now),
        source_version: None,
        place: None,
    };
    let widest_entry = LedgerRow {
        tx_id: widest("entry"),
        wallet_id: widest("wallet"),
        entry_type: widest("TYPE"),
        amount: large,
        amount_signed: Some(large),
        related_id: Some(widest("other")),
        related_type: Some(widest("KIND")),
        created_at: Some(now),
        source_version: Some(i64::MAX),
        ..entry.clone()
    };
    // One leg of the pair of the order below.
    let leg = LedgerRow {
        tx_id: widest("leg"),
        entry_type: "PAYMENT".to_owned(),
        related_id: Some(widest("order")),
        related_type: None,
        ..widest_entry.clone()
    };
    let widest_order = OrderRow {
        order_id: widest("order"),
        user_id: Some(widest("user")),
        merchant_name: Some(widest("merchant")),
        amount: large,
        status: widest("STATUS"),
        source_version: Some(i64::MAX),
        ..order.clone()
    };
    Batch {
        ledger: vec![entry, widest_entry, leg],
        orders: vec![order, widest_order],
        dead_letters: Vec::new(),
    }
}

/// As long as a text may be, with characters of two, three and four bytes.
fn widest(name: &str) -> String {
    let text = format!("{PROBE}-{name}-\u{e9}\u{1f600}");
    let rest = MAX_TEXT_CHARS.saturating_sub(text.chars().count());
    text + &"\u{ac00}".repeat(rest)
}

#[cfg(test)]
mod tests {
    use nsc_core::UtcMicros;

    use super::rows_of_the_contract;
    use crate::rows::{LedgerRow, MAX_TEXT_CHARS, OrderRow};

    #[test]
    fn what_is_asked_for_keeps_the_contract_and_is_at_its_limits() {
        let batch = rows_of_the_contract(UtcMicros::new(0));
        assert!(batch.ledger.iter().all(|row| row.check().is_ok()));
        assert!(batch.orders.iter().all(|row| row.check().is_ok()));
        let longest = |row: &LedgerRow| row.wallet_id.chars().count() == MAX_TEXT_CHARS;
        assert!(batch.ledger.iter().any(longest));
        let largest = |row: &OrderRow| row.amount.to_string() == "9999999999999999.99";
        assert!(batch.orders.iter().any(largest));
    }
}
