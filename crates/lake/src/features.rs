//! Which Delta features a table uses that this code does not implement itself.
//!
//! The library underneath reads and writes more, but rows are read and written here, by `provider.rs` and `writer.rs`, which
//! know nothing of renamed columns, constraints or generated values. What is not in the lists below is refused by name,
//! each direction by itself, before anything is written.

use std::collections::BTreeSet;

use nsc_contracts::{TableContract, WriteStrategy};
use serde_json::{Map, Value};

/// Features that change nothing for a reader unless a property, a column or a file uses them, which is looked at.
const READABLE: &[&str] = &[
    "columnMapping",
    "deletionVectors",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
];
/// The same for a writer.
const WRITABLE: &[&str] = &[
    "allowColumnDefaults",
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "columnMapping",
    "deletionVectors",
    "generatedColumns",
    "identityColumns",
    "invariants",
    "timestampNtz",
];
/// The newest protocol whose features are lists of names.
const READER_VERSION: u64 = 3;
const WRITER_VERSION: u64 = 7;
/// What a column's metadata says of features that concern every writer.
const OF_COLUMNS: &[(&str, &str)] = &[
    ("delta.invariants", "an invariant"),
    ("delta.generationExpression", "a generated column"),
    ("delta.identity.", "an identity column"),
    ("CURRENT_DEFAULT", "a column default"),
];

/// What a table does with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Its rows are read.
    Read,
    /// Rows are added or removed.
    Write,
}

impl Direction {
    /// As in "the table cannot be ...".
    #[must_use]
    pub const fn participle(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "written",
        }
    }
}

/// The actions of a log that say how a table is to be read and written, as JSON.
pub(crate) struct Features<'a> {
    pub(crate) protocol: &'a Value,
    pub(crate) metadata: &'a Value,
}

impl Features<'_> {
    /// What stands against a direction, each by its name; nothing when all of it is implemented.
    pub(crate) fn against(&self, direction: Direction, contract: &TableContract) -> Vec<String> {
        let mut found = self.against_reading(contract);
        if direction == Direction::Write {
            found.extend(self.against_writing(contract));
        }
        found
    }

    fn against_reading(&self, contract: &TableContract) -> Vec<String> {
        let mut found = self.of_protocol("minReaderVersion", READER_VERSION, "readerFeatures", READABLE);
        if let Some(mode) = self.property("delta.columnMapping.mode").filter(|m| *m != "none") {
            found.push(format!("column mapping (delta.columnMapping.mode = {mode})"));
        }
        let columns = self.metadata.get("partitionColumns").and_then(Value::as_array);
        let columns: Vec<&str> = columns.into_iter().flatten().filter_map(Value::as_str).collect();
        if columns != contract.partition {
            let by = |columns: &[&str]| match columns {
                [] => "no partitions".to_owned(),
                some => format!("partitions by {}", some.join(", ")),
            };
            found.push(format!(
                "{} where the contract has {}",
                by(&columns),
                by(contract.partition)
            ));
        }
        found.extend(self.columns_with("delta.typeChanges", "type widening"));
        found
    }

    fn against_writing(&self, contract: &TableContract) -> Vec<String> {
        let mut found = self.of_protocol("minWriterVersion", WRITER_VERSION, "writerFeatures", WRITABLE);
        let reading = self.of_protocol("minReaderVersion", READER_VERSION, "readerFeatures", READABLE);
        found.retain(|name| !reading.contains(name));
        for (name, value) in self.properties() {
            if let Some(constraint) = name.strip_prefix("delta.constraints.") {
                found.push(format!("the CHECK constraint {constraint} ({})", text(value)));
            }
        }
        // A file that is only added needs neither.
        if contract.write != WriteStrategy::Append {
            found.extend(self.switched_on("delta.appendOnly", "append-only rows"));
            found.extend(self.switched_on("delta.enableChangeDataFeed", "a change data feed"));
        }
        found.extend(self.switched_on("delta.enableRowTracking", "row tracking"));
        found.extend(self.switched_on("delta.enableInCommitTimestamps", "in-commit timestamps"));
        for (key, name) in OF_COLUMNS {
            found.extend(self.columns_with(key, name));
        }
        found
    }

    /// Whether rows may be added only.
    pub(crate) fn is_append_only(&self) -> bool {
        self.switched_on("delta.appendOnly", "").is_some()
    }

    /// Names in a list of the protocol that are not among the known ones.
    fn of_protocol(&self, version: &str, newest: u64, list: &str, known: &[&str]) -> Vec<String> {
        let number = self.protocol.get(version).and_then(Value::as_u64).unwrap_or(0);
        let listed = self.protocol.get(list).and_then(Value::as_array);
        let names = listed.into_iter().flatten().filter_map(Value::as_str);
        let unknown = names.filter(|name| !known.contains(name));
        let mut found: Vec<String> = unknown.map(|name| format!("the table feature {name}")).collect();
        if number > newest {
            found.push(format!("{version} {number}"));
        }
        found
    }

    fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        let properties = self.metadata.get("configuration").and_then(Value::as_object);
        properties.into_iter().flatten()
    }

    fn property(&self, name: &str) -> Option<&str> {
        self.properties().find(|(key, _)| *key == name)?.1.as_str()
    }

    fn switched_on(&self, name: &str, feature: &str) -> Option<String> {
        let is_on = self
            .property(name)
            .is_some_and(|v| v.eq_ignore_ascii_case("true"));
        is_on.then(|| format!("{feature} ({name})"))
    }

    /// A feature with the columns whose metadata has a key that begins so.
    fn columns_with(&self, key: &str, feature: &str) -> Option<String> {
        let schema = self.metadata.get("schemaString").and_then(Value::as_str)?;
        let schema: Value = serde_json::from_str(schema).ok()?;
        let mut columns = BTreeSet::new();
        fields_with(&schema, key, &mut columns);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        (!columns.is_empty()).then(|| format!("{feature} ({})", columns.join(", ")))
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Names of the fields, nested ones too, that have such a key in their metadata.
fn fields_with(schema: &Value, key: &str, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(field) => {
            if let Some(name) = named(field, key) {
                found.insert(name);
            }
            for value in field.values() {
                fields_with(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields_with(item, key, found)),
        _ => {}
    }
}

fn named(field: &Map<String, Value>, key: &str) -> Option<String> {
    let metadata = field.get("metadata")?.as_object()?;
    metadata
        .keys()
        .any(|k| k.starts_with(key))
        .then(|| field.get("name").map(text).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn against(
        direction: Direction,
        table: &str,
        protocol: Value,
        configuration: Value,
        of_column: Value,
    ) -> Vec<String> {
        let contract = nsc_contracts::table(table).unwrap();
        let schema = json!({"type": "struct", "fields": [
            {"name": "wallet_id", "type": "string", "nullable": true, "metadata": of_column}]});
        let metadata = json!({
            "partitionColumns": contract.partition,
            "configuration": configuration,
            "schemaString": schema.to_string(),
        });
        let features = Features {
            protocol: &protocol,
            metadata: &metadata,
        };
        features.against(direction, contract)
    }

    fn plain() -> Value {
        json!({"minReaderVersion": 1, "minWriterVersion": 2})
    }

    fn listed(names: &[&str]) -> Value {
        json!({"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": names, "writerFeatures": names})
    }

    #[test]
    fn a_table_of_this_project_and_features_nothing_uses_are_no_hindrance() {
        let idle: Vec<&str> = READABLE
            .iter()
            .copied()
            .filter(|f| WRITABLE.contains(f))
            .collect();
        for protocol in [
            plain(),
            listed(&idle),
            json!({"minReaderVersion": 2, "minWriterVersion": 6}),
        ] {
            for direction in [Direction::Read, Direction::Write] {
                let configuration = json!({"delta.columnMapping.mode": "none", "delta.appendOnly": "false"});
                let found = against(
                    direction,
                    "silver.ledger_entries",
                    protocol.clone(),
                    configuration,
                    json!({}),
                );
                assert!(found.is_empty(), "{protocol} {found:?}");
            }
        }
    }

    #[test]
    fn what_a_writer_would_have_to_do_is_refused_by_name_and_hinders_no_reader() {
        let name = |configuration: Value, of_column: Value| {
            let of = |d| {
                against(
                    d,
                    "silver.ledger_entries",
                    plain(),
                    configuration.clone(),
                    of_column.clone(),
                )
            };
            assert_eq!(of(Direction::Read), Vec::<String>::new());
            of(Direction::Write).join("; ")
        };
        let property = |key: &str, value: &str| name(json!({key: value}), json!({}));
        assert_eq!(
            property("delta.constraints.known", "wallet_id <> 'x'"),
            "the CHECK constraint known (wallet_id <> 'x')"
        );
        assert_eq!(
            property("delta.appendOnly", "true"),
            "append-only rows (delta.appendOnly)"
        );
        assert_eq!(
            property("delta.enableChangeDataFeed", "TRUE"),
            "a change data feed (delta.enableChangeDataFeed)"
        );
        assert_eq!(
            property("delta.enableRowTracking", "true"),
            "row tracking (delta.enableRowTracking)"
        );
        let column = |key: &str| name(json!({}), json!({key: "1"}));
        assert_eq!(column("delta.invariants"), "an invariant (wallet_id)");
        assert_eq!(
            column("delta.generationExpression"),
            "a generated column (wallet_id)"
        );
        assert_eq!(column("delta.identity.start"), "an identity column (wallet_id)");
        assert_eq!(column("CURRENT_DEFAULT"), "a column default (wallet_id)");
    }

    #[test]
    fn what_changes_the_meaning_of_files_is_refused_for_both() {
        for direction in [Direction::Read, Direction::Write] {
            let of = |protocol: Value, configuration: Value, of_column: Value| {
                against(
                    direction,
                    "silver.ledger_entries",
                    protocol,
                    configuration,
                    of_column,
                )
                .join("; ")
            };
            for mode in ["name", "id"] {
                assert_eq!(
                    of(plain(), json!({"delta.columnMapping.mode": mode}), json!({})),
                    format!("column mapping (delta.columnMapping.mode = {mode})")
                );
            }
            assert_eq!(
                of(listed(&["variantType"]), json!({}), json!({})),
                "the table feature variantType"
            );
            assert_eq!(
                of(plain(), json!({}), json!({"delta.typeChanges": []})),
                "type widening (wallet_id)"
            );
            let newer = json!({"minReaderVersion": 4, "minWriterVersion": 7});
            assert_eq!(of(newer, json!({}), json!({})), "minReaderVersion 4");
        }
    }

    #[test]
    fn a_feature_only_writers_know_of_does_not_hinder_reading() {
        let protocol = json!({"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["clustering", "rowTracking"]});
        let of = |d| against(d, "silver.ledger_entries", protocol.clone(), json!({}), json!({})).join("; ");
        assert_eq!(of(Direction::Read), "");
        assert_eq!(
            of(Direction::Write),
            "the table feature clustering; the table feature rowTracking"
        );
    }

    #[test]
    fn rows_are_added_to_an_append_only_table_that_is_only_added_to() {
        let of = |table| {
            let on = json!({"delta.appendOnly": "true", "delta.enableChangeDataFeed": "true"});
            against(Direction::Write, table, plain(), on, json!({})).len()
        };
        assert_eq!((of("bronze.products_raw"), of("silver.products")), (0, 2));
    }

    #[test]
    fn another_partitioning_is_refused() {
        let contract = nsc_contracts::table("silver.ledger_entries").unwrap();
        let metadata = json!({"partitionColumns": [], "configuration": {}, "schemaString": "{}"});
        let features = Features {
            protocol: &plain(),
            metadata: &metadata,
        };
        let found = features.against(Direction::Read, contract);
        assert_eq!(
            found,
            ["no partitions where the contract has partitions by event_date_kst"]
        );
    }
}
