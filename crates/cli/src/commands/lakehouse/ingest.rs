//! `nsc ingest`: source files into Bronze.

#[cfg(feature = "serving")]
mod stream;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use indicatif::ProgressBar;
use nsc_contracts::{SOURCES, Source};
use nsc_core::{ErrorCode, ExitStatus, UtcMicros};
use nsc_ingest::{FileOutcome, FileSummary, Input, LoadObserver, LoadRequest, LoadSummary, Reason, load};
use nsc_lake::{Lake, LoadStates, session};

use crate::app::App;
use crate::config::Flags;
use crate::failure::{OperatorMessage, Outcome};
use crate::progress;
use crate::suggested;

/// Entries of directories that the summary names one by one, for people; JSON has them all.
const MOST_LEFT_OUT: usize = 25;

/// Load source files into Bronze
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Scalars are kept as written, unknown fields become columns, lines that are not JSON objects are kept as they are.
Loading the same delivery again adds nothing and says so. A delivery is its content and what marks it: --batch-id,
--source-extracted-at and --source-system, or what its lines carry, else the file's name and time of writing.

A directory stands for its .jsonl, .ndjson and .json files, also .gz and .zst. What else it holds is named with why it was
left out; data that cannot be read (xz, zip, CSV and others) refuses it before anything is loaded.

Examples:
  nsc ingest transaction_ledger data/transaction_ledger.jsonl
  nsc ingest user_wallets 'exports/wallets-*.jsonl.gz' --source-system account-svc --batch-id 2026-01-05
  zcat orders.jsonl.gz | nsc ingest orders -"
)]
pub(crate) struct IngestArgs {
    #[cfg(feature = "serving")]
    #[command(subcommand)]
    stream: Option<StreamCommand>,
    /// user_wallets, transaction_ledger, payment_orders, orders, order_items or products (or the _raw names)
    #[arg(value_name = "TABLE", required = true, value_parser = suggested::source(), hide_possible_values = true)]
    table: Option<String>,
    /// Files, patterns in quotes, directories; .gz and .zst are read; - is standard input
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::AnyPath)]
    files: Vec<PathBuf>,
    /// For lines that carry no source_system
    #[arg(long, value_name = "NAME")]
    source_system: Option<String>,
    /// For lines that carry no batch_id
    #[arg(long, value_name = "ID")]
    batch_id: Option<String>,
    /// For lines that carry no source_extracted_at
    #[arg(long, value_name = "TIME")]
    source_extracted_at: Option<UtcMicros>,
    /// For lines that carry no ingested_at, instead of now
    #[arg(long, value_name = "TIME")]
    ingested_at: Option<UtcMicros>,
    /// Load it all the same: loaded before, or another table's lines
    #[arg(long)]
    force: bool,
    /// Read files again that look as they did when they were loaded
    #[arg(long)]
    verify: bool,
}

/// Sources that go on.
#[cfg(feature = "serving")]
#[derive(Debug, Subcommand)]
enum StreamCommand {
    Kafka(stream::StreamArgs),
}

impl IngestArgs {
    /// Adds the flags that the configuration takes.
    #[cfg(feature = "serving")]
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        if let Some(StreamCommand::Kafka(args)) = &self.stream {
            args.add_to(flags);
        }
    }

    /// Whether brokers are read.
    #[cfg(feature = "serving")]
    pub(crate) const fn is_a_stream(&self) -> bool {
        self.stream.is_some()
    }
}

pub(crate) async fn handle(args: IngestArgs, app: &mut App) -> Outcome<ExitStatus> {
    #[cfg(feature = "serving")]
    if let Some(StreamCommand::Kafka(args)) = &args.stream {
        return stream::handle(args, app).await;
    }
    let request = LoadRequest {
        source: source(&args.table.unwrap_or_default())?,
        inputs: args.files.into_iter().map(Input::from).collect(),
        source_system: args.source_system,
        batch_id: args.batch_id,
        source_extracted_at: args.source_extracted_at,
        ingested_at: app.now(args.ingested_at),
        clock: app.now(None),
        force: args.force,
        verify: args.verify,
        actor: app.actor(),
    };
    let bar = Bar(progress::byte_bar(&app.bars, request.source.name, 0));
    let lake = app.lake_or_new()?;
    let done = load(&lake, request, &bar).await;
    bar.0.finish_and_clear();
    let summary = done?;
    warn_of_taken_back(app, &lake, &summary).await?;
    app.printer.document(&summary, || text(&summary))?;
    Ok(ExitStatus::Ok)
}

/// Names the skipped inputs whose rows do not count, for the load that brought them was taken back.
async fn warn_of_taken_back(app: &App, lake: &Lake, summary: &LoadSummary) -> Outcome {
    let skipped = summary.files.iter();
    let skipped: Vec<(&str, &str)> = skipped
        .filter_map(|file| Some((file.input.as_str(), file.earlier_load.as_deref()?)))
        .collect();
    if skipped.is_empty() {
        return Ok(());
    }
    let states = LoadStates::read(lake, &session(&app.session_options())?).await?;
    for (input, load) in skipped {
        if states.retracted(&summary.table).any(|id| id.starts_with(load)) {
            tracing::warn!(
                input,
                load,
                "the load that brought this input was taken back: its rows do not count. `nsc loads restore` lets them count \
                 again, --force loads the input anew"
            );
        }
    }
    Ok(())
}

fn source(name: &str) -> Outcome<&'static Source> {
    Source::named(name).ok_or_else(|| {
        let known: Vec<&str> = SOURCES.iter().map(|s| s.name).collect();
        OperatorMessage::new(ErrorCode::UnknownTable, format!("{name} is not a source table"))
            .with_hint(format!("Source tables are {}.", known.join(", ")))
            .into()
    })
}

/// Draws the load on stderr.
struct Bar(ProgressBar);

impl LoadObserver for Bar {
    fn started(&self, total_bytes: Option<u64>) {
        match total_bytes {
            Some(total) => self.0.set_length(total),
            None => self.0.unset_length(),
        }
    }

    fn progress(&self, bytes: u64, lines: u64) {
        self.0.set_position(bytes);
        self.0.set_message(format!("{lines} lines"));
    }

    fn file_finished(&self, file: &FileSummary) {
        tracing::info!(
            input = file.input,
            lines = file.counts.lines,
            rows = file.counts.rows,
            "input loaded"
        );
    }
}

fn text(summary: &LoadSummary) -> String {
    let mut lines = Vec::new();
    for file in &summary.files {
        match file.outcome {
            FileOutcome::AlreadyLoaded => lines.push(format!(
                "{}: {}; nothing added (--force loads it again)",
                file.input,
                why(file)
            )),
            FileOutcome::Loaded => {
                let c = file.counts;
                lines.push(format!(
                    "{}: {}: {} lines, {} rows, {} malformed, {} blank, version {}",
                    file.input,
                    why(file),
                    c.lines,
                    c.rows,
                    c.malformed,
                    c.blank,
                    file.version.map_or_else(|| "-".to_owned(), |v| v.to_string())
                ));
            }
        }
    }
    let left_out = &summary.left_out;
    lines.extend(
        left_out
            .iter()
            .take(MOST_LEFT_OUT)
            .map(|l| format!("left out: {l}")),
    );
    if left_out.len() > MOST_LEFT_OUT {
        lines.push(format!("left out: and {} more", left_out.len() - MOST_LEFT_OUT));
    }
    let c = summary.counts;
    lines.push(format!(
        "{}: {} lines = {} rows ({} malformed) + {} blank; {} of {} files were loaded before",
        summary.table,
        c.lines,
        c.rows,
        c.malformed,
        c.blank,
        summary.already_loaded,
        summary.files.len()
    ));
    if !summary.new_columns.is_empty() {
        lines.push(format!("new columns: {}", summary.new_columns.join(", ")));
    }
    lines.push(format!(
        "{:.2} s, {:.0} rows/s",
        summary.seconds, summary.rows_per_second
    ));
    lines.join("\n") + "\n"
}

/// Why an input was loaded or skipped.
fn why(file: &FileSummary) -> String {
    let by = file
        .earlier_load
        .as_ref()
        .map_or_else(String::new, |load| format!(" by load {load}"));
    let marks = &file.delivery;
    match file.reason {
        Reason::NewContent => format!("new content ({marks})"),
        Reason::NewDelivery => format!("new delivery of known content ({marks})"),
        Reason::Forced => format!("forced once more ({marks})"),
        Reason::RowsGone => format!("loaded again, for its rows were gone from the table ({marks})"),
        Reason::SameDelivery => format!("was loaded before{by} (same content, {marks})"),
        Reason::SameFile => format!("was loaded before{by} (file unchanged since, not read; {marks})"),
        Reason::SameContent => {
            "this content was loaded before deliveries were told apart (a --batch-id makes it a new one)"
                .to_owned()
        }
    }
}
