//! `nsc explain`: a finding with its source rows and its rule.

use std::num::NonZeroUsize;

use clap::{Args, Subcommand};
use nsc_core::{DateKst, ExitStatus};
use nsc_explain::Wanted;

use crate::app::App;
use crate::commands::lakehouse::findings::exception_type;
use crate::commands::lakehouse::sql;
use crate::failure::Outcome;
use crate::output::Sections;

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
    /// An entry of the ledger: the lines and loads it came in, its row, its pair, what the controls found of it
    #[command(after_help = "Examples:\n  nsc explain tx tx-20260105-0313")]
    Tx {
        /// The entry's tx_id
        tx_id: String,
    },
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
    #[arg(long = "type", value_name = "TYPE", value_parser = exception_type(), hide_possible_values = true)]
    exception_type: Option<&'static str>,
    /// Only this wallet, tx_id or merchant
    #[arg(long)]
    subject: Option<String>,
    /// At most so many exceptions, the most severe first
    #[arg(long, default_value = "20")]
    limit: NonZeroUsize,
}

pub(crate) async fn handle(command: FindingCommand, app: &mut App) -> Outcome<ExitStatus> {
    let engine = sql::engine(app)?;
    let explained = match command {
        FindingCommand::BadRecord { source_ref } => nsc_explain::bad_record(&engine, &source_ref).await?,
        FindingCommand::Exception(args) => nsc_explain::exceptions(&engine, &args.into()).await?,
        FindingCommand::Tx { tx_id } => nsc_explain::tx(&engine, &tx_id).await?,
        FindingCommand::Recon { date_kst, wallet } => nsc_explain::recon(&engine, date_kst, &wallet).await?,
    };
    let sections = shown(&explained)?;
    let look = app.look();
    app.printer.document(&sections, || sections.text(look))?;
    Ok(ExitStatus::Ok)
}

impl From<ExceptionArgs> for Wanted {
    fn from(args: ExceptionArgs) -> Self {
        Self {
            date_kst: args.date_kst,
            exception_type: args.exception_type.map(str::to_owned),
            subject: args.subject,
            limit: args.limit.get(),
        }
    }
}

pub(crate) fn shown(explained: &nsc_explain::Sections) -> Outcome<Sections> {
    let mut sections = Sections::default();
    for part in explained.parts() {
        let rows = sql::listing(&part.rows)?;
        if part.is_wide {
            sections.push_records(part.title, rows);
        } else {
            sections.push(part.title, rows);
        }
    }
    Ok(sections)
}
