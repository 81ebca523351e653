//! Pipeline C: the anonymised payment fact.
//! Holds lakehouse contract 4, Pipeline C.

use datafusion::prelude::SessionContext;
use nsc_core::RunId;
use nsc_transforms::analytics::payment_fact;

use crate::support::{assert_contract, assert_required, batch, collect, register, rows, session};

const SALT: &str = "local-salt-v1";

fn with(orders: &[&str], items: &[&str], products: &[&str]) -> SessionContext {
    let ctx = session();
    let columns = "order_ref text, order_source text, user_id text, merchant_name text, amount dec2, status text, event_date_kst date";
    register(&ctx, "orders", batch(columns, orders));
    let columns = "item_id bigint, order_id bigint, order_ref text, product_id bigint, quantity int, price_at_purchase dec2";
    register(&ctx, "order_items", batch(columns, items));
    register(
        &ctx,
        "products",
        batch("product_id bigint, product_name text, category text", products),
    );
    ctx
}

async fn fact(ctx: &SessionContext) -> arrow::array::RecordBatch {
    let df = payment_fact(
        ctx,
        "2026-01-05".parse().unwrap(),
        &RunId::parse("run-1").unwrap(),
        SALT,
    )
    .await
    .unwrap();
    assert_contract(&df, "gold.fact_payment_anonymized");
    let plan = format!("{:?} {}", df.logical_plan(), df.logical_plan().display_indent());
    assert!(!plan.contains(SALT), "the salt is in the plan");
    let batch = collect(df).await;
    assert_required(&batch, "gold.fact_payment_anonymized");
    batch
}

#[tokio::test]
async fn only_payment_orders_of_the_day_with_a_user_and_only_their_hash() {
    let ctx = with(
        &[
            "o1|PAYMENT_ORDERS|u-1|m|10.00|PAID|2026-01-05",
            "o1|ORDERS|u-1|m|10.00|PAID|2026-01-05",
            "o2|PAYMENT_ORDERS|~|m|10.00|PAID|2026-01-05",
            "o3|PAYMENT_ORDERS|\" \"|m|10.00|PAID|2026-01-05",
            "o4|PAYMENT_ORDERS|u-2|~|~|~|2026-01-05",
            "o5|PAYMENT_ORDERS|u-2|m|1.00|PAID|2026-01-06",
            "o6|PAYMENT_ORDERS|u-2|m|1.00|PAID|~",
        ],
        &[],
        &[],
    );
    // printf 'u-1local-salt-v1' | sha256sum
    let (one, two) = (
        "8d31b1853e0a4bd1e40fb2889abf8458366d079f4813ff0a2d6ae3078206abe2",
        "99776729045a9966a7e50b5f991546155d04e1483b44604a13a8bb72f8d3f0af",
    );
    assert_eq!(
        rows(
            &fact(&ctx).await,
            &[
                "date_kst",
                "user_key",
                "merchant_name",
                "amount",
                "status",
                "category",
                "run_id"
            ]
        ),
        [
            format!("2026-01-05 | {one} | m | 10.00 | PAID | ~ | run-1"),
            format!("2026-01-05 | {two} | ~ | ~ | ~ | ~ | run-1"),
        ]
    );
}

#[tokio::test]
async fn the_category_is_that_of_the_greatest_line() {
    let order = |n: u8| format!("{n}|PAYMENT_ORDERS|u|m{n}|1.00|PAID|2026-01-05");
    let orders: Vec<String> = (1..=8).map(order).collect();
    let ctx = with(
        &orders.iter().map(String::as_str).collect::<Vec<_>>(),
        &[
            "10|1|1|100|2|5.00",
            "11|1|1|200|1|9.99", // 10.00 beats 9.99
            "21|2|2|200|1|5.00",
            "20|2|2|100|5|1.00", // a tie: the smallest item_id
            "30|3|3|100|~|3.00",
            "31|3|3|200|2|1.00", // missing quantity = 1
            "40|4|4|100|9|~",
            "41|4|4|200|1|0.01", // missing price = 0
            "50|5|5|999|1|9.00",
            "51|5|5|100|1|1.00", // the greatest line's product is unknown
            // 6 has no item
            "70|7|7|100|2147483647|999999999999999999999999999999999999.99",
            "71|7|7|200|1|999999999999999999999999999999999999.99",
            "80|8|8|300|1|1.00", // a product without category
        ],
        &["100|a|food", "200|b|books", "300|c|~"],
    );
    assert_eq!(
        rows(&fact(&ctx).await, &["merchant_name", "category"]),
        [
            "m1 | food",
            "m2 | food",
            "m3 | food",
            "m4 | books",
            "m5 | ~",
            "m6 | ~",
            "m7 | food",
            "m8 | ~",
        ]
    );
}

#[tokio::test]
async fn an_empty_day_is_an_empty_partition() {
    assert_eq!(fact(&with(&[], &[], &[])).await.num_rows(), 0);
}
