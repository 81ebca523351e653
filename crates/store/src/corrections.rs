//! Corrections: entries that leave the pair they were leg of, and what events say of legs that entries no longer are.
//!
//! The upsert leaves an entry that would leave its pair where it is, and locked. So the ordinary batch pays nothing for
//! this, and the pair that is left is known for certain: nobody else can move the entry meanwhile.

use std::collections::BTreeSet;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::apply::{Moves, Writer};
use crate::columns::{LedgerColumns, LegColumns};
use crate::error::StoreError;
use crate::fold::{Folded, Versioned};
use crate::rows::LedgerRow;
use crate::statements;

/// What came of the corrections of a batch.
#[derive(Debug, Default)]
pub(crate) struct Corrected {
    /// Entries that were moved.
    pub(crate) moved: u64,
    /// Events that tell an entry as the other side of the order that it is a leg of.
    pub(crate) both_sides: u64,
    /// Orders whose former legs are others than before, or that an entry has left.
    pub(crate) orders: BTreeSet<String>,
}

impl Writer<'_> {
    /// Moves the entries that the upsert left where they are, and remembers the former legs that events speak of.
    pub(crate) async fn corrections(
        &mut self,
        folded: &Folded<'_>,
        written: u64,
    ) -> Result<Corrected, StoreError> {
        let mut corrected = Corrected::default();
        let mut former = folded.former.clone();
        // Where all were written none is older than its entry, and none was left for now.
        if written < folded.ledger.len() as u64 {
            let mut leaving = Vec::new();
            for (event, stored_order) in self.differing(&folded.ledger).await? {
                if let Some(order) = stored_order {
                    let own = event.row.leg_of().map(|(own, _)| own);
                    corrected.both_sides += u64::from(own == Some(order.as_str()));
                    corrected.orders.insert(order);
                    leaving.push(event);
                }
                if event.row.leg_of().is_some() {
                    former.push(event);
                }
            }
            corrected.moved = self.ledger(&leaving, Moves::Made).await?;
        }
        self.keep_former(&former).await?;
        let orders = former.iter().filter_map(|event| event.row.leg_of());
        corrected.orders.extend(orders.map(|(order, _)| order.to_owned()));
        Ok(corrected)
    }

    /// The events that say another leg than the stored row of their entry, with the order of the latter.
    async fn differing<'a>(
        &mut self,
        events: &[Versioned<'a, LedgerRow>],
    ) -> Result<Vec<(Versioned<'a, LedgerRow>, Option<String>)>, StoreError> {
        let columns = LegColumns::of(events);
        let bound = statements::CORRECTED_ENTRIES
            .bound()
            .bind(columns.tx_id)
            .bind(columns.order_id)
            .bind(columns.entry_type);
        let mut differing = Vec::new();
        for row in self.fetch(statements::CORRECTED_ENTRIES, bound).await? {
            let (place, order) = placed(&row).map_err(|e| statements::CORRECTED_ENTRIES.failed(e))?;
            differing.extend(events.get(place).map(|event| (*event, order)));
        }
        Ok(differing)
    }

    /// Remembers what entries were according to events, unless that is what they are. Nothing for an append-only ledger.
    async fn keep_former(&mut self, events: &[Versioned<'_, LedgerRow>]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let columns = LedgerColumns::of(events);
        let bound = statements::KEEP_FORMER_LEGS
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
        self.execute(statements::KEEP_FORMER_LEGS, bound).await.map(drop)
    }
}

/// The index of an event, and the order of its stored entry. PostgreSQL counts places from one.
fn placed(row: &PgRow) -> Result<(usize, Option<String>), sqlx::Error> {
    let place: i64 = row.try_get(0)?;
    let index = usize::try_from(place - 1).map_err(|e| sqlx::Error::Decode(e.into()))?;
    Ok((index, row.try_get(1)?))
}
