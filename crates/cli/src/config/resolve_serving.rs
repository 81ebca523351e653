//! The serving half of the effective configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::super::EnvironmentName;
use super::super::file::{FileConfig, Scalar, Secret};
use super::super::keys::{self, Key};
use super::super::serving::{
    ApiConfig, AuthConfig, AuthMode, ConsumerConfig, ConsumerStart, DatabaseConfig, DlqBackend, DlqConfig,
    EventsConfig, KafkaConfig, KafkaSecurity, RoleClaims, ServingConfig,
};
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
    let secret = |key: &Key, path: Option<(&Key, Option<Scalar>)>, inline: Option<Secret>| {
        let mounted = path
            .map(|(key, path)| layers.pick_optional::<PathBuf>(key, None, text(path)))
            .transpose()?
            .flatten();
        layers.secret(key, mounted, inline, environment)
    };
    let FileConfig {
        database,
        kafka,
        events,
        consumer,
        dlq,
        api,
        auth,
        telemetry,
        ..
    } = file;
    Ok(ServingConfig {
        database: DatabaseConfig {
            url: secret(
                &keys::DATABASE_URL,
                Some((&keys::DATABASE_URL_FILE, database.url_file)),
                database.url,
            )?,
            replica_url: secret(&keys::REPLICA_URL, None, database.replica_url)?,
            max_connections: layers.pick(
                &keys::DATABASE_CONNECTIONS,
                None,
                text(database.max_connections),
                16,
            )?,
        },
        kafka: KafkaConfig {
            brokers: layers.pick(
                &keys::KAFKA_BROKERS,
                flag("--brokers", &flags.brokers),
                text(kafka.brokers),
                "127.0.0.1:9092".to_owned(),
            )?,
            group: layers.pick(
                &keys::KAFKA_GROUP,
                flag("--group", &flags.group),
                text(kafka.group),
                "tx-lookup".to_owned(),
            )?,
            instance_id: layers.pick_optional(&keys::KAFKA_INSTANCE, None, text(kafka.instance_id))?,
            session_timeout_ms: layers.pick(
                &keys::KAFKA_SESSION,
                None,
                text(kafka.session_timeout_ms),
                30_000,
            )?,
            security: layers.pick(
                &keys::KAFKA_SECURITY,
                None,
                text(kafka.security),
                KafkaSecurity::Plaintext,
            )?,
            username: layers.pick_optional(&keys::KAFKA_USERNAME, None, text(kafka.username))?,
            password: secret(
                &keys::KAFKA_PASSWORD,
                Some((&keys::KAFKA_PASSWORD_FILE, kafka.password_file)),
                kafka.password,
            )?,
            ca_file: layers.pick_optional(&keys::KAFKA_CA_FILE, None, text(kafka.ca_file))?,
            oauth_token_url: layers.pick_optional(
                &keys::KAFKA_OAUTH_URL,
                None,
                text(kafka.oauth_token_url),
            )?,
            oauth_client_id: layers.pick_optional(
                &keys::KAFKA_OAUTH_CLIENT,
                None,
                text(kafka.oauth_client_id),
            )?,
            oauth_client_secret: secret(
                &keys::KAFKA_OAUTH_SECRET,
                Some((&keys::KAFKA_OAUTH_SECRET_FILE, kafka.oauth_client_secret_file)),
                kafka.oauth_client_secret,
            )?,
            oauth_scope: layers.pick_optional(&keys::KAFKA_OAUTH_SCOPE, None, text(kafka.oauth_scope))?,
        },
        events: EventsConfig {
            profile: layers.pick(
                &keys::EVENT_PROFILE,
                flag("--profile", &flags.profile),
                text(events.profile),
                "canonical-v1".to_owned(),
            )?,
            profiles_file: layers.pick_optional(
                &keys::EVENT_PROFILES_FILE,
                None,
                text(events.profiles_file),
            )?,
            ledger_topic: layers.pick_optional(&keys::LEDGER_TOPIC, None, text(events.ledger_topic))?,
            order_topic: layers.pick_optional(&keys::ORDER_TOPIC, None, text(events.order_topic))?,
            max_ahead_hours: layers.pick(&keys::MAX_AHEAD, None, text(events.max_ahead_hours), 24)?,
        },
        consumer: ConsumerConfig {
            batch_rows: layers.pick(&keys::BATCH_ROWS, None, text(consumer.batch_rows), 5_000)?,
            batch_wait_ms: layers.pick(&keys::BATCH_WAIT, None, text(consumer.batch_wait_ms), 50)?,
            start: layers.pick(
                &keys::CONSUMER_START,
                flag("--start", &flags.start),
                text(consumer.start),
                ConsumerStart::Earliest,
            )?,
            metrics_listen: layers.pick(
                &keys::METRICS_LISTEN,
                flag("--metrics-listen", &flags.metrics_listen),
                text(consumer.metrics_listen),
                loopback(9464),
            )?,
        },
        dlq: DlqConfig {
            backend: layers.pick(&keys::DLQ_BACKEND, None, text(dlq.backend), DlqBackend::Db)?,
            file: layers.pick(
                &keys::DLQ_FILE,
                None,
                text(dlq.file),
                PathBuf::from("dead-letters.jsonl"),
            )?,
            retention_days: layers.pick(&keys::DLQ_DAYS, None, text(dlq.retention_days), 14)?,
        },
        api: ApiConfig {
            listen: layers.pick(
                &keys::API_LISTEN,
                flag("--listen", &flags.listen),
                text(api.listen),
                loopback(8080),
            )?,
            tls_cert: layers.pick_optional(&keys::API_TLS_CERT, None, text(api.tls_cert))?,
            tls_key: layers.pick_optional(&keys::API_TLS_KEY, None, text(api.tls_key))?,
            trusted_proxies: layers.pick_optional(&keys::API_PROXIES, None, text(api.trusted_proxies))?,
        },
        auth: AuthConfig {
            mode: layers.pick(&keys::AUTH_MODE, None, text(auth.mode), AuthMode::Oidc)?,
            disabled_on_any_address: layers.pick(
                &keys::AUTH_ANY_ADDRESS,
                None,
                text(auth.disabled_on_any_address),
                false,
            )?,
            issuer: layers.pick_optional(&keys::OIDC_ISSUER, None, text(auth.issuer))?,
            audience: layers.pick_optional(&keys::OIDC_AUDIENCE, None, text(auth.audience))?,
            jwks_url: layers.pick_optional(&keys::OIDC_JWKS_URL, None, text(auth.jwks_url))?,
            roles_claim: layers.pick(
                &keys::OIDC_ROLES_CLAIM,
                None,
                auth.roles_claim.map(|claims| claims.0),
                RoleClaims::shipped(),
            )?,
        },
        otlp_endpoint: layers.pick_optional(&keys::OTLP_ENDPOINT, None, text(telemetry.otlp_endpoint))?,
    })
}
