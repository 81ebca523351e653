//! What a running consumer does now and then: say how fresh the data is, how the pairs and the replica stand, and
//! remove old dead letters.

use std::sync::Arc;
use std::time::Duration;

use nsc_contracts::event::EventKind;
use nsc_core::UtcMicros;
use tokio_util::sync::CancellationToken;

use crate::dlq::DeadLetterQueue;
use crate::kafka::Assignment;
use crate::options::{ConsumerOptions, DeadLetterOptions, Services};
use crate::worker::PartitionWorker;

/// How often freshness is told; the alert's limit is five seconds.
const FRESHNESS: Duration = Duration::from_secs(1);
/// How often the database is asked about its pairs.
const PAIRS: Duration = Duration::from_secs(15);

/// See the module.
pub(crate) struct Housekeeping {
    services: Services,
    workers: Arc<[PartitionWorker]>,
    assignment: Arc<Assignment>,
    topics: [(EventKind, String); 2],
    dead_letters: DeadLetterOptions,
}

impl Housekeeping {
    pub(crate) fn new(
        options: &ConsumerOptions,
        services: &Services,
        workers: Arc<[PartitionWorker]>,
        assignment: Arc<Assignment>,
    ) -> Self {
        Self {
            services: services.clone(),
            workers,
            assignment,
            topics: EventKind::ALL.map(|kind| (kind, options.profile.topic(kind).to_owned())),
            dead_letters: options.sink.dead_letters.clone(),
        }
    }

    /// Until told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let all = async {
            tokio::join!(self.tell_freshness(), self.tell_pairs(), self.prune());
        };
        tokio::select! {
            () = all => {}
            () = stop.cancelled() => {}
        }
    }

    /// On a timer: while the database is away nothing is written, and the age must be seen to grow. Of a topic that this
    /// member does not read, because it is not there or others read it, nothing is known, and so nothing is told.
    async fn tell_freshness(&self) {
        let metrics = self.services.metrics.consumer();
        let mut tick = tokio::time::interval(FRESHNESS);
        loop {
            tick.tick().await;
            let now = self.services.clock.now();
            for (kind, topic) in &self.topics {
                let oldest = self
                    .workers
                    .iter()
                    .filter_map(|worker| worker.oldest(*kind))
                    .min();
                if let Some(oldest) = oldest {
                    metrics.freshness(topic, seconds(oldest, now));
                } else if self.assignment.reads(*kind) {
                    metrics.freshness(topic, 0.0);
                } else {
                    metrics.forget_freshness(topic);
                }
            }
        }
    }

    async fn tell_pairs(&self) {
        let pairing = self.services.metrics.pairing();
        let mut tick = tokio::time::interval(PAIRS);
        loop {
            tick.tick().await;
            match self.services.store.pairing_health().await {
                Ok(health) => {
                    let now = self.services.clock.now();
                    pairing.incomplete_age_seconds(health.oldest.map_or(0.0, |oldest| seconds(oldest, now)));
                }
                // The workers say the same, louder.
                Err(error) => tracing::debug!(%error, "the pairs were not counted"),
            }
            // The store measures it as well.
            if let Err(error) = self.services.store.replication_lag().await {
                tracing::warn!(%error, "the replica does not say how far it is behind");
            }
        }
    }

    async fn prune(&self) {
        let queue = DeadLetterQueue::of(&self.dead_letters.backend, &self.services.store);
        let retention = i64::try_from(self.dead_letters.retention.as_micros()).unwrap_or(i64::MAX);
        let mut tick = tokio::time::interval(self.dead_letters.prune_interval.max(FRESHNESS));
        loop {
            tick.tick().await;
            let before = UtcMicros::new(self.services.clock.now().micros().saturating_sub(retention));
            match queue.purge(before).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, %before, "old dead letters removed"),
                Err(error) => tracing::warn!(%error, "old dead letters were not removed"),
            }
        }
    }
}

fn seconds(from: UtcMicros, to: UtcMicros) -> f64 {
    to.micros().saturating_sub(from.micros()) as f64 / 1e6
}
