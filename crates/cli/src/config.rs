//! The effective configuration: flags over environment over file over defaults, each value with its origin.

mod addresses;
mod aliases;
mod credentials;
mod file;
mod find;
mod foreign;
pub(crate) mod keys;
mod layers;
mod misspelt;
mod notice;
mod reference;
mod resolve;
mod resolve_serving;
mod scope;
pub(crate) mod serving;
mod setting;
mod show;
mod size;

use std::collections::BTreeMap;
use std::path::PathBuf;

use notice::Notice;
use nsc_telemetry::LogFormat;
#[cfg(feature = "lakehouse")]
use secrecy::ExposeSecret;
use secrecy::SecretString;

use crate::failure::OperatorMessage;
use crate::language::Language;
use crate::output::Zone;

pub(crate) use find::find;
pub(crate) use layers::Flags;
pub(crate) use reference::{example, schema, tables};
pub(crate) use resolve::resolve;
pub(crate) use scope::Scope;
pub(crate) use setting::{EnvironmentName, Origin, Setting};
pub(crate) use show::listing;
pub(crate) use size::{ByteSize, rounded};

/// Everything that can be configured, one struct per concern.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The file it was read from.
    pub(crate) file: Option<PathBuf>,
    /// Which kind of installation this is.
    pub(crate) environment: Setting<EnvironmentName>,
    /// Where the tables are.
    pub(crate) lake: LakeConfig,
    /// The anonymised mart.
    pub(crate) analytics: AnalyticsConfig,
    /// How long things are kept.
    pub(crate) retention: RetentionConfig,
    /// What one process may use.
    pub(crate) resources: ResourcesConfig,
    /// The log.
    pub(crate) log: LogConfig,
    /// What people are shown.
    pub(crate) display: DisplayConfig,
    /// Questions to the lake.
    pub(crate) query: QueryConfig,
    /// The serving half.
    pub(crate) serving: serving::ServingConfig,
    /// What is to be said of the environment's variables.
    pub(crate) notices: Vec<Notice>,
    /// What stops a command: variables whose word would not hold.
    pub(crate) objection: Option<OperatorMessage>,
    /// Every value as it is shown.
    in_force: layers::InForce,
}

/// Where the tables are.
#[derive(Debug, Clone)]
pub(crate) struct LakeConfig {
    /// Local directory or URL.
    pub(crate) root: Setting<String>,
    /// Seconds a lock on an object store outlives its last renewal.
    pub(crate) lease_seconds: Setting<u32>,
    /// Options of the object store; any of them may be a credential.
    pub(crate) storage: BTreeMap<String, Setting<SecretString>>,
}

/// The anonymised mart.
#[derive(Debug, Clone)]
pub(crate) struct AnalyticsConfig {
    /// Salt of `user_key`; `None` outside the local environment when nothing provides one.
    pub(crate) salt: Option<Setting<SecretString>>,
}

#[cfg(feature = "lakehouse")]
impl Config {
    /// Tells one effective configuration from another: of every value that is no secret, wherever it came from.
    pub(crate) fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (key, shown) in &self.in_force {
            let value = shown.value.as_deref().unwrap_or_default();
            hasher.update(format!("{key}={value:?}\n").as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

#[cfg(feature = "lakehouse")]
impl AnalyticsConfig {
    /// Whether `user_key` hides nobody: the salt is the one that is published.
    pub(crate) fn has_dummy_salt(&self) -> bool {
        let salt = self.salt.as_ref();
        salt.is_some_and(|salt| salt.value.expose_secret() == resolve::DUMMY_SALT)
    }
}

/// How long things are kept.
#[derive(Debug, Clone)]
pub(crate) struct RetentionConfig {
    /// Rows of `silver.bad_records`.
    pub(crate) bad_records_days: Setting<u32>,
    /// Files no version within this span refers to.
    pub(crate) files_days: Setting<u32>,
}

/// What one process may use.
#[derive(Debug, Clone)]
pub(crate) struct ResourcesConfig {
    /// Bytes the engine may hold before it spills to disk.
    pub(crate) memory_limit: Setting<ByteSize>,
    /// Threads.
    pub(crate) threads: Setting<usize>,
    /// Where spills go; the system's temporary directory when absent.
    pub(crate) spill_dir: Option<Setting<PathBuf>>,
}

/// What people are shown.
#[derive(Debug, Clone)]
pub(crate) struct DisplayConfig {
    /// The zone of times in tables and reports.
    pub(crate) time_zone: Setting<Zone>,
    /// The language of reports and explanations.
    pub(crate) language: Setting<Language>,
}

/// Questions to the lake.
#[derive(Debug, Clone)]
pub(crate) struct QueryConfig {
    /// Where it is written down who looks at what.
    pub(crate) looks_file: Option<Setting<PathBuf>>,
}

/// The log.
#[derive(Debug, Clone)]
pub(crate) struct LogConfig {
    /// Level or directives.
    pub(crate) filter: Setting<String>,
    /// For people or for machines.
    pub(crate) format: Setting<LogFormat>,
}
