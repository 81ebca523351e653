//! Where a group begins that is to leave out what is there already (`--start latest`).
//!
//! The ends of the partitions are asked for once, before this member joins, and only of a topic of which the group has
//! committed nothing: that is its first start. The member that gets such a partition commits its end before it reads, so
//! that from then on nothing is skipped, whoever reads it and however often. A partition that is not among them and has no
//! committed offset came later, and is read from its beginning.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nsc_contracts::event::{EventKind, EventProfile};
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};

use super::Client;
use crate::message::Partition;

/// How long the brokers may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Ends to begin at. See the module.
#[derive(Debug, Default)]
pub(crate) struct Ends(Mutex<BTreeMap<Partition, i64>>);

impl Ends {
    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<Partition, i64>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for the ends of every topic of which the group has committed nothing.
    ///
    /// # Errors
    /// When the brokers do not answer, or not yet.
    pub(crate) fn ask(&self, client: &Client, profile: &EventProfile) -> KafkaResult<()> {
        let mut ends = BTreeMap::new();
        for kind in EventKind::ALL {
            let topic = profile.topic(kind);
            let partitions = partitions(client, topic)?;
            let mut list = TopicPartitionList::new();
            for number in &partitions {
                list.add_partition(topic, *number);
            }
            if partitions.is_empty() || uncommitted(client, list)?.len() < partitions.len() {
                continue;
            }
            for number in partitions {
                let (_, end) = client.fetch_watermarks(topic, number, ANSWER)?;
                ends.insert(Partition { kind, number }, end);
            }
            tracing::info!(
                topic,
                "the group has committed nothing: it begins behind what is there"
            );
        }
        self.with(|known| *known = ends);
        Ok(())
    }

    /// Commits the ends of those partitions that begin there. What another member has committed meanwhile stays.
    ///
    /// # Errors
    /// When the brokers do not answer, or refuse.
    pub(super) fn commit(
        &self,
        client: &Client,
        profile: &EventProfile,
        partitions: &[Partition],
    ) -> KafkaResult<()> {
        let begin: BTreeMap<Partition, i64> = self.with(|ends| {
            let ours = partitions.iter().filter_map(|p| Some((*p, *ends.get(p)?)));
            ours.collect()
        });
        if begin.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for partition in begin.keys() {
            list.add_partition(profile.topic(partition.kind), partition.number);
        }
        let mut offsets = TopicPartitionList::new();
        for (topic, number) in uncommitted(client, list)? {
            let end = profile
                .kind_of(&topic)
                .and_then(|kind| begin.get(&Partition { kind, number }));
            if let Some(end) = end {
                offsets.add_partition_offset(&topic, number, Offset::Offset(*end))?;
            }
        }
        if offsets.count() > 0 {
            client.commit(&offsets, CommitMode::Sync)?;
            tracing::info!(?offsets, "the ends are committed; nothing behind them is skipped");
        }
        self.with(|ends| ends.retain(|partition, _| !begin.contains_key(partition)));
        Ok(())
    }
}

/// The partitions of a topic; none when it is not there yet.
fn partitions(client: &Client, topic: &str) -> KafkaResult<Vec<i32>> {
    let metadata = client.fetch_metadata(Some(topic), ANSWER)?;
    let Some(found) = metadata.topics().iter().find(|t| t.name() == topic) else {
        return Ok(Vec::new());
    };
    match found.error() {
        None => Ok(found.partitions().iter().map(|p| p.id()).collect()),
        Some(
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
        ) => Ok(Vec::new()),
        Some(other) => Err(KafkaError::MetadataFetch(RDKafkaErrorCode::from(other))),
    }
}

/// Those of which nothing is committed.
fn uncommitted(client: &Client, list: TopicPartitionList) -> KafkaResult<Vec<(String, i32)>> {
    let committed = client.committed_offsets(list, ANSWER)?;
    let mut none = Vec::new();
    for element in committed.elements() {
        element.error()?;
        if !matches!(element.offset(), Offset::Offset(_)) {
            none.push((element.topic().to_owned(), element.partition()));
        }
    }
    Ok(none)
}
