//! Checksums of small worlds. The bytes are the contract: whoever changes one of these changes what
//! every stored result, tutorial and benchmark of the sample world was made from.

use nsc_sample::SampleOptions;

use crate::support::world;

fn check(expected: &str, change: impl FnOnce(&mut SampleOptions)) {
    assert_eq!(world(change).fingerprint(), expected);
}

#[test]
fn one_clean_day() {
    check(
        "b64698400546a9daf0c762709de3825a8be0f10445b07740995da673d66d9aef",
        |o| o.days = 1,
    );
}

#[test]
fn three_clean_days() {
    check(
        "9a5c55099f206e69ac03a0cbdd95cfaf722d2de03ac589464c57564368a4654e",
        |o| o.days = 3,
    );
}

#[test]
fn one_faulty_day() {
    check(
        "a6e0f493e0e3146dff5f27f070b5c5c5a45c1da8fe70272b16c5fbe120b40d67",
        |o| {
            o.days = 1;
            o.faults = true;
        },
    );
}

#[test]
fn three_faulty_days() {
    check(
        "a7d425d60488748a2499251e6a048cec141b29a0c0610ebac4087ca3be779739",
        |o| {
            o.days = 3;
            o.faults = true;
        },
    );
}

#[test]
fn a_faulty_world_over_the_limit() {
    check(
        "445cfad248371bfb9109895240e17ada5449ac471336ac69c2fe907ecc278d74",
        |o| {
            o.faults = true;
            o.bad_rate = Some(0.05);
        },
    );
}

#[test]
fn a_faulty_world_without_gaps_or_late_rows() {
    check(
        "98863a7c533f600dcebb8babfd028abe9750a112aa32e9c3c5a55d5a35a941c0",
        |o| {
            o.faults = true;
            o.no_gaps = true;
            o.no_late_last = true;
        },
    );
}

#[test]
fn another_seed_and_date() {
    check(
        "cba5d2fb637fb020e6ec3dbd08b07390bef29d490e90696237489859ea20cb02",
        |o| {
            o.seed = 1 << 40;
            o.first_date_kst = "2024-02-28".to_owned();
            o.faults = true;
        },
    );
}
