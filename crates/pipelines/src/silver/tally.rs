//! Counts of a source: every line ends in exactly one of them.

use std::collections::BTreeMap;

/// Bronze rows taken, by what became of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) duplicates: u64,
    pub(super) bad: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn bad_total(&self) -> u64 {
        self.bad.values().sum()
    }

    /// Good and quarantined rows, before duplicates collapse.
    pub(super) fn lines(&self) -> u64 {
        self.rows + self.duplicates + self.bad_total()
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.rows += other.rows;
        self.duplicates += other.duplicates;
        for (reason, count) in other.bad {
            *self.bad.entry(reason).or_default() += count;
        }
    }

    /// Whether the share of bad rows is over a threshold, compared exactly.
    pub(super) fn is_over(&self, threshold: nsc_transforms::rules::Threshold) -> bool {
        const SCALE: u32 = 15;
        let bad = i128::from(self.bad_total()) * 10_i128.pow(SCALE);
        bad > threshold.floor_at(SCALE).saturating_mul(i128::from(self.lines()))
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;
    use nsc_transforms::rules::Threshold;

    #[test]
    fn a_rate_at_the_threshold_is_not_over_it() {
        let tally = |bad: u64, rows: u64| Tally {
            rows,
            duplicates: 0,
            bad: [("x".to_owned(), bad)].into(),
        };
        let one_percent = Threshold::from_f64(0.01).unwrap();
        assert!(!tally(1, 99).is_over(one_percent));
        assert!(!tally(3, 297).is_over(one_percent));
        assert!(tally(100_001, 9_899_999).is_over(one_percent));
        assert!(!tally(0, 0).is_over(one_percent));
        assert!(tally(1, 0).is_over(one_percent));
    }
}
