//! Every key of the configuration, declared once: its place in the file, its variable, what it is for.

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Dotted name, as in the file.
    pub(crate) name: &'static str,
    /// Environment variable.
    pub(crate) variable: &'static str,
    /// One line for `nsc config show`.
    pub(crate) about: &'static str,
}

macro_rules! keys {
    ($($ident:ident = $name:literal, $variable:literal, $about:literal;)+) => {
        $(pub(crate) const $ident: Key = Key { name: $name, variable: $variable, about: $about };)+
        /// Every key.
        pub(crate) const ALL: &[Key] = &[$($ident),+];
    };
}

keys! {
    ENVIRONMENT = "environment", "NSC_ENV", "local, dev or prod; when not set, as strict as prod";
    ROOT = "lake.root", "NSC_ROOT", "directory or URL of the lakehouse";
    LEASE = "lake.lease_seconds", "NSC_LEASE_SECONDS", "how long a lock on an object store outlives its last renewal";
    SALT = "analytics.salt", "NSC_SALT", "salt of user_key";
    SALT_FILE = "analytics.salt_file", "NSC_SALT_FILE", "file that holds the salt, as a secret store mounts it";
    BAD_RECORDS_DAYS = "retention.bad_records_days", "NSC_RETENTION_BAD_RECORDS_DAYS", "days rows of silver.bad_records are kept";
    FILES_DAYS = "retention.files_days", "NSC_RETENTION_FILES_DAYS", "days files of older versions are kept";
    MEMORY_LIMIT = "resources.memory_limit", "NSC_MEMORY_LIMIT", "memory of the engine before it spills to disk";
    THREADS = "resources.threads", "NSC_THREADS", "threads of one process";
    SPILL_DIR = "resources.spill_dir", "NSC_SPILL_DIR", "directory spills go to";
    LOG = "log.filter", "NSC_LOG", "level or target=level list";
    LOG_FORMAT = "log.format", "NSC_LOG_FORMAT", "pretty or json";
    DATABASE_URL = "database.url", "DATABASE_URL", "PostgreSQL of the bo schema, with the role of the command";
    DATABASE_URL_FILE = "database.url_file", "DATABASE_URL_FILE", "file that holds the URL, as a secret store mounts it";
    REPLICA_URL = "database.replica_url", "DATABASE_REPLICA_URL", "replica whose lag is reported";
    DATABASE_CONNECTIONS = "database.max_connections", "NSC_DATABASE_MAX_CONNECTIONS", "connections of one process";
    KAFKA_BROKERS = "kafka.brokers", "KAFKA_BROKERS", "host:port list of the brokers";
    KAFKA_GROUP = "kafka.group", "KAFKA_GROUP", "consumer group";
    KAFKA_INSTANCE = "kafka.instance_id", "KAFKA_INSTANCE_ID", "name of this member that outlives restarts; one each";
    KAFKA_SESSION = "kafka.session_timeout_ms", "KAFKA_SESSION_TIMEOUT_MS", "a member that is silent this long is thought dead";
    KAFKA_SECURITY = "kafka.security", "KAFKA_SECURITY", "plaintext, tls, plain (SASL over TLS) or oauthbearer";
    KAFKA_USERNAME = "kafka.username", "KAFKA_USERNAME", "SASL user; $ConnectionString for Event Hubs";
    KAFKA_PASSWORD = "kafka.password", "KAFKA_PASSWORD", "SASL password; the connection string for Event Hubs";
    KAFKA_PASSWORD_FILE = "kafka.password_file", "KAFKA_PASSWORD_FILE", "file that holds the password";
    KAFKA_CA_FILE = "kafka.ca_file", "KAFKA_CA_FILE", "PEM file of the brokers' authority; the system's when absent";
    KAFKA_OAUTH_URL = "kafka.oauth_token_url", "KAFKA_OAUTH_TOKEN_URL", "token endpoint (client credentials)";
    KAFKA_OAUTH_CLIENT = "kafka.oauth_client_id", "KAFKA_OAUTH_CLIENT_ID", "client of the token endpoint";
    KAFKA_OAUTH_SECRET = "kafka.oauth_client_secret", "KAFKA_OAUTH_CLIENT_SECRET", "secret of that client";
    KAFKA_OAUTH_SECRET_FILE = "kafka.oauth_client_secret_file", "KAFKA_OAUTH_CLIENT_SECRET_FILE", "file that holds that secret";
    KAFKA_OAUTH_SCOPE = "kafka.oauth_scope", "KAFKA_OAUTH_SCOPE", "scope asked for";
    EVENT_PROFILE = "events.profile", "NSC_EVENT_PROFILE", "canonical-v1, nsc-dev-v1 or a profile of events.profiles_file";
    EVENT_PROFILES_FILE = "events.profiles_file", "NSC_EVENT_PROFILES_FILE", "YAML file of further profiles; one of a shipped name takes its place";
    LEDGER_TOPIC = "events.ledger_topic", "NSC_LEDGER_TOPIC", "topic of ledger entries, in place of the profile's";
    ORDER_TOPIC = "events.order_topic", "NSC_ORDER_TOPIC", "topic of payment orders, in place of the profile's";
    MAX_AHEAD = "events.max_ahead_hours", "NSC_EVENTS_MAX_AHEAD_HOURS", "an event with a time further ahead of its message is a dead letter; 0 takes any";
    BATCH_ROWS = "consumer.batch_rows", "NSC_BATCH_ROWS", "messages a transaction holds at most";
    BATCH_WAIT = "consumer.batch_wait_ms", "NSC_BATCH_WAIT_MS", "how long a transaction waits for more messages";
    CONSUMER_START = "consumer.start", "NSC_CONSUMER_START", "earliest or latest: where a partition begins of which nothing was committed";
    METRICS_LISTEN = "consumer.metrics_listen", "NSC_METRICS_LISTEN", "address of the consumer's metrics and health";
    DLQ_BACKEND = "dlq.backend", "NSC_DLQ_BACKEND", "db or file";
    DLQ_FILE = "dlq.file", "NSC_DLQ_FILE", "JSON lines of the file backend";
    DLQ_DAYS = "dlq.retention_days", "NSC_DLQ_RETENTION_DAYS", "days dead letters are kept";
    API_LISTEN = "api.listen", "NSC_API_LISTEN", "address of the admin API";
    API_TLS_CERT = "api.tls_cert", "NSC_API_TLS_CERT", "PEM certificate chain; plain HTTP when absent";
    API_TLS_KEY = "api.tls_key", "NSC_API_TLS_KEY", "PEM private key";
    API_PROXIES = "api.trusted_proxies", "NSC_API_TRUSTED_PROXIES", "addresses whose X-Forwarded-For is believed";
    AUTH_MODE = "auth.mode", "AUTH_MODE", "oidc or disabled (on a loopback address, never in dev or prod)";
    AUTH_ANY_ADDRESS = "auth.disabled_on_any_address", "NSC_AUTH_DISABLED_ON_ANY_ADDRESS", "true lets disabled listen beyond loopback";
    OIDC_ISSUER = "auth.issuer", "OIDC_ISSUER", "issuer of the tokens; its discovery document names the keys";
    OIDC_AUDIENCE = "auth.audience", "OIDC_AUDIENCE", "audience the tokens must be for";
    OIDC_JWKS_URL = "auth.jwks_url", "OIDC_JWKS_URL", "where the keys are, in place of discovery";
    OIDC_ROLES_CLAIM = "auth.roles_claim", "OIDC_ROLES_CLAIM", "claims that hold the roles, between commas";
    OTLP_ENDPOINT = "telemetry.otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "where metrics are sent as well";
}

/// Variables that are read elsewhere.
pub(crate) const OTHER_VARIABLES: &[&str] = &["NSC_CONFIG", "NSC_HISTORY"];

/// `NSC_STORAGE_ACCOUNT_NAME` sets `lake.storage.account_name`.
pub(crate) const STORAGE_PREFIX: &str = "NSC_STORAGE_";
