//! Counts of a source: every line ends in exactly one of them.

use std::collections::BTreeMap;

use nsc_transforms::rules::Threshold;

/// Bronze rows taken, by what became of them.
#[derive(Debug, Clone, Default)]
pub(super) struct RowCounts {
    pub(super) rows: u64,
    pub(super) duplicates: u64,
    pub(super) bad: BTreeMap<String, u64>,
    /// The same lines by the load that brought them; those without a load count as one.
    pub(super) loads: BTreeMap<Option<String>, LoadCounts>,
}

/// What of one load was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LoadCounts {
    pub(super) lines: u64,
    pub(super) bad: BTreeMap<String, u64>,
}

impl LoadCounts {
    pub(super) fn bad_total(&self) -> u64 {
        self.bad.values().sum()
    }
}

/// Whether the share of bad lines is over a threshold, compared exactly.
fn is_over(bad: u64, lines: u64, threshold: Threshold) -> bool {
    const SCALE: u32 = 15;
    let bad = i128::from(bad) * 10_i128.pow(SCALE);
    bad > threshold.floor_at(SCALE).saturating_mul(i128::from(lines))
}

impl RowCounts {
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
        for (load, taken) in other.loads {
            let known = self.loads.entry(load).or_default();
            known.lines += taken.lines;
            for (reason, count) in taken.bad {
                *known.bad.entry(reason).or_default() += count;
            }
        }
    }

    /// Counts a line of a load; `reason` says why it is bad.
    pub(super) fn count(&mut self, load: Option<&str>, lines: u64, reason: Option<&str>) {
        let known = self.loads.keys().any(|k| k.as_deref() == load);
        if !known {
            self.loads.insert(load.map(str::to_owned), LoadCounts::default());
        }
        let found = self.loads.iter_mut().find(|(k, _)| k.as_deref() == load);
        if let Some((_, taken)) = found {
            taken.lines += lines;
            if let Some(reason) = reason {
                *taken.bad.entry(reason.to_owned()).or_default() += lines;
            }
        }
    }

    /// Whether the share of bad rows is over a threshold: of all of them together, or of those of one load.
    pub(super) fn is_over(&self, threshold: Threshold) -> bool {
        is_over(self.bad_total(), self.lines(), threshold) || self.worst_load(threshold).is_some()
    }

    /// Of the loads whose share of bad rows is over a threshold the one with the most.
    pub(super) fn worst_load(&self, threshold: Threshold) -> Option<(Option<&str>, &LoadCounts)> {
        let over = self
            .loads
            .iter()
            .filter(|(_, t)| is_over(t.bad_total(), t.lines, threshold));
        let worst = over.max_by_key(|(_, t)| t.bad_total());
        worst.map(|(load, taken)| (load.as_deref(), taken))
    }
}

#[cfg(test)]
mod tests {
    use super::RowCounts;
    use nsc_transforms::rules::Threshold;

    #[test]
    fn a_rate_at_the_threshold_is_not_over_it() {
        let counts = |bad: u64, rows: u64| RowCounts {
            rows,
            bad: [("x".to_owned(), bad)].into(),
            ..RowCounts::default()
        };
        let one_percent = Threshold::from_f64(0.01).unwrap();
        assert!(!counts(1, 99).is_over(one_percent));
        assert!(!counts(3, 297).is_over(one_percent));
        assert!(counts(100_001, 9_899_999).is_over(one_percent));
        assert!(!counts(0, 0).is_over(one_percent));
        assert!(counts(1, 0).is_over(one_percent));
    }

    #[test]
    fn a_load_that_is_over_the_rate_is_not_diluted_by_others() {
        let one_percent = Threshold::from_f64(0.01).unwrap();
        let mut counts = RowCounts {
            rows: 9_910,
            bad: [("x".to_owned(), 90)].into(),
            ..RowCounts::default()
        };
        counts.count(Some("good"), 9_901, None);
        counts.count(Some("good"), 9, Some("x"));
        assert!(!counts.is_over(one_percent));
        counts.count(Some("wrong"), 9, None);
        counts.count(Some("wrong"), 81, Some("x"));
        assert!(counts.is_over(one_percent));
        let (load, worst) = counts.worst_load(one_percent).unwrap();
        assert_eq!((load, worst.bad_total(), worst.lines), (Some("wrong"), 81, 90));
    }
}
