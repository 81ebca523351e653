//! Older names: what they are read as, and what is refused.

use nsc_core::{ErrorCode, OperatorError};
use secrecy::ExposeSecret;

use super::super::{Config, Flags, Scope, listing, resolve};
use super::old_names;
use crate::environment::Environment;
use crate::failure::OperatorMessage;
use crate::output::{Look, listing_text};

fn with<const N: usize>(scope: Scope, variables: [(&str, &str); N]) -> Result<Config, OperatorMessage> {
    resolve(&Flags::default(), &Environment::from(variables), None, scope)
}

fn serving<const N: usize>(variables: [(&str, &str); N]) -> Result<Config, OperatorMessage> {
    with(Scope::Serving, variables)
}

/// The value of a key and its origin, as `nsc config show` has them.
fn shown<const N: usize>(key: &str, variables: [(&str, &str); N]) -> String {
    let config = with(Scope::All, variables).unwrap();
    let rows = listing(&config).rows;
    let row = rows.iter().find(|row| row[0].to_string() == key).unwrap();
    format!("{} | {}", row[1], row[2])
}

fn code<const N: usize>(variables: [(&str, &str); N]) -> Option<ErrorCode> {
    serving(variables).err().map(|e| e.code())
}

#[test]
fn every_older_name_is_read_as_ours_and_shown_under_both() {
    for (old, value, key, want) in [
        (
            "KAFKA_GROUP_ID",
            "bo-sync-consumer",
            "kafka.group",
            "bo-sync-consumer",
        ),
        ("KAFKA_SASL_USERNAME", "u", "kafka.username", "u"),
        ("KAFKA_SASL_PASSWORD", "s3cret", "kafka.password", "********"),
        ("KAFKA_SSL_CA_LOCATION", "/ca.pem", "kafka.ca_file", "/ca.pem"),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "kafka.security", "plain"),
        ("EVENT_PROFILE_ID", "nsc-dev-v1", "events.profile", "nsc-dev-v1"),
        ("LEDGER_TOPIC", "l", "events.ledger_topic", "l"),
        ("PAYMENT_ORDER_TOPIC", "o", "events.order_topic", "o"),
        ("CONSUMER_OFFSET_RESET", "latest", "consumer.start", "latest"),
        ("DLQ_BACKEND", "FILE", "dlq.backend", "file"),
        ("DLQ_PATH", "./dlq/x.jsonl", "dlq.file", "./dlq/x.jsonl"),
        ("DLQ_RETENTION_DAYS", "7", "dlq.retention_days", "7"),
        ("AUTH_ISSUER", "https://i", "auth.issuer", "https://i"),
        ("AUTH_AUDIENCE", "api://nsc", "auth.audience", "api://nsc"),
        ("AUTH_JWKS_URL", "https://i/k", "auth.jwks_url", "https://i/k"),
        ("AUTH_ROLES_CLAIM", "roles,scp", "auth.roles_claim", "roles,scp"),
        ("APP_ENV", "dev", "environment", "dev"),
        ("PIPELINE_ENV", "prod", "environment", "prod"),
        ("LOG_LEVEL", "WARNING", "log.filter", "warn"),
        (
            "METRICS_PORT",
            "9108",
            "consumer.metrics_listen",
            "127.0.0.1:9108",
        ),
        ("DB_POOL_SIZE", "5", "database.max_connections", "15"),
        ("DB_MAX_OVERFLOW", "0", "database.max_connections", "5"),
        ("ANON_USER_KEY_SALT", "s3cret", "analytics.salt", "********"),
    ] {
        let said = shown(key, [(old, value)]);
        assert!(
            said.starts_with(&format!("{want} | environment {old}, read as ")),
            "{said}"
        );
    }
}

#[test]
fn names_that_mean_something_together_are_read_together() {
    let both = [("METRICS_HOST", "0.0.0.0"), ("METRICS_PORT", "9108")];
    assert_eq!(
        shown("consumer.metrics_listen", both),
        "0.0.0.0:9108 | environment METRICS_HOST and METRICS_PORT, read as NSC_METRICS_LISTEN"
    );
    let both = [("DB_POOL_SIZE", "20"), ("DB_MAX_OVERFLOW", "4")];
    assert!(shown("database.max_connections", both).starts_with("24 | "));
    let both = [
        ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl"),
        ("KAFKA_SASL_MECHANISM", "OAUTHBEARER"),
    ];
    assert_eq!(
        shown("kafka.security", both),
        "oauthbearer | environment KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_MECHANISM, read as KAFKA_SECURITY"
    );
}

#[test]
fn a_protocol_is_met_exactly_or_refused() {
    for (protocol, mechanism, security) in [
        ("PLAINTEXT", "PLAIN", "plaintext"),
        ("SSL", "", "tls"),
        ("SASL_SSL", "PLAIN", "plain"),
        (" sasl_ssl ", "plain", "plain"),
        ("SASL_SSL", "OAUTHBEARER", "oauthbearer"),
    ] {
        let config = serving([
            ("KAFKA_SECURITY_PROTOCOL", protocol),
            ("KAFKA_SASL_MECHANISM", mechanism),
        ]);
        assert_eq!(config.unwrap().serving.kafka.security.value.to_string(), security);
    }
    for (protocol, mechanism) in [
        ("SASL_PLAINTEXT", "PLAIN"),
        ("SASL_SSL", "SCRAM-SHA-256"),
        ("SASL_SSL", "GSSAPI"),
        ("TLS", ""),
        ("", "PLAIN"),
    ] {
        for environment in ["local", "prod"] {
            let variables = [
                ("KAFKA_SECURITY_PROTOCOL", protocol),
                ("KAFKA_SASL_MECHANISM", mechanism),
                ("NSC_ENV", environment),
            ];
            assert_eq!(
                code(variables),
                Some(ErrorCode::NoCounterpart),
                "{protocol} {mechanism}"
            );
        }
    }
    let other = [
        ("KAFKA_SECURITY", "plain"),
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
    ];
    assert_eq!(code(other), Some(ErrorCode::NamesDisagree));
}

#[test]
fn both_names_may_say_the_same_and_not_two_things() {
    assert!(serving([("KAFKA_GROUP", "g"), ("KAFKA_GROUP_ID", "g")]).is_ok());
    let said = shown(
        "kafka.security",
        [
            ("KAFKA_SECURITY", "plain"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ],
    );
    assert_eq!(said, "plain | environment KAFKA_SECURITY");
    for variables in [
        [("KAFKA_GROUP", "g"), ("KAFKA_GROUP_ID", "other")],
        [
            ("KAFKA_SECURITY", "plaintext"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ],
        [
            ("KAFKA_PASSWORD", "s3cret-1"),
            ("KAFKA_SASL_PASSWORD", "s3cret-2"),
        ],
        [("NSC_ENV", "local"), ("APP_ENV", "prod")],
        [("APP_ENV", "local"), ("PIPELINE_ENV", "prod")],
    ] {
        let refusal = serving(variables).unwrap_err();
        assert_eq!(refusal.code(), ErrorCode::NamesDisagree, "{refusal}");
        let said = format!("{refusal} {:?} {:?}", refusal.detail(), refusal.hint());
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_blank_value_is_an_absent_one_and_a_salt_keeps_its_blanks() {
    let empty = [("KAFKA_SASL_USERNAME", " "), ("KAFKA_SSL_CA_LOCATION", "")];
    let kafka = serving(empty).unwrap().serving.kafka;
    assert!(kafka.username.is_none() && kafka.ca_file.is_none());
    let salt = with(Scope::Lakehouse, [("ANON_USER_KEY_SALT", "pepper")])
        .unwrap()
        .analytics
        .salt;
    assert_eq!(salt.unwrap().value.expose_secret(), "pepper");
    let blanks = with(Scope::Lakehouse, [("ANON_USER_KEY_SALT", " pepper")]).unwrap_err();
    assert_eq!(blanks.code(), ErrorCode::SaltAmbiguous);
}

/// Names that much other software reads: their values stop nothing.
#[test]
fn what_is_meant_for_other_software_stops_nothing() {
    let others = [
        ("APP_ENV", "production"),
        ("LOG_LEVEL", "verbose"),
        ("METRICS_PORT", "tcp://10.0.0.7:9108"),
        ("METRICS_HOST", "metrics"),
        ("KAFKA_HOME", "/opt/kafka"),
        ("KAFKA_PORT", "tcp://10.0.0.7:9092"),
        ("DATABASE_PORT", "5432"),
    ];
    for scope in [Scope::Lakehouse, Scope::Serving, Scope::All] {
        let config = with(scope, others).unwrap();
        assert!(config.objection.is_none());
        assert_eq!(config.log.filter.value, "warn");
        assert_eq!(config.environment.value.name(), "unset");
        assert_eq!(config.serving.consumer.metrics_listen.value.port(), 9464);
        let told: Vec<&str> = config.notices.iter().map(|n| n.variable.as_str()).collect();
        assert_eq!(told, ["APP_ENV", "LOG_LEVEL"]);
    }
    let ours = with(Scope::Serving, [("NSC_LOG", "warn"), ("LOG_LEVEL", "DEBUG")]).unwrap();
    assert_eq!(ours.log.filter.value, "warn");
    assert!(
        ours.notices
            .iter()
            .any(|n| n.variable == "LOG_LEVEL" && n.is_loud)
    );
}

#[test]
fn what_has_no_counterpart_stops_its_half_outside_local_and_is_said_elsewhere() {
    for (name, value, half) in [
        ("SERVICE_NAME", "tx-lookup-service", Scope::Serving),
        ("AUDIT_MASK_QUERY_KEYS", "token", Scope::Serving),
        ("DB_SLOW_QUERY_MS", "200", Scope::Serving),
        ("DB_POOL_RECYCLE", "1800", Scope::Serving),
        ("CONSUMER_POLL_TIMEOUT_MS", "1000", Scope::Serving),
        (
            "APPLICATIONINSIGHTS_CONNECTION_STRING",
            "InstrumentationKey=s3cret",
            Scope::Serving,
        ),
        ("AUTH_ALGORITHM", "HS256", Scope::Serving),
        ("AUTH_ACTOR_ID_CLAIMS", "email", Scope::Serving),
        ("PIPELINE_CFG__ANALYTICS__SALT", "s3cret", Scope::Lakehouse),
    ] {
        let other = if half == Scope::Serving {
            Scope::Lakehouse
        } else {
            Scope::Serving
        };
        for environment in ["prod", "dev", ""] {
            let variables = [(name, value), ("NSC_ENV", environment)];
            for scope in [half, Scope::All] {
                let objection = with(scope, variables).unwrap().objection;
                let objection = objection.unwrap_or_else(|| panic!("{name} in {environment:?}"));
                assert_eq!(objection.code(), ErrorCode::NoCounterpart);
                let said = format!("{} {:?} {:?}", objection, objection.detail(), objection.hint());
                assert!(said.contains(name) && !said.contains("s3cret"), "{said}");
            }
            assert!(with(other, variables).unwrap().objection.is_none());
        }
        let local = with(half, [(name, value), ("NSC_ENV", "local")]).unwrap();
        assert!(local.objection.is_none());
        assert!(
            local.notices.iter().any(|n| n.variable == name && n.is_loud),
            "{name}"
        );
        let ignored = with(half, [(name, value), ("NSC_IGNORED_VARIABLES", name)]).unwrap();
        assert!(
            ignored.objection.is_none() && ignored.notices.is_empty(),
            "{name}"
        );
    }
    // All of them at once.
    let objection = serving([("SERVICE_NAME", "x"), ("DB_SLOW_QUERY_MS", "200")])
        .unwrap()
        .objection;
    let said = objection.map(|o| format!("{o}: {}", o.detail().unwrap_or_default()));
    assert!(said.is_some_and(
        |s| s.matches("SERVICE_NAME").count() == 2 && s.matches("DB_SLOW_QUERY_MS").count() == 2
    ));
    // What says only what holds here anyway.
    let harmless = [("AUTH_ALGORITHM", "RS256"), ("AUTH_ACTOR_ID_CLAIMS", "oid,sub")];
    assert!(serving(harmless).unwrap().objection.is_none());
}

#[test]
fn a_fault_of_serving_stops_no_command_of_the_lakehouse() {
    for variables in [
        [("AUTH_MODE", "ldap")],
        [("KAFKA_SECURITY", "ssl")],
        [("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")],
        [("KAFKA_SESSION_TIMEOUT_MS", "6s")],
        [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:s3cret@collector")],
    ] {
        assert!(serving(variables).is_err(), "{variables:?}");
        let config = with(Scope::Lakehouse, variables).unwrap();
        let said: Vec<_> = config.notices.iter().filter(|n| n.is_loud).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].text.contains("not used here") && !said[0].text.contains("s3cret"),
            "{said:?}"
        );
    }
}

#[test]
fn a_value_that_is_no_text_is_refused_under_whatever_name() {
    let refused = |name: &str, scope: Scope| {
        let env = Environment::default().with_unreadable(name);
        resolve(&Flags::default(), &env, None, scope)
            .err()
            .map(|e| e.to_string())
    };
    let want = |name: &str| Some(format!("the environment variable {name} is not UTF-8"));
    assert_eq!(refused("NSC_SALT", Scope::Lakehouse), want("NSC_SALT"));
    assert_eq!(
        refused("ANON_USER_KEY_SALT", Scope::Lakehouse),
        want("ANON_USER_KEY_SALT")
    );
    assert_eq!(
        refused("KAFKA_SASL_PASSWORD", Scope::Serving),
        want("KAFKA_SASL_PASSWORD")
    );
    assert_eq!(refused("KAFKA_HOME", Scope::All), None);
}

#[test]
fn no_older_name_is_a_name_of_ours() {
    for old in old_names() {
        assert!(super::keys::ALL.iter().all(|key| key.variable != old), "{old}");
    }
    let config = with(
        Scope::All,
        [("KAFKA_SASL_PASSWORD", "s3cret"), ("NSC_ENV", "local")],
    )
    .unwrap();
    assert!(!listing_text(&listing(&config), Look::of_a_pipe()).contains("s3cret"));
}
