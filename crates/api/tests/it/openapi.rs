//! The committed description is the one that is served.
//! Holds serving contract 6.

use std::path::PathBuf;

/// Set to write `docs/openapi.json` instead of comparing with it.
const UPDATE: &str = "NSC_UPDATE_OPENAPI";

#[test]
fn the_committed_description_is_the_one_that_is_served() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let now = nsc_api::openapi_text();
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &now).expect("docs/openapi.json is written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == now,
        "docs/openapi.json differs from what is served; look at the change with: {UPDATE}=1 cargo test -p nsc-api openapi && git diff docs/openapi.json"
    );
}
