//! The reference page of the contract, generated from the declarations.

use std::fmt::Write;

use nsc_core::Words;

use crate::control::CONTROLS;
use crate::exception::{EXCEPTION_TYPES, SeverityFrom};
use crate::reason::REASONS;
use crate::rule::Severity;
use crate::{TableContract, open_tables};

/// `docs/contracts.md`: every table with its columns, key, partition and write strategy; the controls, what can be
/// found, and why a row is quarantined.
#[must_use]
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Table contracts\n\nGenerated from `crates/contracts` by `cargo run -p xtask -- contracts`; do not edit.\n\
         Types: timestamps are UTC microseconds, money is `decimal(38,2)`, rates are `decimal(38,6)`. **Bold** columns are never null.\n",
    );
    for t in open_tables() {
        table_section(&mut page, t);
    }
    page.push_str(
        "\n## Controls\n\nWhat Pipeline B asks of a day. The rows of a control are `crates/transforms/src/sql/<table>.sql`.\n\n\
         | control | asks | table | rules | finds |\n|---|---|---|---|---|\n",
    );
    for c in CONTROLS {
        let found: Vec<&str> = c.exceptions().map(|t| t.name).collect();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} |",
            c.title(),
            both(c.asks),
            c.table.full_name(),
            list(c.rules),
            list(&found)
        );
    }
    page.push_str(
        "\n## Exceptions\n\nWhat `gold.exception_ledger` can say. `nsc explain exception` prints these words beside the rows that show it.\n\n\
         | type | found by | severity | meaning | look at first |\n|---|---|---|---|---|\n",
    );
    for t in EXCEPTION_TYPES {
        let severity = match t.severity {
            SeverityFrom::Rule(rule) => format!("rule `{rule}`"),
            SeverityFrom::AlwaysWarn => Severity::Warn.name().to_owned(),
            SeverityFrom::AlwaysCritical => Severity::Critical.name().to_owned(),
        };
        let _ = writeln!(
            page,
            "| {} | {} | {severity} | {} | {} |",
            t.name,
            t.found_by,
            both(t.means),
            both(t.look_at)
        );
    }
    page.push_str(
        "\n## Reasons\n\nWhy `silver.bad_records` has a row: the first failing check names the reason.\n\n\
         | reason | tables | meaning |\n|---|---|---|\n",
    );
    for r in REASONS {
        let _ = writeln!(
            page,
            "| {} | {} | {} |",
            r.name,
            r.tables.join(", "),
            both(r.means)
        );
    }
    page
}

/// Names, or a dash for none.
fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(", ")
    }
}

/// A sentence in both languages, one under the other.
fn both(words: Words) -> String {
    format!("{}<br>{}", words.en, words.ko)
}

fn table_section(page: &mut String, t: &TableContract) {
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
