//! What stands in the columns of a loaded table.
//! Holds lakehouse contract 2.

use crate::support::{World, lines, request};

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_large_file_is_a_row_with_its_own_number() {
    let world = World::new();
    let count = 300_000;
    let summary = world
        .load([world.file("big.jsonl", lines(0..count))])
        .await
        .unwrap();
    assert_eq!(summary.counts.rows, count as u64);
    let wrong = "select count(*) from t where source_ref <> 'file:big.jsonl#' || (cast(substr(tx_id, 4) as bigint) + 1)
        or amount <> cast(cast(substr(tx_id, 4) as bigint) as varchar) || '.50' or source_system <> 'test' or batch_id is not null
        or ingest_date <> date '2026-01-05'";
    assert_eq!(world.query(wrong).await, ["0"]);
    assert_eq!(
        world.query("select count(distinct tx_id) from t").await,
        [count.to_string()]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn new_fields_become_columns_wherever_they_first_appear() {
    let world = World::new();
    let mut text = lines(0..200_000);
    text.push_str(
        "{\"tx_id\":\"last\",\"colour\":\"red\",\"empty\":null,\"Amount\":1.50,\"a b\":{\"x\": 1}}\n",
    );
    let summary = world.load([world.file("a.jsonl", text)]).await.unwrap();
    assert_eq!(summary.new_columns, ["colour", "empty", "Amount__2", "a_x0020_b"]);
    let found = world.query("select tx_id, colour, \"empty\", amount, \"Amount__2\", \"a_x0020_b\" from t where colour is not null").await;
    assert_eq!(found, ["last|red|||1.50|{\"x\": 1}"]);
    assert_eq!(world.rows().await, 200_001);
    let summary = world
        .load([world.file(
            "b.jsonl",
            "{\"tx_id\":\"x\",\"colour\":\"blue\",\"empty\":\"\",\"shape\":\"round\"}",
        )])
        .await
        .unwrap();
    assert_eq!(summary.new_columns, ["shape"]);
    assert_eq!(
        world
            .query("select colour, \"empty\", shape from t where tx_id = 'x'")
            .await,
        ["blue||round"]
    );
    assert_eq!(
        world
            .query("select count(*) from t where \"empty\" is null")
            .await,
        ["200001"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_fields_do_not_break_the_table() {
    let world = World::new();
    let names: Vec<String> = (0..1_200).map(|i| format!("\"f{i}\":{i}")).collect();
    let odd = r#"{"":1," ,;{}()\n\t=":2,"\u0000":3,"`\"\\/":4,"source_ref":5,"SOURCE_REF":6,"İ":7,"i̇":8,"ingest_date":9,"_corrupt_record":10,"a.b":11,"tx_id":"odd","%20":12,"__HIVE":13}"#;
    let text = format!("{odd}\n{{\"tx_id\":\"many\",{}}}\n", names.join(","));
    let summary = world.load([world.file("a.jsonl", text)]).await.unwrap();
    assert_eq!(
        (
            summary.counts.rows,
            summary.counts.malformed,
            summary.new_columns.len()
        ),
        (2, 0, 1_001)
    );
    let found = world.query("select source_ref, \"source_ref__2\", \"SOURCE_REF__3\", \"_empty_\", \"a.b\", _corrupt_record from t where tx_id = 'odd'").await;
    assert_eq!(found, ["file:a.jsonl#1|5|6|1|11|"]);
    let found = world.query("select f0, _extra from t where tx_id = 'many'").await;
    assert!(
        found[0].starts_with("0|{\"f987\":987,") && found[0].ends_with("\"f1199\":1199}"),
        "{found:?}"
    );
    world
        .load([world.file("b.jsonl", "{\"tx_id\":\"more\",\"brand new\":1}")])
        .await
        .unwrap();
    assert_eq!(
        world.query("select _extra from t where tx_id = 'more'").await,
        ["{\"brand new\":1}"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_stand_in_the_partition_of_their_own_time() {
    let world = World::new();
    let text = [
        r#"{"tx_id":"1","ingested_at":"2026-01-04T23:59:59.999999Z"}"#,
        r#"{"tx_id":"2"}"#,
        r#"{"tx_id":"3","ingested_at":"2026-01-06T00:00:00+09:00","source_extracted_at":"2026-01-01T00:00:00Z","batch_id":"own","source_system":"own"}"#,
        r#"{"tx_id":"4","ingested_at":"soon"}"#,
        "not json",
    ];
    let mut wanted = request([world.file("a.jsonl", text.join("\n"))]);
    wanted.batch_id = Some("load".to_owned());
    wanted.source_extracted_at = nsc_core::UtcMicros::parse("2026-01-05T06:00:00Z");
    nsc_ingest::load(&world.lake, wanted, &()).await.unwrap();
    let found = world.query("select source_ref, ingest_date, ingested_at, source_extracted_at, batch_id, source_system, \"ingested_at__2\", _corrupt_record from t order by 1").await;
    assert_eq!(
        found,
        [
            "file:a.jsonl#1|2026-01-04|2026-01-04T23:59:59.999999Z|2026-01-05T06:00:00Z|load|test||",
            "file:a.jsonl#2|2026-01-05|2026-01-05T00:00:00Z|2026-01-05T06:00:00Z|load|test||",
            "file:a.jsonl#3|2026-01-05|2026-01-05T15:00:00Z|2026-01-01T00:00:00Z|own|own||",
            "file:a.jsonl#4|2026-01-05|2026-01-05T00:00:00Z|2026-01-05T06:00:00Z|load|test|soon|",
            "file:a.jsonl#5|2026-01-05|2026-01-05T00:00:00Z|2026-01-05T06:00:00Z|load|test||not json",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_names_its_load_and_loads_sort_in_the_order_of_the_inputs() {
    let world = World::new();
    let inputs: Vec<_> = (0..5)
        .map(|n| {
            let text = format!("{{\"tx_id\":\"{n}\",\"load_id\":\"mine\"}}\nbroken\n");
            world.file(&format!("{}/part.jsonl", 9 - n), text)
        })
        .collect();
    let summary = world.load(&inputs[..3]).await.unwrap();
    assert_eq!(summary.new_columns, ["load_id__2"]);
    let later = world.load(&inputs[3..]).await.unwrap();
    let ids = summary
        .files
        .iter()
        .chain(&later.files)
        .map(|f| f.load_id.clone().unwrap());
    assert!(ids.collect::<Vec<_>>().is_sorted());
    let found = world
        .query("select tx_id, \"load_id__2\", dense_rank() over (order by load_id) from t where tx_id is not null order by tx_id")
        .await;
    assert_eq!(
        found,
        ["0|mine|1", "1|mine|2", "2|mine|3", "3|mine|4", "4|mine|5"]
    );
    assert_eq!(
        world
            .query("select count(*), count(load_id), count(distinct load_id) from t")
            .await,
        ["10|10|5"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_made_before_loads_had_ids_takes_new_ones() {
    let world = World::new();
    let contract = crate::support::source().bronze_contract().unwrap();
    let before: Vec<_> = contract
        .columns
        .iter()
        .filter(|c| c.name != "load_id")
        .copied()
        .collect();
    let before = Box::leak(Box::new(nsc_contracts::TableContract {
        columns: before.leak(),
        ..*contract
    }));
    world.lake.table(before).await.unwrap();
    // A process of its own, as far as the lake is concerned.
    let world = world.opened_again();
    let summary = world.load([world.file("a.jsonl", lines(0..3))]).await.unwrap();
    assert_eq!(summary.counts.rows, 3);
    assert_eq!(
        world.query("select count(load_id), count(*) from t").await,
        ["3|3"]
    );
}
