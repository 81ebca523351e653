//! The three lookups of the API, one round trip each (contract, section 6).

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::error::StoreError;
use crate::rows::MAX_TEXT_CHARS;
use crate::statements;
use crate::store::Store;
use crate::views::{EntryView, OrderInfo, OrderView, PairView, PeerView, TxView, WalletEntry, WalletQuery};
use crate::wire::{Amount, Instant};

/// Most entries of a wallet in one page, whatever is asked for.
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

    /// One payment order and what belongs to it.
    ///
    /// # Errors
    /// As [`Store::tx`].
    pub async fn order(&self, order_id: &str) -> Result<Option<OrderView>, StoreError> {
        if !may_exist("order_id", order_id)? {
            return Ok(None);
        }
        let rows = self
            .rows(statements::ORDER, statements::ORDER.bound().bind(order_id))
            .await?;
        order_view(&rows).map_err(|e| statements::ORDER.failed(e))
    }

    /// A page of a wallet's entries. Pages of one query do not overlap and leave nothing out that was there when the
    /// first was read, whatever is inserted meanwhile.
    ///
    /// # Errors
    /// As [`Store::tx`].
    pub async fn wallet_entries(&self, query: &WalletQuery) -> Result<Vec<WalletEntry>, StoreError> {
        let (after_time, after_tx) = match &query.after {
            Some(cursor) => (Instant(cursor.event_time), cursor.tx_id.as_str()),
            None => (Instant::LAST, ""),
        };
        // A cursor's tx_id only has to compare: one that is too long is no error.
        if !may_exist("wallet_id", &query.wallet_id)? || query.limit == 0 {
            return Ok(Vec::new());
        }
        may_exist("cursor", after_tx)?;
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

/// Whether any stored row can have this id.
fn may_exist(what: &'static str, id: &str) -> Result<bool, StoreError> {
    if id.contains('\0') {
        return Err(StoreError::Argument { what });
    }
    Ok(id.chars().count() <= MAX_TEXT_CHARS)
}

fn tx_view(row: &PgRow) -> Result<TxView, sqlx::Error> {
    let peer: Option<String> = row.try_get("peer_tx_id")?;
    Ok(TxView {
        entry: entry_view(row)?.ok_or(sqlx::Error::RowNotFound)?,
        order: order_info(row)?,
        pair: pair_view(row)?,
        peer: match peer {
            Some(tx_id) => Some(PeerView {
                tx_id,
                wallet_id: row.try_get("peer_wallet_id")?,
            }),
            None => None,
        },
    })
}

/// The order stands in every row; a row without an entry says that it has none.
fn order_view(rows: &[PgRow]) -> Result<Option<OrderView>, sqlx::Error> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let entries = rows.iter().map(entry_view).filter_map(Result::transpose);
    Ok(Some(OrderView {
        order: order_info(first)?.ok_or(sqlx::Error::RowNotFound)?,
        pair: pair_view(first)?,
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
