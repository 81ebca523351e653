//! Messages, read: rows and dead letters.

use nsc_contracts::event::{Event, LedgerEntryEvent, PaymentOrderEvent};
use nsc_core::UtcMicros;
use nsc_store::{Batch, DeadLetter, LedgerRow, OrderRow, Place, StoreError};
use nsc_telemetry::CorrelationId;

use super::outcome::with_sources;
use crate::message::{Message, REFUSED_BY_DATABASE};
use crate::parse::{Parsed, Reading};

/// What one transaction is to write.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// For the database.
    pub(super) batch: Batch,
    /// For the database (then they are in the batch as well) or for the file.
    pub(super) letters: Vec<DeadLetter>,
    /// By dead letter: the message's index and the field, for the log.
    pub(super) notes: Vec<Note>,
    /// By event: the message's index, its own time, and the id its payload carried.
    pub(super) events: Vec<(usize, UtcMicros, Option<CorrelationId>)>,
    /// Indexes of messages without a payload.
    pub(super) tombstones: Vec<usize>,
    /// Events outside the window that was asked for.
    pub(super) outside: u64,
}

/// Which events are of interest: those whose own time is in `[since, until)`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Window {
    pub(crate) since: Option<UtcMicros>,
    pub(crate) until: Option<UtcMicros>,
}

impl Window {
    fn holds(self, time: UtcMicros) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// What the log says of a dead letter besides what is in it.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) message: usize,
    pub(super) field: Option<&'static str>,
}

impl Prepared {
    pub(super) fn read(messages: &[Message], reading: &Reading, window: Window, now: UtcMicros) -> Self {
        let mut prepared = Self::default();
        for (at, message) in messages.iter().enumerate() {
            let Some(payload) = &message.payload else {
                prepared.tombstones.push(at);
                continue;
            };
            let Parsed { event, correlation } = reading.parse(message.kind, payload, message.sent_at, now);
            match event {
                Ok(event) if !window.holds(event.time()) => prepared.outside += 1,
                Ok(event) => {
                    prepared.events.push((at, event.time(), correlation));
                    match event {
                        Event::LedgerEntry(e) => prepared.batch.ledger.push(ledger_row(e, message.place)),
                        Event::PaymentOrder(o) => prepared.batch.orders.push(order_row(o, message.place)),
                    }
                }
                Err(violation) => {
                    let letter = message.dead_letter(violation.class.name(), violation.text, correlation);
                    prepared.letters.push(letter);
                    prepared.notes.push(Note {
                        message: at,
                        field: violation.field,
                    });
                }
            }
        }
        prepared
    }

    /// A message whose row the database refuses.
    pub(super) fn refused(message: &Message, error: &StoreError) -> Self {
        Self {
            letters: vec![message.dead_letter(REFUSED_BY_DATABASE, with_sources(error), None)],
            notes: vec![Note {
                message: 0,
                field: None,
            }],
            ..Self::default()
        }
    }

    /// Whether there are rows in it, which the database could refuse.
    pub(super) fn has_rows(&self) -> bool {
        !self.batch.ledger.is_empty() || !self.batch.orders.is_empty()
    }
}

fn ledger_row(e: LedgerEntryEvent, place: Option<Place>) -> LedgerRow {
    LedgerRow {
        tx_id: e.tx_id,
        wallet_id: e.wallet_id,
        entry_type: e.entry_type,
        amount: e.amount,
        amount_signed: e.amount_signed,
        related_id: e.related_id,
        related_type: e.related_type,
        event_time: e.event_time,
        created_at: e.created_at,
        updated_at: e.updated_at,
        source_version: e.source_version,
        place,
    }
}

fn order_row(o: PaymentOrderEvent, place: Option<Place>) -> OrderRow {
    OrderRow {
        order_id: o.order_id,
        user_id: o.user_id,
        merchant_name: o.merchant_name,
        amount: o.amount,
        status: o.status,
        created_at: o.created_at,
        updated_at: o.updated_at,
        source_version: o.source_version,
        place,
    }
}
