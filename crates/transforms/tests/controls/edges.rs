//! B-1 and B-2 on the days that go wrong easily, with the numbers written out.

use std::collections::BTreeMap;

use nsc_contracts::control::RECONCILIATION;
use nsc_core::DateKst;
use nsc_transforms::TransformError;
use nsc_transforms::controls::{self, empty_positions};

use super::model::{Entry, History, ReconRow};
use super::run::{control_day, drift_rules, entries_of, micros, prepare, run_day, supply_rule};
use crate::support::{batch, collect, register, session, shown};

fn entry(wallet: &str, time: &str, entry_type: &'static str, amount: i128) -> Entry {
    Entry {
        wallet: wallet.to_owned(),
        time: micros(time),
        entry_type,
        amount,
    }
}

fn history(entries: &[Entry], snapshots: &[(&str, &str, i128)]) -> History {
    let snapshots: BTreeMap<_, _> = snapshots
        .iter()
        .map(|(w, t, b)| (((*w).to_owned(), micros(t)), *b))
        .collect();
    History {
        entries: entries.to_vec(),
        snapshots,
    }
}

/// `2026-01-05` KST begins at `2026-01-04T15:00:00Z`.
fn day(text: &str) -> DateKst {
    text.parse().unwrap()
}

async fn first_day(h: &History) -> Vec<ReconRow> {
    run_day(&session(), h, day("2026-01-05"), empty_positions())
        .await
        .0
}

#[tokio::test]
async fn snapshots_on_both_edges_prove_exactly_the_days_entries() {
    let h = history(
        &[
            entry("w", "2026-01-04T14:59:59.999999Z", "CHARGE", 9_900),
            entry("w", "2026-01-04T15:00:00Z", "CHARGE", 1_000),
            entry("w", "2026-01-05T14:59:59.999999Z", "PAYMENT", 300),
            entry("w", "2026-01-05T15:00:00Z", "PAYMENT", 50),
        ],
        &[
            ("w", "2026-01-04T15:00:00Z", 9_900),
            ("w", "2026-01-05T15:00:00Z", 10_600),
        ],
    );
    let rows = first_day(&h).await;
    assert_eq!(rows, h.recon(day("2026-01-05")));
    assert_eq!(
        (
            rows[0].delta,
            rows[0].net_flow,
            rows[0].drift_abs,
            rows[0].pending_flow
        ),
        (700, 700, 0, 0)
    );
}

#[tokio::test]
async fn an_unknown_wallet_is_a_row_with_all_its_entries_pending() {
    let h = history(
        &[
            entry("ghost", "2026-01-03T00:00:00Z", "CHARGE", 500),
            entry("ghost", "2026-01-05T00:00:00Z", "CHARGE", 70),
        ],
        &[],
    );
    let ctx = session();
    let (_, _, positions) = run_day(&ctx, &h, day("2026-01-03"), empty_positions()).await;
    let (idle, _, positions) = run_day(&ctx, &h, day("2026-01-04"), positions).await;
    assert_eq!(idle, []);
    let (rows, supply, _) = run_day(&ctx, &h, day("2026-01-05"), positions).await;
    assert_eq!(
        (
            rows[0].closing_ts,
            rows[0].delta,
            rows[0].net_flow,
            rows[0].pending_flow
        ),
        (None, 0, 0, 570)
    );
    // Issued, but in no known wallet: the supply shows it.
    assert_eq!(
        (supply.issued, supply.wallets, supply.pending, supply.diff),
        (570, 0, 0, 570)
    );
}

#[tokio::test]
async fn an_idle_wallet_counts_in_the_supply_and_has_no_row() {
    let h = history(
        &[entry("idle", "2026-01-03T15:00:00Z", "CHARGE", 800)],
        &[("idle", "2026-01-04T15:00:00Z", 800)],
    );
    let ctx = session();
    let (_, _, positions) = run_day(&ctx, &h, day("2026-01-04"), empty_positions()).await;
    let (_, _, positions) = run_day(&ctx, &h, day("2026-01-05"), positions).await;
    let (rows, supply, _) = run_day(&ctx, &h, day("2026-01-09"), positions).await;
    assert_eq!(rows, []);
    assert_eq!(
        (
            supply.opening,
            supply.issued,
            supply.wallets,
            supply.diff,
            supply.is_ok
        ),
        (800, 800, 800, 0, true)
    );
}

#[tokio::test]
async fn a_day_without_anything_is_still_one_supply_row() {
    let (rows, supply, next) = run_day(
        &session(),
        &History::default(),
        day("2026-01-05"),
        empty_positions(),
    )
    .await;
    assert_eq!((rows.len(), next.num_rows()), (0, 0));
    assert_eq!(
        (supply.issued, supply.diff, supply.is_ok, supply.moved),
        (0, 0, true, [0; 4])
    );
}

#[tokio::test]
async fn a_snapshot_exactly_at_the_end_is_not_carried_but_found_again() {
    let h = history(
        &[entry("w", "2026-01-05T00:00:00Z", "CHARGE", 10)],
        &[("w", "2026-01-05T15:00:00Z", 10)],
    );
    let ctx = session();
    let (rows, supply, next) = run_day(&ctx, &h, day("2026-01-05"), empty_positions()).await;
    // The first snapshot opens and closes at once: what came before it is not reconciled.
    assert_eq!(
        (rows[0].delta, rows[0].net_flow, rows[0].pending_flow, supply.diff),
        (0, 0, 0, 0)
    );
    assert_eq!(
        crate::support::rows(&next, &["user_id", "snapshot_ts", "balance_total", "flow_after"]),
        ["w | ~ | ~ | 0.10"]
    );
    let (_, supply, next) = run_day(&ctx, &h, day("2026-01-06"), next).await;
    assert_eq!((supply.wallets, supply.diff), (10, 0));
    assert_eq!(
        crate::support::rows(&next, &["user_id", "snapshot_ts", "balance_total", "flow_after"]),
        ["w | 2026-01-05T15:00:00Z | 0.10 | 0.00"]
    );
}

#[tokio::test]
async fn stamps_and_threshold_are_those_of_the_rule() {
    let h = history(&[entry("w", "2026-01-05T00:00:00Z", "MINT", 150)], &[]);
    let ctx = session();
    let day = control_day(day("2026-01-05"), Some("SOURCE_STALE"));
    prepare(&ctx, &h, &day, empty_positions()).await;
    let recon = controls::rows(&ctx, &RECONCILIATION, &day, &drift_rules(), None)
        .await
        .unwrap();
    assert_eq!(
        shown(recon, &["date_kst", "user_id", "dq_tag", "run_id", "rule_id"]).await,
        ["2026-01-05 | w | SOURCE_STALE | run-1 | ledger_recon_abs_default"]
    );
    let mut rule = supply_rule();
    for (threshold, is_ok) in [
        (0.0, "false"),
        (1.49, "false"),
        (1.499, "false"),
        (1.5, "true"),
        (1e300, "true"),
    ] {
        rule.threshold = nsc_transforms::rules::Threshold::from_f64(threshold).unwrap();
        let supply = super::run::supply(&ctx, &day, nsc_core::Money::ZERO, &rule).await;
        let want = format!("2026-01-05 | 1.50 | {is_ok} | SOURCE_STALE | ledger_supply_diff_default");
        assert_eq!(
            shown(supply, &["date_kst", "diff_amount", "is_ok", "dq_tag", "rule_id"]).await,
            [want],
            "{threshold}"
        );
    }
}

#[tokio::test]
async fn sums_past_38_digits_fail_the_run_and_never_wrap() {
    let nines = 10_i128.pow(38) - 1;
    let h = history(
        &[
            entry("w", "2026-01-05T00:00:00Z", "MINT", nines),
            entry("w", "2026-01-05T01:00:00Z", "CHARGE", nines),
        ],
        &[("w", "2026-01-04T15:00:00Z", 0)],
    );
    let ctx = session();
    let day = control_day(day("2026-01-05"), None);
    register(&ctx, "entries", entries_of(&h, day.date));
    register(&ctx, "snapshots", super::run::snapshots_of(&h, day.date));
    register(&ctx, "positions", empty_positions());
    let error = controls::wallet_day(&ctx, &day)
        .await
        .unwrap()
        .collect()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("over 38 digits"), "{error}");
}

#[tokio::test]
async fn an_absent_input_is_named() {
    let ctx = session();
    let day = control_day(day("2026-01-05"), None);
    let error = controls::wallet_day(&ctx, &day).await.unwrap_err();
    assert!(
        matches!(
            error,
            TransformError::Plan {
                what: "wallet_day",
                ..
            }
        ),
        "{error}"
    );
    register(&ctx, "entries", batch("tx_id text", &[]));
    assert!(controls::pairing_counts(&ctx).await.is_err());
    let _ = collect(ctx.table("entries").await.unwrap()).await;
}
