//! The property the controls stand on: days chained through `positions` say exactly what the whole history says, and
//! every entry after a wallet's first snapshot is reconciled exactly once.
//! Holds lakehouse contract 4, B-1.

use std::collections::BTreeMap;

use nsc_core::{DateKst, MICROS_PER_DAY, UtcMicros};
use nsc_transforms::controls::empty_positions;
use proptest::prelude::*;

use super::model::{Entry, History};
use super::run::{position_rows, run_day};
use crate::support::session;

/// Days of a generated history.
const DAYS: i64 = 4;
const HOUR: i64 = MICROS_PER_DAY / 24;
/// Instants within a day, crowded at its edges.
const OFFSETS: [i64; 7] = [
    0,
    1,
    6 * HOUR,
    12 * HOUR,
    12 * HOUR + 1,
    MICROS_PER_DAY - 1,
    18 * HOUR,
];
const TYPES: [&str; 10] = [
    "CHARGE",
    "WITHDRAW",
    "PAYMENT",
    "RECEIVE",
    "REFUND_OUT",
    "REFUND_IN",
    "HOLD",
    "RELEASE",
    "MINT",
    "BURN",
];

fn first_day() -> DateKst {
    DateKst::from_days(20_458)
}

fn instant() -> impl Strategy<Value = i64> {
    let start = first_day().start().micros();
    (0..DAYS, 0..OFFSETS.len()).prop_map(move |(day, at)| start + day * MICROS_PER_DAY + OFFSETS[at])
}

fn entry() -> impl Strategy<Value = Entry> {
    (0..5_u8, instant(), 0..TYPES.len(), 1..10_000_i128).prop_map(|(wallet, time, ty, amount)| Entry {
        wallet: format!("w{wallet}"),
        time,
        entry_type: TYPES[ty],
        amount,
    })
}

/// A snapshot: its balance is the ledger's own (a true one) or off by a little.
fn snapshot() -> impl Strategy<Value = (u8, i64, i128)> {
    // Four wallets: the fifth is never snapshotted. The last midnight closes the last day.
    let end = first_day().start().micros() + DAYS * MICROS_PER_DAY;
    let time = prop_oneof![6 => instant(), 1 => Just(end)];
    (0..4_u8, time, prop_oneof![2 => Just(0_i128), 1 => -500..500_i128])
}

fn history() -> impl Strategy<Value = History> {
    (
        prop::collection::vec(entry(), 0..40),
        prop::collection::vec(snapshot(), 0..16),
    )
        .prop_map(|(entries, snapshots)| {
            let mut history = History {
                entries,
                snapshots: BTreeMap::new(),
            };
            for (wallet, time, off) in snapshots {
                let wallet = format!("w{wallet}");
                let balance = history.flow(&wallet, i64::MIN, time) + off;
                history.snapshots.insert((wallet, time), balance);
            }
            history
        })
}

/// Runs the days in order and compares each with the model; answers with the net flow reconciled per wallet.
async fn check(history: &History) -> Result<BTreeMap<String, i128>, TestCaseError> {
    let ctx = session();
    let mut positions = empty_positions();
    let mut reconciled = BTreeMap::new();
    for n in 0..i32::try_from(DAYS).unwrap() {
        let day = DateKst::from_days(first_day().days() + n);
        let (recon, supply, next) = run_day(&ctx, history, day, positions).await;
        prop_assert_eq!(&recon, &history.recon(day), "recon of day {}", n);
        prop_assert_eq!(supply, history.supply(day), "supply of day {}", n);
        for row in recon {
            *reconciled.entry(row.wallet).or_insert(0) += row.net_flow;
        }
        prop_assert_eq!(
            position_rows(&next),
            history.positions(day.end().micros()),
            "positions after day {}",
            n
        );
        positions = next;
    }
    Ok(reconciled)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn chained_days_say_what_the_whole_history_says(history in history()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reconciled = runtime.block_on(check(&history))?;
        for wallet in 0..5 {
            let wallet = format!("w{wallet}");
            let times: Vec<i64> = history.snapshots.keys().filter(|(w, _)| *w == wallet).map(|(_, t)| *t).collect();
            let want = match (times.first(), times.last()) {
                (Some(first), Some(last)) => history.flow(&wallet, *first, *last),
                _ => 0,
            };
            prop_assert_eq!(reconciled.get(&wallet).copied().unwrap_or(0), want, "{} is reconciled once", wallet);
        }
    }
}

#[test]
fn the_generator_covers_what_it_claims() {
    // Midnight instants are both a day's end and the next one's start.
    assert_eq!(
        first_day().end().micros(),
        first_day().start().micros() + MICROS_PER_DAY
    );
    assert_eq!(
        UtcMicros::new(first_day().start().micros()).date_kst(),
        first_day()
    );
}
