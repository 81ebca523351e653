//! Few rows corrected among many: the file is written anew with every other value as it was, in its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use nsc_core::{DateKst, MICROS_PER_DAY};
use nsc_lake::{Conflict, Lake, LakeOptions, Scope, SessionOptions, Table, Upsert, session};
use proptest::prelude::*;

const DAY: i32 = 20_000;
const COLUMNS: [&str; 20] = [
    "tx_id",
    "wallet_id",
    "event_time",
    "event_date_kst",
    "entry_type",
    "amount",
    "amount_signed",
    "related_id",
    "related_type",
    "status",
    "created_at",
    "run_id",
    "rule_id",
    "source_extracted_at",
    "ingested_at",
    "source_ref",
    "load_id",
    "has_order",
    "merchant_name",
    "payment_status",
];

/// What differs between two versions of an entry; a null too.
#[derive(Debug, Clone, Copy)]
struct Version {
    amount: i64,
    status: Option<&'static str>,
    number: i64,
}

const FIRST: Version = Version {
    amount: 100,
    status: Some("POSTED"),
    number: 0,
};

fn entries(rows: &[(u32, Version)]) -> RecordBatch {
    let text = |f: &dyn Fn(u32, Version) -> Option<String>| {
        Arc::new(rows.iter().map(|(n, v)| f(*n, *v)).collect::<StringArray>()) as ArrayRef
    };
    let money = |scale: i64| {
        let units = rows.iter().map(|(_, v)| i128::from(v.amount * scale));
        let units: Decimal128Array = units.collect::<Vec<_>>().into();
        Arc::new(units.with_precision_and_scale(38, 2).unwrap()) as ArrayRef
    };
    let time = |f: &dyn Fn(u32, Version) -> i64| {
        let micros: Vec<i64> = rows.iter().map(|(n, v)| f(*n, *v)).collect();
        Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC")) as ArrayRef
    };
    let start = DateKst::from_days(DAY).start().micros();
    let columns: [ArrayRef; 20] = [
        text(&|n, _| Some(format!("tx-{n:07}"))),
        text(&|n, _| Some(format!("w-{}", n % 50))),
        time(&|n, _| start + i64::from(n) % MICROS_PER_DAY),
        Arc::new(Date32Array::from(vec![DAY; rows.len()])),
        text(&|n, _| Some(["CHARGE", "PAYMENT", "RECEIVE"][n as usize % 3].to_owned())),
        money(1),
        money(-1),
        text(&|n, _| (n % 4 != 0).then(|| format!("order {}", n / 2))),
        text(&|n, _| (n % 4 != 0).then(|| "주문".to_owned())),
        text(&|_, v| v.status.map(str::to_owned)),
        time(&|n, _| start + i64::from(n)),
        text(&|_, v| Some(format!("run-{}", v.number))),
        text(&|_, _| Some("rule".to_owned())),
        time(&|_, v| v.number),
        time(&|_, v| start + v.number),
        text(&|n, v| Some(format!("file:{}.jsonl#{n}", v.number))),
        text(&|_, v| (v.number > 0).then(|| format!("load-{}", v.number))),
        Arc::new(BooleanArray::from_iter(
            rows.iter().map(|(_, v)| Some(v.status.is_some())),
        )),
        text(&|n, _| (n % 3 == 0).then(|| "가게".to_owned())),
        text(&|_, v| v.status.map(str::to_owned)),
    ];
    RecordBatch::try_from_iter_with_nullable(COLUMNS.into_iter().zip(columns).map(|(n, c)| (n, c, true)))
        .unwrap()
}

/// Rows as text, by tx_id.
fn texts(batches: &[RecordBatch]) -> BTreeMap<String, String> {
    let options = FormatOptions::default().with_null("null");
    let mut all = BTreeMap::new();
    for batch in batches {
        let columns: Vec<_> = COLUMNS
            .iter()
            .map(|c| ArrayFormatter::try_new(batch.column_by_name(c).unwrap(), &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
            assert!(
                all.insert(cells[0].clone(), cells.join(" | ")).is_none(),
                "{} stands twice",
                cells[0]
            );
        }
    }
    all
}

async fn stored(ctx: &SessionContext, table: &Table) -> BTreeMap<String, String> {
    let rows = ctx.read_table(table.scan_all().unwrap()).unwrap();
    texts(&rows.collect().await.unwrap())
}

async fn write(ctx: &SessionContext, table: &Table, conflict: Conflict, rows: &RecordBatch) -> Table {
    let mut scope = Scope::of(table.files().unwrap(), conflict);
    if conflict == Conflict::Newest {
        scope = scope.for_rows(table, std::slice::from_ref(rows)).unwrap();
    }
    let upsert = Upsert::begin(ctx, table, scope).await.unwrap();
    let mut writer = upsert.writer().unwrap();
    writer.write(rows).await.unwrap();
    let part = writer.finish().await.unwrap();
    let staged = upsert.finish(ctx, vec![part]).await.unwrap();
    staged.commit(Vec::new()).await.unwrap().0
}

/// Corrects some of `count` entries, and compares every value of every row.
async fn correct(count: u32, conflict: Conflict, corrections: &[(u32, Version)]) {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(&dir.path().to_string_lossy(), LakeOptions::default()).unwrap();
    let ctx = session(&SessionOptions {
        threads: 2,
        ..SessionOptions::default()
    })
    .unwrap();
    let table = lake
        .table(nsc_contracts::table("silver.ledger_entries").unwrap())
        .await
        .unwrap();
    let mut model: Vec<(u32, Version)> = (0..count).map(|n| (n, FIRST)).collect();
    let table = write(&ctx, &table, Conflict::Newest, &entries(&model)).await;
    for (n, version) in corrections {
        model[*n as usize].1 = *version;
    }
    let given = if conflict == Conflict::Replace {
        &model
    } else {
        corrections
    };
    let table = write(&ctx, &table, conflict, &entries(given)).await;
    let wanted = texts(&[entries(&model)]);
    assert_eq!(stored(&ctx, &table).await, wanted);
    // In place: without that, the new rows would stand in a file of their own.
    let files = table.files().unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(
        files[0].rows,
        Some(u64::from(count)),
        "what the log says of the new file"
    );
    let folder = dir.path().join(format!(
        "silver/ledger_entries/event_date_kst={}",
        DateKst::from_days(DAY)
    ));
    assert_eq!(
        std::fs::read_dir(folder).unwrap().count(),
        2,
        "the file before, the file now"
    );
}

fn corrections() -> impl Strategy<Value = Vec<(u32, Version)>> {
    let version = (
        1_i64..9,
        prop::option::of(prop::sample::select(vec!["POSTED", "PAID"])),
        1_i64..3,
    );
    let version = version.prop_map(|(amount, status, number)| Version {
        amount: 99 + amount,
        status,
        number,
    });
    prop::collection::btree_map(0_u32..400, version, 1..40).prop_map(|rows| rows.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn corrected_rows_change_and_nothing_else(rows in corrections(), replace in prop::bool::ANY) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let conflict = if replace { Conflict::Replace } else { Conflict::Newest };
        runtime.block_on(correct(400, conflict, &rows));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_every_row_group_are_replaced() {
    // A row group ends after 262,144 rows: one without a correction lies between two that have some.
    let version = Version {
        amount: 7,
        status: None,
        number: 3,
    };
    let rows: Vec<_> = [0, 17, 262_143, 524_288, 599_999].map(|n| (n, version)).to_vec();
    correct(600_000, Conflict::Newest, &rows).await;
}
