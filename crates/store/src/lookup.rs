//! The three lookups of the API, one round trip each (serving contract 6).

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::error::StoreError;
use crate::flags::{Leg, PairFlags};
use crate::rows::MAX_TEXT_CHARS;
use crate::statements;
use crate::store::Store;
use crate::views::{
    EntryCursor, EntryView, OrderInfo, OrderQuery, OrderView, PairView, PeerView, TxView, WalletEntry,
    WalletQuery,
};
use crate::wire::{Amount, Instant};

/// Most entries in one page, whatever is asked for.
const MAX_PAGE: u32 = 1000;

impl Store {
    /// One ledger entry and what belongs to it.
    ///
    /// # Errors
    /// When the database does not answer, or `tx_id` holds a NUL.
    pub async fn tx(&self, tx_id: &str) -> Result<Option<TxView>, StoreError> {
        if !may_exist("tx_id", tx_id)? {
            return Ok(None);
        }
        let rows = self
            .rows(statements::TX, statements::TX.bound().bind(tx_id))
            .await?;
        let view = rows.first().map(tx_view).transpose();
        view.map_err(|e| statements::TX.failed(e))
    }

    /// One payment order, what belongs to it, and a page of its entries.
    ///
    /// # Errors
    /// As [`Store::tx`].
    pub async fn order(&self, query: &OrderQuery) -> Result<Option<OrderView>, StoreError> {
        if !may_exist("order_id", &query.order_id)? {
            return Ok(None);
        }
        let (after_time, after_tx) = place(query.after.as_ref())?;
        let bound = statements::ORDER
            .bound()
            .bind(&query.order_id)
            .bind(after_time)
            .bind(after_tx)
            .bind(i64::from(query.limit.min(MAX_PAGE)));
        let rows = self.rows(statements::ORDER, bound).await?;
        order_view(&rows).map_err(|e| statements::ORDER.failed(e))
    }

    /// A page of a wallet's entries. Pages of one query do not overlap and leave nothing out that was there when the
    /// first was read, whatever is inserted meanwhile.
    ///
    /// # Errors
    /// As [`Store::tx`].
    pub async fn wallet_entries(&self, query: &WalletQuery) -> Result<Vec<WalletEntry>, StoreError> {
        if !may_exist("wallet_id", &query.wallet_id)? || query.limit == 0 {
            return Ok(Vec::new());
        }
        let (after_time, after_tx) = place(query.after.as_ref())?;
        let limit = i64::from(query.limit.min(MAX_PAGE));
        let bound = statements::WALLET_ENTRIES
            .bound()
            .bind(&query.wallet_id)
            .bind(query.from.map_or(Instant::FIRST, Instant))
            .bind(query.to.map_or(Instant::LAST, Instant))
            .bind(after_time)
            .bind(after_tx)
            .bind(limit);
        let rows = self.rows(statements::WALLET_ENTRIES, bound).await?;
        let entries = rows.iter().map(tx_view).collect::<Result<_, _>>();
        entries.map_err(|e| statements::WALLET_ENTRIES.failed(e))
    }
}

/// After which entry a page begins: after none that can be when it is the first.
fn place(after: Option<&EntryCursor>) -> Result<(Instant, &str), StoreError> {
    let Some(cursor) = after else {
        return Ok((Instant::LAST, ""));
    };
    // Its tx_id only has to compare: one that is too long is no error.
    may_exist("cursor", &cursor.tx_id)?;
    Ok((Instant(cursor.event_time), &cursor.tx_id))
}

/// Whether any stored row can have this id.
fn may_exist(what: &'static str, id: &str) -> Result<bool, StoreError> {
    if id.contains('\0') {
        return Err(StoreError::Argument { what });
    }
    Ok(id.chars().count() <= MAX_TEXT_CHARS)
}

fn tx_view(row: &PgRow) -> Result<TxView, sqlx::Error> {
    let entry = entry_view(row)?.ok_or(sqlx::Error::RowNotFound)?;
    let order = order_info(row)?;
    Ok(TxView {
        flags: tx_flags(row, &entry, order.as_ref())?,
        entry,
        order,
        pair: pair_view(row)?,
        peer: peer_view(row, "peer_tx_id", "peer_wallet_id")?,
    })
}

fn peer_view(row: &PgRow, tx_id: &str, wallet_id: &str) -> Result<Option<PeerView>, sqlx::Error> {
    let tx_id: Option<String> = row.try_get(tx_id)?;
    let wallet_id: Option<String> = row.try_get(wallet_id)?;
    Ok(tx_id
        .zip(wallet_id)
        .map(|(tx_id, wallet_id)| PeerView { tx_id, wallet_id }))
}

/// Doubts about an entry that is a leg, and what is shown as its other leg.
fn tx_flags(row: &PgRow, entry: &EntryView, order: Option<&OrderInfo>) -> Result<PairFlags, sqlx::Error> {
    if !entry.is_leg() {
        return Ok(PairFlags::default());
    }
    let own = Leg {
        amount: entry.amount,
        event_time: entry.event_time,
    };
    let other = leg(row, "other_amount", "other_event_time")?;
    let flags = PairFlags::of([own].into_iter().chain(other), order.map(|o| o.created_at));
    Ok(flags.with_same_tx(row.try_get("is_both_sides").map(is_true)?))
}

fn order_flags(row: &PgRow, order: &OrderInfo) -> Result<PairFlags, sqlx::Error> {
    let legs = [
        leg(row, "payment_amount", "payment_event_time")?,
        leg(row, "receive_amount", "receive_event_time")?,
    ];
    let flags = PairFlags::of(legs.into_iter().flatten(), Some(order.created_at));
    Ok(flags.with_same_tx(row.try_get("is_both_sides").map(is_true)?))
}

fn is_true(value: Option<bool>) -> bool {
    value == Some(true)
}

fn leg(row: &PgRow, amount: &str, event_time: &str) -> Result<Option<Leg>, sqlx::Error> {
    let amount: Option<Amount> = row.try_get(amount)?;
    let event_time: Option<Instant> = row.try_get(event_time)?;
    Ok(amount.zip(event_time).map(|(amount, at)| Leg {
        amount: amount.0,
        event_time: at.0,
    }))
}

/// The order stands in every row; a row without an entry says that it has none.
fn order_view(rows: &[PgRow]) -> Result<Option<OrderView>, sqlx::Error> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let entries = rows.iter().map(entry_view).filter_map(Result::transpose);
    let order = order_info(first)?.ok_or(sqlx::Error::RowNotFound)?;
    Ok(Some(OrderView {
        flags: order_flags(first, &order)?,
        order,
        pair: pair_view(first)?,
        payment: peer_view(first, "first_payment_tx_id", "first_payment_wallet_id")?,
        receive: peer_view(first, "first_receive_tx_id", "first_receive_wallet_id")?,
        entries: entries.collect::<Result<_, _>>()?,
    }))
}

fn entry_view(row: &PgRow) -> Result<Option<EntryView>, sqlx::Error> {
    let Some(tx_id) = row.try_get("tx_id")? else {
        return Ok(None);
    };
    let signed: Option<Amount> = row.try_get("amount_signed")?;
    Ok(Some(EntryView {
        tx_id,
        wallet_id: row.try_get("wallet_id")?,
        entry_type: row.try_get("entry_type")?,
        amount: row.try_get::<Amount, _>("amount")?.0,
        amount_signed: signed.map(|a| a.0),
        related_id: row.try_get("related_id")?,
        related_type: row.try_get("related_type")?,
        event_time: row.try_get::<Instant, _>("event_time")?.0,
        ingested_at: row.try_get::<Instant, _>("ingested_at")?.0,
    }))
}

fn order_info(row: &PgRow) -> Result<Option<OrderInfo>, sqlx::Error> {
    let Some(order_id) = row.try_get("order_id")? else {
        return Ok(None);
    };
    Ok(Some(OrderInfo {
        order_id,
        user_id: row.try_get("user_id")?,
        merchant_name: row.try_get("merchant_name")?,
        amount: row.try_get::<Amount, _>("order_amount")?.0,
        status: row.try_get("status")?,
        created_at: row.try_get::<Instant, _>("order_created_at")?.0,
        ingested_at: row.try_get::<Instant, _>("order_ingested_at")?.0,
    }))
}

fn pair_view(row: &PgRow) -> Result<Option<PairView>, sqlx::Error> {
    let known: Option<&str> = row.try_get("payment_order_id")?;
    if known.is_none() {
        return Ok(None);
    }
    Ok(Some(PairView {
        payment_tx_id: row.try_get("payment_tx_id")?,
        receive_tx_id: row.try_get("receive_tx_id")?,
        payer_wallet_id: row.try_get("payer_wallet_id")?,
        payee_wallet_id: row.try_get("payee_wallet_id")?,
        amount: row.try_get::<Amount, _>("pair_amount")?.0,
        status: row.try_get("pair_status")?,
    }))
}
