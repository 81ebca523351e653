//! The contract of the lakehouse as data: 23 tables, six sources, the names that cross crate borders.
//!
//! One declaration feeds the Arrow and Delta schemas, the check of a table when it is opened, `nsc table`,
//! and the generated page `docs/contracts.md`.

mod bronze;
mod column;
pub mod control;
mod difference;
pub mod event;
pub mod exception;
mod gold;
pub mod internal;
pub mod ops;
pub mod reason;
mod reference;
pub mod rule;
mod silver;
mod source;
pub mod status;
mod table;

pub use column::{Column, ColumnType};
pub use difference::SchemaDifference;
pub use reference::reference_page;
pub use source::{SOURCES, Source};
pub use table::{Layer, TableContract, WriteStrategy};

/// Every table of the contract, layer by layer.
pub fn tables() -> impl Iterator<Item = &'static TableContract> {
    let of_controls = control::CONTROLS.iter().map(|c| &c.table);
    let sources = bronze::TABLES.iter().chain(silver::TABLES);
    sources.chain(of_controls).chain(gold::TABLES)
}

/// Every table any reader may open: those of the contract, then the records of the operation.
pub fn open_tables() -> impl Iterator<Item = &'static TableContract> {
    tables().chain([&ops::LOAD])
}

/// The table called `<layer>.<name>` or, where no two layers share it, `<name>`.
#[must_use]
pub fn table(name: &str) -> Option<&'static TableContract> {
    open_tables().find(|t| t.full_name() == name).or_else(|| {
        let mut named = open_tables().filter(|t| t.name == name);
        named.next().filter(|_| named.next().is_none())
    })
}

#[cfg(test)]
mod tests {
    use super::{Layer, WriteStrategy, open_tables, table, tables};

    #[test]
    fn no_two_tables_have_one_name_and_every_layer_has_some() {
        let mut names: Vec<_> = open_tables().map(|t| t.full_name()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for layer in [Layer::Bronze, Layer::Silver, Layer::Gold] {
            assert!(tables().any(|t| t.layer == layer), "{}", layer.name());
        }
    }

    #[test]
    fn every_table_is_consistent_with_itself() {
        for t in open_tables() {
            let has = |name: &str| t.columns.iter().any(|c| c.name == name);
            assert!(
                t.key
                    .iter()
                    .chain(t.partition)
                    .chain(t.identity)
                    .chain(t.lineage)
                    .all(|c| has(c)),
                "{}",
                t.full_name()
            );
            assert!(
                !t.description.is_empty() && t.columns.iter().all(|c| !c.description.is_empty()),
                "{}",
                t.full_name()
            );
            assert_eq!(
                t.write == WriteStrategy::Merge,
                !t.key.is_empty(),
                "{}",
                t.full_name()
            );
            let is_decimal = |name: &str| {
                t.columns.iter().any(|c| {
                    c.name == name && matches!(c.ty, crate::ColumnType::Dec2 | crate::ColumnType::Dec6)
                })
            };
            assert!(!t.statistics.iter().any(|s| is_decimal(s)), "{}", t.full_name());
            let mut names: Vec<_> = t.columns.iter().map(|c| c.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), t.columns.len(), "{}", t.full_name());
        }
    }

    #[test]
    fn tables_are_found_by_either_name() {
        assert_eq!(
            table("gold.pipeline_state").map(|t| t.name),
            Some("pipeline_state")
        );
        assert_eq!(
            table("ledger_entries").map(|t| t.full_name()).as_deref(),
            Some("silver.ledger_entries")
        );
        assert_eq!(table("no_such_table").map(|t| t.name), None);
    }
}
