//! What two reports say differently, leaf by leaf.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::output::{Cell, Listing};

/// Members that differ from run to run by themselves.
const OF_THE_RUN: [&str; 8] = [
    "run_id",
    "now",
    "started_at",
    "finished_at",
    "seconds",
    "steps",
    "peak_memory_bytes",
    "invoked_by",
];
/// What tells the members of a list apart.
const NAMES: [&str; 9] = [
    "pipeline",
    "control",
    "subject",
    "table",
    "date_kst",
    "exception_type",
    "severity",
    "state",
    "start",
];

/// Everything that stands in only one of two reports, or differently.
pub(super) fn listing(before: &Value, after: &Value) -> Listing {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    leaves(before, String::new(), &mut old);
    leaves(after, String::new(), &mut new);
    let mut listing = Listing::of_text(&["what", "before", "after"]);
    let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (was, is) = (old.get(name), new.get(name));
        if was != is {
            let cell = |value: Option<&String>| value.map_or(Cell::Null, |v| Cell::text(v));
            listing.push([Cell::text(name), cell(was), cell(is)]);
        }
    }
    listing
}

fn leaves(value: &Value, path: String, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if !OF_THE_RUN.contains(&name.as_str()) {
                    leaves(member, below(name), found);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let name = name_of(item);
                match item {
                    Value::Object(_) => leaves(item, format!("{path}[{name}]"), found),
                    _ => drop(found.insert(format!("{path}[{name}]"), "yes".to_owned())),
                }
            }
        }
        Value::String(text) => drop(found.insert(path, text.clone())),
        plain => drop(found.insert(path, plain.to_string())),
    }
}

/// A name of a list's member that is the same in both reports.
fn name_of(item: &Value) -> String {
    match item {
        Value::Object(members) => {
            let names = NAMES.iter().filter_map(|name| members.get(*name)?.as_str());
            names.collect::<Vec<_>>().join(" ")
        }
        Value::String(text) => text.clone(),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::listing;

    #[test]
    fn what_differs_is_named_and_what_is_the_runs_own_is_not() {
        let report = |verdict: &str, rules: &[&str]| {
            json!({"run_id": verdict, "seconds": verdict.len(), "rules_in_force": rules,
                   "verdicts": [{"control": "B-1 reconciliation", "subject": "2026-01-05", "verdict": verdict}]})
        };
        let rows = listing(&report("ok", &["a"]), &report("CRITICAL", &["a", "b"])).rows;
        let texts: Vec<String> = rows
            .iter()
            .map(|r| r.iter().map(ToString::to_string).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(
            texts,
            [
                "rules_in_force[b]||yes",
                "verdicts[B-1 reconciliation 2026-01-05].verdict|ok|CRITICAL",
            ]
        );
        assert!(
            listing(&report("ok", &["a"]), &report("ok", &["a"]))
                .rows
                .is_empty()
        );
    }
}
