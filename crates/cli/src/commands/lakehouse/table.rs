//! `nsc table`: look at and care for the tables.

mod care;
mod look;

use clap::{Args, Subcommand};
use nsc_contracts::TableContract;
use nsc_core::{ErrorCode, ExitStatus, UtcMicros};

use crate::app::App;
use crate::failure::{OperatorMessage, Outcome};
use crate::suggested;

/// Look at and care for the tables
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nsc table list\n  nsc table show silver.ledger_entries\n  nsc table optimize bronze.transaction_ledger_raw"
)]
pub(crate) struct TableArgs {
    #[command(subcommand)]
    command: TableCommand,
}

#[derive(Debug, Subcommand)]
enum TableCommand {
    /// Every table of the contract, and what is stored of it
    #[command(after_help = "Examples:\n  nsc table list\n  nsc table list --format json")]
    List,
    /// A table's contract: columns, types, key, partition, write strategy
    #[command(
        after_help = "Examples:\n  nsc table show silver.ledger_entries\n  nsc table show dq_status --format json"
    )]
    Show {
        /// layer.name, or the name alone where it is unique
        #[arg(value_parser = suggested::table(), hide_possible_values = true)]
        table: String,
    },
    /// Add nullable columns the contract has and a stored table lacks; nothing else
    #[command(after_help = "Examples:\n  nsc table migrate\n  nsc table migrate gold.pipeline_state")]
    Migrate {
        /// The tables; all when absent
        #[arg(value_parser = suggested::table(), hide_possible_values = true)]
        tables: Vec<String>,
    },
    /// The newest commits of a table
    #[command(after_help = "Examples:\n  nsc table history gold.exception_ledger --limit 5")]
    History {
        /// The table
        #[arg(value_parser = suggested::table(), hide_possible_values = true)]
        table: String,
        /// At most so many commits
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Rewrite small files into large ones
    #[command(
        after_help = "Examples:\n  nsc table optimize\n  nsc table optimize bronze.transaction_ledger_raw"
    )]
    Optimize {
        /// The tables; all when absent
        #[arg(value_parser = suggested::table(), hide_possible_values = true)]
        tables: Vec<String>,
    },
    /// Remove what is past its retention: old rows of silver.bad_records, files no recent version needs
    #[command(after_help = "\
Shows what would go and removes nothing, unless --apply is given. Time travel ends at the oldest kept version.

Examples:
  nsc table vacuum
  nsc table vacuum silver.ledger_entries --keep-days 14 --apply")]
    Vacuum(VacuumArgs),
    /// Write a checkpoint, so that opening the table reads one file in place of many commits
    #[command(after_help = "Examples:\n  nsc table checkpoint\n  nsc table checkpoint gold.pipeline_state")]
    Checkpoint {
        /// The tables; all when absent
        #[arg(value_parser = suggested::table(), hide_possible_values = true)]
        tables: Vec<String>,
    },
    /// Take out the files no engine can open a table with (their partition is no date)
    #[command(after_help = "\
Shows what would go and changes nothing, unless --apply is given. The files stay on the storage until vacuum removes
them; the commit names them and the inputs their rows came from, which nsc ingest --force loads again.

Examples:
  nsc table repair
  nsc table repair bronze.products_raw --apply")]
    Repair {
        /// The tables; all when absent
        #[arg(value_parser = suggested::table(), hide_possible_values = true)]
        tables: Vec<String>,
        /// Take them out, instead of showing what would be
        #[arg(long)]
        apply: bool,
    },
}

#[derive(Debug, Args)]
struct VacuumArgs {
    /// The tables; all when absent
    #[arg(value_parser = suggested::table(), hide_possible_values = true)]
    tables: Vec<String>,
    /// Remove, instead of showing what would be removed
    #[arg(long)]
    apply: bool,
    /// Days files of older versions are kept, instead of retention.files_days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(7..))]
    keep_days: Option<u32>,
    /// The time retention is counted from, instead of now
    #[arg(long, value_name = "TIME")]
    now: Option<UtcMicros>,
}

pub(crate) async fn handle(args: TableArgs, app: &mut App) -> Outcome<ExitStatus> {
    match args.command {
        TableCommand::List => look::list(app).await?,
        TableCommand::Show { table } => look::show(app, named(&table)?).await?,
        TableCommand::History { table, limit } => look::history(app, named(&table)?, limit).await?,
        TableCommand::Migrate { tables } => care::migrate(app, &chosen(&tables)?).await?,
        TableCommand::Optimize { tables } => care::optimize(app, &chosen(&tables)?).await?,
        TableCommand::Checkpoint { tables } => care::checkpoint(app, &chosen(&tables)?).await?,
        TableCommand::Repair { tables, apply } => care::repair(app, &chosen(&tables)?, apply).await?,
        TableCommand::Vacuum(args) => {
            let tables = chosen(&args.tables)?;
            care::vacuum(app, &tables, args.apply, args.keep_days, args.now).await?;
        }
    }
    Ok(ExitStatus::Ok)
}

/// The contract of a table an operator names.
pub(crate) fn named(name: &str) -> Outcome<&'static TableContract> {
    nsc_contracts::table(name).ok_or_else(|| {
        let refusal = OperatorMessage::new(
            ErrorCode::UnknownTable,
            format!("the contract has no table {name}"),
        );
        let near: Vec<String> = nsc_contracts::open_tables()
            .map(TableContract::full_name)
            .filter(|full| alike(full, name))
            .collect();
        if near.is_empty() {
            refusal.with_hint("nsc table list").into()
        } else {
            refusal
                .with_hint(format!("Did you mean {}?", near.join(" or ")))
                .into()
        }
    })
}

/// The same table in another layer, or a name a few letters away.
fn alike(full: &str, name: &str) -> bool {
    let last = |text: &str| text.rsplit('.').next().unwrap_or(text).to_lowercase();
    let (known, given) = (last(full), last(name));
    edits(&known, &given) <= (given.len() / 4).clamp(1, 3)
}

/// Letters to insert, remove or replace to turn one word into the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut next = vec![i + 1];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(x != *y)).min(above + 1).min(left + 1));
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn chosen(names: &[String]) -> Outcome<Vec<&'static TableContract>> {
    if names.is_empty() {
        return Ok(nsc_contracts::open_tables().collect());
    }
    names.iter().map(|n| named(n)).collect()
}

#[cfg(test)]
mod tests {
    use super::{edits, named};

    #[test]
    fn a_misspelt_table_is_guessed() {
        let hint = |name: &str| {
            named(name)
                .err()
                .and_then(|f| f.error().hint())
                .unwrap_or_default()
        };
        assert_eq!(hint("ledger_entry"), "Did you mean silver.ledger_entries?");
        assert_eq!(hint("gold.dq_status"), "Did you mean silver.dq_status?");
        assert_eq!(hint("order_items_row"), "Did you mean bronze.order_items_raw?");
        assert_eq!(hint("x"), "nsc table list");
        assert_eq!(
            (edits("kitten", "sitting"), edits("", "ab"), edits("a", "a")),
            (3, 2, 0)
        );
    }
}
