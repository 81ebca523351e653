//! What librdkafka calls back with: rebalances, statistics, its log, the wish for a token. All of it happens on the
//! thread that polls, inside a poll.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use nsc_contracts::event::{EventKind, EventProfile};
use nsc_kafka::{PartitionQueues, TokenProvider, lags};
use nsc_telemetry::ConsumerMetrics;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::{Assignment, Ends};
use crate::message::Partition;
use crate::worker::{Finished, PartitionWorker};

/// Between two attempts to commit where to begin.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

/// The consumer of the library with our callbacks.
pub(crate) type Client = BaseConsumer<Context>;

/// See the module.
pub(crate) struct Context {
    pub(crate) profile: EventProfile,
    pub(crate) assignment: Arc<Assignment>,
    pub(crate) workers: Arc<[PartitionWorker]>,
    /// What was fetched of each partition.
    pub(crate) queues: PartitionQueues<Partition, Context>,
    pub(crate) metrics: ConsumerMetrics,
    pub(crate) from_beginning: bool,
    /// Where partitions begin of which nothing was committed; empty unless they begin behind what is there.
    pub(crate) ends: Ends,
    /// Ends every wait.
    pub(crate) stop: CancellationToken,
    /// How long a batch under way may keep a partition from leaving.
    pub(crate) revoke_timeout: Duration,
    pub(crate) token: Option<TokenProvider>,
}

impl Context {
    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        let partition =
            |topic: &str, number| self.profile.kind_of(topic).map(|kind| Partition { kind, number });
        list.elements()
            .iter()
            .filter_map(|e| partition(e.topic(), e.partition()))
            .collect()
    }

    /// The offsets of finished messages become those that the library commits.
    pub(crate) fn store_finished(&self, client: &Client) {
        let finished: Vec<Finished> = self
            .workers
            .iter()
            .flat_map(PartitionWorker::take_finished)
            .collect();
        for done in finished {
            // Finished after all, but no longer ours: its next owner reads it again.
            if !self.assignment.owns(done.partition, done.epoch) {
                continue;
            }
            let topic = self.profile.topic(done.partition.kind);
            // The library stores "the last one finished" and commits the one after it.
            let last = done.next_offset - 1;
            if let Err(error) = client.store_offset(topic, done.partition.number, last) {
                tracing::warn!(topic, partition = done.partition.number, %error, "an offset was not stored");
            }
        }
    }

    fn assigned(&self, client: &Client, list: &mut TopicPartitionList) -> KafkaResult<()> {
        let partitions = self.partitions(list);
        tracing::info!(partitions = %Shown(&partitions), "partitions assigned");
        if self.from_beginning {
            for partition in partitions.iter().filter(|p| self.assignment.rewinds(**p)) {
                let topic = self.profile.topic(partition.kind);
                list.set_partition_offset(topic, partition.number, Offset::Beginning)?;
            }
        }
        self.commit_ends(client, &partitions);
        for partition in &partitions {
            let topic = self.profile.topic(partition.kind);
            if !self.queues.open(*partition, topic, partition.number) {
                tracing::debug!(
                    topic,
                    partition = partition.number,
                    "assigned to a client that is closing"
                );
            }
        }
        self.assignment.take(&partitions);
        match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_assign(list),
            _ => client.assign(list),
        }
    }

    /// Before anything is read: a position that nobody knows of would be lost with this process. Whoever is told to stop,
    /// or has lost the partitions meanwhile, reads nothing.
    fn commit_ends(&self, client: &Client, partitions: &[Partition]) {
        while let Err(error) = self.ends.commit(client, &self.profile, partitions) {
            if self.stop.is_cancelled() || client.assignment_lost() {
                return;
            }
            tracing::warn!(%error, "where to begin is not committed yet; trying again");
            std::thread::sleep(BETWEEN_ATTEMPTS);
        }
    }

    /// Batches with these partitions are finished first, so that the next owner does not write at the same time, and
    /// what is finished is committed with the goodbye.
    fn revoked(&self, client: &Client, list: &TopicPartitionList) -> KafkaResult<()> {
        let partitions = self.partitions(list);
        let lost = client.assignment_lost();
        tracing::info!(partitions = %Shown(&partitions), lost, "partitions revoked");
        for worker in self.workers.iter() {
            if !worker.revoke(&partitions, self.revoke_timeout) {
                tracing::error!("a batch is still under way while its partitions leave");
            }
        }
        if !lost {
            self.store_finished(client);
        }
        self.assignment.give(&partitions);
        for partition in &partitions {
            self.queues.close(partition);
            self.metrics
                .forget_kafka_lag(self.profile.topic(partition.kind), partition.number);
        }
        match client.rebalance_protocol() {
            RebalanceProtocol::Cooperative => client.incremental_unassign(list),
            _ => client.unassign(),
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, client: &Client, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let done = match event {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assigned(client, list),
            _ => self.revoked(client, list),
        };
        if let Err(error) = done {
            tracing::error!(%error, "a rebalance was not carried out");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        match result {
            Ok(()) => {}
            // Nothing new was stored since the last time.
            Err(KafkaError::ConsumerCommit(rdkafka::types::RDKafkaErrorCode::NoOffset)) => {}
            Err(error) => {
                tracing::warn!(%error, "offsets were not committed; the next commit holds them too")
            }
        }
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        nsc_kafka::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The poll returns the same error, and there it is dealt with.
        tracing::debug!(target: "librdkafka", %error, reason, "reported");
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let lags = match lags(statistics) {
            Ok(lags) => lags,
            Err(error) => {
                tracing::warn!(%error, "statistics of librdkafka were not understood");
                return;
            }
        };
        for (topic, number, lag) in lags {
            let ours = |kind: EventKind| self.assignment.ownership(Partition { kind, number }).is_some();
            if self.profile.kind_of(&topic).is_some_and(ours) {
                self.metrics.kafka_lag(&topic, number, lag);
            }
        }
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let provider = self.token.as_ref().ok_or("no token provider is configured")?;
        let token = provider().inspect_err(|error| tracing::error!(%error, "no token for the brokers"))?;
        Ok(OAuthToken {
            token: token.token.expose_secret().to_owned(),
            principal_name: token.principal,
            lifetime_ms: token.expires_at.micros() / 1_000,
        })
    }
}

/// Partitions in a log line: `ledger_entry/0 ledger_entry/1`.
struct Shown<'a>(&'a [Partition]);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, p) in self.0.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}{}/{}", p.kind, p.number)?;
        }
        Ok(())
    }
}
