//! `nsc.toml`: strict, every key known.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use secrecy::SecretString;
use serde::Deserialize;

use crate::failure::Refusal;

/// The file, as written; everything may be absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileConfig {
    pub(super) environment: Option<String>,
    pub(super) lake: FileLake,
    pub(super) analytics: FileAnalytics,
    pub(super) retention: FileRetention,
    pub(super) resources: FileResources,
    pub(super) log: FileLog,
    pub(super) database: FileDatabase,
    pub(super) kafka: FileKafka,
    pub(super) events: FileEvents,
    pub(super) consumer: FileConsumer,
    pub(super) dlq: FileDlq,
    pub(super) api: FileApi,
    pub(super) auth: FileAuth,
    pub(super) telemetry: FileTelemetry,
}

/// A section whose values are texts, numbers or flags, and secrets.
macro_rules! section {
    ($name:ident: $($plain:ident),*; $($secret:ident),*) => {
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name {
            $(pub(super) $plain: Option<Scalar>,)*
            $(pub(super) $secret: Option<Secret>,)*
        }
    };
}

section!(FileDatabase: url_file, max_connections; url, replica_url);
section!(FileKafka: brokers, group, instance_id, session_timeout_ms, security, username, password_file, ca_file, oauth_token_url, oauth_client_id,
    oauth_client_secret_file, oauth_scope; password, oauth_client_secret);
section!(FileEvents: profile, profiles_file, ledger_topic, order_topic, max_ahead_hours;);
section!(FileConsumer: batch_rows, batch_wait_ms, start, metrics_listen;);
section!(FileDlq: backend, file, retention_days;);
section!(FileApi: listen, tls_cert, tls_key, trusted_proxies;);

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileAuth {
    pub(super) mode: Option<Scalar>,
    pub(super) disabled_on_any_address: Option<Scalar>,
    pub(super) issuer: Option<Scalar>,
    pub(super) audience: Option<Scalar>,
    pub(super) jwks_url: Option<Scalar>,
    pub(super) roles_claim: Option<List>,
}

section!(FileTelemetry: otlp_endpoint;);

/// A text, a whole number or a flag, as its text: the key's own parser decides.
#[derive(Debug, Clone)]
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(d)? {
            toml::Value::String(text) => Ok(Self(text)),
            toml::Value::Integer(number) => Ok(Self(number.to_string())),
            toml::Value::Boolean(flag) => Ok(Self(flag.to_string())),
            other => Err(serde::de::Error::custom(format!(
                "a text, a whole number or a flag was expected, not {}",
                other.type_str()
            ))),
        }
    }
}

/// A text as it is, or a list as JSON.
#[derive(Debug, Clone)]
pub(super) struct List(pub(super) String);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(d)? {
            toml::Value::String(text) => Ok(Self(text)),
            list @ toml::Value::Array(_) => serde_json::to_string(&list)
                .map(Self)
                .map_err(serde::de::Error::custom),
            other => Err(serde::de::Error::custom(format!(
                "a text or a list was expected, not {}",
                other.type_str()
            ))),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileLake {
    pub(super) root: Option<String>,
    pub(super) lease_seconds: Option<u32>,
    pub(super) storage: BTreeMap<String, Secret>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileAnalytics {
    pub(super) salt: Option<Secret>,
    pub(super) salt_file: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileRetention {
    pub(super) bad_records_days: Option<u32>,
    pub(super) files_days: Option<u32>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileResources {
    pub(super) memory_limit: Option<String>,
    pub(super) threads: Option<u32>,
    pub(super) spill_dir: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileLog {
    pub(super) filter: Option<String>,
    pub(super) format: Option<String>,
}

/// A text that is never printed, not even in the message about its own wrong type.
#[derive(Debug, Clone)]
pub(super) struct Secret(pub(super) SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(d)? {
            toml::Value::String(text) => Ok(Self(SecretString::from(text))),
            other => Err(serde::de::Error::custom(format!(
                "a secret must be a string, not {}",
                other.type_str()
            ))),
        }
    }
}

impl FileConfig {
    /// Reads the file's text. The message names file, line and key, and quotes no line: it may hold a secret.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Refusal> {
        toml::from_str(text).map_err(|e| {
            let place = Place {
                path,
                line: e.span().map(|s| line_of(text, s.start)),
            };
            Refusal::configuration(format!("configuration file {place} is not usable"))
                .with_detail(e.message())
                .with_hint("`nsc config show` lists every key; docs/configuration.md explains them.")
        })
    }
}

struct Place<'a> {
    path: &'a Path,
    line: Option<usize>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ", line {line},"))
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nsc_core::OperatorError;

    use super::FileConfig;

    fn refused(text: &str) -> String {
        let error = FileConfig::parse(Path::new("nsc.toml"), text).unwrap_err();
        format!("{error}: {}", error.detail().unwrap())
    }

    #[test]
    fn unknown_keys_and_wrong_types_name_file_line_and_key() {
        let said = [
            refused("enviroment = 'prod'\n"),
            refused("[lake]\nroot = 'x'\nroots = 'y'\n"),
            refused("[retention]\nfiles_days = 'many'\n"),
            refused("[retention]\nfiles_days = -1\n"),
            refused("[analytics]\nsalt = 12345\n"),
            refused("[lake.storage]\naccount_key = ['hidden']\n"),
            refused("[lake\n"),
            refused("[log]\nfilter = 'a'\nfilter = 'b'\n"),
        ];
        insta::assert_snapshot!(said.join("\n"));
        assert!(!said.join("").contains("12345") && !said.join("").contains("hidden"));
    }

    #[test]
    fn secrets_are_not_in_the_debug_form() {
        let config = FileConfig::parse(
            Path::new("f"),
            "[analytics]\nsalt = 's3cret'\n[lake.storage]\nk = 's3cret'\n",
        )
        .unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
