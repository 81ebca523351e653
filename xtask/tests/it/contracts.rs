//! The reference page and the sources of dbt say what the contracts say; the documentation becomes web pages.

#[test]
fn docs_contracts_is_generated_from_the_declarations() {
    let page = std::fs::read_to_string(xtask::tree::root().join("docs/contracts.md")).unwrap();
    assert_eq!(
        page,
        nsc_contracts::reference_page(),
        "run: cargo run -p xtask -- contracts"
    );
}

#[test]
fn the_sources_of_dbt_are_generated_from_the_declarations() {
    let page = std::fs::read_to_string(xtask::tree::root().join("docs/dbt/sources.yml")).unwrap();
    assert_eq!(
        page,
        xtask::dbt::sources(),
        "run: cargo run -p xtask -- contracts"
    );
    assert_eq!(
        page.matches("      - name: ").count() - page.matches("          - name: ").count(),
        23
    );
}

#[test]
fn every_page_of_the_documentation_becomes_a_web_page_with_links_among_them() {
    let out = tempfile::tempdir().unwrap();
    let count = xtask::site::write(&xtask::tree::root(), out.path()).unwrap();
    assert!(count > 100, "{count} pages");
    let readme = std::fs::read_to_string(out.path().join("README.html")).unwrap();
    assert!(readme.contains("href=\"docs/configuration.html#names-that-are-not-ours\""));
    assert!(out.path().join("docs/errors/ko/NSC0401.html").exists());
}
