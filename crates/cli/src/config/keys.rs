//! Every key of the configuration, declared once: its place in the file, its variable and flag, what it may be, its default,
//! what it is for. The file, the environment, `nsc config show`, the example, the schema and the page of the documentation
//! follow from here.

/// What the value of a key may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text that its reader takes.
    Text,
    /// A whole number in a range, both ends included.
    Number(u64, u64),
    /// A number of bytes, such as `2GiB`.
    Size,
    /// `true` or `false`.
    Switch,
    /// One of some words.
    Words(&'static [&'static str]),
    /// Names between commas; in the file also a list.
    List,
    /// A file or directory.
    Path,
    /// Where something is reached: never with a user or password in it.
    Address,
    /// What lets somebody in, or hides somebody: never shown.
    Secret,
    /// The file that holds such a thing.
    SecretFile,
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Dotted name, as in the file.
    pub(crate) name: &'static str,
    /// Environment variable.
    pub(crate) variable: &'static str,
    /// The flag of the commands that have one for it.
    pub(crate) flag: Option<&'static str>,
    /// What the value may be.
    pub(crate) kind: Kind,
    /// The value where nothing is said; `None` where that is worked out, or there is none.
    pub(crate) default: Option<&'static str>,
    /// A value to show, where there is no default.
    pub(crate) example: Option<&'static str>,
    /// One line for `nsc config show`.
    pub(crate) about: &'static str,
    /// What the documentation says beyond that.
    pub(crate) note: &'static str,
}

const fn key(name: &'static str, variable: &'static str, kind: Kind, about: &'static str) -> Key {
    Key {
        name,
        variable,
        flag: None,
        kind,
        default: None,
        example: None,
        about,
        note: "",
    }
}

impl Key {
    const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn example(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }

    const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    /// The section of the file, and the name in it.
    pub(crate) fn place(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }
}

/// No limit of ours.
pub(crate) const MANY: u64 = u32::MAX as u64;
/// In days: before them there is no instant that PostgreSQL could be asked for.
const A_HUNDRED_YEARS: u64 = 36_500;

macro_rules! keys {
    ($($ident:ident = $key:expr;)+) => {
        $(pub(crate) static $ident: Key = $key;)+
        /// Every key.
        pub(crate) static ALL: &[&Key] = &[$(&$ident),+];
    };
}

keys! {
    ENVIRONMENT = key("environment", "NSC_ENV", Kind::Words(&["local", "dev", "prod"]), "local, dev or prod; when not set, as strict as prod")
        .note("only `local` may use the dummy salt, authentication disabled for other machines, and secrets in the configuration file");
    ROOT = key("lake.root", "NSC_ROOT", Kind::Address, "directory or URL of the lakehouse").flag("--root").default("./lakehouse")
        .note("`abfss://` or `az://` for a URL");
    LEASE = key("lake.lease_seconds", "NSC_LEASE_SECONDS", Kind::Number(1, MANY), "seconds a lock on an object store outlives its last renewal").default("60")
        .note("a run that was killed keeps the next out so long");
    SALT_FILE = key("analytics.salt_file", "NSC_SALT_FILE", Kind::SecretFile, "file that holds the salt, as a secret store mounts it").example("/mnt/secrets/nsc-salt")
        .note("wins; read exactly, blanks or a line's end around it are refused");
    SALT = key("analytics.salt", "NSC_SALT", Kind::Secret, "salt of user_key")
        .note("in `local`, where nothing is said, `local-salt-v1`");
    BAD_RECORDS_DAYS = key("retention.bad_records_days", "NSC_RETENTION_BAD_RECORDS_DAYS", Kind::Number(1, MANY), "days rows of silver.bad_records are kept").default("180")
        .note("by `nsc table vacuum`");
    FILES_DAYS = key("retention.files_days", "NSC_RETENTION_FILES_DAYS", Kind::Number(7, MANY), "days files of older versions are kept").default("30")
        .note("`--keep-days` of `nsc table vacuum` says otherwise for once");
    MEMORY_LIMIT = key("resources.memory_limit", "NSC_MEMORY_LIMIT", Kind::Size, "memory of the engine before it spills to disk").flag("--memory-limit").default("2GiB")
        .note("at least 64MiB");
    THREADS = key("resources.threads", "NSC_THREADS", Kind::Number(1, 1024), "threads of one process").flag("--threads")
        .note("where nothing is said, one per core");
    SPILL_DIR = key("resources.spill_dir", "NSC_SPILL_DIR", Kind::Path, "directory spills go to").example("/var/tmp/nsc")
        .note("the system's temporary directory when absent");
    LOG = key("log.filter", "NSC_LOG", Kind::Text, "level or target=level list").flag("--log").default("warn")
        .note("`RUST_LOG` counts after `NSC_LOG` if it says something of nsc");
    LOG_FORMAT = key("log.format", "NSC_LOG_FORMAT", Kind::Words(&["pretty", "json"]), "pretty or json").flag("--log-format").default("pretty")
        .note("always on stderr, and a line that cannot be written is lost");
    TIME_ZONE = key("display.time_zone", "NSC_TIME_ZONE", Kind::Text, "time zone of the times that people are shown")
        .flag("--tz")
        .default("Asia/Seoul")
        .note("in tables and reports; JSON and CSV are in UTC");
    LANGUAGE = key("display.language", "NSC_LANG", Kind::Text, "language of reports, explanations and error pages: en or ko")
        .default("en")
        .note("errors and their pages go by the variable alone: the file may be what they are about");
    LOOKS_FILE = key("query.looks_file", "NSC_LOOKS_FILE", Kind::Path, "file that each look at the lake is recorded in").example("/var/log/nsc/looks.jsonl")
        .note("of `nsc sql`, `explain`, `diff` and `findings`: when, who, which statement; what cannot be recorded is not answered");
    DATABASE_URL = key("database.url", "DATABASE_URL", Kind::Secret, "PostgreSQL of the bo schema, with the role of the command")
        .note("`postgres://user@host:5432/bo`");
    DATABASE_URL_FILE = key("database.url_file", "DATABASE_URL_FILE", Kind::SecretFile, "file that holds the URL, as a secret store mounts it").example("/mnt/secrets/database-url")
        .note("wins; read again for every connection");
    REPLICA_URL = key("database.replica_url", "DATABASE_REPLICA_URL", Kind::Secret, "replica whose lag is reported")
        .note("as `db_replication_lag_seconds`");
    DATABASE_CONNECTIONS = key("database.max_connections", "NSC_DATABASE_MAX_CONNECTIONS", Kind::Number(1, MANY), "connections of one process").default("16")
        .note("of `nsc serve api` two are the audit log's");
    KAFKA_BROKERS = key("kafka.brokers", "KAFKA_BROKERS", Kind::Address, "host:port list of the brokers").flag("--brokers").default("127.0.0.1:9092")
        .note("each member has its port, an IPv6 address its `[ ]`");
    KAFKA_GROUP = key("kafka.group", "KAFKA_GROUP", Kind::Text, "consumer group").flag("--group").default("tx-lookup");
    KAFKA_INSTANCE = key("kafka.instance_id", "KAFKA_INSTANCE_ID", Kind::Text, "name of this member that outlives restarts; one each").example("consumer-1")
        .note("one that is back in time keeps its partitions");
    KAFKA_SESSION = key("kafka.session_timeout_ms", "KAFKA_SESSION_TIMEOUT_MS", Kind::Number(1000, MANY), "milliseconds of silence after which a member is thought dead").default("30000")
        .note("no less than the brokers allow");
    KAFKA_SECURITY = key("kafka.security", "KAFKA_SECURITY", Kind::Words(&["plaintext", "tls", "plain", "oauthbearer"]), "plaintext, tls, plain (SASL over TLS) or oauthbearer").default("plaintext")
        .note("must be said where a user, password, authority or OAuth client is given");
    KAFKA_USERNAME = key("kafka.username", "KAFKA_USERNAME", Kind::Text, "SASL user; $ConnectionString for Event Hubs").example("$ConnectionString");
    KAFKA_PASSWORD = key("kafka.password", "KAFKA_PASSWORD", Kind::Secret, "SASL password; the connection string for Event Hubs");
    KAFKA_PASSWORD_FILE = key("kafka.password_file", "KAFKA_PASSWORD_FILE", Kind::SecretFile, "file that holds the password").example("/mnt/secrets/kafka-password")
        .note("wins; read at the start");
    KAFKA_CA_FILE = key("kafka.ca_file", "KAFKA_CA_FILE", Kind::Path, "PEM file of the brokers' authority; the system's when absent").example("/etc/ssl/brokers.pem");
    KAFKA_OAUTH_URL = key("kafka.oauth_token_url", "KAFKA_OAUTH_TOKEN_URL", Kind::Address, "token endpoint (client credentials)").example("https://login.microsoftonline.com/TENANT/oauth2/v2.0/token")
        .note("`https` unless it is on this machine or the environment is `local`");
    KAFKA_OAUTH_CLIENT = key("kafka.oauth_client_id", "KAFKA_OAUTH_CLIENT_ID", Kind::Text, "client of the token endpoint");
    KAFKA_OAUTH_SECRET = key("kafka.oauth_client_secret", "KAFKA_OAUTH_CLIENT_SECRET", Kind::Secret, "secret of that client");
    KAFKA_OAUTH_SECRET_FILE = key("kafka.oauth_client_secret_file", "KAFKA_OAUTH_CLIENT_SECRET_FILE", Kind::SecretFile, "file that holds that secret").example("/mnt/secrets/kafka-client")
        .note("wins; read again for every token");
    KAFKA_OAUTH_SCOPE = key("kafka.oauth_scope", "KAFKA_OAUTH_SCOPE", Kind::Text, "scope asked for").example("https://NAMESPACE.servicebus.windows.net/.default");
    STREAM_TOPICS = key("stream.topics", "NSC_STREAM_TOPICS", Kind::Text, "topics that are taken into Bronze, and their tables").flag("--topics").example("ledger=transaction_ledger,orders=payment_orders")
        .note("`TOPIC=TABLE`, between commas; of `nsc ingest kafka`");
    STREAM_GROUP = key("stream.group", "NSC_STREAM_GROUP", Kind::Text, "consumer group of `nsc ingest kafka`").flag("--group").default("nsc-bronze");
    STREAM_CLUSTER = key("stream.cluster", "NSC_STREAM_CLUSTER", Kind::Text, "what the cluster is called in the positions that Bronze keeps").flag("--cluster").default("main")
        .note("another cluster has offsets of its own: give it another name");
    EVENT_PROFILE = key("events.profile", "NSC_EVENT_PROFILE", Kind::Text, "canonical-v1, nsc-dev-v1 or a profile of events.profiles_file").flag("--profile").default("canonical-v1")
        .note("which topic carries what, under which names");
    EVENT_PROFILES_FILE = key("events.profiles_file", "NSC_EVENT_PROFILES_FILE", Kind::Path, "YAML file of further profiles; one of a shipped name takes its place").example("event-profiles.yaml")
        .note("written as `config/event-profiles.yaml`");
    LEDGER_TOPIC = key("events.ledger_topic", "NSC_LEDGER_TOPIC", Kind::Text, "topic of ledger entries, in place of the profile's");
    ORDER_TOPIC = key("events.order_topic", "NSC_ORDER_TOPIC", Kind::Text, "topic of payment orders, in place of the profile's");
    MAX_AHEAD = key("events.max_ahead_hours", "NSC_EVENTS_MAX_AHEAD_HOURS", Kind::Number(0, MANY), "hours: an event with a time further ahead of its message is a dead letter; 0 takes any").default("24")
        .note("of class `future_time`");
    BATCH_ROWS = key("consumer.batch_rows", "NSC_BATCH_ROWS", Kind::Number(1, MANY), "messages a transaction holds at most").default("5000");
    BATCH_WAIT = key("consumer.batch_wait_ms", "NSC_BATCH_WAIT_MS", Kind::Number(0, MANY), "milliseconds a transaction waits for more messages").default("50");
    CONSUMER_START = key("consumer.start", "NSC_CONSUMER_START", Kind::Words(&["earliest", "latest"]), "earliest or latest: where a partition begins of which nothing was committed").flag("--start").default("earliest");
    METRICS_LISTEN = key("consumer.metrics_listen", "NSC_METRICS_LISTEN", Kind::Text, "address of the consumer's metrics and health").flag("--metrics-listen").default("127.0.0.1:9464")
        .note("`/metrics`, `/healthz`, `/readyz`");
    DLQ_BACKEND = key("dlq.backend", "NSC_DLQ_BACKEND", Kind::Words(&["db", "file"]), "db or file: where dead letters go").default("db");
    DLQ_FILE = key("dlq.file", "NSC_DLQ_FILE", Kind::Path, "JSON lines of the file backend").default("dead-letters.jsonl")
        .note("made with mode 0600, kept with the link, owner and mode it has");
    DLQ_DAYS = key("dlq.retention_days", "NSC_DLQ_RETENTION_DAYS", Kind::Number(1, A_HUNDRED_YEARS), "days dead letters are kept").default("14");
    API_LISTEN = key("api.listen", "NSC_API_LISTEN", Kind::Text, "address of the admin API").flag("--listen").default("127.0.0.1:8080");
    API_TLS_CERT = key("api.tls_cert", "NSC_API_TLS_CERT", Kind::Path, "PEM certificate chain; plain HTTP when absent").example("/etc/nsc/tls.crt");
    API_TLS_KEY = key("api.tls_key", "NSC_API_TLS_KEY", Kind::Path, "PEM private key").example("/etc/nsc/tls.key");
    API_PROXIES = key("api.trusted_proxies", "NSC_API_TRUSTED_PROXIES", Kind::Text, "addresses whose X-Forwarded-For is believed").example("10.0.0.4, 10.1.0.0/16")
        .note("addresses and networks, between commas");
    AUTH_MODE = key("auth.mode", "AUTH_MODE", Kind::Words(&["oidc", "disabled"]), "oidc or disabled (on a loopback address, never in dev or prod)").default("oidc")
        .note("when disabled only lookups addressed to `localhost`, `127.0.0.1` or `[::1]` are answered");
    AUTH_ANY_ADDRESS = key("auth.disabled_on_any_address", "NSC_AUTH_DISABLED_ON_ANY_ADDRESS", Kind::Switch, "true lets disabled listen beyond loopback").default("false")
        .note("and answer to any name, still in `local` only");
    OIDC_ISSUER = key("auth.issuer", "OIDC_ISSUER", Kind::Address, "issuer of the tokens; its discovery document names the keys").example("https://login.microsoftonline.com/TENANT/v2.0");
    OIDC_AUDIENCE = key("auth.audience", "OIDC_AUDIENCE", Kind::Text, "audience the tokens must be for").example("api://nsc-admin");
    OIDC_JWKS_URL = key("auth.jwks_url", "OIDC_JWKS_URL", Kind::Address, "where the keys are, in place of discovery");
    OIDC_ROLES_CLAIM = key("auth.roles_claim", "OIDC_ROLES_CLAIM", Kind::List, "claims that hold the roles, between commas").default("roles,scp")
        .note("all of them count. A list, or a text with blanks between names (`scp`). Dots may be part of a name or lead into objects (`resource_access.my.client.roles`); a JSON list says exactly which: `[[\"resource_access\", \"my.client\", \"roles\"], \"scp\"]`, in the file a list");
    OTLP_ENDPOINT = key("telemetry.otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", Kind::Address, "collector that metrics are sent to as well").example("http://127.0.0.1:4318");
}

/// Variables that are read elsewhere.
pub(crate) const OTHER_VARIABLES: &[&str] = &["NSC_CONFIG", "NSC_HISTORY", "NSC_PAGER"];

/// `NSC_STORAGE_ACCOUNT_NAME` sets `lake.storage.account_name`.
pub(crate) const STORAGE_PREFIX: &str = "NSC_STORAGE_";
/// The section of the file with the options of the object store.
pub(crate) const STORAGE: &str = "lake.storage";
/// What they are.
pub(crate) const STORAGE_ABOUT: &str = "option of the object store";
