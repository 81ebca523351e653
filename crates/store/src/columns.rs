//! Rows turned into columns, one array a column, as the statements with `unnest` take them.

use std::collections::BTreeMap;

use nsc_core::{Money, UtcMicros};

use crate::fold::{Legs, Versioned};
use crate::rows::{DeadLetter, LedgerRow, OrderRow, Place};
use crate::wire::{Amount, Instant};

/// Where events without a version came from.
#[derive(Default)]
pub(crate) struct PlaceColumns {
    pub(crate) partition: Vec<Option<i32>>,
    pub(crate) offset: Vec<Option<i64>>,
    pub(crate) taken_at: Vec<Option<Instant>>,
}

impl PlaceColumns {
    fn push(&mut self, place: Option<Place>) {
        self.partition.push(place.map(|p| p.partition));
        self.offset.push(place.map(|p| p.offset));
        self.taken_at.push(place.map(|p| Instant(p.taken_at)));
    }
}

/// Columns of `upsert_ledger_entries.sql`.
#[derive(Default)]
pub(crate) struct LedgerColumns<'a> {
    pub(crate) tx_id: Vec<&'a str>,
    pub(crate) wallet_id: Vec<&'a str>,
    pub(crate) entry_type: Vec<&'a str>,
    pub(crate) amount: Vec<Amount>,
    pub(crate) amount_signed: Vec<Option<Amount>>,
    pub(crate) related_id: Vec<Option<&'a str>>,
    pub(crate) related_type: Vec<Option<&'a str>>,
    pub(crate) event_time: Vec<Instant>,
    pub(crate) created_at: Vec<Option<Instant>>,
    pub(crate) updated_at: Vec<Option<Instant>>,
    pub(crate) source_version: Vec<Option<i64>>,
    pub(crate) payload_hash: Vec<&'a [u8]>,
    pub(crate) places: PlaceColumns,
}

impl<'a> LedgerColumns<'a> {
    pub(crate) fn of(rows: &'a [Versioned<'_, LedgerRow>]) -> Self {
        let mut columns = Self::default();
        for Versioned { row, version } in rows {
            columns.tx_id.push(&row.tx_id);
            columns.wallet_id.push(&row.wallet_id);
            columns.entry_type.push(&row.entry_type);
            columns.amount.push(Amount(row.amount));
            columns.amount_signed.push(row.amount_signed.map(Amount));
            columns.related_id.push(row.related_id.as_deref());
            columns.related_type.push(row.related_type.as_deref());
            columns.event_time.push(Instant(row.event_time));
            columns.created_at.push(row.created_at.map(Instant));
            columns.updated_at.push(row.updated_at.map(Instant));
            columns.source_version.push(row.source_version);
            columns.payload_hash.push(&version.hash);
            columns.places.push(row.place.filter(|_| version.is_none()));
        }
        columns
    }
}

/// Columns of `upsert_payment_orders.sql`.
#[derive(Default)]
pub(crate) struct OrderColumns<'a> {
    pub(crate) order_id: Vec<&'a str>,
    pub(crate) user_id: Vec<Option<&'a str>>,
    pub(crate) merchant_name: Vec<Option<&'a str>>,
    pub(crate) amount: Vec<Amount>,
    pub(crate) status: Vec<&'a str>,
    pub(crate) created_at: Vec<Instant>,
    pub(crate) updated_at: Vec<Option<Instant>>,
    pub(crate) source_version: Vec<Option<i64>>,
    pub(crate) payload_hash: Vec<&'a [u8]>,
    pub(crate) places: PlaceColumns,
}

impl<'a> OrderColumns<'a> {
    pub(crate) fn of(rows: &'a [Versioned<'_, OrderRow>]) -> Self {
        let mut columns = Self::default();
        for Versioned { row, version } in rows {
            columns.order_id.push(&row.order_id);
            columns.user_id.push(row.user_id.as_deref());
            columns.merchant_name.push(row.merchant_name.as_deref());
            columns.amount.push(Amount(row.amount));
            columns.status.push(&row.status);
            columns.created_at.push(Instant(row.created_at));
            columns.updated_at.push(row.updated_at.map(Instant));
            columns.source_version.push(row.source_version);
            columns.payload_hash.push(&version.hash);
            columns.places.push(row.place.filter(|_| version.is_none()));
        }
        columns
    }
}

/// Columns of `corrected_entries.sql`.
#[derive(Default)]
pub(crate) struct LegColumns<'a> {
    pub(crate) tx_id: Vec<&'a str>,
    pub(crate) order_id: Vec<Option<&'a str>>,
    pub(crate) entry_type: Vec<&'a str>,
}

impl<'a> LegColumns<'a> {
    pub(crate) fn of(events: &[Versioned<'a, LedgerRow>]) -> Self {
        let mut columns = Self::default();
        for Versioned { row, .. } in events {
            columns.tx_id.push(&row.tx_id);
            columns.order_id.push(row.leg_of().map(|(order, _)| order));
            columns.entry_type.push(&row.entry_type);
        }
        columns
    }
}

/// Columns of `open_pairs.sql`. An order without legs has its key and nothing else; an unsettled one has an empty text
/// on both sides.
#[derive(Default)]
pub(crate) struct PairColumns<'a> {
    pub(crate) order_id: Vec<&'a str>,
    pub(crate) payment_tx_id: Vec<Option<&'a str>>,
    pub(crate) receive_tx_id: Vec<Option<&'a str>>,
    pub(crate) payer_wallet_id: Vec<Option<&'a str>>,
    pub(crate) payee_wallet_id: Vec<Option<&'a str>>,
    pub(crate) amount: Vec<Option<Amount>>,
    pub(crate) event_time: Vec<Option<Instant>>,
    pub(crate) updated_at: Vec<Option<Instant>>,
}

impl<'a> PairColumns<'a> {
    pub(crate) fn of(pairs: &BTreeMap<&'a str, Legs<'a>>) -> Self {
        let mut columns = Self::default();
        for (order, legs) in pairs {
            columns.order_id.push(order);
            if legs.unsettled {
                columns.push_undecided();
            } else {
                columns.push_legs(*legs);
            }
        }
        columns
    }

    fn push_legs(&mut self, legs: Legs<'a>) {
        self.payment_tx_id
            .push(legs.payment.map(|row| row.tx_id.as_str()));
        self.receive_tx_id
            .push(legs.receive.map(|row| row.tx_id.as_str()));
        self.payer_wallet_id
            .push(legs.payment.map(|row| row.wallet_id.as_str()));
        self.payee_wallet_id
            .push(legs.receive.map(|row| row.wallet_id.as_str()));
        self.amount
            .push(legs.known().next().map(|row| Amount(row.amount)));
        self.event_time
            .push(legs.known().map(|row| row.event_time).min().map(Instant));
        self.updated_at
            .push(legs.known().filter_map(|row| row.updated_at).max().map(Instant));
    }

    /// The row must be there, locked; what it says is for `recompute_pairs.sql`.
    fn push_undecided(&mut self) {
        self.payment_tx_id.push(Some(""));
        self.receive_tx_id.push(Some(""));
        self.payer_wallet_id.push(Some(""));
        self.payee_wallet_id.push(Some(""));
        self.amount.push(Some(Amount(Money::ZERO)));
        self.event_time.push(Some(Instant(UtcMicros::new(0))));
        self.updated_at.push(None);
    }
}

/// Columns of `insert_dead_letters.sql`; texts cut to their columns.
#[derive(Default)]
pub(crate) struct LetterColumns<'a> {
    pub(crate) topic: Vec<String>,
    pub(crate) partition: Vec<i32>,
    pub(crate) offset: Vec<i64>,
    pub(crate) key: Vec<Option<&'a [u8]>>,
    pub(crate) payload: Vec<Option<&'a [u8]>>,
    pub(crate) error_class: Vec<String>,
    pub(crate) error: Vec<String>,
    pub(crate) correlation_id: Vec<Option<String>>,
    pub(crate) content_hash: Vec<Vec<u8>>,
}

impl<'a> LetterColumns<'a> {
    pub(crate) fn of(letters: &'a [DeadLetter]) -> Self {
        let mut columns = Self::default();
        for letter in letters {
            columns.topic.push(bounded(&letter.topic, 255));
            columns.partition.push(letter.partition);
            columns.offset.push(letter.offset);
            columns.key.push(letter.key.as_deref());
            columns.payload.push(letter.payload.as_deref());
            columns.error_class.push(bounded(&letter.error_class, 64));
            columns.error.push(bounded(&letter.error, 4000));
            columns
                .correlation_id
                .push(letter.correlation_id.as_deref().map(|id| bounded(id, 128)));
            columns.content_hash.push(content_hash(letter));
        }
        columns
    }
}

/// The text as a column of that many characters can hold it: cut, NULs replaced.
pub(crate) fn bounded(text: &str, max_chars: usize) -> String {
    text.chars()
        .take(max_chars)
        .map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// Tells one message from another at the same place, after a topic was made anew.
fn content_hash(letter: &DeadLetter) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    for part in [&letter.key, &letter.payload] {
        let length = part.as_ref().map_or(0, |bytes| bytes.len() as u64 + 1);
        hasher.update(&length.to_le_bytes());
        hasher.update(part.as_deref().unwrap_or_default());
    }
    hasher.finalize().as_bytes().iter().copied().take(16).collect()
}
