//! Every fault a line of the world can carry, and how often it does.

/// A fault carried by a line of the world. The bad lines are not among them: see `bad`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    // Written another, still valid way: must load and mean the same.
    OffsetTime,
    NaiveTime,
    NanoTime,
    NumberAmount,
    PaddedAmount,
    ExponentAmount,
    ExtraFields,
    EscapedUnicode,
    NumericRelatedId,
    // Repeats.
    DupIdentical,
    DupIdenticalOrder,
    DupIdenticalSnapshot,
    /// PENDING, then PAID 30 s later.
    OrderVersions,
    /// PAID, then the older PENDING extracted again: PAID stays.
    OrderOldVersionLast,
    /// PENDING and PAID alike in every time: the later line is newer.
    OrderTieByLine,
    // An older copy of one tx_id that disagrees; the world's line wins.
    ConflictAmountOlder,
    ConflictTimeOlder,
    ConflictTypeOlder,
    /// The older copy names another wallet, which drifts by it.
    ConflictWallet,
    // Loaded in the next night's batch.
    LateEntry,
    LateOrder,
    /// Null, absent, empty or blank.
    NullMerchant,
    /// ON_HOLD: the guardrail reports it, the row stays.
    StatusUnknownOrder,
}

/// Which lines can carry a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A payment's or a charge's ledger entry.
    Entry,
    /// A payment's order.
    Payment,
    /// A charge's ledger entry.
    Charge,
    /// A snapshot of the day.
    Snapshot,
}

/// How often a fault is planned.
pub(crate) struct FaultSpec {
    pub(crate) fault: Fault,
    pub(crate) name: &'static str,
    pub(crate) target: Target,
    /// Share of the day's ledger entries.
    pub(crate) share: f64,
    /// At least so many on the first day; on later days at least one.
    pub(crate) at_least: usize,
}

const fn spec(fault: Fault, name: &'static str, target: Target, share: f64, at_least: usize) -> FaultSpec {
    FaultSpec {
        fault,
        name,
        target,
        share,
        at_least,
    }
}

/// The whole mix, in the order of [`Fault`]; a day's plan is drawn in this order.
pub(crate) const CATALOGUE: [FaultSpec; 23] = [
    spec(Fault::OffsetTime, "valid_offset_time", Target::Entry, 0.002, 3),
    spec(Fault::NaiveTime, "valid_naive_time", Target::Entry, 0.002, 3),
    spec(Fault::NanoTime, "valid_nano_time", Target::Entry, 0.001, 2),
    spec(
        Fault::NumberAmount,
        "valid_number_amount",
        Target::Entry,
        0.003,
        3,
    ),
    spec(
        Fault::PaddedAmount,
        "valid_padded_amount",
        Target::Entry,
        0.001,
        2,
    ),
    spec(
        Fault::ExponentAmount,
        "valid_exponent_amount",
        Target::Entry,
        0.001,
        2,
    ),
    spec(Fault::ExtraFields, "valid_extra_fields", Target::Entry, 0.001, 2),
    spec(
        Fault::EscapedUnicode,
        "valid_escaped_unicode",
        Target::Payment,
        0.001,
        2,
    ),
    spec(
        Fault::NumericRelatedId,
        "valid_numeric_related_id",
        Target::Charge,
        0.001,
        2,
    ),
    spec(Fault::DupIdentical, "dup_identical", Target::Entry, 0.003, 3),
    spec(
        Fault::DupIdenticalOrder,
        "dup_identical_order",
        Target::Payment,
        0.001,
        2,
    ),
    spec(
        Fault::DupIdenticalSnapshot,
        "dup_identical_snapshot",
        Target::Snapshot,
        0.001,
        2,
    ),
    spec(Fault::OrderVersions, "order_versions", Target::Payment, 0.004, 3),
    spec(
        Fault::OrderOldVersionLast,
        "order_old_version_last",
        Target::Payment,
        0.001,
        2,
    ),
    spec(
        Fault::OrderTieByLine,
        "order_tie_by_line",
        Target::Payment,
        0.0005,
        1,
    ),
    spec(
        Fault::ConflictAmountOlder,
        "conflict_amount_older",
        Target::Entry,
        0.0003,
        1,
    ),
    spec(
        Fault::ConflictTimeOlder,
        "conflict_time_older",
        Target::Entry,
        0.0003,
        1,
    ),
    spec(
        Fault::ConflictTypeOlder,
        "conflict_type_older",
        Target::Charge,
        0.0003,
        1,
    ),
    spec(
        Fault::ConflictWallet,
        "conflict_wallet",
        Target::Charge,
        0.0001,
        1,
    ),
    spec(Fault::LateEntry, "late_entry", Target::Entry, 0.002, 3),
    spec(Fault::LateOrder, "late_order", Target::Payment, 0.001, 2),
    spec(Fault::NullMerchant, "null_merchant", Target::Payment, 0.003, 4),
    spec(
        Fault::StatusUnknownOrder,
        "status_unknown_order",
        Target::Payment,
        0.0005,
        1,
    ),
];

impl Fault {
    const fn spec(self) -> &'static FaultSpec {
        &CATALOGUE[self as usize]
    }

    /// The name `faults.json` lists it under.
    pub(crate) const fn name(self) -> &'static str {
        self.spec().name
    }

    pub(crate) const fn target(self) -> Target {
        self.spec().target
    }

    /// Whether it comes with an older copy of the entry that disagrees with it.
    pub(crate) const fn is_conflict(self) -> bool {
        matches!(
            self,
            Self::ConflictAmountOlder
                | Self::ConflictTimeOlder
                | Self::ConflictTypeOlder
                | Self::ConflictWallet
        )
    }

    pub(crate) const fn is_late(self) -> bool {
        matches!(self, Self::LateEntry | Self::LateOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_in_the_order_of_the_faults() {
        for (i, entry) in CATALOGUE.iter().enumerate() {
            assert_eq!(entry.fault as usize, i, "{}", entry.name);
        }
    }
}
