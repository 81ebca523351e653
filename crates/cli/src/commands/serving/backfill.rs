//! `nsc backfill`: events from files, through the same code as those from the broker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use nsc_consumer::{BackfillOptions, FailedFile, backfill};
use nsc_core::{ExitStatus, UtcMicros};
use serde_json::json;

use super::kinds;
use super::wiring::{self, EventArgs};
use crate::app::App;
use crate::config::Flags;
use crate::failure::{OperatorMessage, Outcome};
use crate::progress;

/// Load events from files of JSON lines into the backoffice database
#[derive(Debug, Args)]
#[command(after_help = "\
Lines are read, checked and stored exactly as events from the broker are; what can never be stored becomes a dead
letter. When none of a file's lines could be stored it exits with 4, unless --allow-dead-letters. Running it again does no harm.
Stopped by a signal it finishes the batch under way, says how far it came and exits with 130.

Examples:
  nsc backfill --ledger-file ledger.jsonl --payment-order-file orders.jsonl
  zcat ledger.jsonl.gz | nsc backfill --ledger-file - --since 2026-01-05T00:00:00+09:00")]
pub(crate) struct BackfillArgs {
    /// Ledger entries, one JSON object a line; - is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "payment_order_file")]
    ledger_file: Option<PathBuf>,
    /// Payment orders, one JSON object a line; - is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    payment_order_file: Option<PathBuf>,
    /// Only events whose own time (updated_at, else event_time or created_at) is at or after this
    #[arg(long, value_name = "TIME")]
    since: Option<UtcMicros>,
    /// Only events whose own time is before this
    #[arg(long, value_name = "TIME")]
    until: Option<UtcMicros>,
    /// Exit with 0 also when every line of a file became a dead letter
    #[arg(long)]
    allow_dead_letters: bool,
    #[command(flatten)]
    events: EventArgs,
}

impl BackfillArgs {
    pub(crate) fn add_to(&self, flags: &mut Flags) {
        self.events.add_to(flags);
    }
}

pub(crate) async fn handle(args: BackfillArgs, app: &mut App) -> Outcome<ExitStatus> {
    check(&args)?;
    let options = BackfillOptions {
        profile: wiring::subscription(&app.config)?,
        sink: wiring::sink(&app.config),
        ledger_file: args.ledger_file,
        payment_order_file: args.payment_order_file,
        since: args.since,
        until: args.until,
    };
    let services = wiring::services(&app.config, "nsc-backfill")?;
    let stop = wiring::shutdown()?;
    let bar = progress::byte_bar(&app.bars, "backfill", 0);
    let done = backfill(&options, &services, &stop, |at| {
        match at.total_bytes {
            Some(total) => bar.set_length(total),
            None => bar.unset_length(),
        }
        bar.set_position(at.bytes);
        bar.set_message(format!("{} {} lines", at.file.display(), at.lines));
    })
    .await;
    bar.finish_and_clear();
    let s = done?;
    let failed: Vec<String> = s.failed.iter().map(|f| f.file.display().to_string()).collect();
    let document = json!({
        "lines": s.lines, "blank": s.blank, "outside": s.outside, "written": s.written, "stale": s.stale,
        "dead_letters": s.dead_letters, "classes": s.classes, "interrupted": s.interrupted, "failed_files": failed,
    });
    app.printer.document(&document, || {
        let stopped = if s.interrupted { "stopped before the end; " } else { "" };
        format!(
            "{stopped}{} lines = {} written + {} stale or repeated + {} dead letters + {} outside of the time asked for + {} blank\n",
            s.lines, s.written, s.stale, s.dead_letters, s.outside, s.blank
        )
    })?;
    if s.dead_letters > 0 {
        tracing::warn!(
            classes = kinds::line(&s.classes),
            "lines became dead letters; see nsc dlq list"
        );
    }
    if s.interrupted {
        return Ok(ExitStatus::Interrupted);
    }
    if s.failed() && !args.allow_dead_letters {
        return Err(nothing_stored(&s.failed).into());
    }
    Ok(ExitStatus::Ok)
}

/// One error for all files that are wrong from end to end.
fn nothing_stored(failed: &[FailedFile]) -> OperatorMessage {
    let names: Vec<String> = failed.iter().map(|f| f.file.display().to_string()).collect();
    let mut classes = BTreeMap::new();
    for (class, n) in failed.iter().flat_map(|f| &f.classes) {
        *classes.entry(class.clone()).or_default() += n;
    }
    let all = failed.iter().map(|f| f.dead_letters).sum();
    kinds::nothing_stored(all, &format!("lines of {}", names.join(" and ")), &classes)
}

/// What the flags say together.
fn check(args: &BackfillArgs) -> Result<(), OperatorMessage> {
    if let (Some(since), Some(until)) = (args.since, args.until)
        && since >= until
    {
        return Err(OperatorMessage::usage("--since must be before --until")
            .with_detail(format!("no event is at or after {since} and before {until}"))
            .with_hint("Exchange the two, or leave one out."));
    }
    let stdin = |file: &Option<PathBuf>| file.as_deref().is_some_and(|f| f == Path::new("-"));
    if stdin(&args.ledger_file) && stdin(&args.payment_order_file) {
        return Err(OperatorMessage::usage(
            "standard input cannot be both --ledger-file and --payment-order-file",
        )
        .with_detail("it is read once: one of the two would find nothing")
        .with_hint("Give one of them as a file, or load them one after the other."));
    }
    Ok(())
}
