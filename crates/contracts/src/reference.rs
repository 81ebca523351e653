//! The reference page of the contract, generated from the declarations.

use std::fmt::Write;

use crate::{TableContract, open_tables};

/// `docs/contracts.md`: every table with its columns, key, partition and write strategy.
#[must_use]
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Table contracts\n\nGenerated from `crates/contracts` by `cargo run -p xtask -- contracts`; do not edit.\n\
         Types: timestamps are UTC microseconds, money is `decimal(38,2)`, rates are `decimal(38,6)`. **Bold** columns are never null.\n",
    );
    for t in open_tables() {
        table_section(&mut page, t);
    }
    page
}

fn table_section(page: &mut String, t: &TableContract) {
    let list = |names: &[&str]| {
        if names.is_empty() {
            "-".to_owned()
        } else {
            names.join(", ")
        }
    };
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "\n## {}\n\n{}\n\nKey: {}. Partition: {}. Write: {}.",
        t.full_name(),
        t.description,
        list(t.key),
        list(t.partition),
        t.write.name(),
    );
    if !t.identity.is_empty() {
        let _ = write!(page, " Identity: {}.", list(t.identity));
    }
    page.push_str("\n\n| column | type | meaning |\n|---|---|---|\n");
    for c in t.columns {
        let name = if c.nullable {
            c.name.to_owned()
        } else {
            format!("**{}**", c.name)
        };
        let _ = writeln!(
            page,
            "| {name} | {} | {} |",
            c.ty.name(),
            c.description.replace('|', "\\|")
        );
    }
}
