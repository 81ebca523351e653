//! Flags over environment over file over defaults.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nsc_core::ErrorCode;
use nsc_telemetry::LogFormat;
use secrecy::{ExposeSecret, SecretString};

use super::aliases::{self, Aliases};
use super::file::{FileConfig, FileLog, FileResources, Secret};
use super::keys::{self, Key};
use super::notice::Notice;
use super::scope::Scope;
use super::serving::ServingConfig;
use super::{
    AnalyticsConfig, ByteSize, Config, EnvironmentName, LakeConfig, LogConfig, Origin, ResourcesConfig,
    RetentionConfig, Setting,
};
use super::{addresses, credentials, foreign, misspelt};
use crate::environment::Environment;
use crate::failure::Refusal;

/// The salt of a developer's machine; refused anywhere else (lakehouse contract, Pipeline C).
pub(crate) const DUMMY_SALT: &str = "local-salt-v1";
/// Fewer days would remove files a running query or a reader of yesterday still needs.
const LEAST_FILES_DAYS: u32 = 7;
/// Below this the engine cannot sort one batch of each of its threads.
const LEAST_MEMORY: ByteSize = ByteSize::new(64 << 20);
/// A member says that it lives ten times in this; oftener would be noise, and a short pause would be its end.
const LEAST_SESSION_MS: u32 = 1_000;

/// The variable of every Rust program.
const RUST_LOG: &str = "RUST_LOG";

/// A hundred years: before them there is no instant that PostgreSQL could be asked for.
const MOST_DLQ_DAYS: u32 = 36_500;

/// What the command line sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--root`.
    pub(crate) root: Option<String>,
    /// `--log`.
    pub(crate) log: Option<String>,
    /// `--log-format`.
    pub(crate) log_format: Option<String>,
    /// `--memory-limit`.
    pub(crate) memory_limit: Option<String>,
    /// `--threads`.
    pub(crate) threads: Option<String>,
    /// `--brokers`.
    pub(crate) brokers: Option<String>,
    /// `--group`.
    pub(crate) group: Option<String>,
    /// `--profile`.
    pub(crate) profile: Option<String>,
    /// `--start`.
    pub(crate) start: Option<String>,
    /// `--metrics-listen`.
    pub(crate) metrics_listen: Option<String>,
    /// `--listen`.
    pub(crate) listen: Option<String>,
}

/// The effective configuration, as far as a command of this scope goes by it.
pub(crate) fn resolve(
    flags: &Flags,
    env: &Environment,
    file: Option<(PathBuf, FileConfig)>,
    scope: Scope,
) -> Result<Config, Refusal> {
    let (path, mut file) = file.map_or((None, FileConfig::default()), |(path, file)| (Some(path), file));
    let layers = Layers {
        env,
        aliases: Aliases::read(env),
        path: path.as_deref(),
    };
    let environment = layers.pick(
        &keys::ENVIRONMENT,
        None,
        file.environment.take(),
        EnvironmentName::Unset,
    )?;
    let is_local = environment.value == EnvironmentName::Local;
    let (objection, lost) = foreign::judge(env, scope, is_local);
    let mut notices: Vec<Notice> = layers.aliases.notices().collect();
    notices.extend(lost);
    notices.extend(misspelt::notices(env));
    let lakehouse = FileConfig {
        lake: std::mem::take(&mut file.lake),
        analytics: std::mem::take(&mut file.analytics),
        retention: std::mem::take(&mut file.retention),
        resources: std::mem::take(&mut file.resources),
        log: std::mem::take(&mut file.log),
        ..FileConfig::default()
    };
    let serving = serving(&layers, environment.value, flags, file, scope, &mut notices)?;
    let file = lakehouse;
    let log = layers.log(flags, file.log, &mut notices)?;
    let config = Config {
        lake: LakeConfig {
            root: layers.pick(
                &keys::ROOT,
                flag("--root", &flags.root),
                file.lake.root,
                "./lakehouse".to_owned(),
            )?,
            lease_seconds: layers.pick(&keys::LEASE, None, text(file.lake.lease_seconds), 60)?,
            storage: layers.storage(
                file.lake.storage.into_iter().map(|(k, v)| (k, v.0)).collect(),
                environment.value,
            )?,
        },
        analytics: AnalyticsConfig {
            salt: layers.salt(environment.value, file.analytics.salt, file.analytics.salt_file)?,
        },
        retention: RetentionConfig {
            bad_records_days: layers.pick(
                &keys::BAD_RECORDS_DAYS,
                None,
                text(file.retention.bad_records_days),
                180,
            )?,
            files_days: layers.pick(&keys::FILES_DAYS, None, text(file.retention.files_days), 30)?,
        },
        resources: layers.resources(flags, file.resources)?,
        log,
        serving,
        environment,
        notices,
        objection,
        file: path,
    };
    check(&config)?;
    credentials::refuse_root(&config)?;
    Ok(config)
}

/// The serving half. For a command that does not go by it, a variable of it that is not usable is a line in the log; the
/// file is ours, and always held to what it says.
fn serving(
    layers: &Layers<'_>,
    environment: EnvironmentName,
    flags: &Flags,
    file: FileConfig,
    scope: Scope,
    notices: &mut Vec<Notice>,
) -> Result<ServingConfig, Refusal> {
    let read = |layers: &Layers<'_>, file| {
        let serving = resolve_serving::serving(layers, environment, flags, file)?;
        // First what must not be quoted.
        credentials::refuse(&serving)?;
        check_serving(&serving)?;
        Ok(serving)
    };
    match read(layers, file.clone()) {
        Err(refusal) if !scope.has_serving() => {
            let detail = nsc_core::OperatorError::detail(&refusal).unwrap_or_default();
            notices.push(Notice::loud(
                "serving",
                format!("the environment of serving is not usable, and not used here: {refusal}: {detail}"),
            ));
            let nothing = Layers {
                env: &Environment::default(),
                aliases: Aliases::default(),
                path: layers.path,
            };
            read(&nothing, file)
        }
        serving => serving,
    }
}

fn check(config: &Config) -> Result<(), Refusal> {
    if config.lake.root.value.trim().is_empty() {
        return refuse(&keys::ROOT, &config.lake.root.origin, "it is blank".to_owned());
    }
    let lease = &config.lake.lease_seconds;
    if lease.value == 0 {
        return refuse(&keys::LEASE, &lease.origin, "it is 0, the least is 1".to_owned());
    }
    let days = &config.retention.files_days;
    if days.value < LEAST_FILES_DAYS {
        return refuse(
            &keys::FILES_DAYS,
            &days.origin,
            format!("it is {}, the least is {LEAST_FILES_DAYS}", days.value),
        );
    }
    let days = &config.retention.bad_records_days;
    if days.value == 0 {
        return refuse(
            &keys::BAD_RECORDS_DAYS,
            &days.origin,
            "it is 0, the least is 1".to_owned(),
        );
    }
    let threads = &config.resources.threads;
    if !(1..=1024).contains(&threads.value) {
        return refuse(
            &keys::THREADS,
            &threads.origin,
            format!("it is {}, expected 1 to 1024", threads.value),
        );
    }
    let memory = &config.resources.memory_limit;
    if memory.value < LEAST_MEMORY {
        return refuse(
            &keys::MEMORY_LIMIT,
            &memory.origin,
            format!("it is {}, the least is {LEAST_MEMORY}", memory.value),
        );
    }
    Ok(())
}

fn refuse(key: &Key, origin: &Origin, problem: String) -> Result<(), Refusal> {
    Err(
        Refusal::configuration(format!("{} ({origin}) is not usable", key.name))
            .with_detail(problem)
            .with_hint("docs/configuration.md explains every key."),
    )
}

fn check_serving(serving: &ServingConfig) -> Result<(), Refusal> {
    let rows = &serving.consumer.batch_rows;
    if rows.value == 0 {
        return refuse(
            &keys::BATCH_ROWS,
            &rows.origin,
            "it is 0, the least is 1".to_owned(),
        );
    }
    let days = &serving.dlq.retention_days;
    if !(1..=MOST_DLQ_DAYS).contains(&days.value) {
        return refuse(
            &keys::DLQ_DAYS,
            &days.origin,
            format!("it is {}, expected 1 to {MOST_DLQ_DAYS}", days.value),
        );
    }
    let session = &serving.kafka.session_timeout_ms;
    if session.value < LEAST_SESSION_MS {
        return refuse(
            &keys::KAFKA_SESSION,
            &session.origin,
            format!("it is {}, the least is {LEAST_SESSION_MS}", session.value),
        );
    }
    let connections = &serving.database.max_connections;
    if connections.value == 0 {
        return refuse(
            &keys::DATABASE_CONNECTIONS,
            &connections.origin,
            "it is 0, the least is 1".to_owned(),
        );
    }
    addresses::check(serving)
}

type FlagValue<'a> = Option<(&'static str, &'a str)>;

fn flag<'a>(name: &'static str, value: &'a Option<String>) -> FlagValue<'a> {
    value.as_deref().map(|v| (name, v))
}

fn text(number: Option<u32>) -> Option<String> {
    number.map(|n| n.to_string())
}

/// The two weaker sources of a value, and where they are.
struct Layers<'a> {
    env: &'a Environment,
    aliases: Aliases,
    path: Option<&'a Path>,
}

impl Layers<'_> {
    fn resources(&self, flags: &Flags, file: FileResources) -> Result<ResourcesConfig, Refusal> {
        Ok(ResourcesConfig {
            memory_limit: self.pick(
                &keys::MEMORY_LIMIT,
                flag("--memory-limit", &flags.memory_limit),
                file.memory_limit,
                ByteSize::new(2 << 30),
            )?,
            threads: self.pick(
                &keys::THREADS,
                flag("--threads", &flags.threads),
                text(file.threads),
                std::thread::available_parallelism().map_or(2, NonZeroUsize::get),
            )?,
            spill_dir: self.pick_optional(&keys::SPILL_DIR, None, file.spill_dir)?,
        })
    }

    fn file_origin(&self) -> Origin {
        self.path.map_or(Origin::Default, |p| Origin::File(p.to_owned()))
    }

    fn raw(
        &self,
        key: &Key,
        flag: FlagValue<'_>,
        file: Option<String>,
    ) -> Result<Option<(String, Origin)>, Refusal> {
        if let Some((name, value)) = flag {
            return Ok(Some((value.to_owned(), Origin::Flag(name))));
        }
        let said = self.variable(key)?;
        Ok(said.or_else(|| file.map(|value| (value, self.file_origin()))))
    }

    /// What the environment says, under our name or an older one.
    fn variable(&self, key: &Key) -> Result<Option<(String, Origin)>, Refusal> {
        if self.env.is_unreadable(key.variable) {
            return Err(aliases::unreadable(key.variable));
        }
        let alias = self.aliases.of(key.variable)?;
        let ours = self.env.get(key.variable);
        Ok(match (ours, alias) {
            (Some(value), _) => Some((value.to_owned(), Origin::Variable(key.variable.to_owned()))),
            (None, Some(alias)) => {
                let origin = Origin::Alias {
                    name: alias.name.clone(),
                    of: key.variable,
                };
                Some((alias.value.clone(), origin))
            }
            (None, None) => None,
        })
    }

    fn pick<T>(
        &self,
        key: &Key,
        flag: FlagValue<'_>,
        file: Option<String>,
        default: T,
    ) -> Result<Setting<T>, Refusal>
    where
        T: FromStr,
        T::Err: Display,
    {
        let picked = self.pick_optional(key, flag, file)?;
        Ok(picked.unwrap_or(Setting {
            value: default,
            origin: Origin::Default,
        }))
    }

    fn pick_optional<T>(
        &self,
        key: &Key,
        flag: FlagValue<'_>,
        file: Option<String>,
    ) -> Result<Option<Setting<T>>, Refusal>
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some((text, origin)) = self.raw(key, flag, file)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(value) => Ok(Some(Setting { value, origin })),
            Err(e) => Err(
                Refusal::configuration(format!("{} ({origin}) is not usable", key.name))
                    .with_detail(format!("{text:?}: {e}"))
                    .with_hint("docs/configuration.md explains every key."),
            ),
        }
    }

    fn log(&self, flags: &Flags, file: FileLog, notices: &mut Vec<Notice>) -> Result<LogConfig, Refusal> {
        Ok(LogConfig {
            filter: self.log_filter(flag("--log", &flags.log), file.filter, notices)?,
            format: self.pick(
                &keys::LOG_FORMAT,
                flag("--log-format", &flags.log_format),
                file.format,
                LogFormat::Pretty,
            )?,
        })
    }

    /// `RUST_LOG` counts too, after our own variable and before the file, when it says something of nsc: it is every
    /// Rust program's.
    fn log_filter(
        &self,
        flag: FlagValue<'_>,
        file: Option<String>,
        notices: &mut Vec<Notice>,
    ) -> Result<Setting<String>, Refusal> {
        let ours = flag.is_some() || self.variable(&keys::LOG)?.is_some();
        match self.env.get(RUST_LOG).filter(|_| !ours) {
            Some(value) if nsc_telemetry::is_filter_for(value, "nsc") => {
                return Ok(Setting {
                    value: value.to_owned(),
                    origin: Origin::Variable(RUST_LOG.to_owned()),
                });
            }
            Some(_) => notices.push(Notice::loud(
                RUST_LOG,
                "it says nothing of nsc and is not read; NSC_LOG sets this log",
            )),
            None => {}
        }
        self.pick(&keys::LOG, flag, file, "warn".to_owned())
    }

    fn storage(
        &self,
        file: BTreeMap<String, SecretString>,
        environment: EnvironmentName,
    ) -> Result<BTreeMap<String, Setting<SecretString>>, Refusal> {
        let from_file = file.into_iter().map(|(k, value)| {
            (
                k,
                Setting {
                    value,
                    origin: self.file_origin(),
                },
            )
        });
        let from_env = self.env.with_prefix(keys::STORAGE_PREFIX).map(|(name, value)| {
            let key = name.trim_start_matches(keys::STORAGE_PREFIX).to_ascii_lowercase();
            (
                key,
                Setting {
                    value: SecretString::from(value.to_owned()),
                    origin: Origin::Variable(name.to_owned()),
                },
            )
        });
        // The environment comes last, so it wins.
        let all: BTreeMap<_, _> = from_file.chain(from_env).collect();
        for (name, setting) in all.iter().filter(|(name, _)| is_credential(name)) {
            refuse_written_secret(&format!("lake.storage.{name}"), &setting.origin, environment)?;
        }
        Ok(all)
    }

    /// A secret: from a secret store (a mounted file), else the environment, else (local only) the configuration file.
    fn secret(
        &self,
        key: &Key,
        mounted: Option<Setting<PathBuf>>,
        inline: Option<Secret>,
        environment: EnvironmentName,
    ) -> Result<Option<Setting<SecretString>>, Refusal> {
        let secret = if let Some(Setting { value: path, .. }) = mounted {
            Some(Setting {
                value: mounted_secret(key, &path)?,
                origin: Origin::SecretFile(path),
            })
        } else if let Some((text, origin)) = self.variable(key)? {
            Some(Setting {
                value: SecretString::from(text),
                origin,
            })
        } else {
            inline.map(|secret| Setting {
                value: secret.0,
                origin: self.file_origin(),
            })
        };
        if let Some(secret) = &secret {
            if secret.value.expose_secret().trim().is_empty() {
                return Err(Refusal::configuration(format!(
                    "{} ({}) is blank",
                    key.name, secret.origin
                )));
            }
            refuse_written_secret(key.name, &secret.origin, environment)?;
        }
        Ok(secret)
    }

    /// The salt of `user_key`, and the dummy where it is allowed.
    fn salt(
        &self,
        environment: EnvironmentName,
        inline: Option<Secret>,
        salt_file: Option<String>,
    ) -> Result<Option<Setting<SecretString>>, Refusal> {
        let mounted = self.pick_optional(&keys::SALT_FILE, None, salt_file)?;
        let salt = self.secret(&keys::SALT, mounted, inline, environment)?;
        if let Some(salt) = &salt {
            refuse_blanks_around(&keys::SALT, salt)?;
        }
        let local = environment == EnvironmentName::Local;
        match salt {
            Some(s) if !local && s.value.expose_secret() == DUMMY_SALT => Err(Refusal::configuration(
                format!("the local dummy salt is refused in {}", environment.phrase()),
            )
            .with_hint("Provide a salt of your own: NSC_SALT_FILE or NSC_SALT.")),
            None if local => Ok(Some(Setting {
                value: SecretString::from(DUMMY_SALT),
                origin: Origin::Default,
            })),
            other => Ok(other),
        }
    }
}

/// A secret as a store mounts it. A byte order mark is no part of any; the line's end after it is none either, but of a
/// salt every character is.
fn mounted_secret(key: &Key, path: &Path) -> Result<SecretString, Refusal> {
    let refused =
        |why: &str| Refusal::configuration(format!("secret file {} of {} {why}", path.display(), key.name));
    let bytes = std::fs::read(path).map_err(|e| refused("cannot be read").with_detail(e))?;
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))?;
    if text.starts_with('\u{feff}') {
        return Err(refused("begins with a byte order mark")
            .with_hint("Write it again as plain UTF-8; an editor or PowerShell has put the mark there."));
    }
    let is_exact = key.name == keys::SALT.name;
    let kept = if is_exact {
        text.as_str()
    } else {
        text.trim_end_matches(['\r', '\n'])
    };
    Ok(SecretString::from(kept))
}

/// Blanks around a salt are part of it for one program and not for the next; then the same person has two keys.
fn refuse_blanks_around(key: &Key, salt: &Setting<SecretString>) -> Result<(), Refusal> {
    let text = salt.value.expose_secret();
    if text.trim() == text && !text.contains('\u{feff}') {
        return Ok(());
    }
    Err(Refusal::new(
        ErrorCode::SaltAmbiguous,
        format!("{} ({}) has blanks around it", key.name, salt.origin),
    )
    .with_detail("a line's end, a blank or a byte order mark stands before or after it")
    .with_hint("Write it without: printf '%s' SALT > FILE. Keys made so far were made without a line's end."))
}

/// Options of an object store that let somebody in.
fn is_credential(option: &str) -> bool {
    ["key", "secret", "token", "sas", "password", "connection_string"]
        .iter()
        .any(|word| option.to_ascii_lowercase().contains(word))
}

/// A configuration file is copied, mailed and committed: outside `local` no secret may stand in it.
fn refuse_written_secret(name: &str, origin: &Origin, environment: EnvironmentName) -> Result<(), Refusal> {
    if environment == EnvironmentName::Local || !matches!(origin, Origin::File(_)) {
        return Ok(());
    }
    Err(Refusal::configuration(format!(
        "{name} stands in the configuration file, which is refused in {}",
        environment.phrase()
    ))
    .with_detail(origin)
    .with_hint("Give it in the environment, or in a file of its own that a secret store mounts."))
}

#[path = "resolve_serving.rs"]
mod resolve_serving;

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
