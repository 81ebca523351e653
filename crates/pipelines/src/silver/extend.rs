//! A window that was computed before and has gained Bronze files since: only their rows are taken, and merged by
//! version into what is stored. The end is that of computing everything again, at the cost of what is new
//! (docs/decisions/0019).

use std::collections::BTreeMap;

use super::bronze::BronzeInput;
use super::row_counts::RowCounts;
use crate::derivation::Record;

/// With more than one fresh row in this many, comparing everything is the shorter way.
const FRESH_SHARE: u64 = 5;

/// What a window's stored result stands for.
#[derive(Debug, Clone, Default)]
pub(super) struct Base {
    /// By Bronze table.
    tallies: BTreeMap<String, RowCounts>,
    /// Rows of the window, by Silver table.
    rows: BTreeMap<String, u64>,
}

impl Base {
    /// Builds on a record: the inputs take their fresh files only. `None`, and all files are taken, when that would
    /// not be shorter.
    pub(super) fn of(record: &Record, inputs: &mut [BronzeInput]) -> Option<Self> {
        let (mut fresh, mut all) = (0, 0);
        for input in inputs.iter_mut() {
            input.take_fresh(&record.files);
            let (taken, there) = input.row_counts();
            fresh += taken;
            all += there;
        }
        if fresh.saturating_mul(FRESH_SHARE) > all {
            take_all(inputs);
            return None;
        }
        let mut base = Self::default();
        for line in &record.tables {
            if line.lines.is_some() {
                let counts = RowCounts {
                    rows: line.rows,
                    duplicates: line.duplicates.unwrap_or_default(),
                    bad: line.quarantined.clone(),
                    // Each of them was judged when it was taken.
                    loads: BTreeMap::new(),
                };
                base.tallies.insert(line.table.clone(), counts);
            } else {
                *base.rows.entry(line.table.clone()).or_default() += line.rows;
            }
        }
        Some(base)
    }

    pub(super) fn counts(&self, bronze: &str) -> RowCounts {
        let name = format!("bronze.{bronze}");
        self.tallies.get(&name).cloned().unwrap_or_default()
    }

    pub(super) fn rows(&self, silver: &str) -> u64 {
        self.rows.get(silver).copied().unwrap_or_default()
    }
}

/// Every input takes all its files.
pub(super) fn take_all(inputs: &mut [BronzeInput]) {
    for input in inputs {
        input.take_all();
    }
}
