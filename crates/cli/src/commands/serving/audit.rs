//! `nsc audit`: who looked at what.

use clap::{Args, Subcommand};
use nsc_core::{ErrorCode, ExitStatus, UtcMicros};
use nsc_store::{AuditFilter, AuditTrail, StoredAuditRow};
use serde_json::json;

use super::wiring;
use crate::app::App;
use crate::failure::{OperatorMessage, Outcome, OutputError};
use crate::output::{Cell, Column, Listing};

const NAME: &str = "nsc-audit";

/// See who looked at what, and whether the record is whole
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  nsc audit list\n  nsc audit verify")]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// The newest looks that match
    #[command(after_help = "\
The login of DATABASE_URL is a member of nsc_auditor, which may read the audit log and nothing else.

Examples:
  nsc audit list
  nsc audit list --resource user-1003 --since 2026-01-05T00:00:00+09:00")]
    List {
        #[command(flatten)]
        which: Which,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// All looks that match, oldest first, as a stream
    #[command(after_help = "\
Examples:
  nsc audit export --format csv > looks.csv
  nsc audit export --format ndjson --since 2026-01-01T00:00:00+09:00 --until 2026-02-01T00:00:00+09:00 > january.ndjson")]
    Export {
        #[command(flatten)]
        which: Which,
    },
    /// Was a row of the audit log removed or changed? Follows the chain of hashes
    #[command(after_help = "\
The first row that does not fit is named, with exit code 6. Rows that were cut off the end leave a shorter chain that fits: keep the
head that is printed somewhere else, and give it the next time.

Examples:
  nsc audit verify
  nsc audit verify --head 1042:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    Verify {
        /// A row and its hash, as an earlier check printed it: it must still be there
        #[arg(long, value_name = "ID:HASH", value_parser = head)]
        head: Option<(i64, String)>,
    },
}

#[derive(Debug, Clone, Args)]
struct Which {
    /// Only of this person
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only of this entry, order or wallet
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// Only of this kind, such as ADMIN_TX_LOOKUP
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only at or after this
    #[arg(long, value_name = "TIME")]
    since: Option<UtcMicros>,
    /// Only before this
    #[arg(long, value_name = "TIME")]
    until: Option<UtcMicros>,
}

impl From<Which> for AuditFilter {
    fn from(which: Which) -> Self {
        Self {
            actor: which.actor,
            resource: which.resource,
            action: which.action,
            since: which.since,
            until: which.until,
        }
    }
}

fn head(text: &str) -> Result<(i64, String), String> {
    let parsed = text
        .split_once(':')
        .and_then(|(id, hash)| Some((id.parse().ok()?, hash.to_ascii_lowercase())));
    parsed.ok_or_else(|| {
        "expected the id of a row, a colon and its hash, as `nsc audit verify` prints them".to_owned()
    })
}

pub(crate) async fn handle(args: AuditArgs, app: &mut App) -> Outcome<ExitStatus> {
    let store = wiring::services(&app.config, NAME)?.store;
    store.ready().await?;
    let trail = store.audit_trail();
    match args.command {
        AuditCommand::List { which, limit } => list(&trail, which, limit, app).await?,
        AuditCommand::Export { which } => export(&trail, which, app).await?,
        AuditCommand::Verify { head } => verify(&trail, head, app).await?,
    }
    Ok(ExitStatus::Ok)
}

/// The newest rows stand last, as in a log.
async fn list(trail: &AuditTrail, which: Which, limit: u32, app: &mut App) -> Outcome {
    let newest = trail.newest(&which.into(), limit).await?;
    let rows = newest.into_iter().rev().map(cells);
    let listing = Listing {
        columns: columns(),
        rows: rows.collect(),
    };
    Ok(app.printer.listing(&listing)?)
}

async fn export(trail: &AuditTrail, which: Which, app: &mut App) -> Outcome {
    let filter = AuditFilter::from(which);
    let mut after = None;
    let mut sink = app.printer.rows(&columns())?;
    loop {
        let page = trail.page(&filter, after).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.audit_id);
        for row in page {
            sink.row(cells(row)).map_err(OutputError)?;
        }
    }
    sink.end().map_err(OutputError)?;
    drop(sink);
    Ok(app.printer.flush()?)
}

async fn verify(trail: &AuditTrail, kept: Option<(i64, String)>, app: &mut App) -> Outcome {
    let check = trail.verify(kept.as_ref().map(|(id, _)| *id)).await?;
    let head = check.head.as_ref().map(|(id, hash)| format!("{id}:{hash}"));
    let document = json!({
        "checked": check.checked, "not_covered": check.uncovered, "head": head,
        "broken_at": check.broken.map(|(id, _)| id), "reason": check.broken.map(|(_, reason)| reason),
    });
    app.printer.document(&document, || {
        let head = head.as_deref().unwrap_or("-");
        format!(
            "{} rows follow one another; {} rows of before the chain are not covered\nhead {head}\n",
            check.checked, check.uncovered
        )
    })?;
    let broken = check.broken.map(|(id, reason)| format!("row {id}: {reason}"));
    let lost = kept.and_then(|(id, hash)| {
        let is_there = check.asked.as_deref() == Some(hash.as_str());
        (!is_there).then(|| format!("row {id} is not there with the hash that was kept"))
    });
    match broken.or(lost) {
        None => Ok(()),
        Some(what) => Err(OperatorMessage::new(ErrorCode::AuditBroken, "the audit log was changed")
            .with_detail(what)
            .with_hint(
                "Compare it with a backup of the database; what the row says now is not what was recorded.",
            )
            .into()),
    }
}

fn columns() -> Vec<Column> {
    let mut columns = vec![Column::number("audit_id")];
    columns.extend(
        [
            "requested_at",
            "actor_id",
            "actor_roles",
            "action",
            "resource_type",
            "resource_id",
            "result",
        ]
        .map(Column::text),
    );
    columns.push(Column::number("status_code"));
    columns.extend(
        [
            "request_method",
            "request_path",
            "request_query",
            "client_ip",
            "user_agent",
        ]
        .map(Column::text),
    );
    columns.push(Column::text("correlation_id"));
    columns.extend(["duration_ms", "result_count"].map(Column::number));
    columns
}

fn cells(stored: StoredAuditRow) -> Vec<Cell> {
    let row = stored.row;
    let text = |text: Option<String>| text.map_or(Cell::Null, Cell::Text);
    vec![
        Cell::Int(stored.audit_id),
        Cell::instant(row.requested_at),
        text(row.actor_id),
        Cell::Text(row.actor_roles.join(",")),
        Cell::Text(row.action),
        text(row.resource_type),
        text(row.resource_id),
        Cell::Text(row.result),
        Cell::UInt(row.status_code.into()),
        Cell::Text(row.request_method),
        Cell::Text(row.request_path),
        text(row.request_query),
        text(row.client_ip),
        text(row.user_agent),
        Cell::Text(row.correlation_id),
        Cell::UInt(row.duration_ms),
        row.result_count
            .map_or(Cell::Null, |count| Cell::UInt(count.into())),
    ]
}
