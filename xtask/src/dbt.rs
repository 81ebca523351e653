//! The contract's tables as sources of dbt: a project that builds on them has their descriptions and tests from here.

use std::fmt::Write as _;

use nsc_contracts::{Layer, TableContract, open_tables};

/// `docs/dbt/sources.yml`. A column that is never null is tested for it, and a key of one column for being unique.
#[must_use]
pub fn sources() -> String {
    let mut page = String::from(
        "# Generated from crates/contracts by `cargo run -p xtask -- contracts`; do not edit.\n\
         # Copy it into the models of a dbt project; `schema` is what your warehouse calls the layer.\n\
         version: 2\n\nsources:\n",
    );
    for layer in [Layer::Bronze, Layer::Silver, Layer::Gold] {
        let _ = writeln!(page, "  - name: {0}\n    schema: {0}\n    tables:", layer.name());
        for table in open_tables().filter(|table| table.layer == layer) {
            of_table(&mut page, table);
        }
    }
    page
}

fn of_table(page: &mut String, table: &TableContract) {
    let _ = writeln!(
        page,
        "      - name: {}\n        description: {}",
        table.name,
        quoted(table.description)
    );
    if table.columns.iter().any(|c| c.name == "ingested_at") && table.layer == Layer::Bronze {
        page.push_str("        loaded_at_field: ingested_at\n        freshness:\n          warn_after: {count: 26, period: hour}\n");
    }
    page.push_str("        columns:\n");
    for column in table.columns {
        let _ = writeln!(
            page,
            "          - name: {}\n            data_type: {}\n            description: {}",
            column.name,
            quoted(column.ty.name()),
            quoted(column.description)
        );
        let is_key = table.key == [column.name];
        if !column.nullable || is_key {
            page.push_str("            data_tests:\n");
        }
        if !column.nullable {
            page.push_str("              - not_null\n");
        }
        if is_key {
            page.push_str("              - unique\n");
        }
    }
}

/// A text as YAML takes it, whatever stands in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
