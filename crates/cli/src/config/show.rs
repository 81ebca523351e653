//! `nsc config show`: every key, its effective value, where it came from.

use std::fmt::Display;
use std::path::PathBuf;

use secrecy::SecretString;

use super::credentials;
use super::keys::{self, Key};
use super::serving::ServingConfig;
use super::{Config, Setting};
use crate::output::{Cell, Column, Sheet};

const MASK: &str = "********";

/// The effective configuration as rows; secrets are masked, not measured.
pub(crate) fn sheet(config: &Config) -> Sheet {
    let mut rows = Rows(Vec::new());
    rows.plain(&keys::ENVIRONMENT, Some(&config.environment));
    rows.address(&keys::ROOT, Some(&config.lake.root));
    rows.plain(&keys::LEASE, Some(&config.lake.lease_seconds));
    for (name, setting) in &config.lake.storage {
        rows.push(
            &format!("lake.storage.{name}"),
            Some(MASK.to_owned()),
            setting.origin.to_string(),
            "option of the object store",
        );
    }
    rows.secret(&keys::SALT, config.analytics.salt.as_ref());
    rows.plain(&keys::BAD_RECORDS_DAYS, Some(&config.retention.bad_records_days));
    rows.plain(&keys::FILES_DAYS, Some(&config.retention.files_days));
    rows.plain(&keys::MEMORY_LIMIT, Some(&config.resources.memory_limit));
    rows.plain(&keys::THREADS, Some(&config.resources.threads));
    rows.path(&keys::SPILL_DIR, config.resources.spill_dir.as_ref());
    rows.plain(&keys::LOG, Some(&config.log.filter));
    rows.plain(&keys::LOG_FORMAT, Some(&config.log.format));
    rows.serving(&config.serving);
    Sheet {
        columns: ["key", "value", "origin", "meaning"].map(Column::text).into(),
        rows: rows.0,
    }
}

/// A URL may carry a signature in its query. One with a user in it was refused when it was read; should one come here
/// all the same, nothing of it is shown. (A local path without a colon is no URL.)
fn without_secrets(address: &str) -> String {
    if credentials::stand_in(address) && address.contains(':') {
        return MASK.to_owned();
    }
    match address.split_once('?') {
        Some((url, _)) => format!("{url}?{MASK}"),
        None => address.to_owned(),
    }
}

struct Rows(Vec<Vec<Cell>>);

impl Rows {
    fn plain<T: Display>(&mut self, key: &Key, setting: Option<&Setting<T>>) {
        let origin = setting.map_or_else(|| "not set".to_owned(), |s| s.origin.to_string());
        self.push(key.name, setting.map(|s| s.value.to_string()), origin, key.about);
    }

    fn path(&mut self, key: &Key, setting: Option<&Setting<PathBuf>>) {
        let shown = setting.map(|s| Setting {
            value: s.value.display().to_string(),
            origin: s.origin.clone(),
        });
        self.plain(key, shown.as_ref());
    }

    fn address(&mut self, key: &Key, setting: Option<&Setting<String>>) {
        let shown = setting.map(|s| Setting {
            value: without_secrets(&s.value),
            origin: s.origin.clone(),
        });
        self.plain(key, shown.as_ref());
    }

    fn secret(&mut self, key: &Key, setting: Option<&Setting<SecretString>>) {
        let origin = setting.map_or_else(|| "not set".to_owned(), |s| s.origin.to_string());
        self.push(key.name, setting.map(|_| MASK.to_owned()), origin, key.about);
    }

    fn serving(&mut self, serving: &ServingConfig) {
        let ServingConfig {
            database,
            kafka,
            events,
            consumer,
            dlq,
            api,
            auth,
            otlp_endpoint,
        } = serving;
        self.secret(&keys::DATABASE_URL, database.url.as_ref());
        self.secret(&keys::REPLICA_URL, database.replica_url.as_ref());
        self.plain(&keys::DATABASE_CONNECTIONS, Some(&database.max_connections));
        self.address(&keys::KAFKA_BROKERS, Some(&kafka.brokers));
        self.plain(&keys::KAFKA_GROUP, Some(&kafka.group));
        self.plain(&keys::KAFKA_INSTANCE, kafka.instance_id.as_ref());
        self.plain(&keys::KAFKA_SESSION, Some(&kafka.session_timeout_ms));
        self.plain(&keys::KAFKA_SECURITY, Some(&kafka.security));
        self.plain(&keys::KAFKA_USERNAME, kafka.username.as_ref());
        self.secret(&keys::KAFKA_PASSWORD, kafka.password.as_ref());
        self.path(&keys::KAFKA_CA_FILE, kafka.ca_file.as_ref());
        self.address(&keys::KAFKA_OAUTH_URL, kafka.oauth_token_url.as_ref());
        self.plain(&keys::KAFKA_OAUTH_CLIENT, kafka.oauth_client_id.as_ref());
        self.secret(&keys::KAFKA_OAUTH_SECRET, kafka.oauth_client_secret.as_ref());
        self.plain(&keys::KAFKA_OAUTH_SCOPE, kafka.oauth_scope.as_ref());
        self.plain(&keys::EVENT_PROFILE, Some(&events.profile));
        self.path(&keys::EVENT_PROFILES_FILE, events.profiles_file.as_ref());
        self.plain(&keys::LEDGER_TOPIC, events.ledger_topic.as_ref());
        self.plain(&keys::ORDER_TOPIC, events.order_topic.as_ref());
        self.plain(&keys::MAX_AHEAD, Some(&events.max_ahead_hours));
        self.plain(&keys::BATCH_ROWS, Some(&consumer.batch_rows));
        self.plain(&keys::BATCH_WAIT, Some(&consumer.batch_wait_ms));
        self.plain(&keys::CONSUMER_START, Some(&consumer.start));
        self.plain(&keys::METRICS_LISTEN, Some(&consumer.metrics_listen));
        self.plain(&keys::DLQ_BACKEND, Some(&dlq.backend));
        self.path(&keys::DLQ_FILE, Some(&dlq.file));
        self.plain(&keys::DLQ_DAYS, Some(&dlq.retention_days));
        self.plain(&keys::API_LISTEN, Some(&api.listen));
        self.path(&keys::API_TLS_CERT, api.tls_cert.as_ref());
        self.path(&keys::API_TLS_KEY, api.tls_key.as_ref());
        self.plain(&keys::API_PROXIES, api.trusted_proxies.as_ref());
        self.plain(&keys::AUTH_MODE, Some(&auth.mode));
        self.plain(&keys::AUTH_ANY_ADDRESS, Some(&auth.disabled_on_any_address));
        self.address(&keys::OIDC_ISSUER, auth.issuer.as_ref());
        self.plain(&keys::OIDC_AUDIENCE, auth.audience.as_ref());
        self.address(&keys::OIDC_JWKS_URL, auth.jwks_url.as_ref());
        self.plain(&keys::OIDC_ROLES_CLAIM, Some(&auth.roles_claim));
        self.address(&keys::OTLP_ENDPOINT, otlp_endpoint.as_ref());
    }

    fn push(&mut self, name: &str, value: Option<String>, origin: String, about: &str) {
        let value = value.map_or(Cell::Null, Cell::Text);
        self.0.push(vec![
            Cell::text(name),
            value,
            Cell::Text(origin),
            Cell::text(about),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn an_address_is_shown_without_what_lets_somebody_in() {
        for (address, shown) in [
            ("https://issuer.example/v2", "https://issuer.example/v2"),
            (
                "https://issuer.example/keys?sig=s3cret",
                "https://issuer.example/keys?********",
            ),
            ("https://user:s3cret@collector:4318", "********"),
            ("https://user:s3cret@bad host", "********"),
            ("a:9092,user:s3cret@b:9092", "********"),
            (
                "abfss://c@a.dfs.core.windows.net/lake",
                "abfss://c@a.dfs.core.windows.net/lake",
            ),
            ("./lake@home", "./lake@home"),
        ] {
            assert_eq!(without_secrets(address), shown);
        }
    }
}
