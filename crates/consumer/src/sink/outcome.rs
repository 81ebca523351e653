//! What is said of messages once they are written: counts, lags, and a line for each dead letter.

use std::collections::BTreeMap;
use std::error::Error;

use nsc_contracts::event::EventKind;
use nsc_store::Applied;
use nsc_telemetry::metrics::{PairFlag, PairOutcome};

use super::{Prepared, SinkCounts, StoreSink};
use crate::message::Message;

/// Longest text of an error that is kept, in characters.
const ERROR_CHARS: usize = 500;

impl StoreSink {
    /// Measures and logs what became of messages. Never what they hold.
    pub(super) fn report(&self, messages: &[Message], prepared: &Prepared, applied: &Applied) -> SinkCounts {
        let counts = SinkCounts {
            written: applied.ledger_written + applied.orders_written,
            stale: applied.ledger_stale + applied.orders_stale,
            dead_letters: prepared.letters.len() as u64,
            tombstones: prepared.tombstones.len() as u64,
            outside: prepared.outside,
            classes: by_class(prepared),
        };
        self.count(messages, prepared, applied);
        self.log_dead_letters(messages, prepared);
        let now = self.clock.0.now();
        for (at, time, of_payload) in &prepared.events {
            let Some(message) = messages.get(*at) else {
                continue;
            };
            let lag_seconds = (now.micros() - time.micros()) as f64 / 1e6;
            self.metrics.event_lag(&message.topic, lag_seconds);
            if let Some(id) = message.correlation.as_ref().or(of_payload.as_ref()) {
                tracing::debug!(
                    correlation_id = id.as_str(),
                    topic = &*message.topic,
                    partition = message.partition,
                    offset = message.offset,
                    "event written"
                );
            }
        }
        counts
    }

    fn count(&self, messages: &[Message], prepared: &Prepared, applied: &Applied) {
        let topic = |kind| messages.iter().find(|m| m.kind == kind).map(|m| &*m.topic);
        if let Some(topic) = topic(EventKind::LedgerEntry) {
            self.metrics.messages(topic, "written", applied.ledger_written);
            self.metrics.messages(topic, "stale", applied.ledger_stale);
        }
        if let Some(topic) = topic(EventKind::PaymentOrder) {
            self.metrics.messages(topic, "written", applied.orders_written);
            self.metrics.messages(topic, "stale", applied.orders_stale);
        }
        let mut tombstones: BTreeMap<&str, u64> = BTreeMap::new();
        for message in prepared.tombstones.iter().filter_map(|at| messages.get(*at)) {
            *tombstones.entry(&message.topic).or_default() += 1;
        }
        for (topic, n) in tombstones {
            self.metrics.messages(topic, "tombstone", n);
        }
        self.pairing.pairs(PairOutcome::Complete, applied.pairs_complete);
        self.pairing
            .pairs(PairOutcome::Incomplete, applied.pairs_incomplete);
        self.pairing.skipped_non_payment_order(applied.skipped_related);
        for (flag, n) in [
            (PairFlag::AmountDiffers, applied.flagged.amount_differs),
            (PairFlag::OrderReused, applied.flagged.order_reused),
            (PairFlag::SameTx, applied.flagged.same_tx),
        ] {
            self.pairing.flagged(flag, n);
        }
    }

    fn log_dead_letters(&self, messages: &[Message], prepared: &Prepared) {
        for (letter, note) in prepared.letters.iter().zip(&prepared.notes) {
            self.metrics.dlq(&letter.topic, &letter.error_class, 1);
            self.metrics.messages(&letter.topic, "dlq", 1);
            let sent_at = messages.get(note.message).and_then(|m| m.sent_at);
            tracing::warn!(
                correlation_id = letter.correlation_id.as_deref().unwrap_or_default(),
                topic = letter.topic,
                partition = letter.partition,
                offset = letter.offset,
                sent_at = sent_at.map(tracing::field::display),
                class = letter.error_class,
                field = note.field,
                "message put into the dead letters"
            );
        }
    }
}

fn by_class(prepared: &Prepared) -> BTreeMap<String, u64> {
    let mut classes = BTreeMap::new();
    for letter in &prepared.letters {
        *classes.entry(letter.error_class.clone()).or_default() += 1;
    }
    classes
}

/// An error with what caused it, on one line and bounded; what can be stored.
pub(super) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(ERROR_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::with_sources;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner\n\0{}", "x".repeat(1_000))]
    struct Inner;

    #[test]
    fn an_error_is_told_with_its_causes_on_one_line() {
        let text = with_sources(&Outer(Inner));
        assert!(text.starts_with("outer: inner  xxx"), "{text}");
        assert_eq!(text.chars().count(), 500);
    }
}
