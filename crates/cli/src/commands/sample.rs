//! `nsc sample generate` and `nsc sample publish`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use nsc_core::{ErrorCode, ExitStatus};
use nsc_sample::{SampleError, SampleOptions, SampleSummary, Source, generate};

use crate::app::App;
#[cfg(feature = "serving")]
use crate::commands::serving::publish;
use crate::config::{Flags, Scope};
use crate::failure::{Failure, OperatorMessage, Outcome};
use crate::progress;

/// Make sample data
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  nsc sample generate --out data")]
pub(crate) struct SampleArgs {
    #[command(subcommand)]
    command: SampleCommand,
}

#[derive(Debug, Subcommand)]
enum SampleCommand {
    /// Write the six source files of a deterministic, consistent world
    Generate(GenerateArgs),
    /// Send sample lines to a broker as events
    #[cfg(feature = "serving")]
    Publish(publish::PublishArgs),
}

/// Write the six source files of a deterministic, consistent world
#[derive(Debug, Args)]
#[command(after_help = "\
The same flags give the same bytes. With --faults, OUT/faults.json says what was injected on which line and
what a right reader finds.

Examples:
  nsc sample generate --out data
  nsc sample generate --seed 7 --wallets 100000 --entries-per-day 2000000 --out /tmp/big
  nsc sample generate --days 3 --faults --bad-rate 0.02 --out data    Silver must refuse this")]
struct GenerateArgs {
    /// Directory the files are written to; made when missing. One with files that are not of a sample is refused
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: PathBuf,
    /// Write to that directory all the same, over files of the same names
    #[arg(long)]
    force: bool,
    /// Seed of every draw
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Wallets at the start, merchants included
    #[arg(long, default_value_t = 1000)]
    wallets: usize,
    /// Ledger entries per day
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    entries_per_day: u64,
    /// KST days
    #[arg(long, default_value_t = 1)]
    days: u32,
    /// First KST day
    #[arg(long, default_value = "2026-01-05", value_name = "DATE")]
    first_date_kst: String,
    /// No faults (the default)
    #[arg(long, conflicts_with = "faults")]
    clean: bool,
    /// Add the seeded mix of faults
    #[arg(long)]
    faults: bool,
    /// Share of bad lines per table (default 0.004); above 0.01 Silver must refuse
    #[arg(long, requires = "faults", value_name = "SHARE")]
    bad_rate: Option<f64>,
    /// Leave out the stale source and the empty windows
    #[arg(long, requires = "faults")]
    no_gaps: bool,
    /// Leave out the late rows of the last day
    #[arg(long, requires = "faults")]
    no_late_last: bool,
}

impl SampleArgs {
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        match &self.command {
            SampleCommand::Generate(_) => {}
            #[cfg(feature = "serving")]
            SampleCommand::Publish(args) => args.events.add_to(flags),
        }
    }

    pub(crate) const fn scope(&self) -> Scope {
        match self.command {
            SampleCommand::Generate(_) => Scope::Lakehouse,
            #[cfg(feature = "serving")]
            SampleCommand::Publish(_) => Scope::Serving,
        }
    }
}

pub(crate) async fn handle(args: SampleArgs, app: &mut App) -> Outcome<ExitStatus> {
    match args.command {
        SampleCommand::Generate(args) => generate_world(args, app).await,
        #[cfg(feature = "serving")]
        SampleCommand::Publish(args) => publish::handle(args, app).await,
    }
}

async fn generate_world(args: GenerateArgs, app: &mut App) -> Outcome<ExitStatus> {
    let bar = progress::count_bar(
        &app.bars,
        "entries",
        args.entries_per_day.saturating_mul(args.days.into()),
    );
    let options = SampleOptions {
        seed: args.seed,
        wallets: args.wallets,
        entries_per_day: args.entries_per_day,
        days: args.days,
        first_date_kst: args.first_date_kst,
        faults: args.faults,
        bad_rate: args.bad_rate,
        no_gaps: args.no_gaps,
        no_late_last: args.no_late_last,
        out: args.out,
        overwrite: args.force,
    };
    let drawn = bar.clone();
    let made =
        tokio::task::spawn_blocking(move || generate(&options, &mut |done| drawn.set_position(done))).await;
    bar.finish_and_clear();
    let summary = made
        .map_err(|e| Failure::unexpected("generating the sample", e))?
        .map_err(|e| refusal(&e))?;
    app.printer.document(&summary, || text(&summary))?;
    Ok(ExitStatus::Ok)
}

fn text(summary: &SampleSummary) -> String {
    let mut lines = vec![format!(
        "{} lines in {:.2} s ({} lines/s)",
        summary.lines, summary.seconds, summary.lines_per_s
    )];
    for source in Source::ALL {
        lines.push(format!(
            "{:>12}  {}",
            summary.by_source[source],
            source.file_name()
        ));
    }
    for day in &summary.days {
        lines.push(format!(
            "{}: issued supply {}, wallets {} hold {}",
            day.date_kst, day.issued_supply_of_the_world, day.wallets, day.wallet_total_of_the_world
        ));
    }
    lines.join("\n") + "\n"
}

fn refusal(error: &SampleError) -> OperatorMessage {
    if matches!(error, SampleError::ForeignFiles { .. }) {
        return OperatorMessage::usage(error.to_string()).with_hint(
            "Name another directory with --out, or write over files of the same names with --force.",
        );
    }
    let source = std::error::Error::source(error);
    let code = if source.is_some() {
        ErrorCode::Storage
    } else {
        ErrorCode::Usage
    };
    let refusal = OperatorMessage::new(code, error.to_string());
    match source {
        Some(cause) => refusal
            .with_detail(cause)
            .with_hint("Name a directory you may write to with --out."),
        None => refusal.with_hint("nsc sample generate --help"),
    }
}
