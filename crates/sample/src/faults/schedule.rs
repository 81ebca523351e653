//! When a day's faults fall due, and which of them are waiting for a line that can carry them.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::catalogue::{CATALOGUE, Fault, Target};
use crate::options::Plan;
use crate::rng::Draws;

/// A day's faults. Each falls due at a random operation and then waits for the next fitting line.
pub(crate) struct FaultQueue {
    planned: Peekable<IntoIter<(u64, Fault)>>,
    waiting: Vec<Fault>,
    /// Faults that wait for a snapshot; there is only one kind, so they are just counted.
    snapshots: usize,
}

impl FaultQueue {
    /// A queue with nothing in it.
    pub(crate) fn empty() -> Self {
        Self {
            planned: Vec::new().into_iter().peekable(),
            waiting: Vec::new(),
            snapshots: 0,
        }
    }

    /// Draws the plan of a day that is expected to take so many operations.
    pub(crate) fn draw(plan: &Plan, day: usize, operations: u64, draws: &mut Draws) -> Self {
        let late_days = !(plan.options.no_late_last && plan.days > 1 && plan.is_last_day(day));
        let mut planned = Vec::new();
        for spec in CATALOGUE.iter().filter(|spec| late_days || !spec.fault.is_late()) {
            let least = if day == 0 { spec.at_least } else { 1 };
            let count = least.max((spec.share * plan.entries_per_day as f64) as usize);
            for _ in 0..count {
                // The day's first and last operations are left alone.
                let at = ((0.12 + draws.unit() * 0.8) * operations as f64) as u64;
                planned.push((at, spec.fault));
            }
        }
        // Stable: faults due at one operation stay in the order of the catalogue.
        planned.sort_by_key(|&(at, _)| at);
        Self {
            planned: planned.into_iter().peekable(),
            ..Self::empty()
        }
    }

    /// Moves what is due at this operation to what is waiting.
    pub(crate) fn advance(&mut self, operation: u64) {
        while let Some((_, fault)) = self.planned.next_if(|&(at, _)| at <= operation) {
            if fault.target() == Target::Snapshot {
                self.snapshots += 1;
            } else {
                self.waiting.push(fault);
            }
        }
    }

    /// The fault that has waited longest for one of these lines.
    pub(crate) fn take(&mut self, wanted: [Target; 2]) -> Option<Fault> {
        let first = self
            .waiting
            .iter()
            .position(|fault| wanted.contains(&fault.target()))?;
        Some(self.waiting.remove(first))
    }

    /// Whether the next snapshot is to be repeated.
    pub(crate) fn take_snapshot(&mut self) -> bool {
        let due = self.snapshots > 0;
        self.snapshots = self.snapshots.saturating_sub(1);
        due
    }
}
