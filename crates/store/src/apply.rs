//! One batch, one transaction: ledger entries and their corrections, orders, pairs, dead letters, always in this order.
//!
//! Within each step rows are locked in the order of their keys, and the steps come in one order, so writers wait for
//! each other in one direction only.

use std::collections::{BTreeMap, HashSet};

use nsc_core::UtcMicros;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use crate::columns::{LedgerColumns, LetterColumns, OrderColumns, PairColumns};
use crate::error::StoreError;
use crate::flags::{FlaggedPairs, Leg, PairFlags};
use crate::fold::{Folded, Legs, Versioned};
use crate::rows::{Applied, Batch, DeadLetter, LedgerRow, OrderRow};
use crate::statements::{self, Bound, Statement};
use crate::store::Store;
use crate::wire::{Amount, Instant};

impl Store {
    /// Writes a batch in one transaction: all of it or nothing (serving contract 2, 3 and 4).
    ///
    /// # Errors
    /// [`StoreError::is_transient`]: apply the same batch again later. [`StoreError::is_refusal`]: a row of it, or the
    /// set-up, is at fault; [`LedgerRow::check`] and [`OrderRow::check`] tell it of a row before anything is sent,
    /// [`Store::takes_rows_of_the_contract`] of the set-up.
    pub async fn apply(&self, batch: &Batch, ingested_at: UtcMicros) -> Result<Applied, StoreError> {
        batch.ledger.iter().try_for_each(LedgerRow::check)?;
        batch.orders.iter().try_for_each(OrderRow::check)?;
        if batch.is_empty() {
            return Ok(Applied::default());
        }
        let folded = Folded::of(batch);
        let mut lease = self.writer(self.common_pool()).await?;
        // What is dropped before the commit (an error, a caller that gave up) takes the connection and with it the
        // transaction along.
        let connection = lease.connection();
        let mut transaction = self.timed("begin", connection.begin()).await?;
        let mut writer = Writer::new(self, &mut transaction, ingested_at);
        let applied = writer.write(folded, batch).await?;
        self.timed("commit", transaction.commit()).await?;
        self.written(lease);
        Ok(applied)
    }
}

/// Most pairs of a batch whose legs are looked up for the sake of being counted: a few hundredths of what the batch takes.
const MOST_COMPARED: usize = 250;

/// What the upsert does with an entry that would leave the pair it is leg of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moves {
    /// It stays as it is, locked.
    Deferred,
    /// It is moved.
    Made,
}

/// The statements of one transaction.
pub(crate) struct Writer<'t> {
    store: &'t Store,
    connection: &'t mut PgConnection,
    ingested_at: Instant,
}

/// What became of the pairs of a batch.
#[derive(Default)]
pub(crate) struct Pairs {
    completed: u64,
    opened_with_one_leg: u64,
    flagged: FlaggedPairs,
}

impl<'t> Writer<'t> {
    pub(crate) fn new(store: &'t Store, connection: &'t mut PgConnection, ingested_at: UtcMicros) -> Self {
        Self {
            store,
            connection,
            ingested_at: Instant(ingested_at),
        }
    }
}

impl Writer<'_> {
    pub(crate) async fn write(&mut self, folded: Folded<'_>, batch: &Batch) -> Result<Applied, StoreError> {
        let written = self.ledger(&folded.ledger, Moves::Deferred).await?;
        let corrected = self.corrections(&folded, written).await?;
        let ledger_written = written + corrected.moved;
        let orders_written = self.orders(&folded.orders).await?;
        let mut touched = folded.pairs;
        for order in &corrected.orders {
            touched.entry(order).or_default().unsettled = true;
        }
        let mut pairs = self.pairs(&touched, ledger_written > 0).await?;
        pairs.flagged.same_tx += folded.both_sides + corrected.both_sides;
        Ok(Applied {
            ledger_written,
            ledger_stale: batch.ledger.len() as u64 - ledger_written,
            orders_written,
            orders_stale: batch.orders.len() as u64 - orders_written,
            pairs_complete: pairs.completed,
            pairs_incomplete: pairs.opened_with_one_leg,
            flagged: pairs.flagged,
            skipped_related: folded.skipped,
            dead_letters: self.dead_letters(&batch.dead_letters).await?,
        })
    }

    /// Gives how many were inserted or replaced.
    pub(crate) async fn ledger(
        &mut self,
        rows: &[Versioned<'_, LedgerRow>],
        moves: Moves,
    ) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let columns = LedgerColumns::of(rows);
        let bound = statements::UPSERT_LEDGER
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
            .bind(self.ingested_at)
            .bind(moves == Moves::Made)
            .bind(columns.places.partition)
            .bind(columns.places.offset)
            .bind(columns.places.taken_at);
        self.execute(statements::UPSERT_LEDGER, bound).await
    }

    async fn orders(&mut self, rows: &[Versioned<'_, OrderRow>]) -> Result<u64, StoreError> {
        if rows.is_empty() {
            return Ok(0);
        }
        let columns = OrderColumns::of(rows);
        let bound = statements::UPSERT_ORDERS
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
            .bind(self.ingested_at)
            .bind(columns.places.partition)
            .bind(columns.places.offset)
            .bind(columns.places.taken_at);
        self.execute(statements::UPSERT_ORDERS, bound).await
    }

    /// Brings the pairs of the orders that the batch touches to what they are.
    ///
    /// Two legs, or a leg and its order, may be under way in two transactions that cannot see each other. Of two
    /// legs, the one that gets the pair row last puts itself beside what the other one committed; where its side is
    /// taken, it looks again at all legs in a statement of its own; always so where a correction is concerned.
    /// An order alone makes no pair row: it and the legs of its order go through a gate one by one.
    ///
    /// Whether the legs are one payment's is asked of pairs that got a leg, when there is something new (`with_news`):
    /// a delivery repeated tells nothing.
    pub(crate) async fn pairs(
        &mut self,
        orders: &BTreeMap<&str, Legs<'_>>,
        with_news: bool,
    ) -> Result<Pairs, StoreError> {
        let mut pairs = Pairs::default();
        if orders.is_empty() {
            return Ok(pairs);
        }
        self.pass_gates(orders).await?;
        let columns = PairColumns::of(orders);
        let bound = statements::OPEN_PAIRS
            .bound()
            .bind(columns.order_id)
            .bind(columns.payment_tx_id)
            .bind(columns.receive_tx_id)
            .bind(columns.payer_wallet_id)
            .bind(columns.payee_wallet_id)
            .bind(columns.amount)
            .bind(columns.event_time)
            .bind(columns.updated_at)
            .bind(self.ingested_at);
        let rows = self.fetch(statements::OPEN_PAIRS, bound).await?;
        let mut right = HashSet::with_capacity(rows.len());
        let mut met_another = Vec::new();
        for row in &rows {
            let (order, complete) = opened(row).map_err(|e| statements::OPEN_PAIRS.failed(e))?;
            let legs = orders.get(order).copied().unwrap_or_default();
            if legs.unsettled {
                continue;
            }
            if legs.both() {
                pairs.flagged |= PairFlags::of(legs.known().map(LedgerRow::leg), None);
            }
            if legs.any() {
                pairs.completed += u64::from(complete);
                pairs.opened_with_one_leg += u64::from(!complete);
            }
            // Complete with one leg of ours: it existed, and took over nothing of an order.
            let joined = complete && legs.any() && !legs.both();
            if !(joined && legs.with_order) {
                right.insert(order);
                met_another.extend(joined.then_some(order));
            }
        }
        let again: Vec<&str> = orders
            .iter()
            .filter(|(order, legs)| legs.unsettled || (legs.any() && !right.contains(**order)))
            .map(|(order, _)| *order)
            .collect();
        self.recompute(&again, &mut pairs).await?;
        if with_news {
            met_another.extend(&again);
            met_another.truncate(MOST_COMPARED);
            self.compare(&met_another, orders, &mut pairs.flagged).await?;
        }
        Ok(pairs)
    }

    /// Counts those of some orders whose legs, stored ones and the batch's, are hardly one payment's.
    async fn compare(
        &mut self,
        orders: &[&str],
        of_batch: &BTreeMap<&str, Legs<'_>>,
        flagged: &mut FlaggedPairs,
    ) -> Result<(), StoreError> {
        if orders.is_empty() {
            return Ok(());
        }
        let bound = statements::PAIR_LEGS.bound().bind(orders);
        for row in self.fetch(statements::PAIR_LEGS, bound).await? {
            let (place, payment, receive) = legs(&row).map_err(|e| statements::PAIR_LEGS.failed(e))?;
            let legs = orders.get(place).and_then(|order| of_batch.get(order));
            let legs = legs.copied().unwrap_or_default();
            let mut flags = PairFlags::of([payment, receive], None);
            for (leg, other) in [(legs.payment, receive), (legs.receive, payment)] {
                flags = flags | PairFlags::of(leg.map(LedgerRow::leg).into_iter().chain([other]), None);
            }
            *flagged |= flags;
        }
        Ok(())
    }

    /// Those of some orders that have a pair.
    pub(crate) async fn known(&mut self, orders: &[&str]) -> Result<HashSet<String>, StoreError> {
        if orders.is_empty() {
            return Ok(HashSet::new());
        }
        let rows = self
            .fetch(
                statements::KNOWN_PAIRS,
                statements::KNOWN_PAIRS.bound().bind(orders),
            )
            .await?;
        let known = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>();
        known.map_err(|e| statements::KNOWN_PAIRS.failed(e))
    }

    /// Waits for writers of the same orders: a gate is shared by those who bring legs, and passed alone by who brings
    /// an order without any known leg.
    async fn pass_gates(&mut self, orders: &BTreeMap<&str, Legs<'_>>) -> Result<(), StoreError> {
        let (with_leg, without): (Vec<_>, Vec<_>) = orders.iter().partition(|(_, legs)| legs.any());
        let without: Vec<&str> = without.into_iter().map(|(order, _)| *order).collect();
        let known = self.known(&without).await?;
        let mut gates: BTreeMap<i32, bool> = with_leg.iter().map(|(order, _)| (gate(order), false)).collect();
        gates.extend(
            without
                .iter()
                .filter(|order| !known.contains(**order))
                .map(|order| (gate(order), true)),
        );
        if gates.is_empty() {
            return Ok(());
        }
        let (numbers, alone): (Vec<i32>, Vec<bool>) = gates.into_iter().unzip();
        let bound = statements::LOCK_ORDERS.bound().bind(numbers).bind(alone);
        self.fetch(statements::LOCK_ORDERS, bound).await.map(drop)
    }

    /// Looks again at locked pairs, and adds what has become of them.
    async fn recompute(&mut self, orders: &[&str], pairs: &mut Pairs) -> Result<(), StoreError> {
        if orders.is_empty() {
            return Ok(());
        }
        let bound = statements::RECOMPUTE_PAIRS
            .bound()
            .bind(orders)
            .bind(self.ingested_at);
        for row in self.fetch(statements::RECOMPUTE_PAIRS, bound).await? {
            let (was_complete, was_unsettled, complete) =
                recomputed(&row).map_err(|e| statements::RECOMPUTE_PAIRS.failed(e))?;
            pairs.completed += u64::from(complete && !was_complete);
            pairs.opened_with_one_leg += u64::from(!complete && was_unsettled);
        }
        Ok(())
    }

    async fn dead_letters(&mut self, letters: &[DeadLetter]) -> Result<u64, StoreError> {
        if letters.is_empty() {
            return Ok(0);
        }
        let columns = LetterColumns::of(letters);
        let bound = statements::INSERT_DEAD_LETTERS
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
        self.execute(statements::INSERT_DEAD_LETTERS, bound).await
    }

    pub(crate) async fn execute(
        &mut self,
        statement: Statement,
        bound: Bound<'_>,
    ) -> Result<u64, StoreError> {
        let done = self
            .store
            .timed(statement.name, bound.execute(&mut *self.connection))
            .await?;
        Ok(done.rows_affected())
    }

    pub(crate) async fn fetch(
        &mut self,
        statement: Statement,
        bound: Bound<'_>,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.store
            .timed(statement.name, bound.fetch_all(&mut *self.connection))
            .await
    }
}

/// Which of the 256 gates an order goes through; the same one in every program that writes.
fn gate(order_id: &str) -> i32 {
    let hash = blake3::hash(order_id.as_bytes());
    hash.as_bytes().first().copied().map_or(0, i32::from)
}

/// A pair row that was written: its order, and whether it is complete.
fn opened(row: &PgRow) -> Result<(&str, bool), sqlx::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// The index of an order, and the legs of its pair. PostgreSQL counts places from one.
fn legs(row: &PgRow) -> Result<(usize, Leg, Leg), sqlx::Error> {
    let place: i64 = row.try_get(0)?;
    let index = usize::try_from(place - 1).map_err(|e| sqlx::Error::Decode(e.into()))?;
    let leg = |amount: usize, event_time: usize| -> Result<Leg, sqlx::Error> {
        Ok(Leg {
            amount: row.try_get::<Amount, _>(amount)?.0,
            event_time: row.try_get::<Instant, _>(event_time)?.0,
        })
    };
    Ok((index, leg(1, 2)?, leg(3, 4)?))
}

/// A pair row that changed: whether it was complete, whether it was unsettled, and whether it is complete now.
fn recomputed(row: &PgRow) -> Result<(bool, bool, bool), sqlx::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}
