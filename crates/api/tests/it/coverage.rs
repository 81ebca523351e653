//! No admin operation without an authorisation test and an audit test.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{audit, auth};

fn described() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&nsc_api::openapi_text()).expect("JSON");
    let paths = document["paths"].as_object().cloned().unwrap_or_default();
    let mut operations = BTreeSet::new();
    for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/admin")) {
        for method in item.as_object().into_iter().flat_map(|item| item.keys()) {
            operations.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    operations
}

#[test]
fn every_admin_operation_has_an_authorisation_test_and_an_audit_test() {
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
fn every_admin_operation_describes_every_way_it_can_be_answered() {
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
