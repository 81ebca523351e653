//! Lines of another table are refused before anything of them is written.
//! Holds lakehouse contract 2, "Deliveries".

use nsc_contracts::Source;
use nsc_core::{ErrorCode, OperatorError};
use nsc_ingest::IngestError;

use crate::support::{World, gzip, lines, request};

const WALLET: &str = r#"{"user_id":"u","balance":"1","frozen_amount":"0"}"#;
const ENTRY: &str =
    r#"{"tx_id":"t","wallet_id":"w","entry_type":"HOLD","amount":"1","created_at":"2026-01-05T00:00:00Z"}"#;
const PAYMENT: &str = r#"{"order_id":"o","user_id":"u","merchant_name":"m","amount":"1","status":"PAID"}"#;
const ORDER: &str =
    r#"{"order_id":1,"user_id":"u","total_amount":"1","status":"PAID","created_at":"2026-01-05T00:00:00Z"}"#;
const ITEM: &str = r#"{"item_id":1,"order_id":1,"product_id":1,"quantity":1}"#;
const PRODUCT: &str = r#"{"product_id":1,"product_name":"latte","price_krw":"1"}"#;

async fn load(world: &World, source: &str, text: &str, force: bool) -> Result<u64, IngestError> {
    let mut wanted = request([world.file("a.jsonl", text)]);
    wanted.source = Source::named(source).unwrap();
    wanted.force = force;
    let summary = nsc_ingest::load(&world.lake, wanted, &()).await?;
    Ok(summary.counts.rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_table_is_refused_and_that_table_is_named() {
    let all = [
        ("user_wallets", WALLET),
        ("transaction_ledger", ENTRY),
        ("payment_orders", PAYMENT),
        ("orders", ORDER),
        ("order_items", ITEM),
        ("products", PRODUCT),
    ];
    for (table, _) in all {
        for (of, line) in all {
            let world = World::new();
            let loaded = load(&world, table, &format!("{line}\n\nbroken\n"), false).await;
            if table == of {
                assert_eq!(loaded.unwrap(), 2, "{table}");
                continue;
            }
            let error = loaded.unwrap_err();
            assert_eq!(
                error.code(),
                ErrorCode::InputOfOtherTable,
                "{of} into {table}: {error}"
            );
            assert!(error.to_string().contains("a.jsonl") && error.to_string().contains(table));
            let detail = error.detail().unwrap();
            assert!(
                detail.contains(&format!("they look like {of}")),
                "{of} into {table}: {detail}"
            );
            assert!(error.hint().unwrap().contains("--force"));
            assert_eq!(world.data_files(), 0);
            assert_eq!(
                load(&world, table, line, true).await.unwrap(),
                1,
                "{of} into {table}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_line_of_has_a_required_field_is_refused_and_leaves_no_column() {
    let world = World::new();
    for text in [
        "tx_id,wallet_id,type,amount\nt,w,HOLD,1\n",
        "[\n  {\"tx_id\":\"t\",\"wallet_id\":\"w\",\"type\":\"HOLD\",\"amount\":\"1\"}]\n",
        "{\"TX_ID\":\"t\",\"txid\":\"t\"}\n",
        "{}\n",
        "{\"tx_id\":null,\"amount\":null}\n",
    ] {
        let error = load(&world, "transaction_ledger", text, false).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InputOfOtherTable, "{text}");
        assert!(
            error
                .detail()
                .unwrap()
                .contains("no line has tx_id, wallet_id, type, amount"),
            "{error:?}"
        );
    }
    let columns = world.query("select * from t").await;
    assert!(columns.is_empty() && world.data_files() == 0);
    let table = world
        .lake
        .table(crate::support::source().bronze_contract().unwrap())
        .await
        .unwrap();
    assert!(table.schema().field_with_name("txid").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_break_the_contract_of_their_own_table_are_taken() {
    let world = World::new();
    let late: String = (0..20_000)
        .map(|_| "{\"memo\":\"nothing of it\"}\n")
        .collect::<String>()
        + &lines(0..1);
    for (table, text, rows) in [
        // Some required fields, and no other table's.
        (
            "transaction_ledger",
            "{\"wallet_id\":\"w\",\"type\":\"HOLD\",\"amount\":\"1\"}\n",
            1,
        ),
        ("transaction_ledger", "{\"tx_id\":\"\",\"wallet_id\":\"w\"}\n", 1),
        ("order_items", "{\"item_id\":1}\n", 1),
        // Its own fields beside those of another.
        (
            "products",
            "{\"item_id\":1,\"order_id\":1,\"product_id\":1,\"category\":\"c\"}\n",
            1,
        ),
        ("transaction_ledger", &late, 20_001),
        ("transaction_ledger", "", 0),
        ("transaction_ledger", "\n \n", 0),
    ] {
        assert_eq!(
            load(&world, table, text, false).await.unwrap(),
            rows,
            "{table} {text:.60}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_table_is_refused_when_it_has_been_read() {
    let world = World::new();
    let pipe = world.dir.path().join("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, gzip(format!("{ORDER}\n").repeat(9_000).as_bytes())).unwrap()
    });
    let error = world.load([&pipe]).await.unwrap_err();
    writer.join().unwrap();
    assert_eq!(error.code(), ErrorCode::InputOfOtherTable);
    assert_eq!((world.rows().await, world.data_files()), (0, 0));
}
