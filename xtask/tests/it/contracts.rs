//! The reference page says what the contracts say.

#[test]
fn docs_contracts_is_generated_from_the_declarations() {
    let page = std::fs::read_to_string(xtask::tree::root().join("docs/contracts.md")).unwrap();
    assert_eq!(
        page,
        nsc_contracts::reference_page(),
        "run: cargo run -p xtask -- contracts"
    );
}
