//! No operation without an authorisation test and an audit test, but for those that machines ask.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{audit, auth};

/// Open to anybody who reaches the port, and not audited: how the process stands, and what it can do. An operation
/// that is added belongs to the others, or has to be put here.
const OF_MACHINES: [&str; 4] = ["GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json"];

/// Every operation there is: a unit test of the crate holds description and routes together.
fn described() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&nsc_api::openapi_text()).expect("JSON");
    let paths = document["paths"].as_object().cloned().unwrap_or_default();
    let mut operations = BTreeSet::new();
    for (path, item) in &paths {
        for method in item.as_object().into_iter().flat_map(|item| item.keys()) {
            operations.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    for machine in OF_MACHINES {
        assert!(operations.remove(machine), "{machine} is not described");
    }
    operations
}

#[test]
fn every_operation_has_an_authorisation_test_and_an_audit_test() {
    let described = described();
    assert!(!described.is_empty());
    let tested = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(
        tested(auth::OPERATIONS.iter().map(|(name, _)| *name).collect()),
        described
    );
    assert_eq!(
        tested(audit::OPERATIONS.iter().map(|o| o.name).collect()),
        described
    );
}

#[test]
fn every_operation_describes_every_way_it_can_be_answered() {
    let document: Value = serde_json::from_str(&nsc_api::openapi_text()).expect("JSON");
    for operation in described() {
        let path = operation.trim_start_matches("GET ");
        let get = &document["paths"][path]["get"];
        let statuses: Vec<_> = get["responses"]
            .as_object()
            .into_iter()
            .flat_map(|r| r.keys())
            .collect();
        assert_eq!(
            statuses,
            [
                "200", "400", "401", "403", "404", "413", "414", "421", "422", "431", "500", "503", "504"
            ],
            "{operation}"
        );
        assert!(get["security"][0]["bearer"].is_array(), "{operation}");
    }
}
