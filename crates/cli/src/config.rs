//! The effective configuration: flags over environment over file over defaults, each value with its origin.

mod credentials;
mod file;
mod find;
mod keys;
mod resolve;
pub(crate) mod serving;
mod setting;
mod show;
mod size;

use std::collections::BTreeMap;
use std::path::PathBuf;

use nsc_telemetry::LogFormat;
use secrecy::SecretString;

pub(crate) use find::{find, unknown_variables};
pub(crate) use resolve::{Flags, resolve};
pub(crate) use setting::{EnvironmentName, Origin, Setting};
pub(crate) use show::sheet;
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
    /// The serving half.
    pub(crate) serving: serving::ServingConfig,
}

/// Where the tables are.
#[derive(Debug, Clone)]
pub(crate) struct LakeConfig {
    /// Local directory or URL.
    pub(crate) root: Setting<String>,
    /// Options of the object store; any of them may be a credential.
    pub(crate) storage: BTreeMap<String, Setting<SecretString>>,
}

/// The anonymised mart.
#[derive(Debug, Clone)]
pub(crate) struct AnalyticsConfig {
    /// Salt of `user_key`; `None` outside the local environment when nothing provides one.
    pub(crate) salt: Option<Setting<SecretString>>,
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

/// The log.
#[derive(Debug, Clone)]
pub(crate) struct LogConfig {
    /// Level or directives.
    pub(crate) filter: Setting<String>,
    /// For people or for machines.
    pub(crate) format: Setting<LogFormat>,
}
