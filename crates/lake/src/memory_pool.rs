//! The engine's memory, with one exception to the limit: what is on its way between two partitions of a plan.
//!
//! The repartitioning of this version of the engine can wait for itself for ever once it has spilled
//! (apache/datafusion issue 24883, mended in a later release): a day of ten million entries never ended. What it
//! holds is bounded by its own gate (a few batches a partition), so here it is counted and never refused; sorts, joins
//! and aggregates, which hold whole inputs, keep to the limit and spill. To be removed with the upgrade.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// How the engine names the memory of a repartitioning.
const REPARTITION: &str = "RepartitionExec";

/// A fair pool that never makes a repartitioning spill.
#[derive(Debug)]
pub(crate) struct UnspilledRepartition {
    limited: FairSpillPool,
    between_partitions: AtomicUsize,
}

impl UnspilledRepartition {
    /// A pool of so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            limited: FairSpillPool::new(bytes),
            between_partitions: AtomicUsize::new(0),
        }
    }
}

fn is_between_partitions(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with(REPARTITION)
}

impl fmt::Display for UnspilledRepartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} and {} bytes between partitions",
            self.limited,
            self.between_partitions.load(Ordering::Relaxed)
        )
    }
}

impl MemoryPool for UnspilledRepartition {
    fn name(&self) -> &str {
        "unspilled_repartition"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if !is_between_partitions(consumer) {
            self.limited.register(consumer);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if !is_between_partitions(consumer) {
            self.limited.unregister(consumer);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if is_between_partitions(reservation.consumer()) {
            self.between_partitions.fetch_add(additional, Ordering::Relaxed);
        } else {
            self.limited.grow(reservation, additional);
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        if is_between_partitions(reservation.consumer()) {
            self.between_partitions.fetch_sub(shrink, Ordering::Relaxed);
        } else {
            self.limited.shrink(reservation, shrink);
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if is_between_partitions(reservation.consumer()) {
            self.grow(reservation, additional);
            return Ok(());
        }
        self.limited.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.limited.reserved() + self.between_partitions.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.limited.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};

    use super::UnspilledRepartition;

    #[test]
    fn a_repartitioning_is_counted_and_never_refused_and_takes_nothing_from_the_others() {
        let pool: Arc<dyn MemoryPool> = Arc::new(UnspilledRepartition::new(1000));
        let reserve = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let between = reserve("RepartitionExec[0]");
        between.try_grow(5000).unwrap();
        let sort = reserve("ExternalSorter[0]");
        sort.try_grow(1000).unwrap();
        assert!(sort.try_grow(1).is_err());
        assert_eq!(pool.reserved(), 6000);
        drop(between);
        assert_eq!(pool.reserved(), 1000);
    }
}
