//! Upserts by file end where a map ends: whatever is replaced, merged by version, moved to another day or repeated.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Date32Type, Decimal128Type, TimestampMicrosecondType};
use datafusion::prelude::SessionContext;
use nsc_core::{DateKst, MICROS_PER_DAY};
use nsc_lake::{Conflict, Lake, LakeOptions, Scope, SessionOptions, Table, Upsert, UpsertOutcome, session};
use proptest::prelude::*;

/// Entry number -> (day, version, amount).
type Model = BTreeMap<u8, (i32, i64, i64)>;

#[derive(Debug, Clone)]
struct Change {
    conflict: Conflict,
    day: i32,
    rows: BTreeMap<u8, (i64, i64)>,
}

fn change() -> impl Strategy<Value = Change> {
    let rows = prop::collection::btree_map(0_u8..12, (0_i64..1000, 1_i64..4), 0..8);
    (prop::bool::ANY, 20_000_i32..20_003, rows).prop_map(|(replace, day, rows)| Change {
        conflict: if replace {
            Conflict::Replace
        } else {
            Conflict::Newest
        },
        day,
        rows,
    })
}

fn apply(model: &mut Model, change: &Change) {
    let of_day = |d: i32| d == change.day;
    if change.conflict == Conflict::Replace {
        model.retain(|tx, (day, _, _)| !of_day(*day) || change.rows.contains_key(tx));
    }
    for (tx, (version, amount)) in &change.rows {
        let stored = model.get(tx).copied();
        let stays = stored
            .is_some_and(|(day, v, _)| v > *version && (!of_day(day) || change.conflict == Conflict::Newest));
        if !stays {
            model.insert(*tx, (change.day, *version, *amount));
        }
    }
}

fn batch(change: &Change) -> RecordBatch {
    let rows: Vec<(&u8, &(i64, i64))> = change.rows.iter().collect();
    let text = |f: &dyn Fn(u8) -> String| {
        Arc::new(rows.iter().map(|(tx, _)| Some(f(**tx))).collect::<StringArray>()) as ArrayRef
    };
    let amounts: Vec<i128> = rows.iter().map(|(_, (_, a))| i128::from(*a)).collect();
    let money = Arc::new(
        Decimal128Array::from(amounts)
            .with_precision_and_scale(38, 2)
            .unwrap(),
    ) as ArrayRef;
    let start = DateKst::from_days(change.day).start().micros();
    let time =
        |values: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")) as ArrayRef;
    RecordBatch::try_from_iter([
        ("tx_id", text(&|tx| format!("tx-{tx:03}"))),
        ("wallet_id", text(&|_| "w".to_owned())),
        ("event_time", time(vec![start + MICROS_PER_DAY / 2; rows.len()])),
        (
            "event_date_kst",
            Arc::new(Date32Array::from(vec![change.day; rows.len()])),
        ),
        ("entry_type", text(&|_| "CHARGE".to_owned())),
        ("amount", Arc::clone(&money)),
        ("amount_signed", money),
        ("related_id", text(&|_| "r".to_owned())),
        ("related_type", text(&|_| "r".to_owned())),
        ("status", text(&|_| "s".to_owned())),
        ("created_at", time(vec![start; rows.len()])),
        ("run_id", text(&|_| "run".to_owned())),
        ("rule_id", text(&|_| "rule".to_owned())),
        (
            "source_extracted_at",
            time(rows.iter().map(|(_, (v, _))| *v).collect()),
        ),
        ("ingested_at", time(vec![0; rows.len()])),
        ("source_ref", text(&|tx| format!("file:x#{tx}"))),
        ("load_id", text(&|_| "load".to_owned())),
        ("has_order", Arc::new(BooleanArray::from(vec![true; rows.len()]))),
        ("merchant_name", text(&|_| "m".to_owned())),
        ("payment_status", text(&|_| "s".to_owned())),
    ])
    .unwrap()
}

async fn do_change(
    ctx: &SessionContext,
    table: &Table,
    change: &Change,
    writers: usize,
) -> (Table, UpsertOutcome) {
    let date = Some(DateKst::from_days(change.day));
    let (files, outside) = table
        .files()
        .unwrap()
        .into_iter()
        .partition(|f| f.partition_date() == date);
    let rows = batch(change);
    let mut scope = Scope::of(files, change.conflict).or_outside(outside);
    if change.conflict == Conflict::Newest {
        // Known beforehand or not: the end is the same.
        scope = scope.for_rows(table, std::slice::from_ref(&rows)).unwrap();
    }
    let upsert = Upsert::begin(ctx, table, scope).await.unwrap();
    let mut parts = Vec::new();
    for n in 0..writers {
        let mut writer = upsert.writer().unwrap();
        let (first, last) = (rows.num_rows() * n / writers, rows.num_rows() * (n + 1) / writers);
        writer.write(&rows.slice(first, last - first)).await.unwrap();
        parts.push(writer.finish().await.unwrap());
    }
    upsert
        .finish(ctx, parts)
        .await
        .unwrap()
        .commit(Vec::new())
        .await
        .unwrap()
}

async fn stored(ctx: &SessionContext, table: &Table) -> Vec<(u8, (i32, i64, i64))> {
    let columns = ["tx_id", "event_date_kst", "source_extracted_at", "amount"];
    let rows = ctx
        .read_table(table.scan_all().unwrap())
        .unwrap()
        .select_columns(&columns)
        .unwrap()
        .collect()
        .await
        .unwrap();
    let mut found = Vec::new();
    for b in &rows {
        let ids = arrow::compute::cast(b.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
        for i in 0..b.num_rows() {
            let tx = ids.as_string::<i32>().value(i)[3..].parse().unwrap();
            let amount = i64::try_from(b.column(3).as_primitive::<Decimal128Type>().value(i)).unwrap();
            found.push((
                tx,
                (
                    b.column(1).as_primitive::<Date32Type>().value(i),
                    b.column(2).as_primitive::<TimestampMicrosecondType>().value(i),
                    amount,
                ),
            ));
        }
    }
    found.sort_unstable();
    found
}

/// Versions of one entry are told apart by the model only when they differ.
fn has_ties(changes: &[Change]) -> bool {
    let mut seen: BTreeMap<(u8, i64), (i32, i64)> = BTreeMap::new();
    changes.iter().any(|c| {
        c.rows.iter().any(|(tx, (version, amount))| {
            *seen.entry((*tx, *version)).or_insert((c.day, *amount)) != (c.day, *amount)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn upserts_end_where_a_map_ends(changes in prop::collection::vec(change(), 1..7), writers in 1_usize..4) {
        prop_assume!(!has_ties(&changes));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let lake = Lake::open(&dir.path().to_string_lossy(), LakeOptions::default()).unwrap();
            let ctx = session(&SessionOptions { threads: 2, ..SessionOptions::default() }).unwrap();
            let mut table = lake.table(nsc_contracts::table("silver.ledger_entries").unwrap()).await.unwrap();
            let mut model = Model::new();
            for change in &changes {
                (table, _) = do_change(&ctx, &table, change, writers).await;
                apply(&mut model, change);
                prop_assert_eq!(stored(&ctx, &table).await, model.clone().into_iter().collect::<Vec<_>>());
                // Again: nothing is written.
                let version = table.version();
                let (again, outcome) = do_change(&ctx, &table, change, 1).await;
                prop_assert_eq!((again.version(), outcome.changed()), (version, 0));
                table = again;
            }
            Ok(())
        })?;
    }
}
