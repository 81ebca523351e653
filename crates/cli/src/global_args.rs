//! Flags every command takes.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::config::{Flags, keys};
use crate::output::Format;
use crate::terminal::ColorChoice;

/// Flags every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Lakehouse: a directory or an abfss:// URL [env: NSC_ROOT] [default: ./lakehouse]
    #[arg(long, global = true, value_name = "DIR|URL", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<String>,
    /// Configuration file [env: NSC_CONFIG] [default: ./nsc.toml, else /etc/nsc/nsc.toml]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Form of the result on stdout; errors are JSON on stderr with json and ndjson
    #[arg(
        long,
        global = true,
        value_enum,
        ignore_case = true,
        default_value_t,
        hide_possible_values = false
    )]
    pub(crate) format: Format,
    /// Log on stderr: a level, or target=level,... [env: NSC_LOG, RUST_LOG] [default: warn]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Log lines for people (pretty) or machines (json) [env: NSC_LOG_FORMAT] [default: pretty]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["pretty", "json"])]
    pub(crate) log_format: Option<String>,
    /// Colours; NO_COLOR is respected by auto
    #[arg(
        long,
        global = true,
        value_enum,
        ignore_case = true,
        value_name = "WHEN",
        default_value_t
    )]
    pub(crate) color: ColorChoice,
    /// Memory of the engine before it spills to disk, e.g. 4GiB [env: NSC_MEMORY_LIMIT] [default: 2GiB]
    #[arg(long, global = true, value_name = "SIZE")]
    pub(crate) memory_limit: Option<String>,
    /// Time zone of the times in tables and reports, e.g. UTC [env: NSC_TIME_ZONE] [default: Asia/Seoul]
    #[arg(long = "tz", global = true, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// Threads [env: NSC_THREADS] [default: one per core]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<String>,
}

impl GlobalArgs {
    /// The part the configuration takes.
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags::default();
        flags.set(&keys::ROOT, self.root.as_ref());
        flags.set(&keys::LOG, self.log.as_ref());
        flags.set(&keys::LOG_FORMAT, self.log_format.as_ref());
        flags.set(&keys::MEMORY_LIMIT, self.memory_limit.as_ref());
        flags.set(&keys::THREADS, self.threads.as_ref());
        flags.set(&keys::TIME_ZONE, self.time_zone.as_ref());
        flags
    }
}
