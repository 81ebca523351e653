//! The serving half of the effective configuration.

use super::EnvironmentName;
use super::keys;
use super::layers::Layers;
use super::serving::{
    ApiConfig, AuthConfig, ConsumerConfig, DatabaseConfig, DlqConfig, EventsConfig, KafkaConfig,
    ServingConfig, StreamConfig,
};
use crate::failure::OperatorMessage;

/// Resolves the sections of serving.
pub(super) fn serving(
    layers: &Layers<'_>,
    environment: EnvironmentName,
) -> Result<ServingConfig, OperatorMessage> {
    Ok(ServingConfig {
        database: DatabaseConfig {
            url: layers.secret(&keys::DATABASE_URL, Some(&keys::DATABASE_URL_FILE), environment)?,
            replica_url: layers.secret(&keys::REPLICA_URL, None, environment)?,
            max_connections: layers.pick(&keys::DATABASE_CONNECTIONS)?,
        },
        kafka: kafka(layers, environment)?,
        stream: StreamConfig {
            topics: layers.pick_optional(&keys::STREAM_TOPICS)?,
            group: layers.pick(&keys::STREAM_GROUP)?,
            cluster: layers.pick(&keys::STREAM_CLUSTER)?,
        },
        events: EventsConfig {
            profile: layers.pick(&keys::EVENT_PROFILE)?,
            profiles_file: layers.pick_optional(&keys::EVENT_PROFILES_FILE)?,
            ledger_topic: layers.pick_optional(&keys::LEDGER_TOPIC)?,
            order_topic: layers.pick_optional(&keys::ORDER_TOPIC)?,
            max_ahead_hours: layers.pick(&keys::MAX_AHEAD)?,
        },
        consumer: ConsumerConfig {
            batch_rows: layers.pick(&keys::BATCH_ROWS)?,
            batch_wait_ms: layers.pick(&keys::BATCH_WAIT)?,
            start: layers.pick(&keys::CONSUMER_START)?,
            metrics_listen: layers.pick(&keys::METRICS_LISTEN)?,
        },
        dlq: DlqConfig {
            backend: layers.pick(&keys::DLQ_BACKEND)?,
            file: layers.pick(&keys::DLQ_FILE)?,
            retention_days: layers.pick(&keys::DLQ_DAYS)?,
        },
        api: ApiConfig {
            listen: layers.pick(&keys::API_LISTEN)?,
            tls_cert: layers.pick_optional(&keys::API_TLS_CERT)?,
            tls_key: layers.pick_optional(&keys::API_TLS_KEY)?,
            trusted_proxies: layers.pick_optional(&keys::API_PROXIES)?,
        },
        auth: AuthConfig {
            mode: layers.pick(&keys::AUTH_MODE)?,
            disabled_on_any_address: layers.pick(&keys::AUTH_ANY_ADDRESS)?,
            issuer: layers.pick_optional(&keys::OIDC_ISSUER)?,
            audience: layers.pick_optional(&keys::OIDC_AUDIENCE)?,
            jwks_url: layers.pick_optional(&keys::OIDC_JWKS_URL)?,
            roles_claim: layers.pick(&keys::OIDC_ROLES_CLAIM)?,
        },
        otlp_endpoint: layers.pick_optional(&keys::OTLP_ENDPOINT)?,
    })
}

fn kafka(layers: &Layers<'_>, environment: EnvironmentName) -> Result<KafkaConfig, OperatorMessage> {
    let oauth_secret_file = Some(&keys::KAFKA_OAUTH_SECRET_FILE);
    Ok(KafkaConfig {
        brokers: layers.pick(&keys::KAFKA_BROKERS)?,
        group: layers.pick(&keys::KAFKA_GROUP)?,
        instance_id: layers.pick_optional(&keys::KAFKA_INSTANCE)?,
        session_timeout_ms: layers.pick(&keys::KAFKA_SESSION)?,
        security: layers.pick(&keys::KAFKA_SECURITY)?,
        username: layers.pick_optional(&keys::KAFKA_USERNAME)?,
        password: layers.secret(
            &keys::KAFKA_PASSWORD,
            Some(&keys::KAFKA_PASSWORD_FILE),
            environment,
        )?,
        ca_file: layers.pick_optional(&keys::KAFKA_CA_FILE)?,
        oauth_token_url: layers.pick_optional(&keys::KAFKA_OAUTH_URL)?,
        oauth_client_id: layers.pick_optional(&keys::KAFKA_OAUTH_CLIENT)?,
        oauth_client_secret: layers.secret(&keys::KAFKA_OAUTH_SECRET, oauth_secret_file, environment)?,
        oauth_scope: layers.pick_optional(&keys::KAFKA_OAUTH_SCOPE)?,
    })
}
