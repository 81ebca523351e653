//! What the serving commands share: from configuration to store, subscription, brokers and metrics, and the signal
//! that ends a service.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use nsc_consumer::{DeadLetterBackend, DeadLetterOptions, Services, SinkOptions};
use nsc_contracts::event::{EventProfile, KindOverrides, ProfileOverrides, parse_profiles};
use nsc_core::{ErrorCode, SystemClock};
use nsc_kafka::{ClientCredentials, KafkaOptions, Security};
use nsc_store::{DatabaseUrl, Store, StoreOptions};
use nsc_telemetry::Metrics;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use crate::commands::metrics;
use crate::config::serving::{DlqBackend, KafkaConfig, KafkaSecurity};
use crate::config::{Config, EnvironmentName, Flags, Origin, Setting, keys};
use crate::failure::{Failure, OperatorMessage, Outcome};

const SECONDS_PER_DAY: u64 = 86_400;

/// Which events, from where.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct EventArgs {
    /// Brokers, host:port,... [env: KAFKA_BROKERS] [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOSTS")]
    brokers: Option<String>,
    /// Profile of topics and field names [env: NSC_EVENT_PROFILE] [default: canonical-v1]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl EventArgs {
    /// The part the configuration takes.
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        flags.set(&keys::KAFKA_BROKERS, self.brokers.as_ref());
        flags.set(&keys::EVENT_PROFILE, self.profile.as_ref());
    }
}

/// Topics and field names in force.
pub(crate) fn subscription(config: &Config) -> Outcome<EventProfile> {
    let events = &config.serving.events;
    let topic = |setting: &Option<Setting<String>>| KindOverrides {
        topic: setting.as_ref().map(|s| s.value.clone()),
        ..KindOverrides::default()
    };
    let overrides = ProfileOverrides {
        ledger_entry: topic(&events.ledger_topic),
        payment_order: topic(&events.order_topic),
    };
    let Some(file) = &events.profiles_file else {
        return Ok(EventProfile::named(&events.profile.value, &overrides)?);
    };
    let path = file.value.display().to_string();
    let text = std::fs::read_to_string(&file.value).map_err(|e| {
        OperatorMessage::configuration(format!("event profiles {path} ({}) cannot be read", file.origin))
            .with_detail(e)
    })?;
    let further = parse_profiles(&path, &text)?;
    Ok(EventProfile::among(further, &events.profile.value, &overrides)?)
}

/// The database's URL.
pub(crate) fn database_url(config: &Config) -> Outcome<SecretString> {
    match &config.serving.database.url {
        Some(url) => Ok(url.value.clone()),
        None => Err(OperatorMessage::configuration("no database is configured")
            .with_hint("Set DATABASE_URL, or DATABASE_URL_FILE to a mounted secret: postgres://role:password@host:5432/database")
            .into()),
    }
}

/// Where the database's URL stands: a mounted file is read again for every connection.
fn lasting_database_url(config: &Config) -> Outcome<DatabaseUrl> {
    match config.serving.database.url.as_ref().map(|url| &url.origin) {
        Some(Origin::SecretFile(path)) => Ok(DatabaseUrl::File(path.clone())),
        _ => Ok(database_url(config)?.into()),
    }
}

/// A pool of connections; nothing is connected yet.
pub(crate) fn store(config: &Config, name: &str, metrics: &Metrics) -> Outcome<Store> {
    let database = &config.serving.database;
    let options = StoreOptions {
        max_connections: database.max_connections.value,
        application_name: name.to_owned(),
        replica_url: database.replica_url.as_ref().map(|u| u.value.clone()),
        ..StoreOptions::new(lasting_database_url(config)?)
    };
    Ok(Store::with_metrics(&options, metrics.db())?)
}

/// Store, metrics and clock of a command.
pub(crate) fn services(config: &Config, name: &str) -> Outcome<Services> {
    let metrics = metrics::start(config, name)?;
    Ok(Services {
        store: store(config, name, &metrics)?,
        metrics,
        clock: Arc::new(SystemClock),
    })
}

/// How events are written, and where dead letters go.
pub(crate) fn sink(config: &Config) -> SinkOptions {
    let (consumer, dlq) = (&config.serving.consumer, &config.serving.dlq);
    SinkOptions {
        batch_events: consumer.batch_rows.value,
        max_ahead: match config.serving.events.max_ahead_hours.value {
            0 => None,
            hours => Some(Duration::from_hours(hours.into())),
        },
        batch_linger: Duration::from_millis(consumer.batch_wait_ms.value),
        dead_letters: DeadLetterOptions {
            backend: match dlq.backend.value {
                DlqBackend::Db => DeadLetterBackend::Database,
                DlqBackend::File => DeadLetterBackend::File(dlq.file.value.clone()),
            },
            retention: Duration::from_secs(u64::from(dlq.retention_days.value) * SECONDS_PER_DAY),
            ..DeadLetterOptions::default()
        },
        ..SinkOptions::default()
    }
}

/// The brokers and who we are there.
pub(crate) fn kafka(config: &Config) -> Outcome<KafkaOptions> {
    let kafka = &config.serving.kafka;
    refuse_unsaid_plaintext(kafka)?;
    let mut options = KafkaOptions::new(kafka.brokers.value.as_str(), kafka.group.value.as_str());
    options.instance_id = kafka.instance_id.as_ref().map(|id| id.value.clone());
    options.session_timeout = Duration::from_millis(u64::from(kafka.session_timeout_ms.value));
    options.ca_file = kafka.ca_file.as_ref().map(|f| f.value.clone());
    options.security = match kafka.security.value {
        KafkaSecurity::Plaintext => Security::Plaintext,
        KafkaSecurity::Tls => Security::Tls,
        KafkaSecurity::Plain => Security::SaslPlain {
            username: needed(&kafka.username, "kafka.username (KAFKA_USERNAME)")?,
            password: needed(&kafka.password, "kafka.password (KAFKA_PASSWORD)")?,
        },
        KafkaSecurity::OAuthBearer => {
            let credentials = credentials(kafka)?;
            refuse_secret_in_the_clear(&credentials.token_url, config.environment.value)?;
            let provider = credentials.provider(Arc::new(SystemClock));
            Security::OauthBearer(
                provider.map_err(|e| Failure::unexpected("setting up the token client", e))?,
            )
        }
    };
    Ok(options)
}

/// Who gives a password or an authority for the brokers does not expect a connection in the clear that uses neither.
fn refuse_unsaid_plaintext(kafka: &KafkaConfig) -> Outcome {
    if kafka.security.value != KafkaSecurity::Plaintext {
        return Ok(());
    }
    let given = [
        ("kafka.username", kafka.username.is_some()),
        ("kafka.password", kafka.password.is_some()),
        ("kafka.ca_file", kafka.ca_file.is_some()),
        ("kafka.oauth_token_url", kafka.oauth_token_url.is_some()),
        ("kafka.oauth_client_secret", kafka.oauth_client_secret.is_some()),
    ];
    let Some((name, _)) = given.into_iter().find(|(_, is_given)| *is_given) else {
        return Ok(());
    };
    if kafka.security.origin == Origin::Default {
        return Err(OperatorMessage::new(
            ErrorCode::KafkaSecurityUnsaid,
            format!("{name} is given, and how the connection to the brokers is protected is not"),
        )
        .with_detail("without kafka.security it would be in the clear, and nothing of it would be used")
        .with_hint(
            "Set KAFKA_SECURITY to plain (SASL over TLS), oauthbearer or tls; to plaintext if that is meant.",
        )
        .into());
    }
    tracing::warn!(setting = name, "it is not used: kafka.security is plaintext");
    Ok(())
}

/// The client's secret is sent there.
fn refuse_secret_in_the_clear(token_url: &str, environment: EnvironmentName) -> Outcome {
    let on_this_machine = |url: &Url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        None => false,
    };
    match Url::parse(token_url) {
        Ok(url)
            if url.scheme() == "http" && !on_this_machine(&url) && environment != EnvironmentName::Local =>
        {
            let refusal = OperatorMessage::configuration("kafka.oauth_token_url is not https")
                .with_detail("the client's secret would be sent in the clear")
                .with_hint("Name the token endpoint with https://");
            Err(refusal.into())
        }
        _ => Ok(()),
    }
}

fn credentials(kafka: &KafkaConfig) -> Outcome<ClientCredentials> {
    Ok(ClientCredentials {
        token_url: needed(
            &kafka.oauth_token_url,
            "kafka.oauth_token_url (KAFKA_OAUTH_TOKEN_URL)",
        )?,
        client_id: needed(
            &kafka.oauth_client_id,
            "kafka.oauth_client_id (KAFKA_OAUTH_CLIENT_ID)",
        )?,
        client_secret: needed(
            &kafka.oauth_client_secret,
            "kafka.oauth_client_secret (KAFKA_OAUTH_CLIENT_SECRET)",
        )?,
        client_secret_file: match kafka.oauth_client_secret.as_ref().map(|s| &s.origin) {
            Some(Origin::SecretFile(path)) => Some(path.clone()),
            _ => None,
        },
        scope: kafka.oauth_scope.as_ref().map(|s| s.value.clone()),
    })
}

fn needed<T: Clone>(setting: &Option<Setting<T>>, name: &str) -> Outcome<T> {
    match setting {
        Some(setting) => Ok(setting.value.clone()),
        None => Err(Failure::from(
            OperatorMessage::configuration(format!("{name} is missing"))
                .with_detail("kafka.security asks for it")
                .with_hint("nsc config show"),
        )),
    }
}

/// The first line of a service, whatever the level of the log.
pub(crate) fn say_that_it_starts(name: &str, config: &Config) {
    tracing::info!(
        target: nsc_telemetry::SERVICE,
        version = crate::build::version(),
        environment = config.environment.value.name(),
        configuration = config.file.as_ref().map(|file| file.display().to_string()),
        "{name} starts"
    );
}

/// Cancelled by SIGTERM or SIGINT: a service then finishes what it has begun.
pub(crate) fn shutdown() -> Outcome<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|e| Failure::unexpected("listening for signals", e));
    crate::signals::are_handled();
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let asked = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // First what was asked for, then the word about it.
        asked.cancel();
        tracing::info!(target: nsc_telemetry::SERVICE, "asked to stop");
    });
    Ok(token)
}

/// The error of an address that cannot be listened on.
pub(crate) fn unusable_address(
    address: &Setting<std::net::SocketAddr>,
    error: &std::io::Error,
) -> OperatorMessage {
    OperatorMessage::new(
        ErrorCode::Listen,
        format!("{} cannot be served on", address.value),
    )
    .with_detail(error)
    .with_hint("choose another address")
}
