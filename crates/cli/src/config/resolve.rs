//! The effective configuration from its layers: flags over environment over file over defaults.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use nsc_core::ErrorCode;
use secrecy::{ExposeSecret, SecretString};

use super::aliases::Aliases;
use super::file::FileConfig;
use super::keys::{self, Key};
use super::layers::{Layers, unusable};
use super::notice::Notice;
use super::scope::Scope;
use super::serving::ServingConfig;
use super::{
    AnalyticsConfig, ByteSize, Config, DisplayConfig, EnvironmentName, Flags, LakeConfig, LogConfig, Origin,
    QueryConfig, ResourcesConfig, RetentionConfig, Setting,
};
use super::{addresses, credentials, foreign, misspelt, resolve_serving};
use crate::environment::Environment;
use crate::failure::OperatorMessage;

/// The salt of a developer's machine; refused anywhere else (lakehouse contract 4, "Pipeline C").
pub(crate) const DUMMY_SALT: &str = "local-salt-v1";
/// Below this the engine cannot sort one batch of each of its threads.
const LEAST_MEMORY: ByteSize = ByteSize::new(64 << 20);

/// The variable of every Rust program.
const RUST_LOG: &str = "RUST_LOG";

/// The effective configuration, as far as a command of this scope goes by it.
pub(crate) fn resolve(
    flags: &Flags,
    env: &Environment,
    file: Option<(PathBuf, FileConfig)>,
    scope: Scope,
) -> Result<Config, OperatorMessage> {
    let (path, file) = file.map_or((None, FileConfig::default()), |(path, file)| (Some(path), file));
    let layers = Layers {
        env,
        aliases: Aliases::read(env),
        flags,
        file: &file,
        path: path.as_deref(),
        in_force: RefCell::default(),
    };
    let unset = EnvironmentName::Unset;
    let environment = layers.pick_or(&keys::ENVIRONMENT, unset, unset.name())?;
    let is_local = environment.value == EnvironmentName::Local;
    let (objection, lost) = foreign::judge(env, scope, is_local);
    let mut notices: Vec<Notice> = layers.aliases.notices().collect();
    notices.extend(lost);
    notices.extend(misspelt::notices(env));
    let serving = serving(&layers, environment.value, scope, &mut notices)?;
    let threads = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let mut config = Config {
        lake: LakeConfig {
            root: layers.pick(&keys::ROOT)?,
            lease_seconds: layers.pick(&keys::LEASE)?,
            storage: layers.storage(environment.value)?,
        },
        analytics: AnalyticsConfig {
            salt: salt(&layers, environment.value)?,
        },
        retention: RetentionConfig {
            bad_records_days: layers.pick(&keys::BAD_RECORDS_DAYS)?,
            files_days: layers.pick(&keys::FILES_DAYS)?,
        },
        resources: ResourcesConfig {
            memory_limit: layers.pick(&keys::MEMORY_LIMIT)?,
            threads: layers.pick_or(&keys::THREADS, threads, &threads.to_string())?,
            spill_dir: layers.pick_optional(&keys::SPILL_DIR)?,
        },
        log: LogConfig {
            filter: log_filter(&layers, &mut notices)?,
            format: layers.pick(&keys::LOG_FORMAT)?,
        },
        display: DisplayConfig {
            time_zone: layers.pick(&keys::TIME_ZONE)?,
            language: layers.pick(&keys::LANGUAGE)?,
        },
        query: QueryConfig {
            looks_file: layers.pick_optional(&keys::LOOKS_FILE)?,
        },
        serving,
        environment,
        notices,
        objection,
        in_force: layers.in_force.take(),
        file: None,
    };
    config.file = path;
    check(&config)?;
    credentials::refuse_root(&config)?;
    Ok(config)
}

/// The serving half. For a command that does not go by it, a variable of it that is not usable is a line in the log; the
/// file is ours, and always held to what it says.
fn serving(
    layers: &Layers<'_>,
    environment: EnvironmentName,
    scope: Scope,
    notices: &mut Vec<Notice>,
) -> Result<ServingConfig, OperatorMessage> {
    let read = |layers: &Layers<'_>| {
        let serving = resolve_serving::serving(layers, environment)?;
        // First what must not be quoted.
        credentials::refuse(&serving)?;
        addresses::check(&serving)?;
        Ok(serving)
    };
    match read(layers) {
        Err(refusal) if !scope.has_serving() => {
            let detail = nsc_core::OperatorError::detail(&refusal).unwrap_or_default();
            notices.push(Notice::loud(
                "serving",
                format!("the environment of serving is not usable, and not used here: {refusal}: {detail}"),
            ));
            let without = Layers {
                env: &Environment::default(),
                aliases: Aliases::default(),
                flags: layers.flags,
                file: layers.file,
                path: layers.path,
                in_force: RefCell::default(),
            };
            let serving = read(&without)?;
            layers.in_force.borrow_mut().extend(without.in_force.take());
            Ok(serving)
        }
        serving => serving,
    }
}

fn check(config: &Config) -> Result<(), OperatorMessage> {
    if config.lake.root.value.trim().is_empty() {
        return Err(unusable(&keys::ROOT, &config.lake.root.origin, "it is blank"));
    }
    let memory = &config.resources.memory_limit;
    if memory.value < LEAST_MEMORY {
        let problem = format!("it is {}, the least is {LEAST_MEMORY}", memory.value);
        return Err(unusable(&keys::MEMORY_LIMIT, &memory.origin, &problem));
    }
    Ok(())
}

/// `RUST_LOG` counts too, after our own variable and before the file, when it says something of nsc: it is every Rust
/// program's.
fn log_filter(layers: &Layers<'_>, notices: &mut Vec<Notice>) -> Result<Setting<String>, OperatorMessage> {
    let key = &keys::LOG;
    let ours = layers.flags.get(key).is_some() || layers.variable(key)?.is_some();
    match layers.env.get(RUST_LOG).filter(|_| !ours) {
        Some(value) if nsc_telemetry::is_filter_for(value, "nsc") => {
            let origin = Origin::Variable(RUST_LOG.to_owned());
            layers.show(key, Some(value), &origin);
            return Ok(Setting {
                value: value.to_owned(),
                origin,
            });
        }
        Some(_) => notices.push(Notice::loud(
            RUST_LOG,
            "it says nothing of nsc and is not read; NSC_LOG sets this log",
        )),
        None => {}
    }
    layers.pick(key)
}

/// The salt of `user_key`, and the dummy where it is allowed.
fn salt(
    layers: &Layers<'_>,
    environment: EnvironmentName,
) -> Result<Option<Setting<SecretString>>, OperatorMessage> {
    let salt = layers.secret(&keys::SALT, Some(&keys::SALT_FILE), environment)?;
    if let Some(salt) = &salt {
        refuse_blanks_around(&keys::SALT, salt)?;
    }
    let local = environment == EnvironmentName::Local;
    match salt {
        Some(s) if !local && s.value.expose_secret() == DUMMY_SALT => Err(OperatorMessage::configuration(
            format!("the local dummy salt is refused in {}", environment.phrase()),
        )
        .with_hint("Provide a salt of your own: NSC_SALT_FILE or NSC_SALT.")),
        None if local => {
            layers.show(&keys::SALT, Some(""), &Origin::Default);
            Ok(Some(Setting {
                value: SecretString::from(DUMMY_SALT),
                origin: Origin::Default,
            }))
        }
        other => Ok(other),
    }
}

/// Blanks around a salt are part of it for one program and not for the next; then the same person has two keys.
fn refuse_blanks_around(key: &Key, salt: &Setting<SecretString>) -> Result<(), OperatorMessage> {
    let text = salt.value.expose_secret();
    if text.trim() == text && !text.contains('\u{feff}') {
        return Ok(());
    }
    Err(OperatorMessage::new(
        ErrorCode::SaltAmbiguous,
        format!("{} ({}) has blanks around it", key.name, salt.origin),
    )
    .with_detail("a line's end, a blank or a byte order mark stands before or after it")
    .with_hint("Write it without: printf '%s' SALT > FILE. Keys made so far were made without a line's end."))
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
