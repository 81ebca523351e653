//! The exceptions of B-1 and B-2.

use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::control::{Control, RECONCILIATION, SUPPLY};
use nsc_transforms::controls::{self, ControlDay, ControlRules};
use nsc_transforms::rules::SeverityRule;

use super::run::{control_day, drift_rule, supply_rule};
use crate::support::{assert_contract, assert_required, at, batch, collect, register, rows, session, shown};

const NOW: &str = "2026-01-05T15:20:00Z";
const BRIEF: [&str; 5] = ["exception_type", "severity", "subject", "metric_value", "rule_id"];

fn with_recon(lines: &[&str]) -> SessionContext {
    let ctx = session();
    let columns = "user_id text, delta_balance_total dec2, net_flow_total dec2, drift_abs dec2, opening_ts ts, closing_ts ts, \
                   pending_flow dec2";
    let recon = batch(columns, lines);
    register(&ctx, "recon_base", recon);
    ctx
}

async fn found(
    ctx: &SessionContext,
    control: &'static Control,
    day: &ControlDay,
    rule: &SeverityRule,
) -> DataFrame {
    let rules = ControlRules::default().judging(rule);
    let found = controls::exceptions(ctx, control, day, &rules, at(NOW)).await;
    found.unwrap().unwrap()
}

async fn exceptions(
    ctx: &SessionContext,
    dq_tag: Option<&str>,
    rule: &SeverityRule,
) -> arrow::array::RecordBatch {
    let sql = "CREATE OR REPLACE VIEW recon_daily_snapshot_flow AS SELECT *, nsc_ratio(drift_abs, net_flow_total) AS drift_pct, \
               CAST(NULL AS VARCHAR) AS rule_id FROM recon_base";
    ctx.sql(sql).await.unwrap().collect().await.unwrap();
    let day = control_day("2026-01-05".parse().unwrap(), dq_tag);
    let df = found(ctx, &RECONCILIATION, &day, rule).await;
    assert_contract(&df, "gold.exception_ledger");
    let batch = collect(df).await;
    assert_required(&batch, "gold.exception_ledger");
    batch
}

const START: &str = "2026-01-04T15:00:00Z";
const END: &str = "2026-01-05T15:00:00Z";

fn lines() -> Vec<String> {
    vec![
        format!("even|1.00|1.00|0.00|{START}|{END}|0.00"),
        format!("off\"1|5.00|3.00|2.00|{START}|{END}|0.00"),
        format!("stuck|0.00|0.00|0.00|{START}|{START}|7.50"),
        "ghost|0.00|0.00|0.00|~|~|9.00".to_owned(),
    ]
}

#[tokio::test]
async fn each_breach_is_one_open_row_with_enough_to_drill_down() {
    let lines = lines();
    let ctx = with_recon(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let batch = exceptions(&ctx, None, &drift_rule()).await;
    assert_eq!(
        rows(&batch, &BRIEF),
        [
            "RECON_DRIFT_HIGH | CRITICAL | off\"1 | 2.000000 | ledger_recon_abs_default",
            "RECON_SNAPSHOT_MISSING | WARN | stuck | 7.500000 | ~",
            "RECON_WALLET_UNKNOWN | CRITICAL | ghost | 9.000000 | ~",
        ]
    );
    let stamps = [
        "date_kst",
        "domain",
        "source_table",
        "window_start_ts",
        "window_end_ts",
        "run_id",
        "generated_at",
        "state",
    ];
    let stamp =
        format!("2026-01-05 | ledger | recon_daily_snapshot_flow | {START} | {END} | run-1 | {NOW} | OPEN");
    assert_eq!(rows(&batch, &stamps), [stamp.clone(), stamp.clone(), stamp]);
    assert_eq!(
        rows(&batch, &["metric", "message"])[0],
        format!(
            "drift_abs | {{\"wallet\":\"off\\\"1\",\"delta_balance_total\":\"5.00\",\"net_flow_total\":\"3.00\",\"drift_abs\":\"2.00\",\
         \"drift_pct\":\"0.666667\",\"pending_flow\":\"0.00\",\"opening_ts\":\"{START}\",\"closing_ts\":\"{END}\",\"threshold\":\"0\"}}"
        )
    );
}

#[tokio::test]
async fn a_gated_day_keeps_only_the_unknown_wallet() {
    let lines = lines();
    let ctx = with_recon(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let batch = exceptions(&ctx, Some("SOURCE_STALE"), &drift_rule()).await;
    assert_eq!(
        rows(&batch, &BRIEF),
        ["RECON_WALLET_UNKNOWN | CRITICAL | ghost | 9.000000 | ~"]
    );
}

#[tokio::test]
async fn severity_follows_the_map_and_the_threshold_is_exceeded_not_reached() {
    let line = |drift: &str| format!("w{drift}|0.00|1.00|{drift}|{START}|{END}|0.00");
    let lines = [
        "1.00",
        "1.01",
        "5.00",
        "5.01",
        "999999999999999999999999999999999999.99",
    ]
    .map(line);
    let ctx = with_recon(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let rule = |warn, crit| SeverityRule::new("r", 1.0, warn, crit).unwrap();
    let graded = async |rule| {
        let batch = exceptions(&ctx, None, &rule).await;
        rows(&batch, &["severity", "metric_value"])
    };
    assert_eq!(
        graded(rule(Some(1.0), Some(5.0))).await,
        [
            "CRITICAL | 5.010000",
            "CRITICAL | ~",
            "WARN | 1.010000",
            "WARN | 5.000000"
        ]
    );
    assert_eq!(
        graded(rule(None, None)).await,
        [
            "CRITICAL | 1.010000",
            "CRITICAL | 5.000000",
            "CRITICAL | 5.010000",
            "CRITICAL | ~"
        ]
    );
    assert_eq!(
        graded(rule(Some(1.0), None)).await,
        [
            "WARN | 1.010000",
            "WARN | 5.000000",
            "WARN | 5.010000",
            "WARN | ~"
        ]
    );
}

#[tokio::test]
async fn a_supply_mismatch_is_judged_by_its_magnitude() {
    let ctx = session();
    let columns = "issued_supply dec2, wallet_total_balance dec2, diff_amount dec2, pending_flow_total dec2, opening_supply dec2, \
                   minted dec2, charged dec2, burned dec2, withdrawn dec2";
    register(
        &ctx,
        SUPPLY.table.name,
        batch(columns, &["10.00|13.00|-3.00|0.00|10.00|0.00|0.00|0.00|0.00"]),
    );
    let day = |tag| control_day("2026-01-05".parse().unwrap(), tag);
    let df = found(&ctx, &SUPPLY, &day(None), &supply_rule()).await;
    assert_contract(&df, "gold.exception_ledger");
    let batch = collect(df).await;
    assert_required(&batch, "gold.exception_ledger");
    assert_eq!(
        rows(
            &batch,
            &[
                "exception_type",
                "severity",
                "subject",
                "source_table",
                "metric",
                "metric_value",
                "rule_id"
            ]
        ),
        [
            "SUPPLY_MISMATCH | CRITICAL | ~ | ledger_supply_balance_daily | supply_diff_abs | 3.000000 | ledger_supply_diff_default"
        ]
    );
    assert!(rows(&batch, &["message"])[0].contains("\"diff_amount\":\"-3.00\""));
    let gated = found(&ctx, &SUPPLY, &day(Some("EVENT_DROP_SUSPECTED")), &supply_rule()).await;
    assert_eq!(shown(gated, &["exception_type"]).await, [""; 0]);
    let rule = SeverityRule::new("r", 3.0, None, None).unwrap();
    let even = found(&ctx, &SUPPLY, &day(None), &rule).await;
    assert_eq!(shown(even, &["exception_type"]).await, [""; 0]);
}
