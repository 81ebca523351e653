//! The same options give the same bytes; another seed gives another world.

use std::fs;

use nsc_sample::{SampleOptions, generate};
use tempfile::TempDir;

use crate::support::world;

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for faults in [false, true] {
        let (first, second) = (world(|o| o.faults = faults), world(|o| o.faults = faults));
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert_eq!(first.summary.by_source, second.summary.by_source);
    }
}

#[test]
fn the_ledger_of_faults_is_repeatable_too() {
    let faults_file = |world: &crate::support::World| fs::read(world.path().join("faults.json")).unwrap();
    assert_eq!(
        faults_file(&world(|o| o.faults = true)),
        faults_file(&world(|o| o.faults = true))
    );
}

#[test]
fn another_seed_gives_another_world() {
    assert_ne!(world(|_| {}).fingerprint(), world(|o| o.seed = 8).fingerprint());
}

#[test]
fn a_run_replaces_the_files_of_the_run_before() {
    let directory = TempDir::new().unwrap();
    let small = SampleOptions {
        wallets: 50,
        entries_per_day: 500,
        ..SampleOptions::new(directory.path())
    };
    let large = SampleOptions {
        entries_per_day: 2000,
        ..small.clone()
    };
    let ledger = directory.path().join("transaction_ledger.jsonl");
    generate(&small, &mut |_| {}).unwrap();
    let expected = fs::read(&ledger).unwrap();
    generate(&large, &mut |_| {}).unwrap();
    generate(&small, &mut |_| {}).unwrap();
    assert_eq!(fs::read(&ledger).unwrap(), expected);
}

#[test]
fn progress_counts_up_to_all_lines() {
    let directory = TempDir::new().unwrap();
    let options = SampleOptions {
        entries_per_day: 10_000,
        ..SampleOptions::new(directory.path())
    };
    let mut told = Vec::new();
    let summary = generate(&options, &mut |lines| told.push(lines)).unwrap();
    assert!(told.len() > 1 && told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&summary.lines));
}
