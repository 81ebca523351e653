//! Clauses of the contract: what is cited, by whom, and what nobody keeps.

use std::collections::BTreeMap;
use std::path::PathBuf;

use xtask::clauses::{PAGE, check, generated, mentions};
use xtask::tree;

#[test]
fn docs_clauses_is_generated_from_what_the_tree_cites() -> std::io::Result<()> {
    let found: Vec<String> = check(&tree::texts(&tree::root())?)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    Ok(())
}

/// A tree whose contracts have two sections, and one file more.
fn with(path: &str, text: &str) -> (String, Vec<String>) {
    let tree = [
        (
            "docs/contract/lakehouse.md",
            "# L\n\n## 1. Money\n\nMoney is **exact**, `always`.\n",
        ),
        (
            "docs/contract/serving.md",
            "# S\n\n## 4. Offsets\n\n### Loads\n\nCommitted after.\n",
        ),
        (path, text),
    ];
    let texts: BTreeMap<PathBuf, String> = tree
        .into_iter()
        .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
        .collect();
    let (page, found) = generated(&texts);
    (page, found.iter().map(ToString::to_string).collect())
}

#[test]
fn each_way_to_cite_is_read() {
    let cited = |text: &str| {
        let found = mentions(&[text.to_owned()]);
        let shown: Vec<String> = found
            .iter()
            .map(|((page, number), part)| format!("{page} {number} {part}"))
            .collect();
        shown.join("; ")
    };
    for (text, wanted) in [
        (" Parses (serving contract 4).", "serving 4 "),
        (
            " All of it (serving contract 1, 4 and 7).",
            "serving 1 ; serving 4 ; serving 7 ",
        ),
        (
            " The loads: lakehouse contract 2, \"Loads\".",
            "lakehouse 2 Loads",
        ),
        (" Controls (lakehouse contract 4, B-1 to B-6).", "lakehouse 4 B-1"),
        (
            " Input: x. Contract: lakehouse 4, B-3/B-4: newest",
            "lakehouse 4 B-3",
        ),
        (
            " Contract: lakehouse 4, pipeline C: category",
            "lakehouse 4 Pipeline C",
        ),
        (" Contract: serving 5 and 7. More", "serving 5 ; serving 7 "),
        (" the contract, section 4", ""),
    ] {
        assert_eq!(cited(text), wanted, "{text}");
    }
}

#[test]
fn modules_and_tests_stand_beside_their_clause() {
    let (page, found) = with(
        "crates/a/src/b.rs",
        "//! Keeps money (lakehouse\n//! contract 1, \"Money is exact\").\n",
    );
    assert!(page.contains("## lakehouse 1. Money\n"), "{page}");
    assert!(
        page.contains("| Money is exact | [a/b.rs](../crates/a/src/b.rs) |  |\n"),
        "{page}"
    );
    assert_eq!(
        found,
        [
            "docs/clauses.md: no test says that it holds section 1 of the lakehouse contract",
            "docs/clauses.md: no module says that it follows section 4 of the serving contract",
            "docs/clauses.md: no test says that it holds section 4 of the serving contract",
        ]
    );
    let (page, _) = with(
        "crates/a/tests/it/b.rs",
        "//! Holds serving contract 4, \"Loads\".\n",
    );
    assert!(
        page.contains("| Loads |  | [a/b.rs](../crates/a/tests/it/b.rs) |\n"),
        "{page}"
    );
    let (page, _) = with(
        "tests/scenarios/s/scenario.yaml",
        "clause: >-\n  \"Money is exact, always\"; \"exact\"\nsteps:\n- nsc: \"x\"\n",
    );
    assert!(page.contains("| - |  | [s](../tests/scenarios/s) |\n"), "{page}");
}

#[test]
fn what_the_contract_does_not_hold_is_found() {
    for (path, text, wanted) in [
        (
            "crates/a/src/b.rs",
            "//! lakehouse contract 9.\n",
            "the lakehouse contract has no section 9",
        ),
        (
            "crates/a/src/b.rs",
            "//! lakehouse contract 1, \"Gone\".\n",
            "section 1 of the lakehouse contract has no \"Gone\"",
        ),
        (
            "tests/scenarios/s/scenario.yaml",
            "clause: >-\n  \"Money is never exact\"\nsteps: []\n",
            "the contract does not say \"money is never exact\"",
        ),
    ] {
        let (_, found) = with(path, text);
        assert!(
            found.iter().any(|f| f == &format!("{path}: {wanted}")),
            "{found:?}"
        );
    }
}

#[test]
fn a_page_that_is_not_current_is_found() {
    let texts: BTreeMap<PathBuf, String> = [(PathBuf::from(PAGE), "old\n".to_owned())].into();
    let found: Vec<String> = check(&texts).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["docs/clauses.md: is not what the tree says: cargo run --release -p xtask -- clauses"]
    );
}
