//! What somebody should know before a pair is believed (serving contract 3). A pair is made by an id alone; whether its
//! legs are one payment's, their amounts and times say.

use std::ops::{BitOr, BitOrAssign};

use nsc_core::{MICROS_PER_SECOND, Money, UtcMicros};

/// The legs of one payment, and their order, are no further apart than this, in microseconds.
const ONE_INSTANCE_MICROS: i64 = 24 * 3_600 * MICROS_PER_SECOND;

/// What of a leg is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) amount: Money,
    pub(crate) event_time: UtcMicros,
}

/// Doubts about a pair; none for nearly all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairFlags {
    /// The amounts of the legs differ.
    pub amount_differs: bool,
    /// The legs are more than 24 hours apart, or one is more than 24 hours before its order was made: the id was most
    /// likely used for two orders.
    pub order_reused: bool,
    /// One `tx_id` was told as both sides of the order: only one of the two is stored.
    pub same_tx: bool,
}

impl PairFlags {
    /// What the legs that are known, and the time their order was made, say.
    pub(crate) fn of(legs: impl IntoIterator<Item = Leg>, ordered_at: Option<UtcMicros>) -> Self {
        let mut flags = Self::default();
        let mut first: Option<Leg> = None;
        for leg in legs {
            let before = |at: UtcMicros| at.micros().saturating_sub(leg.event_time.micros());
            flags.order_reused |= ordered_at.is_some_and(|at| before(at) > ONE_INSTANCE_MICROS);
            if let Some(first) = first {
                flags.amount_differs |= first.amount != leg.amount;
                flags.order_reused |= before(first.event_time).saturating_abs() > ONE_INSTANCE_MICROS;
            }
            first = first.or(Some(leg));
        }
        flags
    }

    /// The same, when one `tx_id` was told as both sides.
    #[must_use]
    pub(crate) const fn with_same_tx(mut self, same_tx: bool) -> Self {
        self.same_tx = same_tx;
        self
    }
}

impl BitOr for PairFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            amount_differs: self.amount_differs | other.amount_differs,
            order_reused: self.order_reused | other.order_reused,
            same_tx: self.same_tx | other.same_tx,
        }
    }
}

/// How many pairs of a batch carry which flag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlaggedPairs {
    /// [`PairFlags::amount_differs`].
    pub amount_differs: u64,
    /// [`PairFlags::order_reused`].
    pub order_reused: u64,
    /// [`PairFlags::same_tx`]: entries that were told as both sides.
    pub same_tx: u64,
}

impl BitOrAssign<PairFlags> for FlaggedPairs {
    /// One more pair.
    fn bitor_assign(&mut self, flags: PairFlags) {
        self.amount_differs += u64::from(flags.amount_differs);
        self.order_reused += u64::from(flags.order_reused);
        self.same_tx += u64::from(flags.same_tx);
    }
}

#[cfg(test)]
mod tests {
    use nsc_core::{Money, UtcMicros};

    use super::{Leg, ONE_INSTANCE_MICROS, PairFlags};

    fn leg(hundredths: i128, micros: i64) -> Leg {
        Leg {
            amount: Money::from_units(hundredths).unwrap(),
            event_time: UtcMicros::new(micros),
        }
    }

    #[test]
    fn equal_legs_of_one_day_are_believed_and_the_edge_belongs_to_it() {
        let day = ONE_INSTANCE_MICROS;
        let ordered = Some(UtcMicros::new(0));
        assert_eq!(PairFlags::of([], None), PairFlags::default());
        assert_eq!(
            PairFlags::of([leg(1, 0), leg(1, day)], ordered),
            PairFlags::default()
        );
        assert_eq!(
            PairFlags::of([leg(1, day), leg(1, 0)], None),
            PairFlags::default()
        );
        assert_eq!(PairFlags::of([leg(1, -day)], ordered), PairFlags::default());
        // An order may wait for its payment as long as it likes.
        assert_eq!(PairFlags::of([leg(1, 90 * day)], ordered), PairFlags::default());
    }

    #[test]
    fn what_differs_is_told_whichever_leg_comes_first() {
        let day = ONE_INSTANCE_MICROS;
        let reused = PairFlags {
            order_reused: true,
            ..PairFlags::default()
        };
        for legs in [
            [leg(1, 0), leg(1, day + 1)],
            [leg(1, day + 1), leg(1, 0)],
            [leg(1, i64::MIN), leg(1, i64::MAX)],
        ] {
            assert_eq!(PairFlags::of(legs, None), reused);
        }
        assert_eq!(PairFlags::of([leg(1, 0)], Some(UtcMicros::new(day + 1))), reused);
        let differs = PairFlags::of([leg(1_000, 0), leg(900, 0)], None);
        assert!(differs.amount_differs && !differs.order_reused);
    }
}
