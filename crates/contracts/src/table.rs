//! A table contract: columns, key, partition and how it is written.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

use crate::Column;

/// The three layers of the lakehouse and what lies beside them; also the first part of a table's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Raw, append-only, schema evolves.
    Bronze,
    /// Contract enforced.
    Silver,
    /// Controls and marts.
    Gold,
    /// Records of the operation; any reader may open them.
    Ops,
    /// Derived caches of the pipelines; can be deleted at any time and are no part of the contract.
    Internal,
}

impl Layer {
    /// Directory and schema name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
            Self::Ops => "ops",
            Self::Internal => "_nsc",
        }
    }
}

/// How a table changes (seed 4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteStrategy {
    /// Upsert by the key; unchanged rows are left alone, rows of the scope that are gone are deleted.
    Merge,
    /// The day's partition is replaced as a whole.
    OverwritePartitions,
    /// Rows are only ever added; `identity` says which repeat adds nothing.
    Append,
}

impl WriteStrategy {
    /// The seed's name of the strategy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::OverwritePartitions => "overwrite_partitions",
            Self::Append => "append",
        }
    }
}

/// The declaration of one table.
#[derive(Debug)]
pub struct TableContract {
    /// Layer.
    pub layer: Layer,
    /// Name inside the layer.
    pub name: &'static str,
    /// What one row is and what the table is for.
    pub description: &'static str,
    /// Columns in order. Bronze tables may grow further nullable text columns.
    pub columns: &'static [Column],
    /// Key of a merged table, compared null-safe.
    pub key: &'static [&'static str],
    /// Partition columns.
    pub partition: &'static [&'static str],
    /// How it is written.
    pub write: WriteStrategy,
    /// For appended tables: columns that name the same fact; a repeat with equal values adds nothing.
    pub identity: &'static [&'static str],
    /// Columns that say where a row came from and are not compared when deciding whether a row changed.
    pub lineage: &'static [&'static str],
    /// An integer column that stands for the first key column when a key is looked for in other days: a fixed-width
    /// column of a long history is read in milliseconds, its text is not.
    pub lookup: Option<&'static str>,
    /// Columns with min/max statistics in the log: keys, dates and times, never money
    /// (a reader that takes decimal statistics through floats would skip files it must read).
    pub statistics: &'static [&'static str],
}

impl TableContract {
    /// `<layer>.<name>`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.layer.name(), self.name)
    }

    /// The Arrow schema of the declared columns.
    #[must_use]
    pub fn arrow_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns.iter().map(Column::arrow_field).collect::<Vec<_>>(),
        ))
    }

    /// Whether columns beyond the contract may appear (schema evolution).
    #[must_use]
    pub fn schema_evolves(&self) -> bool {
        self.layer == Layer::Bronze
    }
}
