//! A night that changes rows of other days, killed after each of its writes: the night that is repeated leaves what an
//! undisturbed one does, and B computes the same days.
//!
//! Each death begins from the same lake, because a second death could hide what the first one lost.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use nsc_lake::Lake;
use nsc_pipelines::{Analytics, Controls, Period, Pipeline, RuleSource, Silver, SyncRules};
use nsc_testkit::{FaultPlan, FaultStore};
use serde_json::{Value, json};

use super::story::{context, dump, load, open};

const SOURCES: [&str; 3] = ["user_wallets", "payment_orders", "transaction_ledger"];

fn order(id: &str, status: &str, created: &str, updated: &str) -> Value {
    json!({"order_id": id, "user_id": "u1", "merchant_name": "가게", "amount": "10.00", "status": status,
           "created_at": created, "updated_at": updated})
}

fn entry(tx: &str, amount: &str, at: &str, order: &str) -> Value {
    json!({"tx_id": tx, "wallet_id": "u1", "type": "CHARGE", "amount": amount, "created_at": at,
           "related_id": order, "status": "POSTED"})
}

fn snapshot(balance: &str, at: &str) -> Value {
    json!({"user_id": "u1", "balance": balance, "frozen_amount": "0", "source_extracted_at": at})
}

const FIRST: &str = "2026-01-05T01:00:00Z";
const SECOND: &str = "2026-01-06T01:00:00Z";

/// What each night brings, by source.
fn nights() -> [[Vec<Value>; 3]; 2] {
    let first = [
        vec![
            snapshot("0.00", "2026-01-04T15:00:00Z"),
            snapshot("60.00", "2026-01-05T15:00:00Z"),
        ],
        ["PO1", "PO2", "PO3"]
            .map(|id| order(id, "PENDING", FIRST, FIRST))
            .to_vec(),
        vec![
            entry("status", "10.00", FIRST, "PO1"),
            entry("moves", "10.00", FIRST, "PO2"),
            entry("contradicted", "10.00", FIRST, "PO3"),
            entry("stays", "30.00", FIRST, "none"),
        ],
    ];
    let second = [
        vec![snapshot("70.00", "2026-01-06T15:00:00Z")],
        vec![
            order("PO1", "REFUNDED", FIRST, SECOND),
            order("PO2", "PAID", SECOND, SECOND),
            order("PO3", "PAID", "someday", SECOND),
        ],
        vec![
            entry("moves", "10.00", SECOND, "PO2"),
            entry("contradicted", "20.00", FIRST, "PO3"),
            entry("late", "5.00", FIRST, "PO1"),
            entry("new", "10.00", SECOND, "PO1"),
        ],
    ];
    [first, second]
}

/// The instant of a night's runs, half an hour after the day's end.
fn now(night: usize) -> String {
    format!("2026-01-0{}T15:30:00Z", 5 + night)
}

pub(crate) async fn load_night(lake: &Lake, dir: &Path, night: usize) {
    let folder = dir.join(format!("night-{night}"));
    std::fs::create_dir(&folder).unwrap();
    for (source, lines) in SOURCES.iter().zip(&nights()[night]) {
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        std::fs::write(folder.join(format!("{source}.jsonl")), text.join("\n") + "\n").unwrap();
        let at = format!("2026-01-0{}T14:55:00Z", 5 + night);
        load(lake, &folder, source, &at).await.unwrap();
    }
}

pub(crate) async fn run(lake: &Lake, pipeline: &dyn Pipeline, night: usize) -> Result<(), String> {
    let name = format!("{}-{night}", pipeline.name());
    let context = context(lake.clone(), &name, &now(night));
    let (_, outcome) = nsc_pipelines::run(&context, pipeline, Period::Scheduled).await;
    outcome.map_err(|e| e.to_string())
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}

/// A lake on which the first night has run and the second one's files are loaded.
pub(crate) async fn before_the_second_night(dir: &Path) -> PathBuf {
    let root = dir.join("before");
    let lake = open(&root, None);
    let rules = nsc_contracts::rule::default_rules().unwrap();
    let sync = SyncRules(RuleSource::File(rules));
    run(&lake, &sync, 0).await.unwrap();
    load_night(&lake, dir, 0).await;
    for pipeline in [&Silver as &dyn Pipeline, &Controls, &Analytics] {
        run(&lake, pipeline, 0).await.unwrap();
    }
    load_night(&lake, dir, 1).await;
    root
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_that_dies_after_any_write_loses_no_row_and_no_day() {
    let dir = tempfile::tempdir().unwrap();
    let before = before_the_second_night(dir.path()).await;
    let calm = dir.path().join("calm");
    copy(&before, &calm);
    run(&open(&calm, None), &Silver, 1).await.unwrap();
    let wanted_of_silver = dump(&open(&calm, None)).await;
    run(&open(&calm, None), &Controls, 1).await.unwrap();
    let wanted = dump(&open(&calm, None)).await;
    // Both days are in what B computed: the entry moved, the late one arrived, the contradiction was found.
    let issued = &wanted["gold.ledger_supply_balance_daily"];
    assert!(
        issued[0].contains(" 65.00 ") && issued[1].contains(" 85.00 "),
        "{issued:?}"
    );
    assert_eq!(
        wanted["gold.exception_ledger"]
            .iter()
            .filter(|r| r.contains("contradicted"))
            .count(),
        1
    );

    for dies_at in 0.. {
        let tried = dir.path().join(format!("tried-{dies_at}"));
        copy(&before, &tried);
        let plan = FaultPlan::new(dies_at, true);
        let dying = open(&tried, Some(Arc::new(FaultStore::wrapper(&plan))));
        let outcome = run(&dying, &Silver, 1).await;
        if !plan.has_struck() {
            outcome.unwrap();
            assert!(dies_at > 25, "only {dies_at} deaths");
            break;
        }
        run(&open(&tried, None), &Silver, 1).await.unwrap();
        // What B computes follows from what Silver leaves, the days that are due included: now and then it is looked at.
        let with_controls = dies_at % 8 == 0;
        if with_controls {
            run(&open(&tried, None), &Controls, 1).await.unwrap();
        }
        let found = dump(&open(&tried, None)).await;
        for (table, rows) in if with_controls { &wanted } else { &wanted_of_silver } {
            assert_eq!(&found[table], rows, "{table}, dead after write {dies_at}");
        }
        std::fs::remove_dir_all(&tried).unwrap();
    }
}
