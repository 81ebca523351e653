//! What every command handler is given: configuration, terminal, printer, clock, and the way to the lake.

#[cfg(feature = "lakehouse")]
use std::collections::HashMap;
#[cfg(feature = "lakehouse")]
use std::time::Duration;

use indicatif::MultiProgress;
use nsc_core::{Clock, ErrorCode, SystemClock, UtcMicros};
#[cfg(feature = "lakehouse")]
use nsc_lake::{Lake, LakeOptions, SessionOptions, SharedRuntime};
use nsc_telemetry::LogOptions;
#[cfg(feature = "lakehouse")]
use secrecy::ExposeSecret;

use crate::config::{self, Config, Flags, Scope};
use crate::environment::Environment;
use crate::failure::{OperatorMessage, Outcome};
use crate::global_args::GlobalArgs;
#[cfg(feature = "lakehouse")]
use crate::machine_user;
use crate::output::{Look, PagerCommand, Printer};
use crate::progress::{self, LogBesideBars};
use crate::terminal::Terminal;

/// The wiring of one invocation.
pub(crate) struct App {
    /// Effective configuration.
    pub(crate) config: Config,
    /// The process's environment.
    pub(crate) environment: Environment,
    /// What was called for, as it was typed but for quotes.
    pub(crate) command_line: String,
    /// What the streams are.
    pub(crate) terminal: Terminal,
    /// Results.
    pub(crate) printer: Printer,
    /// Progress on stderr.
    pub(crate) bars: MultiProgress,
    #[cfg(feature = "lakehouse")]
    /// The engine's memory: one for the process.
    runtime: SharedRuntime,
}

impl App {
    /// Reads the configuration and starts the log. `flags` are those of the command line, `scope` is what the command goes by.
    pub(crate) fn new(
        global: &GlobalArgs,
        flags: &Flags,
        scope: Scope,
        env: Environment,
        terminal: Terminal,
    ) -> Outcome<Self> {
        let file = config::find(global.config.as_deref(), &env)?;
        let config = config::resolve(flags, &env, file, scope)?;
        let bars = progress::bars(terminal);
        let log = LogOptions {
            format: config.log.format.value,
            filter: config.log.filter.value.clone(),
            color: terminal.stderr_color,
        };
        nsc_telemetry::init_with_writer(&log, LogBesideBars::new(&bars)).map_err(|e| {
            OperatorMessage::configuration(format!("the log ({}) cannot be set up", config.log.filter.origin))
                .with_detail(e)
        })?;
        for notice in &config.notices {
            notice.log();
        }
        // What is only shown is shown with everything that is wrong with it.
        if let Some(objection) = &config.objection
            && scope != Scope::All
        {
            return Err(objection.clone().into());
        }
        let printer =
            Printer::to_stdout(global.format, look(terminal, &config)).with_pager(PagerCommand::of(&env));
        Ok(Self {
            config,
            environment: env,
            command_line: String::new(),
            terminal,
            printer,
            bars,
            #[cfg(feature = "lakehouse")]
            runtime: SharedRuntime::default(),
        })
    }

    /// How results look to whoever runs this.
    pub(crate) fn look(&self) -> Look {
        look(self.terminal, &self.config)
    }

    /// The time a command works with: the one given, else the machine's.
    pub(crate) fn now(&self, given: Option<UtcMicros>) -> UtcMicros {
        given.unwrap_or_else(|| SystemClock.now())
    }

    /// Who runs this command, `user@host`: the user the process runs as, whatever the environment calls itself; that one only
    /// where the system does not say.
    #[cfg(feature = "lakehouse")]
    pub(crate) fn actor(&self) -> String {
        let named = |names: &[&str]| {
            names
                .iter()
                .find_map(|n| self.environment.get(n).map(str::to_owned))
        };
        let host = named(&["HOSTNAME"]).or_else(|| {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
            Some(host.trim().to_owned())
        });
        let user = machine_user::name().or_else(|| named(&["USER", "LOGNAME", "USERNAME"]));
        let unknown = || "unknown".to_owned();
        format!(
            "{}@{}",
            user.unwrap_or_else(unknown),
            host.unwrap_or_else(unknown)
        )
    }

    #[cfg(feature = "lakehouse")]
    /// The lake of the configuration, to be looked at: a local root that does not exist is mistyped, or nothing has been
    /// loaded yet.
    pub(crate) fn lake(&self) -> Outcome<Lake> {
        self.lake_if_any()?.ok_or_else(|| self.no_lake().into())
    }

    #[cfg(feature = "lakehouse")]
    /// As [`Self::lake`], for a run: a root without a single Bronze table is no lakehouse either, wherever it is.
    pub(crate) async fn lake_to_run(&self) -> Outcome<Lake> {
        let lake = self.lake()?;
        for source in nsc_contracts::SOURCES {
            let bronze = nsc_contracts::table(&format!("bronze.{}", source.bronze));
            if let Some(contract) = bronze
                && lake.unchecked(contract, None).await?.is_some()
            {
                return Ok(lake);
            }
        }
        Err(self.no_lake().into())
    }

    #[cfg(feature = "lakehouse")]
    fn no_lake(&self) -> OperatorMessage {
        let root = &self.config.lake.root;
        OperatorMessage::new(
            ErrorCode::LakeMissing,
            format!("there is no lakehouse at {}", root.value),
        )
        .with_detail(format!("the root is from {}", root.origin))
        .with_hint("Check --root (or NSC_ROOT). nsc init makes a new one, and so does nsc ingest.")
    }

    #[cfg(feature = "lakehouse")]
    /// As [`Self::lake`], `None` when its local root does not exist.
    pub(crate) fn lake_if_any(&self) -> Outcome<Option<Lake>> {
        let root = &self.config.lake.root.value;
        let is_absent = !root.contains("://") && matches!(std::path::Path::new(root).try_exists(), Ok(false));
        (!is_absent).then(|| self.lake_or_new()).transpose()
    }

    #[cfg(feature = "lakehouse")]
    /// The lake of the configuration, to be written to: a local root is made when it does not exist. Nothing is read yet.
    pub(crate) fn lake_or_new(&self) -> Outcome<Lake> {
        let lake = &self.config.lake;
        let exposed = lake
            .storage
            .iter()
            .map(|(k, s)| (k.clone(), s.value.expose_secret().to_owned()));
        let storage: HashMap<String, String> = exposed.collect();
        Ok(Lake::open(
            &lake.root.value,
            LakeOptions {
                storage,
                lease: Some(Duration::from_secs(lake.lease_seconds.value.into())),
                ..LakeOptions::default()
            },
        )?)
    }

    #[cfg(feature = "lakehouse")]
    /// What the engine may use.
    pub(crate) fn session_options(&self) -> SessionOptions {
        let resources = &self.config.resources;
        SessionOptions {
            memory_bytes: usize::try_from(resources.memory_limit.value.bytes()).unwrap_or(usize::MAX),
            threads: resources.threads.value,
            spill_dir: resources.spill_dir.as_ref().map(|d| d.value.clone()),
            runtime: self.runtime.clone(),
        }
    }
}

/// How results look on a terminal, as it is configured.
const fn look(terminal: Terminal, config: &Config) -> Look {
    Look::of(
        terminal,
        config.display.time_zone.value,
        config.display.language.value,
    )
}
