//! Names of variables that the first implementation read. Those that mean the same are other names of ours; a value or
//! a variable that has no counterpart is an objection, never silence ([decision 0037](../../../../docs/decisions/0037-environment.md)).

use std::collections::BTreeMap;

use nsc_core::ErrorCode;

use super::keys;
use super::notice::Notice;
use crate::environment::Environment;
use crate::failure::OperatorMessage;

/// Another name, and ours.
struct Renamed {
    old: &'static str,
    ours: &'static str,
}

const fn renamed(old: &'static str, ours: &'static str) -> Renamed {
    Renamed { old, ours }
}

/// Variables that mean the same under another name, in the same words.
const RENAMED: &[Renamed] = &[
    renamed("ANON_USER_KEY_SALT", keys::SALT.variable),
    renamed("KAFKA_GROUP_ID", keys::KAFKA_GROUP.variable),
    renamed("KAFKA_SASL_USERNAME", keys::KAFKA_USERNAME.variable),
    renamed("KAFKA_SASL_PASSWORD", keys::KAFKA_PASSWORD.variable),
    renamed("KAFKA_SSL_CA_LOCATION", keys::KAFKA_CA_FILE.variable),
    renamed("EVENT_PROFILE_ID", keys::EVENT_PROFILE.variable),
    renamed("LEDGER_TOPIC", keys::LEDGER_TOPIC.variable),
    renamed("PAYMENT_ORDER_TOPIC", keys::ORDER_TOPIC.variable),
    renamed("CONSUMER_OFFSET_RESET", keys::CONSUMER_START.variable),
    renamed("DLQ_BACKEND", keys::DLQ_BACKEND.variable),
    renamed("DLQ_PATH", keys::DLQ_FILE.variable),
    renamed("DLQ_RETENTION_DAYS", keys::DLQ_DAYS.variable),
    renamed("AUTH_ISSUER", keys::OIDC_ISSUER.variable),
    renamed("AUTH_AUDIENCE", keys::OIDC_AUDIENCE.variable),
    renamed("AUTH_JWKS_URL", keys::OIDC_JWKS_URL.variable),
    renamed("AUTH_ROLES_CLAIM", keys::OIDC_ROLES_CLAIM.variable),
];

const APP: &str = "APP_ENV";
const PIPELINE: &str = "PIPELINE_ENV";
const LEVEL: &str = "LOG_LEVEL";
const METRICS_HOST: &str = "METRICS_HOST";
const METRICS_PORT: &str = "METRICS_PORT";
const PROTOCOL: &str = "KAFKA_SECURITY_PROTOCOL";
const MECHANISM: &str = "KAFKA_SASL_MECHANISM";
const POOL_SIZE: &str = "DB_POOL_SIZE";
const POOL_OVERFLOW: &str = "DB_MAX_OVERFLOW";
/// Where the first implementation's pool began and how far it went beyond, when only one of the two was said.
const POOL_DEFAULTS: (u32, u32) = (5, 10);

/// A value that came under another name than ours.
#[derive(Clone)]
pub(super) struct Alias {
    /// The variable it stands in; several when they mean something together only.
    pub(super) name: String,
    /// In the words of our variable.
    pub(super) value: String,
}

/// What the old names say, by our names.
#[derive(Default)]
pub(super) struct Aliases {
    values: BTreeMap<&'static str, Result<Alias, OperatorMessage>>,
    notices: Vec<Notice>,
}

impl Aliases {
    /// Reads every old name there is.
    pub(super) fn read(env: &Environment) -> Self {
        let mut all = Self::default();
        for Renamed { old, ours } in RENAMED {
            if let Some(value) = all.text(env, old, ours) {
                all.add(env, ours, *old, value);
            }
        }
        all.environment(env);
        all.log_level(env);
        all.security(env);
        all.metrics_listen(env);
        all.connections(env);
        all
    }

    /// What an old name says in place of our variable, which is not set then.
    ///
    /// # Errors
    /// When it says something that has no counterpart here, or our variable says something else.
    pub(super) fn of(&self, variable: &str) -> Result<Option<&Alias>, OperatorMessage> {
        match self.values.get(variable) {
            None => Ok(None),
            Some(Ok(alias)) => Ok(Some(alias)),
            Some(Err(refusal)) => Err(refusal.clone()),
        }
    }

    /// What is to be said of names that were read or passed over.
    pub(super) fn notices(&self) -> impl Iterator<Item = Notice> {
        let read = self.values.iter().filter_map(|(ours, alias)| {
            let alias = alias.as_ref().ok()?;
            Some(Notice::quiet(
                &alias.name,
                format!("an older name, read as {ours}"),
            ))
        });
        read.chain(self.notices.iter().cloned())
    }

    /// A value as the first implementation took it: without the blanks around it, and a blank one is none. A salt is
    /// every one of its characters.
    fn text(&mut self, env: &Environment, old: &'static str, ours: &'static str) -> Option<String> {
        if env.is_unreadable(old) {
            self.object(ours, unreadable(old));
            return None;
        }
        let value = env.get(old)?;
        let trimmed = value.trim();
        let kept = if ours == keys::SALT.variable {
            value
        } else {
            trimmed
        };
        let lower = ours == keys::DLQ_BACKEND.variable;
        (!trimmed.is_empty()).then(|| {
            if lower {
                kept.to_lowercase()
            } else {
                kept.to_owned()
            }
        })
    }

    /// An old name beside ours must say the same.
    fn add(&mut self, env: &Environment, ours: &'static str, name: impl Into<String>, value: String) {
        let name = name.into();
        match env.get(ours) {
            None => _ = self.values.insert(ours, Ok(Alias { name, value })),
            Some(said) if said == value => {}
            Some(_) => self.object(ours, disagree(ours, &name)),
        }
    }

    /// As [`Self::add`], for names that much other software reads: ours wins.
    fn add_generic(&mut self, env: &Environment, ours: &'static str, name: &str, value: String) {
        match env.get(ours) {
            Some(said) if said != value => {
                self.pass_over(name, format!("{ours} says something else, and counts"));
            }
            _ => self.add(env, ours, name, value),
        }
    }

    fn object(&mut self, ours: &'static str, refusal: OperatorMessage) {
        self.values.insert(ours, Err(refusal));
    }

    fn pass_over(&mut self, name: &str, why: impl Into<String>) {
        self.notices.push(Notice::loud(name, why));
    }

    /// `APP_ENV` of the services and `PIPELINE_ENV` of the pipelines.
    fn environment(&mut self, env: &Environment) {
        let ours = keys::ENVIRONMENT.variable;
        for old in [APP, PIPELINE] {
            let Some(value) = self.text(env, old, ours) else {
                continue;
            };
            if !matches!(value.as_str(), "local" | "dev" | "prod") {
                self.pass_over(
                    old,
                    "it is none of local, dev and prod and is not read as NSC_ENV",
                );
                continue;
            }
            match self.values.get(ours) {
                Some(Ok(other)) if other.value != value => self.object(ours, disagree(APP, old)),
                Some(_) => {}
                None => self.add(env, ours, old, value),
            }
        }
    }

    fn log_level(&mut self, env: &Environment) {
        let Some(value) = self.text(env, LEVEL, keys::LOG.variable) else {
            return;
        };
        let level = match value.to_ascii_lowercase().as_str() {
            "warning" => "warn",
            "critical" | "fatal" => "error",
            "off" => "off",
            "error" => "error",
            "warn" => "warn",
            "info" => "info",
            "debug" => "debug",
            "trace" => "trace",
            _ => return self.pass_over(LEVEL, "it is no level and is not read as NSC_LOG"),
        };
        self.add_generic(env, keys::LOG.variable, LEVEL, level.to_owned());
    }

    /// librdkafka's protocol and mechanism, in our one word. What cannot be done is refused: connecting in another way
    /// than was said would send passwords or payments in the clear.
    fn security(&mut self, env: &Environment) {
        let ours = keys::KAFKA_SECURITY.variable;
        let protocol = self.text(env, PROTOCOL, ours).map(|p| p.to_ascii_uppercase());
        let mechanism = self.text(env, MECHANISM, ours).map(|m| m.to_ascii_uppercase());
        let sasl = match mechanism.as_deref() {
            None | Some("PLAIN") => Some("plain"),
            Some("OAUTHBEARER") => Some("oauthbearer"),
            Some(_) => None,
        };
        let word = match (protocol.as_deref(), sasl) {
            (None, _) => {
                match env.get(ours) {
                    Some(said @ ("plain" | "oauthbearer")) if mechanism.is_some() && sasl != Some(said) => {
                        self.object(ours, disagree(ours, MECHANISM));
                    }
                    None if mechanism.is_some() => {
                        let why = format!("SASL is spoken with {PROTOCOL}=SASL_SSL, which is not set");
                        self.object(ours, no_counterpart(MECHANISM, &why));
                    }
                    _ => {}
                }
                return;
            }
            (Some("PLAINTEXT"), _) => Ok("plaintext"),
            (Some("SSL"), _) => Ok("tls"),
            (Some("SASL_SSL"), Some(word)) => Ok(word),
            (Some("SASL_SSL"), None) => Err((MECHANISM, "the mechanisms are PLAIN and OAUTHBEARER")),
            (Some("SASL_PLAINTEXT"), _) => Err((PROTOCOL, "SASL is spoken over TLS only: SASL_SSL")),
            (Some(_), _) => Err((PROTOCOL, "it is none of PLAINTEXT, SSL and SASL_SSL")),
        };
        match word {
            Ok(word) if sasl.is_some() && mechanism.is_some() && word != "plaintext" && word != "tls" => {
                self.add(env, ours, format!("{PROTOCOL} and {MECHANISM}"), word.to_owned());
            }
            Ok(word) => self.add(env, ours, PROTOCOL, word.to_owned()),
            Err((name, why)) => self.object(ours, no_counterpart(name, why)),
        }
    }

    /// Host and port of the first implementation's metrics. A port that is no number is somebody else's (Kubernetes
    /// makes `METRICS_PORT=tcp://...` for a service named `metrics`).
    fn metrics_listen(&mut self, env: &Environment) {
        let ours = keys::METRICS_LISTEN.variable;
        let Some(port) = self.text(env, METRICS_PORT, ours) else {
            return;
        };
        let Ok(port) = port.parse::<u16>() else { return };
        let host = self.text(env, METRICS_HOST, ours);
        let name = if host.is_some() {
            "METRICS_HOST and METRICS_PORT"
        } else {
            METRICS_PORT
        };
        let host = host.map_or(Ok(std::net::Ipv4Addr::LOCALHOST.into()), |h| {
            h.parse::<std::net::IpAddr>()
        });
        match host {
            Ok(host) => self.add_generic(env, ours, name, std::net::SocketAddr::new(host, port).to_string()),
            Err(_) => self.pass_over(
                METRICS_HOST,
                "it is no address and is not read as NSC_METRICS_LISTEN",
            ),
        }
    }

    /// A pool's size and how far it may go beyond, together the most connections.
    fn connections(&mut self, env: &Environment) {
        let ours = keys::DATABASE_CONNECTIONS.variable;
        let size = self.text(env, POOL_SIZE, ours);
        let overflow = self.text(env, POOL_OVERFLOW, ours);
        let name = match (&size, &overflow) {
            (None, None) => return,
            (Some(_), None) => POOL_SIZE.to_owned(),
            (None, Some(_)) => POOL_OVERFLOW.to_owned(),
            (Some(_), Some(_)) => format!("{POOL_SIZE} and {POOL_OVERFLOW}"),
        };
        let number = |text: Option<String>, default: u32| text.map_or(Some(default), |t| t.parse().ok());
        let most = number(size, POOL_DEFAULTS.0)
            .zip(number(overflow, POOL_DEFAULTS.1))
            .and_then(|(size, overflow)| size.checked_add(overflow));
        match most {
            Some(most) => self.add(env, ours, name, most.to_string()),
            None => {
                self.object(
                    ours,
                    no_counterpart(&name, "a pool has a whole number of connections at most"),
                );
            }
        }
    }
}

/// Every old name that is read.
pub(super) fn old_names() -> impl Iterator<Item = &'static str> {
    let generic = [APP, LEVEL, METRICS_HOST, METRICS_PORT, POOL_SIZE, POOL_OVERFLOW];
    distinctive_names().chain(generic)
}

/// Those that hardly anybody else uses: what is near to one of them was meant for it.
pub(super) fn distinctive_names() -> impl Iterator<Item = &'static str> {
    let renamed = RENAMED.iter().map(|renamed| renamed.old);
    renamed.chain([PIPELINE, PROTOCOL, MECHANISM])
}

/// Two names of one setting that say two things. Neither value is shown: either may be a secret.
fn disagree(one: &str, other: &str) -> OperatorMessage {
    OperatorMessage::new(
        ErrorCode::NamesDisagree,
        format!("{one} and {other} do not say the same"),
    )
    .with_detail("both are names of one setting")
    .with_hint(format!("Keep one of the two. {}", if_foreign(other)))
}

/// A value or a variable that nothing here corresponds to.
pub(super) fn no_counterpart(name: &str, why: &str) -> OperatorMessage {
    OperatorMessage::new(
        ErrorCode::NoCounterpart,
        format!("{name} says something that nothing here corresponds to"),
    )
    .with_detail(why)
    .with_hint(format!("Unset it. {}", if_foreign(name)))
}

/// A variable whose bytes are no text.
pub(super) fn unreadable(name: &str) -> OperatorMessage {
    OperatorMessage::configuration(format!("the environment variable {name} is not UTF-8"))
        .with_hint("Give it in UTF-8; a secret of other bytes cannot be used.")
}

fn if_foreign(name: &str) -> String {
    let first = name.split(' ').next().unwrap_or(name);
    format!("If {first} belongs to other software, name it in NSC_IGNORED_VARIABLES.")
}

#[cfg(test)]
#[path = "aliases_tests.rs"]
mod tests;
