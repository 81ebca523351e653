//! What is measured of the two legs of a payment.

use std::fmt;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use super::level::Level;

/// What a write left a pair as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairOutcome {
    /// Both legs are known.
    Complete,
    /// One leg is known.
    Incomplete,
}

impl PairOutcome {
    /// As the label has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Incomplete => "incomplete",
        }
    }
}

/// Why a pair should be looked at before it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairFlag {
    /// The amounts of its legs differ.
    AmountDiffers,
    /// Its legs are too far apart to be one payment's.
    OrderReused,
    /// One `tx_id` was told as both legs.
    SameTx,
}

impl PairFlag {
    /// As the label has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AmountDiffers => "amount_differs",
            Self::OrderReused => "order_reused",
            Self::SameTx => "same_tx",
        }
    }
}

/// Pairs written, and those that still wait for a leg.
#[derive(Clone)]
pub struct PairingMetrics {
    pairs: Counter<u64>,
    incomplete: Counter<u64>,
    incomplete_age: Level,
    skipped: Counter<u64>,
    flagged: Counter<u64>,
}

impl PairingMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            pairs: meter
                .u64_counter("pairing_total")
                .with_description("Pairs written, by what they were left as")
                .build(),
            incomplete: meter
                .u64_counter("pairing_incomplete_total")
                .with_description("Pairs written with one leg only (the other may follow)")
                .build(),
            incomplete_age: Level::new(
                meter,
                "pairing_incomplete_age_seconds",
                "Age of the oldest pair that still has one leg; 0 when none has",
            ),
            skipped: meter
                .u64_counter("pairing_skipped_non_payment_order_total")
                .with_description("Ledger entries related to something else than a payment order")
                .build(),
            flagged: meter
                .u64_counter("pairing_flagged_total")
                .with_description(
                    "Pairs that got a leg and should be looked at, by why; a lower bound under a flood",
                )
                .build(),
        }
    }

    /// Measures nothing.
    #[must_use]
    pub fn noop() -> Self {
        Self::new(&super::noop_meter())
    }

    /// `n` pairs were written and left as `outcome`.
    pub fn pairs(&self, outcome: PairOutcome, n: u64) {
        self.pairs.add(n, &[KeyValue::new("outcome", outcome.name())]);
        // With 0 too, so that the series is there before the first incomplete pair.
        let incomplete = if outcome == PairOutcome::Incomplete { n } else { 0 };
        self.incomplete.add(incomplete, &[]);
    }

    /// How old the oldest incomplete pair is; 0 when every pair is complete.
    pub fn incomplete_age_seconds(&self, seconds: f64) {
        self.incomplete_age.set([], seconds.max(0.0));
    }

    /// `n` ledger entries were related to something else than a payment order.
    pub fn skipped_non_payment_order(&self, n: u64) {
        self.skipped.add(n, &[]);
    }

    /// `n` pairs that got a leg carry a flag. With 0 too, so that the series is there before the first.
    pub fn flagged(&self, flag: PairFlag, n: u64) {
        self.flagged.add(n, &[KeyValue::new("flag", flag.name())]);
    }
}

impl Default for PairingMetrics {
    fn default() -> Self {
        Self::noop()
    }
}

impl fmt::Debug for PairingMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairingMetrics").finish_non_exhaustive()
    }
}
