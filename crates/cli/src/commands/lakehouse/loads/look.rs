//! Looking at loads: list, show.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::prelude::SessionContext;
use nsc_contracts::{Layer, Source, TableContract};
use nsc_lake::{Lake, LoadState};
use nsc_pipelines::rows_by_day;

use super::{ListArgs, Load, StateName};
use crate::app::App;
use crate::commands::lakehouse::run_context::context;
use crate::commands::lakehouse::table::named;
use crate::failure::{OperatorMessage, Outcome};
use crate::output::{Cell, Column, Listing, Sections};

pub(super) async fn list(
    app: &mut App,
    lake: &Lake,
    ctx: &SessionContext,
    loads: Vec<Load>,
    args: &ListArgs,
) -> Outcome {
    let table = args.table.as_deref().map(loaded).transpose()?;
    let table = table.map(TableContract::full_name);
    let mut listing = Listing::of_text(&["load_id", "table", "state", "input", "delivery"]);
    listing.columns.extend(["rows", "malformed"].map(Column::number));
    listing
        .columns
        .extend(["ingested_at", "actor", "changed_at", "reason"].map(Column::text));
    let mut present: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for load in loads.iter().rev() {
        let (first, newest) = (load.first(), load.newest());
        let is_wanted = table.as_ref().is_none_or(|t| *t == first.table_name)
            && args.since.is_none_or(|since| since <= newest.recorded_at);
        if !is_wanted {
            continue;
        }
        if !present.contains_key(&first.table_name) {
            let found = lake.loads_in(ctx, named(&first.table_name)?).await?;
            present.insert(first.table_name.clone(), found);
        }
        let is_there = present
            .get(&first.table_name)
            .is_some_and(|p| p.contains(load.id()));
        let state = match load.state() {
            StateName::Loaded if !is_there && first.rows != Some(0) => StateName::NotCommitted,
            recorded => recorded,
        };
        if args.state.is_some_and(|wanted| wanted != state) {
            continue;
        }
        let text = |value: &Option<String>| Cell::text_or_null(value.as_deref());
        let count = |value: Option<i64>| value.map_or(Cell::Null, Cell::Int);
        let is_changed = newest.state != LoadState::Loaded;
        listing.push([
            Cell::text(load.id()),
            Cell::text(&first.table_name),
            Cell::text(state.shown()),
            text(&first.input),
            text(&first.delivery),
            count(first.rows),
            count(first.malformed),
            first.ingested_at.map_or(Cell::Null, Cell::instant),
            text(&newest.actor),
            if is_changed {
                Cell::instant(newest.recorded_at)
            } else {
                Cell::Null
            },
            text(&newest.reason),
        ]);
    }
    Ok(app.printer.listing(&listing)?)
}

/// The Bronze table that an operator names, by its own name or that of its source.
fn loaded(name: &str) -> Outcome<&'static TableContract> {
    if let Some(contract) = Source::named(name).and_then(Source::bronze_contract) {
        return Ok(contract);
    }
    let contract = named(name)?;
    if contract.layer != Layer::Bronze {
        let refusal = OperatorMessage::usage(format!("no load brings rows into {}", contract.full_name()));
        let sources = nsc_contracts::SOURCES.iter().map(|s| s.name);
        let sources = sources.collect::<Vec<_>>().join(", ");
        return Err(refusal
            .with_hint(format!("Name a Bronze table or its source: {sources}."))
            .into());
    }
    Ok(contract)
}

pub(super) async fn show(app: &mut App, lake: &Lake, load: &Load) -> Outcome {
    let first = load.first();
    let mut record = Listing::of_text(&["field", "value"]);
    let count = |value: Option<i64>| value.map_or(Cell::Null, Cell::Int);
    let text = |value: &Option<String>| Cell::text_or_null(value.as_deref());
    let fields = [
        ("load_id", Cell::text(load.id())),
        ("table", Cell::text(&first.table_name)),
        ("state", Cell::text(load.state().shown())),
        ("input", text(&first.input)),
        ("source_path", text(&first.source_path)),
        ("delivery", text(&first.delivery)),
        ("content_blake3", text(&first.content_blake3)),
        ("bytes", count(first.bytes)),
        ("lines", count(first.lines)),
        ("rows", count(first.rows)),
        ("malformed", count(first.malformed)),
        ("file_size", count(first.file_size)),
        (
            "file_modified",
            first.file_modified.map_or(Cell::Null, Cell::instant),
        ),
        ("ingested_at", first.ingested_at.map_or(Cell::Null, Cell::instant)),
    ];
    for (name, value) in fields {
        record.push([Cell::text(name), value]);
    }
    let mut history = Listing::of_text(&["state", "recorded_at", "actor", "version", "reason"]);
    for record in &load.records {
        history.push([
            Cell::text(record.state.name()),
            Cell::instant(record.recorded_at),
            text(&record.actor),
            text(&record.version),
            text(&record.reason),
        ]);
    }
    let run = context(app, lake.clone(), None, None, None)?;
    let mut days = Listing {
        columns: vec![Column::text("date_kst"), Column::number("rows")],
        rows: Vec::new(),
    };
    for (day, rows) in rows_by_day(&run, &first.table_name, load.id()).await? {
        days.push([Cell::exact(day), Cell::UInt(rows)]);
    }
    let mut sections = Sections::default();
    sections.push("load", record);
    sections.push("what became of it", history);
    sections.push("its rows in Bronze by business day", days);
    let look = app.look();
    app.printer.document(&sections, || sections.text(look))
}
