//! The dependency table: the workspace agrees with it, and each kind of difference is found.

use std::collections::BTreeSet;

use xtask::layers::{Actual, LAYERS, Layer, ONLY_IN_TESTS, check, differences, read};
use xtask::tree;

/// A crate: its name, the crates inside that it depends on, those outside, all that it reaches.
type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

fn workspace(crates: &[Row]) -> Actual {
    let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
    let mut actual = Actual::default();
    for (name, inside, outside, reached) in crates {
        actual.inside.insert((*name).to_owned(), set(inside));
        actual.direct.insert((*name).to_owned(), set(outside));
        actual.reached.insert((*name).to_owned(), set(reached));
    }
    actual
}

const PLAN: [Layer; 2] = [
    Layer {
        name: "core",
        inside: &[],
        never: &["tokio"],
        not_even_through_others: &["mio"],
    },
    Layer {
        name: "lake",
        inside: &["core"],
        never: &[],
        not_even_through_others: &[],
    },
];

#[test]
fn the_workspace_agrees_with_the_table() -> std::io::Result<()> {
    let found = check(&tree::root())?;
    assert!(
        found.is_empty(),
        "\n{}\nThe table is LAYERS in xtask/src/layers.rs; change it together with ARCHITECTURE.md.\n",
        found.join("\n")
    );
    Ok(())
}

#[test]
fn agreement_is_silence() {
    let actual = workspace(&[
        ("core", &[], &["serde"], &["serde"]),
        ("lake", &["core"], &["tokio"], &["tokio", "mio"]),
    ]);
    assert_eq!(differences(&PLAN, &actual), Vec::<String>::new());
}

#[test]
fn an_extra_edge_and_a_stale_one_are_found() {
    let actual = workspace(&[("core", &["lake"], &[], &[]), ("lake", &[], &[], &[])]);
    assert_eq!(
        differences(&PLAN, &actual),
        [
            "core depends on lake, which the table does not allow",
            "the table lets lake depend on core, but it does not: take the edge out",
        ]
    );
}

#[test]
fn what_must_never_be_there_is_found_near_and_far() {
    let actual = workspace(&[
        ("core", &[], &["tokio"], &["tokio", "mio"]),
        ("lake", &["core"], &[], &[]),
    ]);
    assert_eq!(
        differences(&PLAN, &actual),
        [
            "core must never depend on tokio",
            "core must never reach mio, not even through another crate"
        ]
    );
}

#[test]
fn the_test_kit_stays_in_tests() -> std::io::Result<()> {
    let actual = read(&tree::root())?;
    assert!(
        actual.inside.contains_key(ONLY_IN_TESTS),
        "it has another name now"
    );
    for (name, inside) in &actual.inside {
        assert!(
            !inside.contains(ONLY_IN_TESTS),
            "{name} depends on {ONLY_IN_TESTS}"
        );
    }
    for (name, reached) in &actual.reached {
        assert!(!reached.contains("nsc-testkit"), "{name} reaches {ONLY_IN_TESTS}");
    }
    // No table can let it in either.
    assert!(LAYERS.iter().all(|layer| !layer.inside.contains(&ONLY_IN_TESTS)));
    Ok(())
}

#[test]
fn the_test_kit_outside_of_tests_is_found() {
    let actual = workspace(&[("core", &["testkit"], &[], &[]), ("lake", &["core"], &[], &[])]);
    assert_eq!(
        differences(&PLAN, &actual),
        ["core depends on testkit outside its tests: make it a dev-dependency"]
    );
}

#[test]
fn a_crate_without_a_row_and_a_row_without_a_crate_are_found() {
    let actual = workspace(&[("core", &[], &[], &[]), ("new", &[], &[], &[])]);
    assert_eq!(
        differences(&PLAN, &actual),
        [
            "new is not in the table: say what it may depend on",
            "lake is in the table but no crate of the workspace",
        ]
    );
}
