//! The serving half of the effective configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::SecretString;

use super::super::file::{
    FileApi, FileAuth, FileConfig, FileConsumer, FileDatabase, FileDlq, FileEvents, FileKafka, Scalar, Secret,
};
use super::super::keys::{self, Key};
use super::super::serving::{
    ApiConfig, AuthConfig, AuthMode, ConsumerConfig, ConsumerStart, DatabaseConfig, DlqBackend, DlqConfig,
    EventsConfig, KafkaConfig, KafkaSecurity, RoleClaims, ServingConfig,
};
use super::super::{EnvironmentName, Setting};
use super::{Flags, Layers, flag};
use crate::failure::Refusal;

fn text(value: Option<Scalar>) -> Option<String> {
    value.map(|v| v.0)
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Resolves the sections of serving.
pub(super) fn serving(
    layers: &Layers<'_>,
    environment: EnvironmentName,
    flags: &Flags,
    file: FileConfig,
) -> Result<ServingConfig, Refusal> {
    let sections = Sections {
        layers,
        environment,
        flags,
    };
    Ok(ServingConfig {
        database: sections.database(file.database)?,
        kafka: sections.kafka(file.kafka)?,
        events: sections.events(file.events)?,
        consumer: sections.consumer(file.consumer)?,
        dlq: sections.dlq(file.dlq)?,
        api: sections.api(file.api)?,
        auth: sections.auth(file.auth)?,
        otlp_endpoint: layers.pick_optional(
            &keys::OTLP_ENDPOINT,
            None,
            text(file.telemetry.otlp_endpoint),
        )?,
    })
}

/// What every section is resolved from, beside its part of the file.
struct Sections<'a> {
    layers: &'a Layers<'a>,
    environment: EnvironmentName,
    flags: &'a Flags,
}

impl Sections<'_> {
    /// A secret: given, or in a file that is named.
    fn secret(
        &self,
        key: &Key,
        path: Option<(&Key, Option<Scalar>)>,
        inline: Option<Secret>,
    ) -> Result<Option<Setting<SecretString>>, Refusal> {
        let mounted = path
            .map(|(key, path)| self.layers.pick_optional::<PathBuf>(key, None, text(path)))
            .transpose()?
            .flatten();
        self.layers.secret(key, mounted, inline, self.environment)
    }

    fn database(&self, file: FileDatabase) -> Result<DatabaseConfig, Refusal> {
        Ok(DatabaseConfig {
            url: self.secret(
                &keys::DATABASE_URL,
                Some((&keys::DATABASE_URL_FILE, file.url_file)),
                file.url,
            )?,
            replica_url: self.secret(&keys::REPLICA_URL, None, file.replica_url)?,
            max_connections: self.layers.pick(
                &keys::DATABASE_CONNECTIONS,
                None,
                text(file.max_connections),
                16,
            )?,
        })
    }

    fn kafka(&self, file: FileKafka) -> Result<KafkaConfig, Refusal> {
        Ok(KafkaConfig {
            brokers: self.layers.pick(
                &keys::KAFKA_BROKERS,
                flag("--brokers", &self.flags.brokers),
                text(file.brokers),
                "127.0.0.1:9092".to_owned(),
            )?,
            group: self.layers.pick(
                &keys::KAFKA_GROUP,
                flag("--group", &self.flags.group),
                text(file.group),
                "tx-lookup".to_owned(),
            )?,
            instance_id: self
                .layers
                .pick_optional(&keys::KAFKA_INSTANCE, None, text(file.instance_id))?,
            session_timeout_ms: self.layers.pick(
                &keys::KAFKA_SESSION,
                None,
                text(file.session_timeout_ms),
                30_000,
            )?,
            security: self.layers.pick(
                &keys::KAFKA_SECURITY,
                None,
                text(file.security),
                KafkaSecurity::Plaintext,
            )?,
            username: self
                .layers
                .pick_optional(&keys::KAFKA_USERNAME, None, text(file.username))?,
            password: self.secret(
                &keys::KAFKA_PASSWORD,
                Some((&keys::KAFKA_PASSWORD_FILE, file.password_file)),
                file.password,
            )?,
            ca_file: self
                .layers
                .pick_optional(&keys::KAFKA_CA_FILE, None, text(file.ca_file))?,
            oauth_token_url: self.layers.pick_optional(
                &keys::KAFKA_OAUTH_URL,
                None,
                text(file.oauth_token_url),
            )?,
            oauth_client_id: self.layers.pick_optional(
                &keys::KAFKA_OAUTH_CLIENT,
                None,
                text(file.oauth_client_id),
            )?,
            oauth_client_secret: self.secret(
                &keys::KAFKA_OAUTH_SECRET,
                Some((&keys::KAFKA_OAUTH_SECRET_FILE, file.oauth_client_secret_file)),
                file.oauth_client_secret,
            )?,
            oauth_scope: self
                .layers
                .pick_optional(&keys::KAFKA_OAUTH_SCOPE, None, text(file.oauth_scope))?,
        })
    }

    fn events(&self, file: FileEvents) -> Result<EventsConfig, Refusal> {
        Ok(EventsConfig {
            profile: self.layers.pick(
                &keys::EVENT_PROFILE,
                flag("--profile", &self.flags.profile),
                text(file.profile),
                "canonical-v1".to_owned(),
            )?,
            profiles_file: self.layers.pick_optional(
                &keys::EVENT_PROFILES_FILE,
                None,
                text(file.profiles_file),
            )?,
            ledger_topic: self
                .layers
                .pick_optional(&keys::LEDGER_TOPIC, None, text(file.ledger_topic))?,
            order_topic: self
                .layers
                .pick_optional(&keys::ORDER_TOPIC, None, text(file.order_topic))?,
            max_ahead_hours: self
                .layers
                .pick(&keys::MAX_AHEAD, None, text(file.max_ahead_hours), 24)?,
        })
    }

    fn consumer(&self, file: FileConsumer) -> Result<ConsumerConfig, Refusal> {
        Ok(ConsumerConfig {
            batch_rows: self
                .layers
                .pick(&keys::BATCH_ROWS, None, text(file.batch_rows), 5_000)?,
            batch_wait_ms: self
                .layers
                .pick(&keys::BATCH_WAIT, None, text(file.batch_wait_ms), 50)?,
            start: self.layers.pick(
                &keys::CONSUMER_START,
                flag("--start", &self.flags.start),
                text(file.start),
                ConsumerStart::Earliest,
            )?,
            metrics_listen: self.layers.pick(
                &keys::METRICS_LISTEN,
                flag("--metrics-listen", &self.flags.metrics_listen),
                text(file.metrics_listen),
                loopback(9464),
            )?,
        })
    }

    fn dlq(&self, file: FileDlq) -> Result<DlqConfig, Refusal> {
        Ok(DlqConfig {
            backend: self
                .layers
                .pick(&keys::DLQ_BACKEND, None, text(file.backend), DlqBackend::Db)?,
            file: self.layers.pick(
                &keys::DLQ_FILE,
                None,
                text(file.file),
                PathBuf::from("dead-letters.jsonl"),
            )?,
            retention_days: self
                .layers
                .pick(&keys::DLQ_DAYS, None, text(file.retention_days), 14)?,
        })
    }

    fn api(&self, file: FileApi) -> Result<ApiConfig, Refusal> {
        Ok(ApiConfig {
            listen: self.layers.pick(
                &keys::API_LISTEN,
                flag("--listen", &self.flags.listen),
                text(file.listen),
                loopback(8080),
            )?,
            tls_cert: self
                .layers
                .pick_optional(&keys::API_TLS_CERT, None, text(file.tls_cert))?,
            tls_key: self
                .layers
                .pick_optional(&keys::API_TLS_KEY, None, text(file.tls_key))?,
            trusted_proxies: self.layers.pick_optional(
                &keys::API_PROXIES,
                None,
                text(file.trusted_proxies),
            )?,
        })
    }

    fn auth(&self, file: FileAuth) -> Result<AuthConfig, Refusal> {
        Ok(AuthConfig {
            mode: self
                .layers
                .pick(&keys::AUTH_MODE, None, text(file.mode), AuthMode::Oidc)?,
            disabled_on_any_address: self.layers.pick(
                &keys::AUTH_ANY_ADDRESS,
                None,
                text(file.disabled_on_any_address),
                false,
            )?,
            issuer: self
                .layers
                .pick_optional(&keys::OIDC_ISSUER, None, text(file.issuer))?,
            audience: self
                .layers
                .pick_optional(&keys::OIDC_AUDIENCE, None, text(file.audience))?,
            jwks_url: self
                .layers
                .pick_optional(&keys::OIDC_JWKS_URL, None, text(file.jwks_url))?,
            roles_claim: self.layers.pick(
                &keys::OIDC_ROLES_CLAIM,
                None,
                file.roles_claim.map(|claims| claims.0),
                RoleClaims::shipped(),
            )?,
        })
    }
}
