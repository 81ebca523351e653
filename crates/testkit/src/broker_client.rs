//! What a test does with a broker: make topics, produce, look at what a group has committed.

use std::time::Duration;

use futures::future::try_join_all;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::{Broker, BrokerError};

const ANSWER: Duration = Duration::from_secs(30);

/// A message to produce.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
    partition: Option<i32>,
}

impl Record {
    /// A key and a payload, whatever bytes they are.
    pub fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            key: Some(key.into()),
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// A payload without a key.
    pub fn without_key(value: impl Into<Vec<u8>>) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// A key without a payload.
    pub fn tombstone(key: impl Into<Vec<u8>>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::default()
        }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// For this partition; otherwise the key decides.
    #[must_use]
    pub const fn in_partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }
}

impl Broker {
    /// A client that finds this broker; add what the client needs.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        if let (Some(ca_file), Some(credentials)) = (self.ca_file(), self.credentials()) {
            config
                .set("security.protocol", "sasl_ssl")
                .set("ssl.ca.location", ca_file.to_string_lossy())
                .set("sasl.mechanism", "PLAIN")
                .set("sasl.username", &credentials.username)
                .set("sasl.password", &credentials.password);
        }
        config
    }

    /// A consumer of a group that reads from the beginning and commits nothing by itself, with the two settings
    /// this broker needs in order not to be slow.
    #[must_use]
    pub fn consumer_config(&self, group: &str) -> ClientConfig {
        let mut config = self.client_config();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", "6000")
            .set("fetch.wait.max.ms", "10");
        config
    }

    /// Makes a topic.
    ///
    /// # Errors
    /// When the broker is away or refuses (the topic exists).
    pub async fn create_topic(&self, name: &str, partitions: i32) -> Result<(), BrokerError> {
        let admin: AdminClient<DefaultClientContext> = self.client_config().create()?;
        let options = AdminOptions::new().operation_timeout(Some(ANSWER));
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for made in admin.create_topics([&topic], &options).await? {
            made.map_err(|(topic, code)| BrokerError::Topic {
                topic,
                reason: code.to_string(),
            })?;
        }
        Ok(())
    }

    /// Produces all records, in order within a partition, and returns where each went: partition and offset.
    ///
    /// # Errors
    /// When one was not acknowledged within half a minute; others may have been.
    pub async fn produce(&self, topic: &str, records: Vec<Record>) -> Result<Vec<(i32, i64)>, BrokerError> {
        let producer = self.producer()?;
        let deliveries = try_join_all(records.iter().map(|record| deliver(producer, topic, record))).await?;
        Ok(deliveries)
    }

    fn producer(&self) -> Result<&FutureProducer, BrokerError> {
        if let Some(producer) = self.producer.get() {
            return Ok(producer);
        }
        let made = self
            .client_config()
            .set("linger.ms", "1")
            .set("message.timeout.ms", ANSWER.as_millis().to_string())
            // A retry must not overtake: the order within a partition is what tests rely on.
            .set("enable.idempotence", "true")
            .create()?;
        Ok(self.producer.get_or_init(|| made))
    }

    /// What a group has committed of a topic: the next offset of each partition, none where nothing is committed.
    /// Blocks until the broker answers.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn committed(
        &self,
        group: &str,
        topic: &str,
        partitions: i32,
    ) -> Result<Vec<Option<i64>>, BrokerError> {
        let consumer: BaseConsumer = self.consumer_config(group).create()?;
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(topic, 0, partitions - 1);
        let answered = consumer.committed_offsets(asked, ANSWER)?;
        Ok((0..partitions)
            .map(
                |partition| match answered.find_partition(topic, partition)?.offset() {
                    Offset::Offset(next) => Some(next),
                    _ => None,
                },
            )
            .collect())
    }
}

async fn deliver(producer: &FutureProducer, topic: &str, record: &Record) -> Result<(i32, i64), BrokerError> {
    let mut sent: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic);
    sent.key = record.key.as_deref();
    sent.payload = record.value.as_deref();
    sent.partition = record.partition;
    if !record.headers.is_empty() {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header {
                    key,
                    value: Some(value),
                })
            });
        sent.headers = Some(headers);
    }
    let delivery = producer
        .send(sent, Timeout::Never)
        .await
        .map_err(|(error, _)| error)?;
    Ok((delivery.partition, delivery.offset))
}
