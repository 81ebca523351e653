//! Caring for tables: migrate, optimize, vacuum, checkpoint, repair.

use nsc_contracts::TableContract;
use nsc_core::{DateKst, UtcMicros};
use nsc_lake::{LakeError, Table, session};

use crate::app::App;
use crate::failure::Outcome;
use crate::output::{Cell, Column, Listing};
use crate::progress;

/// The one table whose rows have a retention of their own.
const BAD_RECORDS: &str = "silver.bad_records";

type Contracts<'a> = &'a [&'static TableContract];

/// The chosen tables that are stored.
async fn stored(app: &App, contracts: Contracts<'_>) -> Outcome<Vec<Table>> {
    let lake = app.lake()?;
    let mut tables = Vec::new();
    for contract in contracts {
        tables.extend(lake.unchecked(contract, None).await?);
    }
    Ok(tables)
}

/// Tables that were named must exist; "all" means those that do.
async fn named(app: &App, contracts: Contracts<'_>) -> Outcome<Vec<Table>> {
    let tables = stored(app, contracts).await?;
    let all = contracts.len() == nsc_contracts::open_tables().count();
    let absent = contracts
        .iter()
        .find(|c| !all && tables.iter().all(|t| t.name() != c.full_name()));
    match absent {
        Some(contract) => Err(LakeError::Missing {
            table: contract.full_name(),
        }
        .into()),
        None => Ok(tables),
    }
}

pub(super) async fn migrate(app: &mut App, contracts: Contracts<'_>) -> Outcome {
    let mut listing = Listing::of_text(&["table", "added"]);
    listing.columns.push(Column::number("described"));
    let mut first = None;
    for mut table in named(app, contracts).await? {
        let done = match table.migrate().await {
            Ok(done) => done,
            // The others are none the worse for it.
            Err(error @ LakeError::Schema { .. }) => {
                listing.push([Cell::Text(table.name()), Cell::text("refused"), Cell::Null]);
                first.get_or_insert(error);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        listing.push([
            Cell::Text(table.name()),
            if done.added.is_empty() {
                Cell::Null
            } else {
                Cell::Text(done.added.join(", "))
            },
            Cell::count(done.described),
        ]);
    }
    app.printer.listing(&listing)?;
    match first {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

pub(super) async fn optimize(app: &mut App, contracts: Contracts<'_>) -> Outcome {
    let ctx = session(&app.session_options())?;
    let mut listing = Listing {
        columns: vec![Column::text("table")],
        rows: Vec::new(),
    };
    listing
        .columns
        .extend(["files_before", "files_after", "rows", "version"].map(Column::number));
    for mut table in named(app, contracts).await? {
        let spinner = progress::spinner(&app.bars, &table.name());
        let done = table.compact(&ctx).await;
        spinner.finish_and_clear();
        let done = done?;
        listing.push([
            Cell::Text(table.name()),
            Cell::count(done.files_before),
            Cell::count(done.files_after),
            Cell::UInt(done.rows),
            Cell::UInt(table.version()),
        ]);
    }
    Ok(app.printer.listing(&listing)?)
}

pub(super) async fn checkpoint(app: &mut App, contracts: Contracts<'_>) -> Outcome {
    let mut listing = Listing {
        columns: vec![Column::text("table"), Column::number("version")],
        rows: Vec::new(),
    };
    for table in named(app, contracts).await? {
        table.checkpoint().await?;
        listing.push([Cell::Text(table.name()), Cell::UInt(table.version())]);
    }
    Ok(app.printer.listing(&listing)?)
}

pub(super) async fn repair(app: &mut App, contracts: Contracts<'_>, apply: bool) -> Outcome {
    let lake = app.lake()?;
    let all = contracts.len() == nsc_contracts::open_tables().count();
    let mut listing = Listing {
        columns: ["table", "file", "partition"].map(Column::text).into(),
        rows: Vec::new(),
    };
    listing.columns.extend(["rows", "version"].map(Column::number));
    listing.columns.extend(["input", "removed"].map(Column::text));
    for contract in contracts {
        let found = match lake.repair(contract, apply).await {
            Err(LakeError::Missing { .. }) if all => continue,
            found => found?,
        };
        for file in found {
            listing.push([
                Cell::Text(contract.full_name()),
                Cell::Text(file.path),
                Cell::Text(file.partition),
                file.rows.map_or(Cell::Null, Cell::UInt),
                file.version.map_or(Cell::Null, Cell::UInt),
                Cell::text_or_null(file.input.as_deref()),
                Cell::Bool(apply),
            ]);
        }
    }
    Ok(app.printer.listing(&listing)?)
}

pub(super) async fn vacuum(
    app: &mut App,
    contracts: Contracts<'_>,
    apply: bool,
    keep_days: Option<u32>,
    now: Option<UtcMicros>,
) -> Outcome {
    let keep_days = keep_days.unwrap_or(app.config.retention.files_days.value);
    let rows_kept_days = app.config.retention.bad_records_days.value;
    let today = app.now(now).date_kst();
    let first_kept = DateKst::from_days(
        today
            .days()
            .saturating_sub(i32::try_from(rows_kept_days).unwrap_or(i32::MAX)),
    );
    let mut listing = Listing {
        columns: ["table", "what", "kept"].map(Column::text).into(),
        rows: Vec::new(),
    };
    listing.columns.extend(["files", "rows"].map(Column::number));
    listing.columns.push(Column::text("removed"));
    for mut table in named(app, contracts).await? {
        if table.name() == BAD_RECORDS {
            let old = table.expire_before(first_kept, apply).await?;
            let kept = format!("{rows_kept_days} d, from {first_kept}");
            listing.push([
                Cell::Text(table.name()),
                Cell::text("rows"),
                Cell::Text(kept),
                Cell::count(old.files),
                Cell::UInt(old.rows),
                Cell::Bool(apply),
            ]);
        }
        let files = table.vacuum(keep_days, apply).await?;
        let kept = format!("{keep_days} d");
        listing.push([
            Cell::Text(table.name()),
            Cell::text("files"),
            Cell::Text(kept),
            Cell::count(files.len()),
            Cell::Null,
            Cell::Bool(apply),
        ]);
    }
    Ok(app.printer.listing(&listing)?)
}
