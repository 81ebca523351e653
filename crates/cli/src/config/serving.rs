//! The configuration of serving: database, brokers, events, consumer, API, who may look, where metrics go.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use secrecy::SecretString;
use serde::Deserialize;

use super::Setting;

/// Everything the serving commands read.
#[derive(Debug, Clone)]
pub(crate) struct ServingConfig {
    pub(crate) database: DatabaseConfig,
    pub(crate) kafka: KafkaConfig,
    pub(crate) stream: StreamConfig,
    pub(crate) events: EventsConfig,
    pub(crate) consumer: ConsumerConfig,
    pub(crate) dlq: DlqConfig,
    pub(crate) api: ApiConfig,
    pub(crate) auth: AuthConfig,
    /// Where metrics are sent beside `/metrics`.
    pub(crate) otlp_endpoint: Option<Setting<String>>,
}

/// PostgreSQL.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseConfig {
    pub(crate) url: Option<Setting<SecretString>>,
    pub(crate) replica_url: Option<Setting<SecretString>>,
    pub(crate) max_connections: Setting<u32>,
}

/// The brokers, and how this client shows who it is.
#[derive(Debug, Clone)]
pub(crate) struct KafkaConfig {
    pub(crate) brokers: Setting<String>,
    pub(crate) group: Setting<String>,
    pub(crate) instance_id: Option<Setting<String>>,
    pub(crate) session_timeout_ms: Setting<u32>,
    pub(crate) security: Setting<KafkaSecurity>,
    pub(crate) username: Option<Setting<String>>,
    pub(crate) password: Option<Setting<SecretString>>,
    pub(crate) ca_file: Option<Setting<PathBuf>>,
    pub(crate) oauth_token_url: Option<Setting<String>>,
    pub(crate) oauth_client_id: Option<Setting<String>>,
    pub(crate) oauth_client_secret: Option<Setting<SecretString>>,
    pub(crate) oauth_scope: Option<Setting<String>>,
}

/// Topics into Bronze.
#[derive(Debug, Clone)]
pub(crate) struct StreamConfig {
    /// `TOPIC=TABLE`, between commas.
    pub(crate) topics: Option<Setting<String>>,
    pub(crate) group: Setting<String>,
    /// In the names of positions.
    pub(crate) cluster: Setting<String>,
}

/// Which topic carries what.
#[derive(Debug, Clone)]
pub(crate) struct EventsConfig {
    pub(crate) profile: Setting<String>,
    pub(crate) profiles_file: Option<Setting<PathBuf>>,
    pub(crate) ledger_topic: Option<Setting<String>>,
    pub(crate) order_topic: Option<Setting<String>>,
    /// 0: any time is taken.
    pub(crate) max_ahead_hours: Setting<u32>,
}

/// Micro-batches and the side port.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerConfig {
    pub(crate) batch_rows: Setting<usize>,
    pub(crate) batch_wait_ms: Setting<u64>,
    pub(crate) start: Setting<ConsumerStart>,
    pub(crate) metrics_listen: Setting<SocketAddr>,
}

/// Where dead letters go, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct DlqConfig {
    pub(crate) backend: Setting<DlqBackend>,
    pub(crate) file: Setting<PathBuf>,
    pub(crate) retention_days: Setting<u32>,
}

/// The admin API's server.
#[derive(Debug, Clone)]
pub(crate) struct ApiConfig {
    pub(crate) listen: Setting<SocketAddr>,
    pub(crate) tls_cert: Option<Setting<PathBuf>>,
    pub(crate) tls_key: Option<Setting<PathBuf>>,
    pub(crate) trusted_proxies: Option<Setting<Networks>>,
}

/// Who may look.
#[derive(Debug, Clone)]
pub(crate) struct AuthConfig {
    pub(crate) mode: Setting<AuthMode>,
    pub(crate) disabled_on_any_address: Setting<bool>,
    pub(crate) issuer: Option<Setting<String>>,
    pub(crate) audience: Option<Setting<String>>,
    pub(crate) jwks_url: Option<Setting<String>>,
    pub(crate) roles_claim: Setting<RoleClaims>,
}

/// A list of addresses and networks, separated by commas, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Networks {
    pub(crate) list: Vec<IpNet>,
    text: String,
}

/// A text that is no address and no network.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an address such as 10.0.0.7 or a network such as 10.0.0.0/8")]
pub(crate) struct InvalidNetwork(String);

/// An address is a network of its own.
fn network_of(text: &str) -> Result<IpNet, InvalidNetwork> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| address())
        .map_err(|_| InvalidNetwork(text.to_owned()))
}

impl FromStr for Networks {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let list = text
            .split(',')
            .map(|network| network_of(network.trim()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            list,
            text: text.to_owned(),
        })
    }
}

impl Display for Networks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// The claims that may hold roles, in their order, with their text: names between commas, or a JSON list of names and of
/// paths (`[["resource_access", "my.client", "roles"], "scp"]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RoleClaims {
    pub(crate) list: Vec<RoleClaim>,
    text: String,
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum RoleClaim {
    /// A name; dots may be part of it or lead into objects.
    Named(String),
    /// Names one inside the other, exactly.
    Path(Vec<String>),
}

impl RoleClaim {
    fn is_blank(&self) -> bool {
        match self {
            Self::Named(name) => nsc_core::is_blank(name),
            Self::Path(names) => names.is_empty() || names.iter().any(|name| nsc_core::is_blank(name)),
        }
    }
}

impl FromStr for RoleClaims {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let list: Vec<RoleClaim> = if text.trim_start().starts_with('[') {
            serde_json::from_str(text).map_err(|_| {
                "expected a JSON list of names, or of lists of names that lead into objects".to_owned()
            })?
        } else {
            text.split(',')
                .map(|name| RoleClaim::Named(name.trim().to_owned()))
                .collect()
        };
        if list.is_empty() || list.iter().any(RoleClaim::is_blank) {
            return Err("a claim's name is blank".to_owned());
        }
        Ok(Self {
            list,
            text: text.to_owned(),
        })
    }
}

impl Display for RoleClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// An enumeration that is written as a word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("expected {}", [$($word),+].join(", "))),
                }
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }
    };
}

words! {
    /// How the connection to the brokers is protected.
    KafkaSecurity {
        /// Neither encrypted nor authenticated: a developer's machine.
        Plaintext = "plaintext",
        /// TLS without SASL.
        Tls = "tls",
        /// SASL PLAIN over TLS: an Event Hubs connection string.
        Plain = "plain",
        /// A token of an identity provider, over TLS.
        OAuthBearer = "oauthbearer",
    }
}

words! {
    /// Where a partition begins of which nothing was committed.
    ConsumerStart {
        /// With the oldest message there is.
        Earliest = "earliest",
        /// With what comes from now on.
        Latest = "latest",
    }
}

words! {
    /// Where dead letters go.
    DlqBackend {
        /// `bo.consumer_dlq_events`.
        Db = "db",
        /// JSON lines.
        File = "file",
    }
}

words! {
    /// Who may look.
    AuthMode {
        /// Whoever has a token of the issuer with a role.
        Oidc = "oidc",
        /// Everybody: a developer's machine.
        Disabled = "disabled",
    }
}

#[cfg(test)]
mod tests {
    use super::{Networks, RoleClaim, RoleClaims};

    #[test]
    fn networks_are_read_strictly() {
        for text in [
            "10.0.0.7",
            "10.0.0.0/8",
            "0.0.0.0/0",
            "::1",
            "2001:db8::/32",
            "::/0",
        ] {
            assert!(text.parse::<Networks>().is_ok(), "{text}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0",
            "proxy.example",
            "10.0.0.0/-1",
        ] {
            assert!(text.parse::<Networks>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_a_network_of_its_own() {
        let networks: Networks = "10.0.0.0/8, 192.0.2.7,::1".parse().unwrap();
        let shown: Vec<_> = networks.list.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "192.0.2.7/32", "::1/128"]);
    }

    #[test]
    fn claims_with_roles_are_a_list_of_names_or_of_paths() {
        let named = |name: &str| RoleClaim::Named(name.to_owned());
        let path = RoleClaim::Path(
            ["resource_access", "my.client", "roles"]
                .map(str::to_owned)
                .into(),
        );
        let read = |text: &str| text.parse::<RoleClaims>().map(|claims| claims.list);
        assert_eq!(read("roles"), Ok(vec![named("roles")]));
        assert_eq!(read(" roles , scp"), Ok(vec![named("roles"), named("scp")]));
        assert_eq!(
            read("resource_access.my.client.roles"),
            Ok(vec![named("resource_access.my.client.roles")])
        );
        assert_eq!(
            read(r#"[["resource_access", "my.client", "roles"], "scp"]"#),
            Ok(vec![path, named("scp")])
        );
        for text in [
            "",
            " ",
            "roles,",
            ",",
            "[]",
            "[[]]",
            "[\"\"]",
            "[[\"a\", \" \"]]",
            "[1]",
            "[\"a\"",
            "{}x,",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
