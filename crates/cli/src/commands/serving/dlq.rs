//! `nsc dlq`: events that could not be stored.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueHint};
use nsc_consumer::{
    DeadLetterFilter, DeadLetterQueue, ReplayOptions, ReplaySummary, StoredDeadLetter, import, replay,
};
use nsc_core::{Clock, ExitStatus, MICROS_PER_DAY, SystemClock, UtcMicros};
use serde_json::{Value, json};

use super::kinds;
use super::wiring::{self, EventArgs};
use crate::app::App;
use crate::config::Flags;
use crate::failure::{OperatorMessage, Outcome};
use crate::output::{Cell, Column, Listing, visible_line};

const NAME: &str = "nsc-dlq";

/// Look at and replay events that could not be stored
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  nsc dlq list --open\n  nsc dlq replay --dry-run")]
pub(crate) struct DlqArgs {
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Debug, Subcommand)]
enum DlqCommand {
    /// Dead letters, oldest first
    #[command(
        after_help = "Examples:\n  nsc dlq list\n  nsc dlq list --topic ledger.entry.upserted --open --format ndjson"
    )]
    List(ListArgs),
    /// One dead letter with its payload
    #[command(after_help = "Examples:\n  nsc dlq show 42\n  nsc dlq show 42 --format json")]
    Show {
        /// Its id
        id: i64,
    },
    /// Send dead letters the same way again; those that are stored now are marked
    #[command(after_help = "\
What still cannot be stored stays as it is, and is listed with its reason. When that is all of them it exits with 4, unless
--allow-dead-letters.

Examples:
  nsc dlq replay --dry-run
  nsc dlq replay --id 42
  nsc dlq replay --since 2026-01-05T00:00:00+09:00 --topic payment.order.upserted")]
    Replay(ReplayArgs),
    /// Take in the dead-letter file of the first implementation, or of another file backend
    #[command(after_help = "\
A letter that is there already is not added again. Their retention counts from now.

Examples:
  nsc dlq import dlq.jsonl
  nsc dlq import dlq.jsonl && nsc dlq replay --profile nsc-dev-v1")]
    Import {
        /// The file, one JSON object a line
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Delete dead letters that are older than their retention
    #[command(after_help = "Examples:\n  nsc dlq purge\n  nsc dlq purge --keep-days 30")]
    Purge {
        /// Keep those of so many days [default: dlq.retention_days]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        keep_days: Option<u32>,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only of this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only stored at or after this
    #[arg(long, value_name = "TIME")]
    since: Option<UtcMicros>,
    /// Only those that were not replayed
    #[arg(long)]
    open: bool,
    /// Only with a greater id: the last one of the page before
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// Only this one
    #[arg(long, value_name = "ID")]
    id: Option<i64>,
    /// Only stored at or after this
    #[arg(long, value_name = "TIME")]
    since: Option<UtcMicros>,
    /// Only of this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only say what would become of them
    #[arg(long)]
    dry_run: bool,
    /// Exit with 0 also when none of them could be stored
    #[arg(long)]
    allow_dead_letters: bool,
    #[command(flatten)]
    events: EventArgs,
}

impl DlqArgs {
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        if let DlqCommand::Replay(args) = &self.command {
            args.events.add_to(flags);
        }
    }
}

pub(crate) async fn handle(args: DlqArgs, app: &mut App) -> Outcome<ExitStatus> {
    let services = wiring::services(&app.config, NAME)?;
    let sink = wiring::sink(&app.config);
    let mut status = ExitStatus::Ok;
    let queue = DeadLetterQueue::of(&sink.dead_letters.backend, &services.store);
    match args.command {
        DlqCommand::List(args) => show_list(args, &queue, app).await?,
        DlqCommand::Show { id } => {
            let letter = queue.show(id).await?;
            app.printer.document(&document(&letter), || text(&letter))?;
        }
        DlqCommand::Replay(args) => {
            let options = ReplayOptions {
                profile: wiring::subscription(&app.config)?,
                sink,
                id: args.id,
                since: args.since,
                topic: args.topic,
                dry_run: args.dry_run,
            };
            let summary = replay(&options, &services, &wiring::shutdown()?).await?;
            app.printer
                .document(&replay_document(&summary, args.dry_run), || {
                    replay_text(&summary, args.dry_run)
                })?;
            if summary.interrupted {
                status = ExitStatus::Interrupted;
            } else if summary.failed() && !args.allow_dead_letters {
                return Err(still_bad(&summary).into());
            }
        }
        DlqCommand::Import { file } => {
            let done = import(&file, &sink.dead_letters.backend, &services).await?;
            app.printer.document(
                &json!({ "letters": done.letters, "imported": done.imported }),
                || {
                    let there = done.letters - done.imported;
                    format!(
                        "{} dead letters: {} imported, {there} already there\n",
                        done.letters, done.imported
                    )
                },
            )?;
        }
        DlqCommand::Purge { keep_days } => {
            let days = keep_days.unwrap_or(app.config.serving.dlq.retention_days.value);
            let before = Arc::new(SystemClock)
                .now()
                .plus(-i64::from(days) * MICROS_PER_DAY);
            let purged = queue.purge(before).await?;
            app.printer
                .document(&json!({ "purged": purged, "before": before.to_string() }), || {
                    format!("{purged} dead letters from before {before} deleted\n")
                })?;
        }
    }
    Ok(status)
}

async fn show_list(args: ListArgs, queue: &DeadLetterQueue, app: &mut App) -> Outcome<()> {
    let filter = DeadLetterFilter {
        topic: args.topic,
        since: args.since,
        replayed: args.open.then_some(false),
        after: args.after,
        // One more than is shown tells whether there are more.
        limit: args.limit.saturating_add(1),
    };
    let mut letters = queue.list(&filter).await?;
    let more = letters.len() > args.limit as usize;
    letters.truncate(args.limit as usize);
    app.printer.listing(&listing(&letters))?;
    if more && let Some(last) = letters.last() {
        tracing::warn!(
            "there are more dead letters; see them with --after {}",
            last.dlq_id
        );
    }
    Ok(())
}

fn listing(letters: &[StoredDeadLetter]) -> Listing {
    let mut listing = Listing {
        columns: vec![Column::number("dlq_id")],
        rows: Vec::new(),
    };
    listing.columns.extend(["topic"].map(Column::text));
    listing
        .columns
        .extend(["partition", "offset"].map(Column::number));
    listing
        .columns
        .extend(["error_class", "error", "ingested_at", "replayed_at"].map(Column::text));
    for stored in letters {
        let letter = &stored.letter;
        listing.push([
            Cell::Int(stored.dlq_id),
            Cell::text(&letter.topic),
            Cell::Int(letter.partition.into()),
            Cell::Int(letter.offset),
            Cell::text(&letter.error_class),
            Cell::text(&letter.error),
            Cell::text(&stored.ingested_at.to_string()),
            Cell::text_or_null(stored.replayed_at.map(|t| t.to_string()).as_deref()),
        ]);
    }
    listing
}

/// Bytes as text where they are some, else as hexadecimal digits.
fn bytes(bytes: Option<&[u8]>) -> Value {
    match bytes.map(std::str::from_utf8) {
        None => Value::Null,
        Some(Ok(text)) => json!(text),
        Some(Err(_)) => {
            let digits = bytes
                .unwrap_or_default()
                .iter()
                .fold(String::from("hex:"), |mut digits, byte| {
                    // Writing into a text cannot fail.
                    let _ = write!(digits, "{byte:02x}");
                    digits
                });
            json!(digits)
        }
    }
}

fn document(stored: &StoredDeadLetter) -> Value {
    let letter = &stored.letter;
    json!({
        "dlq_id": stored.dlq_id, "topic": letter.topic, "partition": letter.partition, "offset": letter.offset,
        "key": bytes(letter.key.as_deref()), "payload": bytes(letter.payload.as_deref()),
        "error_class": letter.error_class, "error": letter.error, "correlation_id": letter.correlation_id,
        "ingested_at": stored.ingested_at.to_string(), "replayed_at": stored.replayed_at.map(|t| t.to_string()),
    })
}

fn text(stored: &StoredDeadLetter) -> String {
    let document = document(stored);
    let fields = document.as_object().into_iter().flatten();
    let lines = fields.map(|(name, value)| match value {
        Value::String(text) => format!("{name:>14}  {}\n", visible_line(text)),
        Value::Null => format!("{name:>14}  -\n"),
        other => format!("{name:>14}  {other}\n"),
    });
    lines.collect()
}

fn still_bad(summary: &ReplaySummary) -> OperatorMessage {
    let mut classes = BTreeMap::new();
    for bad in &summary.still_bad {
        *classes.entry(bad.class.clone()).or_default() += 1;
    }
    kinds::nothing_stored(summary.seen, "dead letters", &classes)
}

fn replay_document(summary: &ReplaySummary, dry_run: bool) -> Value {
    let still_bad: Vec<Value> = summary
        .still_bad
        .iter()
        .map(|b| json!({ "dlq_id": b.dlq_id, "error_class": b.class, "error": b.reason }))
        .collect();
    json!({
        "dry_run": dry_run, "seen": summary.seen, "replayed": summary.replayed, "written": summary.written,
        "stale": summary.stale, "already_replayed": summary.already_replayed, "interrupted": summary.interrupted,
        "still_bad": still_bad,
    })
}

fn replay_text(summary: &ReplaySummary, dry_run: bool) -> String {
    if summary.already_replayed {
        return "it was replayed before, nothing done\n".to_owned();
    }
    let would = if dry_run { " would be" } else { "" };
    let stopped = if summary.interrupted {
        "stopped before the end; "
    } else {
        ""
    };
    let mut text = format!(
        "{stopped}{} dead letters: {}{would} replayed ({} written, {} stale or repeated), {} still bad\n",
        summary.seen,
        summary.replayed,
        summary.written,
        summary.stale,
        summary.still_bad.len()
    );
    for bad in &summary.still_bad {
        let _ = writeln!(
            text,
            "  {}: {}: {}",
            bad.dlq_id,
            bad.class,
            visible_line(&bad.reason)
        );
    }
    text
}
