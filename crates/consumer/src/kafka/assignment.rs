//! Which partitions this member owns, and which worker each goes to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nsc_contracts::event::EventKind;

use crate::message::Partition;

/// How a partition is owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ownership {
    /// Counts up with every partition taken: what came before a partition was lost is told from what comes after.
    pub(crate) epoch: u64,
    /// The worker its messages go to.
    pub(crate) worker: usize,
}

/// Shared by the thread that polls and the callbacks.
#[derive(Debug)]
pub(crate) struct Assignment {
    workers: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    owned: BTreeMap<Partition, Ownership>,
    epochs: u64,
    /// Partitions that were begun at their beginning already.
    rewound: BTreeSet<Partition>,
    joined: bool,
}

impl Assignment {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: workers.max(1),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes partitions, each to the worker that has fewest.
    pub(crate) fn take(&self, partitions: &[Partition]) {
        let mut state = self.state();
        state.joined = true;
        for partition in partitions {
            let load = |worker: usize| state.owned.values().filter(|o| o.worker == worker).count();
            let worker = (0..self.workers).min_by_key(|worker| load(*worker)).unwrap_or(0);
            state.epochs += 1;
            let epoch = state.epochs;
            state.owned.insert(*partition, Ownership { epoch, worker });
        }
    }

    /// Gives partitions up.
    pub(crate) fn give(&self, partitions: &[Partition]) {
        let mut state = self.state();
        state.owned.retain(|p, _| !partitions.contains(p));
    }

    pub(crate) fn ownership(&self, partition: Partition) -> Option<Ownership> {
        self.state().owned.get(&partition).copied()
    }

    pub(crate) fn owns(&self, partition: Partition, epoch: u64) -> bool {
        self.ownership(partition).is_some_and(|o| o.epoch == epoch)
    }

    pub(crate) fn partitions(&self) -> Vec<Partition> {
        self.state().owned.keys().copied().collect()
    }

    /// The partitions whose messages go to a worker.
    pub(crate) fn partitions_of(&self, worker: usize) -> Vec<Partition> {
        let state = self.state();
        let owned = state.owned.iter().filter(|(_, o)| o.worker == worker);
        owned.map(|(partition, _)| *partition).collect()
    }

    /// Whether this member reads a topic: it owns one of its partitions.
    pub(crate) fn reads(&self, kind: EventKind) -> bool {
        self.state().owned.keys().any(|p| p.kind == kind)
    }

    /// True the first time, for a partition that is to begin at its beginning once.
    pub(crate) fn rewinds(&self, partition: Partition) -> bool {
        self.state().rewound.insert(partition)
    }

    /// Whether the group has given this member its share, be it none.
    pub(crate) fn joined(&self) -> bool {
        self.state().joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(number: i32) -> Partition {
        Partition {
            kind: EventKind::LedgerEntry,
            number,
        }
    }

    #[test]
    fn partitions_are_spread_over_the_workers_and_told_apart_by_epoch() {
        let assignment = Assignment::new(2);
        assert!(!assignment.joined());
        assignment.take(&[p(0), p(1), p(2), p(3)]);
        let workers: Vec<_> = (0..4)
            .filter_map(|n| assignment.ownership(p(n)))
            .map(|o| o.worker)
            .collect();
        assert_eq!(workers, [0, 1, 0, 1]);
        let before = assignment.ownership(p(1)).map(|o| o.epoch).unwrap_or_default();
        assignment.give(&[p(1), p(3)]);
        assert!(!assignment.owns(p(1), before));
        assignment.take(&[p(1)]);
        assert!(!assignment.owns(p(1), before));
        assert_eq!(assignment.ownership(p(1)).map(|o| o.worker), Some(1));
        assert_eq!(assignment.partitions(), [p(0), p(1), p(2)]);
        assert_eq!(assignment.partitions_of(0), [p(0), p(2)]);
        assert_eq!(assignment.partitions_of(1), [p(1)]);
        assert_eq!(assignment.partitions_of(2), []);
        assert!(assignment.reads(EventKind::LedgerEntry) && !assignment.reads(EventKind::PaymentOrder));
        assert!(assignment.rewinds(p(0)) && !assignment.rewinds(p(0)));
    }
}
