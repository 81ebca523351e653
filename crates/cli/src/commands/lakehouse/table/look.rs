//! Looking at tables: list, show, history.

use std::collections::HashMap;

use nsc_contracts::TableContract;
use nsc_core::UtcMicros;
use nsc_lake::{Lake, LakeError, Table};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::failure::Outcome;
use crate::output::{Cell, Column, Listing};

pub(super) async fn list(app: &mut App) -> Outcome {
    let lake = app.lake_if_any()?;
    let mut listing = Listing {
        columns: vec![
            Column::text("table"),
            Column::text("state"),
            Column::number("version"),
            Column::number("rows"),
            Column::number("files"),
            Column::number("bytes"),
            Column::text("write"),
            Column::text("description"),
        ],
        rows: Vec::new(),
    };
    let mut unreadable = None;
    for contract in nsc_contracts::open_tables() {
        let mut row = vec![Cell::Text(contract.full_name())];
        let cells = stored_cells(lake.as_ref(), contract).await;
        row.extend(cells.unwrap_or_else(|error| {
            unreadable.get_or_insert(error);
            not_known("unreadable")
        }));
        row.extend([
            Cell::text(contract.write.name()),
            Cell::text(contract.description),
        ]);
        listing.push(row);
    }
    app.printer.listing(&listing)?;
    // The others are shown all the same.
    unreadable.map_or(Ok(()), |error| Err(error.into()))
}

/// The cells of a table of which nothing is known but its state.
fn not_known(state: &str) -> [Cell; 5] {
    [Cell::text(state), Cell::Null, Cell::Null, Cell::Null, Cell::Null]
}

/// state, version, rows, files, bytes
async fn stored_cells(lake: Option<&Lake>, contract: &'static TableContract) -> Result<[Cell; 5], LakeError> {
    let Some(lake) = lake else {
        return Ok(not_known("absent"));
    };
    let table = match lake.existing(contract).await {
        Ok(Some(table)) => table,
        Ok(None) => return Ok(not_known("absent")),
        Err(LakeError::Schema { .. }) => return Ok(not_known("disagrees")),
        Err(LakeError::Unsupported { .. }) => return Ok(not_known("unsupported")),
        Err(e) => return Err(e),
    };
    let size = Size::of(&table)?;
    Ok([
        Cell::text("ok"),
        Cell::UInt(table.version()),
        size.rows.map_or(Cell::Null, Cell::UInt),
        Cell::count(size.files),
        Cell::UInt(size.bytes),
    ])
}

/// What a version holds, by its log.
struct Size {
    rows: Option<u64>,
    files: usize,
    bytes: u64,
}

impl Size {
    fn of(table: &Table) -> Result<Self, LakeError> {
        let files = table.files()?;
        // One file without a count makes the sum a guess.
        let rows = files.iter().map(|f| f.rows).sum();
        Ok(Self {
            rows,
            files: files.len(),
            bytes: files.iter().map(|f| f.size).sum(),
        })
    }
}

pub(super) async fn show(app: &mut App, contract: &'static TableContract) -> Outcome {
    let stored = match app.lake_if_any()? {
        Some(lake) => lake.unchecked(contract, None).await?,
        None => None,
    };
    let declared = |name: &str| contract.columns.iter().any(|c| c.name == name);
    let extra: Vec<String> = stored
        .iter()
        .flat_map(|t| {
            t.schema()
                .fields()
                .iter()
                .map(|f| f.name().clone())
                .collect::<Vec<_>>()
        })
        .filter(|n| !declared(n))
        .collect();
    let differences: Vec<String> = match &stored {
        Some(table) => table.differences()?.iter().map(ToString::to_string).collect(),
        None => Vec::new(),
    };
    let columns: Vec<Value> = contract
        .columns
        .iter()
        .map(|c| json!({"name": c.name, "type": c.ty.name(), "nullable": c.nullable, "description": c.description}))
        .collect();
    let document = json!({
        "table": contract.full_name(),
        "description": contract.description,
        "key": contract.key,
        "partition": contract.partition,
        "write": contract.write.name(),
        "identity": contract.identity,
        "lineage": contract.lineage,
        "statistics": contract.statistics,
        "columns": columns,
        "stored": stored.as_ref().map(|t| json!({"version": t.version(), "extra_columns": extra, "differences": differences})),
    });
    let stored_line = match &stored {
        None => "Stored: not yet.".to_owned(),
        Some(t) if differences.is_empty() => {
            format!("Stored: version {}, agrees with the contract.", t.version())
        }
        Some(t) => format!(
            "Stored: version {}, DISAGREES: {}.",
            t.version(),
            differences.join("; ")
        ),
    };
    let extra_line = if extra.is_empty() {
        String::new()
    } else {
        format!("Columns the sources added: {}.\n", extra.join(", "))
    };
    app.printer.document(&document, || {
        format!("{}{stored_line}\n{extra_line}", contract_text(contract))
    })
}

fn contract_text(contract: &TableContract) -> String {
    let list = |names: &[&str]| {
        if names.is_empty() {
            "-".to_owned()
        } else {
            names.join(", ")
        }
    };
    let width = contract
        .columns
        .iter()
        .map(|c| c.name.len())
        .max()
        .unwrap_or_default();
    let mut lines = vec![
        format!("{} - {}", contract.full_name(), contract.description),
        format!(
            "Key: {}. Partition: {}. Write: {}.",
            list(contract.key),
            list(contract.partition),
            contract.write.name()
        ),
    ];
    if !contract.identity.is_empty() {
        lines.push(format!("Identity: {}.", list(contract.identity)));
    }
    lines.push(String::new());
    for c in contract.columns {
        let null = if c.nullable { "" } else { "not null" };
        lines.push(format!(
            "  {:width$}  {:18}  {null:8}  {}",
            c.name,
            c.ty.name(),
            c.description
        ));
    }
    lines.push(String::new());
    lines.join("\n") + "\n"
}

pub(super) async fn history(app: &mut App, contract: &'static TableContract, limit: usize) -> Outcome {
    let missing = || LakeError::Missing {
        table: contract.full_name(),
    };
    let table = app.lake()?.unchecked(contract, None).await?.ok_or_else(missing)?;
    let mut listing = Listing {
        columns: vec![
            Column::number("version"),
            Column::text("time"),
            Column::text("operation"),
            Column::text("details"),
        ],
        rows: Vec::new(),
    };
    for (back, commit) in table.history(Some(limit)).await?.into_iter().enumerate() {
        let version = commit
            .get("version")
            .or_else(|| commit.get("readVersion"))
            .and_then(Value::as_u64);
        let version = version.unwrap_or_else(|| table.version().saturating_sub(back as u64));
        let time = commit
            .get("timestamp")
            .and_then(Value::as_i64)
            .map(|ms| UtcMicros::new(ms.saturating_mul(1000)));
        let details = details_of(&commit);
        listing.push([
            Cell::UInt(version),
            time.map_or(Cell::Null, Cell::exact),
            Cell::text_or_null(commit.get("operation").and_then(Value::as_str)),
            Cell::Json(Value::Object(details)),
        ]);
    }
    Ok(app.printer.listing(&listing)?)
}

/// What a commit says beyond its version, time and operation; the whole schema of a CREATE is left in the log.
fn details_of(commit: &HashMap<String, Value>) -> Map<String, Value> {
    let told = [
        "version",
        "readVersion",
        "timestamp",
        "operation",
        "clientVersion",
        "engineInfo",
    ];
    let rest = commit
        .iter()
        .filter(|(name, value)| !told.contains(&name.as_str()) && !value.is_null());
    let mut details: Map<String, Value> = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
    if let Some(Value::Object(parameters)) = details.get_mut("operationParameters") {
        parameters.retain(|name, _| !matches!(name.as_str(), "metadata" | "protocol"));
    }
    details
}
