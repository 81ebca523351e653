//! One batch, one transaction: ledger entries, orders, pairs, dead letters, always in this order.
//!
//! Within each step rows are locked in the order of their keys, and the steps come in one order, so writers wait for
//! each other in one direction only.

use nsc_core::UtcMicros;
use sqlx::{Connection, PgConnection, Row};

use crate::columns::{LedgerColumns, LetterColumns, OrderColumns};
use crate::error::StoreError;
use crate::fold::{Folded, Versioned};
use crate::rows::{Applied, Batch, DeadLetter, LedgerRow, OrderRow};
use crate::statements;
use crate::store::Store;
use crate::wire::Instant;

impl Store {
    /// Writes a batch in one transaction: all of it or nothing (contract, sections 2 to 4).
    ///
    /// # Errors
    /// [`StoreError::is_transient`]: apply the same batch again later. [`StoreError::is_poison`]: one row of it can
    /// never be stored; [`LedgerRow::check`] and [`OrderRow::check`] tell which, before anything is sent.
    pub async fn apply(&self, batch: &Batch, ingested_at: UtcMicros) -> Result<Applied, StoreError> {
        batch.ledger.iter().try_for_each(LedgerRow::check)?;
        batch.orders.iter().try_for_each(OrderRow::check)?;
        if batch.is_empty() {
            return Ok(Applied::default());
        }
        let folded = Folded::of(batch);
        let mut lease = self.writer().await?;
        // What is dropped before the commit (an error, a caller that gave up) takes the connection and with it the
        // transaction along.
        let connection = lease.connection();
        let mut transaction = self.timed("begin", connection.begin()).await?;
        let mut writer = Writer {
            store: self,
            connection: &mut transaction,
            ingested_at: Instant(ingested_at),
        };
        let applied = writer.write(&folded, batch).await?;
        self.timed("commit", transaction.commit()).await?;
        self.written(lease);
        Ok(applied)
    }
}

/// The statements of one transaction.
struct Writer<'t> {
    store: &'t Store,
    connection: &'t mut PgConnection,
    ingested_at: Instant,
}

impl Writer<'_> {
    async fn write(&mut self, folded: &Folded<'_>, batch: &Batch) -> Result<Applied, StoreError> {
        let ledger_written = self.ledger(&folded.ledger).await?;
        let orders_written = self.orders(&folded.orders).await?;
        let (pairs_complete, pairs_incomplete) = {
            if ledger_written < folded.ledger.len() as u64 {
                // Some were not the newest: what they say of other halves than the stored row does still counts.
                self.former_halves(&folded.halves()).await?;
            } else {
                self.former_halves(&folded.former).await?;
            }
            self.pairs(&folded.affected).await?
        };
        Ok(Applied {
            ledger_written,
            ledger_stale: batch.ledger.len() as u64 - ledger_written,
            orders_written,
            orders_stale: batch.orders.len() as u64 - orders_written,
            pairs_complete,
            pairs_incomplete,
            skipped_related: folded.skipped,
            dead_letters: self.dead_letters(&batch.dead_letters).await?,
        })
    }

    async fn ledger(&mut self, rows: &[Versioned<'_, LedgerRow>]) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let columns = LedgerColumns::of(rows);
        let query = statements::UPSERT_LEDGER
            .bound()
            .bind(columns.tx_id)
            .bind(columns.wallet_id)
            .bind(columns.entry_type)
            .bind(columns.amount)
            .bind(columns.amount_signed)
            .bind(columns.related_id)
            .bind(columns.related_type)
            .bind(columns.event_time)
            .bind(columns.created_at)
            .bind(columns.updated_at)
            .bind(columns.source_version)
            .bind(columns.payload_hash)
            .bind(self.ingested_at);
        let done = self
            .store
            .timed(
                statements::UPSERT_LEDGER.name,
                query.execute(&mut *self.connection),
            )
            .await?;
        Ok(done.rows_affected())
    }

    async fn orders(&mut self, rows: &[Versioned<'_, OrderRow>]) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let columns = OrderColumns::of(rows);
        let query = statements::UPSERT_ORDERS
            .bound()
            .bind(columns.order_id)
            .bind(columns.user_id)
            .bind(columns.merchant_name)
            .bind(columns.amount)
            .bind(columns.status)
            .bind(columns.created_at)
            .bind(columns.updated_at)
            .bind(columns.source_version)
            .bind(columns.payload_hash)
            .bind(self.ingested_at);
        let done = self
            .store
            .timed(
                statements::UPSERT_ORDERS.name,
                query.execute(&mut *self.connection),
            )
            .await?;
        Ok(done.rows_affected())
    }

    /// Remembers what entries were according to events that are not the newest. Empty for an append-only ledger.
    async fn former_halves(&mut self, rows: &[Versioned<'_, LedgerRow>]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let columns = LedgerColumns::of(rows);
        let query = statements::KEEP_FORMER_HALVES
            .bound()
            .bind(columns.related_id)
            .bind(columns.entry_type)
            .bind(columns.tx_id)
            .bind(columns.wallet_id)
            .bind(columns.amount)
            .bind(columns.event_time)
            .bind(columns.updated_at)
            .bind(columns.source_version)
            .bind(columns.payload_hash);
        self.store
            .timed(
                statements::KEEP_FORMER_HALVES.name,
                query.execute(&mut *self.connection),
            )
            .await?;
        Ok(())
    }

    /// Brings the pairs of the affected orders to what they are; gives how many became complete and how many were
    /// opened with one half.
    ///
    /// The two halves of an order, or a half and its order, may be under way in two transactions that cannot see each
    /// other. Both lock the order's pair row first, made for that if need be. Who gets it last computes the pair in a
    /// statement of its own, which sees what the other one committed.
    async fn pairs(&mut self, orders: &[&str]) -> Result<(u64, u64), StoreError> {
        if orders.is_empty() {
            return Ok((0, 0));
        }
        let open = statements::OPEN_PAIRS.bound().bind(orders).bind(self.ingested_at);
        let opened = self
            .store
            .timed(statements::OPEN_PAIRS.name, open.fetch_all(&mut *self.connection))
            .await?;
        let (mut complete, mut incomplete, mut empty) = (0, 0, Vec::new());
        for row in &opened {
            let decoded = || -> Result<(&str, bool, bool), sqlx::Error> {
                Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
            };
            match decoded().map_err(|e| StoreError::of_statement(statements::OPEN_PAIRS.name, e))? {
                (_, true, true) => complete += 1,
                (order, false, false) => empty.push(order),
                _ => incomplete += 1,
            }
        }
        let recompute = statements::RECOMPUTE_PAIRS
            .bound()
            .bind(orders)
            .bind(self.ingested_at);
        let changed = self
            .store
            .timed(
                statements::RECOMPUTE_PAIRS.name,
                recompute.fetch_all(&mut *self.connection),
            )
            .await?;
        for row in &changed {
            let decoded = || -> Result<(bool, bool), sqlx::Error> { Ok((row.try_get(1)?, row.try_get(2)?)) };
            let (was, is) =
                decoded().map_err(|e| StoreError::of_statement(statements::RECOMPUTE_PAIRS.name, e))?;
            complete += u64::from(is && !was);
        }
        if !empty.is_empty() {
            let close = statements::CLOSE_EMPTY_PAIRS.bound().bind(empty);
            self.store
                .timed(
                    statements::CLOSE_EMPTY_PAIRS.name,
                    close.execute(&mut *self.connection),
                )
                .await?;
        }
        Ok((complete, incomplete))
    }

    async fn dead_letters(&mut self, letters: &[DeadLetter]) -> Result<u64, StoreError> {
        if letters.is_empty() {
            return Ok(0);
        }
        let columns = LetterColumns::of(letters);
        let query = statements::INSERT_DEAD_LETTERS
            .bound()
            .bind(columns.topic)
            .bind(columns.partition)
            .bind(columns.offset)
            .bind(columns.key)
            .bind(columns.payload)
            .bind(columns.error_class)
            .bind(columns.error)
            .bind(columns.correlation_id)
            .bind(columns.content_hash)
            .bind(self.ingested_at);
        let done = self
            .store
            .timed(
                statements::INSERT_DEAD_LETTERS.name,
                query.execute(&mut *self.connection),
            )
            .await?;
        Ok(done.rows_affected())
    }
}
