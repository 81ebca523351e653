//! Variables that look like one that is read and are not. They are said, never refused: most of these prefixes belong to
//! other software as well.

use super::notice::Notice;
use super::{aliases, foreign, keys};
use crate::environment::{Environment, IGNORED_VARIABLES};

/// Names that other programs have for what is read here under another.
const ELSEWHERE: &[(&str, &str)] = &[
    ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKERS"),
    ("KAFKA_BOOTSTRAP", "KAFKA_BROKERS"),
    ("KAFKA_HOSTS", "KAFKA_BROKERS"),
    ("KAFKA_USER", "KAFKA_USERNAME"),
    ("KAFKA_CONSUMER_GROUP", "KAFKA_GROUP"),
    ("KAFKA_CA", "KAFKA_CA_FILE"),
    ("KAFKA_CA_CERT", "KAFKA_CA_FILE"),
    ("OIDC_AUTHORITY", "OIDC_ISSUER"),
    ("OIDC_CLIENT_ID", "OIDC_AUDIENCE"),
    ("OIDC_JWKS_URI", "OIDC_JWKS_URL"),
    ("DATABASE_DSN", "DATABASE_URL"),
    ("POSTGRES_URL", "DATABASE_URL"),
];

/// A line about each such variable.
pub(super) fn notices(env: &Environment) -> Vec<Notice> {
    let strangers = env
        .all()
        .filter(|(name, value)| !is_read(name) && !is_service_link(name, value));
    strangers
        .filter_map(|(name, _)| {
            let meant = nearest(name);
            (meant.is_some() || name.starts_with("NSC_")).then(|| Notice::loud(name, said(meant)))
        })
        .collect()
}

fn said(meant: Option<&str>) -> String {
    let says = "this environment variable looks like one of nsc and is not";
    meant.map_or_else(|| says.to_owned(), |meant| format!("{says}: is {meant} meant?"))
}

/// Every variable that a near name may have meant.
fn known() -> impl Iterator<Item = &'static str> {
    let ours = keys::ALL.iter().map(|key| key.variable);
    ours.chain(keys::OTHER_VARIABLES.iter().copied())
        .chain([IGNORED_VARIABLES])
        .chain(aliases::distinctive_names())
}

fn is_read(name: &str) -> bool {
    name.starts_with(keys::STORAGE_PREFIX)
        || foreign::is_lost(name)
        || known().chain(aliases::old_names()).any(|known| known == name)
}

/// Kubernetes tells every pod where the namespace's services are: `KAFKA_PORT=tcp://10.0.0.7:9092`,
/// `KAFKA_SERVICE_HOST`, `KAFKA_PORT_9092_TCP_ADDR`.
fn is_service_link(name: &str, value: &str) -> bool {
    let after_port = name
        .split_once("_PORT_")
        .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme))
        || name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || after_port
}

/// The variable that was most likely meant.
fn nearest(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    let elsewhere = ELSEWHERE
        .iter()
        .find(|(other, _)| *other == upper)
        .map(|(_, ours)| *ours);
    elsewhere.or_else(|| nsc_core::nearest(&upper, known()))
}

#[cfg(test)]
mod tests {
    use super::notices;
    use crate::environment::Environment;

    fn said<const N: usize>(pairs: [(&str, &str); N]) -> Vec<String> {
        let told = notices(&Environment::from(pairs));
        told.iter()
            .map(|n| {
                format!(
                    "{} -> {}",
                    n.variable,
                    n.text.rsplit(": is ").next().unwrap_or_default()
                )
            })
            .collect()
    }

    #[test]
    fn a_misspelt_name_of_every_variable_that_is_read_is_found() {
        let meant = |name: &str| said([(name, "x")]).join("");
        for (name, ours) in [
            ("NSC_SALTT", "NSC_SALT"),
            ("NSC_EVN", "NSC_ENV"),
            ("nsc_root", "NSC_ROOT"),
            ("OIDC_ROLE_CLAIM", "OIDC_ROLES_CLAIM"),
            ("OIDC_JWKS", "OIDC_JWKS_URL"),
            ("OIDC_ISSUER_URL", "OIDC_ISSUER"),
            ("KAFKA_BROKER", "KAFKA_BROKERS"),
            ("KAFKA_SECURITY_PROTOCAL", "KAFKA_SECURITY_PROTOCOL"),
            ("KAFKA_SASL_MECHANISMS", "KAFKA_SASL_MECHANISM"),
            ("KAFKA_PASSWORD_FIEL", "KAFKA_PASSWORD_FILE"),
            ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKERS"),
            ("DATABASE_URI", "DATABASE_URL"),
            ("DATABSE_URL", "DATABASE_URL"),
            ("DATABASE_REPLICA", "DATABASE_REPLICA_URL"),
            ("AUTH_MOD", "AUTH_MODE"),
            ("OTEL_EXPORTER_OTLP_ENDPOINTS", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ] {
            assert_eq!(meant(name), format!("{name} -> {ours} meant?"));
        }
    }

    #[test]
    fn every_known_name_with_a_letter_too_many_is_found() {
        for key in super::keys::ALL {
            let name = format!("{}X", key.variable);
            assert_eq!(said([(name.as_str(), "x")]).len(), 1, "{name}");
            assert_eq!(said([(key.variable, "x")]).len(), 0, "{}", key.variable);
        }
    }

    #[test]
    fn what_other_software_and_kubernetes_set_is_left_alone() {
        let others = [
            ("KAFKA_HOME", "/opt/kafka"),
            ("KAFKA_HEAP_OPTS", "-Xmx1G"),
            ("KAFKA_LISTENERS", "PLAINTEXT://:9092"),
            ("KAFKA_PORT", "tcp://10.0.0.7:9092"),
            ("KAFKA_SERVICE_HOST", "10.0.0.7"),
            ("KAFKA_SERVICE_PORT_BROKERS", "9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.7"),
            ("NSC_API_SERVICE_HOST", "10.0.0.8"),
            ("NSC_API_PORT", "tcp://10.0.0.8:8080"),
            ("DATABASE_PORT", "5432"),
            ("DATABASE_HOST", "db"),
            ("DATABASE_NAME", "bo"),
            ("POSTGRES_SERVICE_HOST", "10.0.0.9"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "k=v"),
            ("OTEL_SERVICE_NAME", "x"),
            ("PATH", "/bin"),
            ("HOME", "/root"),
            ("RUST_LOG", "info"),
            ("LOG_LEVELS", "x"),
            ("LOG_LEVEL_ROOT", "INFO"),
            ("APP_ENV_FILE", ".env"),
            ("DB_POOL_SIZE_MAX", "9"),
            ("NSC_STORAGE_ACCOUNT_KEY", "x"),
        ];
        assert_eq!(said(others), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_name_of_ours_is_said_even_when_nothing_is_near() {
        assert_eq!(said([("NSC_COLOUR_OF_THE_SKY", "blue")]).len(), 1);
    }
}
