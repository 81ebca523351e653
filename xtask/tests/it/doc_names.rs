//! Names in pages: what is there is silence, what is gone is found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use xtask::doc_names::check;

/// What is said of one page beside a small tree.
fn said(page: &str) -> Vec<String> {
    let tree = [
        ("Makefile", "test: ## run\n\tcargo test\n"),
        ("Cargo.lock", "name = \"datafusion\"\nname = \"nsc-lake\"\n"),
        (
            "crates/lake/src/lease.rs",
            "//! Leases.\npub struct Lease;\nimpl Lease {\n    fn renew(&self) {}\n}\nfn lost_at() {}\nenum Why {\n    LostLease,\n}\n",
        ),
        (
            "crates/lake/src/lib.rs",
            "//! The lake.\nmod lease;\npub use lease::Lease;\n",
        ),
        ("crates/lake/tests/it/main.rs", "//! Tests.\nmod leases;\n"),
        (
            "crates/lake/tests/it/leases.rs",
            "//! Leases.\n#[test]\nfn a_lease_ends() {}\n",
        ),
        ("crates/core/src/lib.rs", "//! Words.\n"),
        ("scripts/run.sh", "true\n"),
        ("docs/page.md", page),
    ];
    let texts: BTreeMap<PathBuf, String> = tree
        .into_iter()
        .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
        .collect();
    check(&texts).iter().map(ToString::to_string).collect()
}

#[test]
fn names_of_what_is_there_are_fine() {
    for name in [
        "crates/lake/src/lease.rs",
        "lease.rs",
        "lake/src/",
        "scripts/run.sh",
        "crates/lake/tests/it/leases.rs::a_lease_ends",
        "lake::leases::a_lease_ends",
        "lake::leases",
        "lease::lost_at",
        "Lease::renew",
        "lake::Lease",
        "nsc_lake::Lease",
        "lost_lease",
        "lost_at",
        "make test",
        // others' words, patterns and prose
        "datafusion::prelude",
        "crates/NAME/src/lib.rs",
        "application/json",
        "--a_flag",
        "SELECT no_such_column",
    ] {
        assert_eq!(said(&format!("See `{name}`.\n")), Vec::<String>::new(), "{name}");
    }
    assert_eq!(
        said("[the script](../scripts/run.sh#L1), [here](#here), [there](https://example.com)\n"),
        Vec::<String>::new()
    );
    assert_eq!(said("```text\n`gone.rs`\n```\n"), Vec::<String>::new());
}

#[test]
fn names_of_what_is_gone_are_found() {
    for name in [
        "crates/lake/src/gone.rs",
        "gone.rs",
        "scripts/gone.sh",
        "crates/lake/tests/it/leases.rs::a_lease_never_ends",
        "crates/lake/tests/it/leases.rs::a_lease",
        "lake::leases::gone",
        "lake::gone",
        "Lease::gone",
        "Gone::renew",
        "gone_for_good",
        "make gone",
    ] {
        let found = said(&format!("First.\n\nSee `{name}`.\n"));
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(found[0].starts_with("docs/page.md:3: "), "{found:?}");
    }
    assert_eq!(
        said("[the script](scripts/run.sh)\n"),
        ["docs/page.md:1: the link to `scripts/run.sh` leads nowhere"]
    );
}

#[test]
fn a_section_about_a_crate_names_its_files() {
    assert_eq!(
        said("### `crates/lake`\n\n`lease.rs` does.\n"),
        Vec::<String>::new()
    );
    assert_eq!(said("### `crates/core`\n\n`lease.rs` does.\n").len(), 1);
}
