//! `nsc explain`: a finding with its source rows and its rule.

mod exception;
mod query;

use clap::{Args, Subcommand};
use nsc_core::{DateKst, ErrorCode, ExitStatus};

use crate::app::App;
use crate::commands::lakehouse::sql;
use crate::failure::{Outcome, Refusal};
use crate::output::Sections;
use query::{Finder, literal};

/// What the controls and the checks found.
#[derive(Debug, Subcommand)]
pub(crate) enum FindingCommand {
    /// A quarantined row: why, the Bronze row as it came, the rule
    #[command(after_help = "\
Examples:
  nsc explain bad-record file:transaction_ledger.jsonl#120
  nsc sql \"SELECT source_ref, reason FROM silver.bad_records\"      finds the references")]
    BadRecord {
        /// The row's source_ref
        source_ref: String,
    },
    /// An exception of a day: its numbers, its rule, the rows behind it
    #[command(after_help = "\
Examples:
  nsc explain exception --date-kst 2026-01-05
  nsc explain exception --date-kst 2026-01-05 --type RECON_DRIFT_HIGH --subject user-17")]
    Exception(ExceptionArgs),
    /// A wallet's reconciliation of a day: both snapshots, every entry between them, the rule
    #[command(after_help = "Examples:\n  nsc explain recon --date-kst 2026-01-05 --wallet user-17")]
    Recon {
        /// KST business day
        #[arg(long, value_name = "DATE")]
        date_kst: DateKst,
        /// The wallet (its user_id)
        #[arg(long)]
        wallet: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExceptionArgs {
    /// KST business day
    #[arg(long, value_name = "DATE")]
    date_kst: DateKst,
    /// Only this type, e.g. RECON_DRIFT_HIGH
    #[arg(long = "type", value_name = "TYPE")]
    exception_type: Option<String>,
    /// Only this wallet, tx_id or merchant
    #[arg(long)]
    subject: Option<String>,
    /// At most so many exceptions
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

pub(crate) async fn handle(command: FindingCommand, app: &mut App) -> Outcome<ExitStatus> {
    let engine = sql::engine(app)?;
    let finder = Finder { engine: &engine };
    let sections = match command {
        FindingCommand::BadRecord { source_ref } => bad_record(&finder, &source_ref).await?,
        FindingCommand::Exception(args) => exception::explain(&finder, &args).await?,
        FindingCommand::Recon { date_kst, wallet } => recon(&finder, date_kst, &wallet).await?,
    };
    let width = app.terminal.stdout_width;
    app.printer.document(&sections, || sections.text(width))?;
    Ok(ExitStatus::Ok)
}

fn nothing(what: String, hint: &str) -> Refusal {
    Refusal::new(ErrorCode::Usage, what).with_hint(hint)
}

async fn bad_record(finder: &Finder<'_>, source_ref: &str) -> Outcome<Sections> {
    let found = finder
        .rows(&format!(
            "SELECT source_table, source_ref, load_id, reason, rule_id, run_id, detected_at, record_json \
             FROM silver.bad_records WHERE source_ref = {} ORDER BY detected_at",
            literal(source_ref)
        ))
        .await?;
    let hint = "nsc sql \"SELECT source_table, source_ref, reason FROM silver.bad_records LIMIT 20\"";
    let Some(table) = query::first_text(&found, "source_table") else {
        return Err(nothing(format!("no bad record has the source_ref {source_ref}"), hint).into());
    };
    let rules = query::texts(&found, "rule_id");
    let mut sections = Sections::default();
    sections.push_records("bad record", found);
    if nsc_contracts::table(&format!("bronze.{table}")).is_some() {
        let source = finder
            .rows(&format!(
                "SELECT r.* FROM bronze.{table} r \
                 JOIN (SELECT DISTINCT load_id FROM silver.bad_records \
                       WHERE source_table = {} AND source_ref = {reference}) bad \
                 ON r.load_id IS NOT DISTINCT FROM bad.load_id \
                 WHERE r.source_ref = {reference} ORDER BY r.ingested_at",
                literal(&table),
                reference = literal(source_ref)
            ))
            .await?;
        sections.push_records("source row", source);
    }
    sections.push("rule", finder.rules(&rules).await?);
    Ok(sections)
}

/// Everything behind one wallet's row of `gold.recon_daily_snapshot_flow`.
async fn recon(finder: &Finder<'_>, date: DateKst, wallet: &str) -> Outcome<Sections> {
    let mut sections = Sections::default();
    exception::recon_sections(finder, date, wallet, &mut sections).await?;
    Ok(sections)
}
