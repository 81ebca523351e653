//! Checksums of small worlds. The bytes are the contract: whoever changes one of these changes what
//! every stored result, tutorial and benchmark of the sample world was made from.
//!
//! A snapshot has a line per hundred lines of a file: where two differ, the first is where to look.

use nsc_sample::SampleOptions;

use crate::support::world;

fn check(name: &str, change: impl FnOnce(&mut SampleOptions)) {
    insta::assert_snapshot!(name, world(change).checksums());
}

#[test]
fn one_clean_day() {
    check("one_clean_day", |o| o.days = 1);
}

#[test]
fn three_clean_days() {
    check("three_clean_days", |o| o.days = 3);
}

#[test]
fn one_faulty_day() {
    check("one_faulty_day", |o| {
        o.days = 1;
        o.faults = true;
    });
}

#[test]
fn three_faulty_days() {
    check("three_faulty_days", |o| {
        o.days = 3;
        o.faults = true;
    });
}

#[test]
fn a_faulty_world_over_the_limit() {
    check("a_faulty_world_over_the_limit", |o| {
        o.faults = true;
        o.bad_rate = Some(0.05);
    });
}

#[test]
fn a_faulty_world_without_gaps_or_late_rows() {
    check("a_faulty_world_without_gaps_or_late_rows", |o| {
        o.faults = true;
        o.no_gaps = true;
        o.no_late_last = true;
    });
}

#[test]
fn another_seed_and_date() {
    check("another_seed_and_date", |o| {
        o.seed = 1 << 40;
        o.first_date_kst = "2024-02-28".to_owned();
        o.faults = true;
    });
}
