//! What follows from the declared keys: the tables of docs/configuration.md, the example file, the schema of the file.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::keys::{self, Key, Kind};

/// Sections of the lakehouse half; all others are of serving.
const LAKEHOUSE: &[&str] = &[
    "",
    "lake",
    "analytics",
    "retention",
    "resources",
    "log",
    "display",
    "query",
];

const HEAD: &str = "| key | variable | flag | default | meaning |\n|---|---|---|---|---|\n";

const EXAMPLE_HEAD: &str = "\
# Configuration of nsc: every key, with its default or an example of a value. Copy what differs to ./nsc.toml or
# /etc/nsc/nsc.toml, or name the file with --config or NSC_CONFIG. Flags win over variables, those over this file.
# `nsc config show` prints what is in force and why; `nsc config schema` describes this file to an editor.
";

/// The two tables of the documentation: the lakehouse half, and that of serving.
pub(crate) fn tables() -> [String; 2] {
    let half = |is_lakehouse: bool| {
        let mut table = HEAD.to_owned();
        let of_half = keys::ALL
            .iter()
            .filter(|key| LAKEHOUSE.contains(&key.place().0) == is_lakehouse);
        for key in of_half {
            let code = |text: Option<&str>| text.map(|t| format!("`{t}`")).unwrap_or_default();
            let _ = writeln!(
                table,
                "| `{}` | `{}` | {} | {} | {} |",
                key.name,
                key.variable,
                code(key.flag),
                code(key.default),
                meaning(key)
            );
            if key.name == keys::LEASE.name {
                let _ = writeln!(
                    table,
                    "| `{}.NAME` | `{}NAME` | | | {}, each by its name (`account_name`, `account_key`, `sas_token`, ...); all are treated as secrets |",
                    keys::STORAGE,
                    keys::STORAGE_PREFIX,
                    keys::STORAGE_ABOUT
                );
            }
        }
        // An empty cell is a blank.
        table.replace("|  |", "| |").replace("|  |", "| |")
    };
    [half(true), half(false)]
}

fn meaning(key: &Key) -> String {
    match key.note {
        "" => key.about.to_owned(),
        note => format!("{}; {note}", key.about),
    }
}

/// A configuration file with every key: those with a default are set to it, the others are comments.
pub(crate) fn example() -> String {
    let mut text = EXAMPLE_HEAD.to_owned();
    let mut section = "";
    for key in keys::ALL {
        let (of, name) = key.place();
        if of != section {
            let _ = writeln!(text, "\n[{of}]");
            section = of;
        } else {
            text.push('\n');
        }
        let flag = key.flag.map(|flag| format!(", {flag}")).unwrap_or_default();
        let _ = writeln!(text, "# {} ({}{flag})", meaning(key), key.variable);
        let _ = match key.default {
            Some(default) => writeln!(text, "{name} = {}", written(key, default)),
            None => writeln!(text, "# {name} = {}", written(key, placeholder(key))),
        };
        if key.name == keys::LEASE.name {
            let _ = writeln!(
                text,
                "\n# {}, each by its name: account_name, account_key, sas_token, client_id, ... ({}ACCOUNT_NAME); secrets better from the environment\n\
                 # storage.account_name = \"...\"",
                keys::STORAGE_ABOUT,
                keys::STORAGE_PREFIX
            );
        }
    }
    text
}

/// What stands for a value that nobody can guess.
fn placeholder(key: &Key) -> &'static str {
    match (key.example, key.kind) {
        (Some(example), _) => example,
        (None, Kind::Words(words)) => words.last().copied().unwrap_or_default(),
        (None, Kind::Number(..)) => "8",
        (None, _) => "...",
    }
}

/// A value as TOML has it.
fn written(key: &Key, value: &str) -> String {
    match key.kind {
        Kind::Number(..) | Kind::Switch => value.to_owned(),
        _ => format!("{value:?}"),
    }
}

/// The JSON schema of the file, for editors and for checks before a deployment.
pub(crate) fn schema() -> Value {
    let mut root = Map::new();
    let mut sections: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for key in keys::ALL {
        let (section, name) = key.place();
        let properties = match section {
            "" => &mut root,
            section => sections.entry(section).or_default(),
        };
        properties.insert(name.to_owned(), property(key));
    }
    if let Some((section, name)) = keys::STORAGE.split_once('.') {
        let options = json!({
            "type": "object",
            "description": keys::STORAGE_ABOUT,
            "additionalProperties": {"type": "string"},
        });
        let properties = sections.entry(section).or_default();
        properties.insert(name.to_owned(), options);
    }
    for (section, properties) in sections {
        root.insert(section.to_owned(), object(properties));
    }
    let mut schema = object(root);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(
            "$schema".to_owned(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        schema.insert("title".to_owned(), "nsc.toml".into());
    }
    schema
}

fn object(properties: Map<String, Value>) -> Value {
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

fn property(key: &Key) -> Value {
    let mut property = match key.kind {
        Kind::Text | Kind::Path | Kind::Address | Kind::Secret | Kind::SecretFile => {
            json!({"type": "string"})
        }
        Kind::Number(least, most) if most == keys::MANY => json!({"type": "integer", "minimum": least}),
        Kind::Number(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Size => json!({"type": ["string", "integer"], "pattern": "^[0-9]+ *(B|KiB|MiB|GiB|TiB)?$"}),
        Kind::Switch => json!({"type": "boolean"}),
        Kind::Words(words) => json!({"enum": words}),
        Kind::List => json!({"type": ["string", "array"]}),
    };
    if let Some(property) = property.as_object_mut() {
        property.insert("description".to_owned(), meaning(key).into());
        let default = key.default.map(|default| match key.kind {
            Kind::Number(..) | Kind::Switch => serde_json::from_str(default).unwrap_or(Value::Null),
            _ => Value::from(default),
        });
        property.extend(default.map(|default| ("default".to_owned(), default)));
    }
    property
}

#[cfg(test)]
mod tests {
    use super::{Key, example, keys, schema, tables};

    #[test]
    fn the_page_and_the_example_are_those_of_the_declared_keys() {
        let page = include_str!("../../../../docs/configuration.md");
        for table in tables() {
            assert!(
                page.contains(&table),
                "docs/configuration.md must hold this table:\n\n{table}"
            );
        }
        let file = include_str!("../../../../config/nsc.example.toml");
        assert!(
            file == example(),
            "config/nsc.example.toml must be what `nsc config example` prints"
        );
    }

    #[test]
    fn every_key_has_a_name_a_variable_and_a_property_of_its_own() {
        let mut names: Vec<&str> = keys::ALL.iter().map(|k| k.name).collect();
        names.extend(keys::ALL.iter().map(|k| k.variable));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let schema = schema();
        let described = |key: &&&Key| {
            let (section, name) = key.place();
            let of = match section {
                "" => &schema["properties"],
                section => &schema["properties"][section]["properties"],
            };
            of[name]["description"].is_string()
        };
        assert_eq!(keys::ALL.iter().filter(described).count(), keys::ALL.len());
        assert_eq!(
            schema["properties"]["consumer"]["properties"]["batch_rows"],
            serde_json::json!({"type": "integer", "minimum": 1, "default": 5000, "description": "messages a transaction holds at most"})
        );
    }
}
