//! `nsc loads`: what was loaded, and taking it back.

mod change;
mod look;

use clap::{Args, Subcommand, ValueEnum};
use datafusion::prelude::SessionContext;
use nsc_core::{ErrorCode, ExitStatus, UtcMicros};
use nsc_lake::{Lake, LoadRecord, LoadState, session};

use crate::app::App;
use crate::failure::{OperatorMessage, Outcome};
use crate::suggested;

/// Characters of an id that name a load to be changed.
const LEAST_OF_ID: usize = 8;

/// Look at what was loaded; take a load back, and restore it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  nsc loads list --table transaction_ledger_raw\n  nsc loads show LOAD")]
pub(crate) struct LoadsArgs {
    #[command(subcommand)]
    command: LoadsCommand,
}

#[derive(Debug, Subcommand)]
enum LoadsCommand {
    /// The loads, newest first, and what they are now
    #[command(after_help = "\
Examples:
  nsc loads list
  nsc loads list --table transaction_ledger_raw --since 2026-01-05T00:00:00Z
  nsc loads list --state retracted --format json")]
    List(ListArgs),
    /// One load: where it came from, what became of it, its rows by business day
    #[command(after_help = "Examples:\n  nsc loads show 0199a2b4")]
    Show {
        /// The load's id, or the beginning of it where that is enough
        load: String,
    },
    /// Take a load back: its rows stay in Bronze and count no more
    #[command(after_help = "\
Nothing is deleted. The next scheduled run of Silver makes Silver say what it would without the load; B and C compute
the days that change. A run of an explicit day does so for the days processed so far.

Examples:
  nsc loads retract 0199a2b4 --reason 'orders were loaded as ledger entries' --dry-run
  nsc loads retract 0199a2b4 --reason 'orders were loaded as ledger entries'")]
    Retract(ChangeArgs),
    /// Let the rows of a load that was taken back count again
    #[command(after_help = "Examples:\n  nsc loads restore 0199a2b4 --reason 'the file was right after all'")]
    Restore(ChangeArgs),
}

impl LoadsCommand {
    /// The load that is asked for, as it was given.
    fn load(&self) -> Option<&str> {
        match self {
            Self::List(_) => None,
            Self::Show { load } => Some(load),
            Self::Retract(args) | Self::Restore(args) => Some(&args.load),
        }
    }
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only loads of this Bronze table, by its name or that of its source
    #[arg(long, value_name = "TABLE", value_parser = suggested::table(), hide_possible_values = true)]
    table: Option<String>,
    /// Only loads that were recorded, or changed, at this time or later
    #[arg(long, value_name = "TIME")]
    since: Option<UtcMicros>,
    /// Only loads that are this now
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<StateName>,
}

#[derive(Debug, Args)]
struct ChangeArgs {
    /// The load's id, or the beginning of it where that is enough
    load: String,
    /// Why; kept with the record
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Show what would follow and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The time of the record, instead of now
    #[arg(long, value_name = "TIME")]
    now: Option<UtcMicros>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateName {
    /// Its rows count
    Loaded,
    /// It was taken back
    Retracted,
    /// It was taken back once and counts again
    Restored,
    /// It was begun and never happened: its rows are not in Bronze
    NotCommitted,
    /// Its rows are in Bronze and count, and its record is lost
    Unrecorded,
}

fn reason(text: &str) -> Result<String, String> {
    if nsc_core::is_blank(text) {
        return Err("say why".to_owned());
    }
    Ok(text.to_owned())
}

pub(crate) async fn handle(args: LoadsArgs, app: &mut App) -> Outcome<ExitStatus> {
    let lake = app.lake()?;
    let ctx = session(&app.session_options())?;
    let mut loads = Load::all(lake.load_records(&ctx).await?);
    let is_recorded = |wanted: &str| loads.iter().any(|l| l.is_named(wanted));
    if !args.command.load().is_some_and(is_recorded) {
        add_unrecorded(&mut loads, &lake, &ctx).await?;
    }
    match args.command {
        LoadsCommand::List(args) => look::list(app, &lake, &ctx, loads, &args).await?,
        LoadsCommand::Show { load } => look::show(app, &lake, &find(loads, &load)?).await?,
        LoadsCommand::Retract(args) => {
            let load = find_to_change(loads, &args.load)?;
            change::to(app, &lake, load, LoadState::Retracted, args).await?;
        }
        LoadsCommand::Restore(args) => {
            let load = find_to_change(loads, &args.load)?;
            change::to(app, &lake, load, LoadState::Restored, args).await?;
        }
    }
    Ok(ExitStatus::Ok)
}

/// Adds the loads whose records are lost, so that they can be taken back all the same.
async fn add_unrecorded(loads: &mut Vec<Load>, lake: &Lake, ctx: &SessionContext) -> Outcome {
    let recorded = loads.iter().map(|l| l.id().to_owned()).collect();
    for record in lake.unrecorded_loads(ctx, &recorded).await? {
        loads.push(Load {
            records: vec![record],
            is_recorded: false,
        });
    }
    // Later loads have later ids.
    loads.sort_by(|a, b| a.id().cmp(b.id()));
    Ok(())
}

/// A load and what became of it.
struct Load {
    /// Whether the table of loads has it; else its rows alone tell of it.
    is_recorded: bool,
    /// Oldest first; never empty.
    records: Vec<LoadRecord>,
}

impl StateName {
    /// As tables show it.
    const fn shown(self) -> &'static str {
        match self {
            Self::Loaded => LoadState::Loaded.name(),
            Self::Retracted => LoadState::Retracted.name(),
            Self::Restored => LoadState::Restored.name(),
            Self::NotCommitted => "NOT COMMITTED",
            Self::Unrecorded => "UNRECORDED",
        }
    }
}

impl Load {
    /// What it is now, as its records tell: whether its rows are in Bronze they do not.
    fn state(&self) -> StateName {
        match self.newest().state {
            LoadState::Loaded if !self.is_recorded => StateName::Unrecorded,
            LoadState::Loaded => StateName::Loaded,
            LoadState::Retracted => StateName::Retracted,
            LoadState::Restored => StateName::Restored,
        }
    }

    /// Puts the records of each load together; they come sorted by load and time.
    fn all(records: Vec<LoadRecord>) -> Vec<Self> {
        let mut loads: Vec<Self> = Vec::new();
        for record in records {
            match loads.last_mut().filter(|l| l.id() == record.load_id) {
                Some(load) => load.records.push(record),
                None => loads.push(Self {
                    is_recorded: true,
                    records: vec![record],
                }),
            }
        }
        loads
    }

    /// The record of the load itself.
    fn first(&self) -> &LoadRecord {
        &self.records[0]
    }

    /// What it is now.
    fn newest(&self) -> &LoadRecord {
        self.records.last().unwrap_or(&self.records[0])
    }

    fn id(&self) -> &str {
        &self.first().load_id
    }

    /// Whether the id begins with what was given.
    fn is_named(&self, given: &str) -> bool {
        self.id().starts_with(&given.to_lowercase())
    }

    /// The file, as people know it.
    fn input(&self) -> &str {
        self.first().input.as_deref().unwrap_or("-")
    }
}

/// As [`find`]. What changes something wants more of an id than what may be left of a variable that was never set.
fn find_to_change(loads: Vec<Load>, wanted: &str) -> Outcome<Load> {
    if wanted.chars().count() < LEAST_OF_ID {
        return Err(OperatorMessage::usage(format!(
            "{wanted:?} is too little of a load's id to change the load"
        ))
        .with_hint(format!(
            "Give {LEAST_OF_ID} characters of it or more; nsc loads list shows them."
        ))
        .into());
    }
    find(loads, wanted)
}

/// The one load whose id begins with `wanted`.
fn find(loads: Vec<Load>, wanted: &str) -> Outcome<Load> {
    if nsc_core::is_blank(wanted) {
        return Err(OperatorMessage::usage("the id of the load is blank")
            .with_hint("nsc loads list shows the ids.")
            .into());
    }
    let mut found: Vec<Load> = loads.into_iter().filter(|l| l.is_named(wanted)).collect();
    match (found.pop(), found.len()) {
        (Some(load), 0) => Ok(load),
        (Some(_), more) => Err(OperatorMessage::new(
            ErrorCode::UnknownLoad,
            format!("{} loads have ids that begin with {wanted}", more + 1),
        )
        .with_hint("Give more of the id; nsc loads list shows them.")
        .into()),
        (None, _) => Err(OperatorMessage::new(
            ErrorCode::UnknownLoad,
            format!("no load has the id {wanted}"),
        )
        .with_detail("loads made before loads had ids cannot be named")
        .with_hint("nsc loads list")
        .into()),
    }
}
