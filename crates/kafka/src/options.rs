//! How to reach the brokers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::security::Security;

/// How long what brokers said of topics counts without a new word from them, at least.
const KEEP_METADATA: Duration = Duration::from_secs(30);

/// A property of librdkafka that cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Kafka property {name} cannot be set: {reason}")]
pub struct PropertyError {
    /// The property.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// How to reach the brokers and how to behave there.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// `host:port`, several by commas.
    pub brokers: String,
    /// Consumer group.
    pub group_id: String,
    /// What brokers call this client in their logs.
    pub client_id: String,
    /// A name that outlives restarts: a member that comes back within `session_timeout` keeps its partitions.
    pub instance_id: Option<String>,
    /// Protection and identity.
    pub security: Security,
    /// Certificates to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// A member that is silent this long is thought dead.
    pub session_timeout: Duration,
    /// A member that does nothing this long is thought dead.
    pub max_poll_interval: Duration,
    /// How often finished offsets are committed. Between two commits a crash costs re-delivery, never data.
    pub commit_interval: Duration,
    /// How long a broker may keep a fetch open for data to come. Kafka answers at once when there is data.
    pub fetch_wait: Duration,
    /// Bytes fetched ahead of each partition.
    pub prefetch_bytes: usize,
    /// How often topics and partitions are looked for that were not there yet. One small question to a broker.
    pub metadata_refresh: Duration,
    /// How often the library tells its lag.
    pub statistics_interval: Duration,
    /// A position that the brokers do not have is an error, and not the beginning.
    pub fails_out_of_range: bool,
    /// Further properties of librdkafka; those that this program relies on are refused.
    pub properties: BTreeMap<String, String>,
}

impl KafkaOptions {
    /// Defaults for some brokers without protection, and a group.
    #[must_use]
    pub fn new(brokers: impl Into<String>, group_id: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            group_id: group_id.into(),
            client_id: "nsc-consumer".to_owned(),
            instance_id: None,
            security: Security::Plaintext,
            ca_file: None,
            session_timeout: Duration::from_secs(30),
            max_poll_interval: Duration::from_mins(5),
            commit_interval: Duration::from_secs(1),
            fetch_wait: Duration::from_millis(100),
            prefetch_bytes: 1 << 20,
            metadata_refresh: Duration::from_secs(1),
            statistics_interval: Duration::from_secs(5),
            fails_out_of_range: false,
            properties: BTreeMap::new(),
        }
    }

    /// As librdkafka takes it.
    ///
    /// # Errors
    /// When a further property is one that this program relies on.
    pub fn client_config(&self) -> Result<ClientConfig, PropertyError> {
        let mut config = ClientConfig::new();
        let ms = |d: Duration| d.as_millis().to_string();
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        let kilobytes = (self.prefetch_bytes / 1024).max(1024);
        let ours = [
            ("bootstrap.servers", self.brokers.clone()),
            ("group.id", self.group_id.clone()),
            ("client.id", self.client_id.clone()),
            // Only partitions that move stop; the others go on through a rebalance.
            ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            // Offsets are stored by us when their batch is committed to the database; the library commits what
            // is stored: at an interval, when a partition is taken away, and at the end.
            ("enable.auto.offset.store", "false".to_owned()),
            ("enable.auto.commit", "true".to_owned()),
            ("auto.commit.interval.ms", ms(self.commit_interval)),
            // A start behind what is there is committed by us. Whatever else has no offset, or one that the brokers no
            // longer have (a topic made anew, messages removed before they were read), is read from its beginning.
            (
                "auto.offset.reset",
                if self.fails_out_of_range {
                    "error"
                } else {
                    "earliest"
                }
                .to_owned(),
            ),
            ("allow.auto.create.topics", "false".to_owned()),
            ("enable.partition.eof", "false".to_owned()),
            ("session.timeout.ms", ms(self.session_timeout)),
            ("heartbeat.interval.ms", ms(self.session_timeout / 10)),
            (
                "max.poll.interval.ms",
                ms(self.max_poll_interval.max(self.session_timeout)),
            ),
            ("topic.metadata.refresh.interval.ms", ms(self.metadata_refresh)),
            // Three times the interval unless said otherwise; a broker may be away for longer than three seconds
            // without all that is known of it being forgotten.
            (
                "metadata.max.age.ms",
                ms((self.metadata_refresh * 3).max(KEEP_METADATA)),
            ),
            ("statistics.interval.ms", ms(self.statistics_interval)),
            ("fetch.wait.max.ms", ms(self.fetch_wait)),
            ("fetch.max.bytes", (kilobytes * 4_096).min(52_428_800).to_string()),
            // Of each partition, as each has a queue of its own.
            ("queued.max.messages.kbytes", kilobytes.to_string()),
            // No partition fills an answer alone while others have something too.
            ("max.partition.fetch.bytes", (kilobytes * 512).to_string()),
            // A full queue is looked at again soon: a consumer that has caught up with it must not wait a second.
            ("fetch.queue.backoff.ms", "50".to_owned()),
        ];
        for (name, value) in ours {
            if self.properties.contains_key(name) {
                return Err(PropertyError {
                    name: name.to_owned(),
                    reason: "this program sets it itself".to_owned(),
                });
            }
            config.set(name, value);
        }
        if let Some(id) = &self.instance_id {
            config.set("group.instance.id", id);
        }
        if let Some(file) = &self.ca_file {
            config.set("ssl.ca.location", file.to_string_lossy());
        }
        self.security.set(&mut config);
        config.set_log_level(RDKafkaLogLevel::Info);
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{KafkaOptions, PropertyError};
    use crate::security::{Security, TokenError};

    fn with_a_login() -> KafkaOptions {
        let mut options = KafkaOptions::new("ns.servicebus.windows.net:9093", "g");
        options.security = Security::SaslPlain {
            username: "$ConnectionString".to_owned(),
            password: "Endpoint=sb://ns/;SharedAccessKey=c2VjcmV0PQ==".into(),
        };
        options
    }

    #[test]
    fn a_login_means_sasl_plain_over_tls() {
        let config = with_a_login().client_config().expect("usable");
        for (name, value) in [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "$ConnectionString"),
            ("sasl.password", "Endpoint=sb://ns/;SharedAccessKey=c2VjcmV0PQ=="),
        ] {
            assert_eq!(config.get(name), Some(value), "{name}");
        }
        assert!(config.create_native_config().is_ok());
    }

    #[test]
    fn a_token_provider_means_oauthbearer() {
        let mut options = KafkaOptions::new("b:9093", "g");
        options.security = Security::OauthBearer(Arc::new(|| Err(TokenError("none".into()))));
        let config = options.client_config().expect("usable");
        assert_eq!(config.get("sasl.mechanism"), Some("OAUTHBEARER"));
        assert_eq!(config.get("auto.offset.reset"), Some("earliest"));
        assert!(config.create_native_config().is_ok());
    }

    #[test]
    fn secrets_are_not_in_the_debug_form() {
        let shown = format!("{:?}", with_a_login());
        assert!(
            !shown.contains("c2VjcmV0PQ") && !shown.contains("SharedAccessKey"),
            "{shown}"
        );
    }

    #[test]
    fn what_the_program_relies_on_cannot_be_changed() {
        let mut options = KafkaOptions::new("b:9092", "g");
        options
            .properties
            .insert("socket.timeout.ms".into(), "1000".into());
        let config = options.client_config().expect("usable");
        assert_eq!(config.get("socket.timeout.ms"), Some("1000"));
        options
            .properties
            .insert("enable.auto.offset.store".into(), "true".into());
        assert!(matches!(options.client_config(), Err(PropertyError { .. })));
    }
}
