//! B-3 to B-6 over small tables. Holds lakehouse contract 4, B-3, lakehouse contract 4, B-5 and lakehouse contract 4, B-6.

use datafusion::prelude::{DataFrame, SessionContext};
use nsc_contracts::control::{Control, ORDER_SEARCH, PAIRING_QUALITY, PAYMENT_FAILURE, PAYMENT_REFUND};
use nsc_transforms::controls::{self, ControlDay, ControlRules, PairingCounts};
use nsc_transforms::vocabulary::Aliases;

use super::run::control_day;
use crate::support::{
    assert_contract, assert_required, batch, collect, materialise, register, rows, session, shown,
};

fn day() -> ControlDay {
    control_day("2026-01-05".parse().unwrap(), None)
}

/// The rows of a control whose rule lists statuses.
async fn by_status(
    ctx: &SessionContext,
    control: &'static Control,
    rule_id: &str,
    statuses: &[&str],
) -> DataFrame {
    let statuses: Vec<String> = statuses.iter().map(|s| (*s).to_owned()).collect();
    let metric = control.rules[0].strip_prefix("ops.").unwrap();
    let rules = ControlRules::default().listing(metric, Some(rule_id), &statuses);
    controls::rows(ctx, control, &day(), &rules, None).await.unwrap()
}

async fn pairing_quality(ctx: &SessionContext, counts: PairingCounts) -> DataFrame {
    let rules = ControlRules::default();
    controls::rows(ctx, &PAIRING_QUALITY, &day(), &rules, counts.parameters())
        .await
        .unwrap()
}

/// `elsewhere`: order_id and updated_at of versions on other days.
async fn with_orders(orders: &[&str], elsewhere: &[&str]) -> SessionContext {
    let ctx = session();
    register(
        &ctx,
        "elsewhere",
        batch("order_id text, updated_at ts", elsewhere),
    );
    let versions = "SELECT order_id, nsc_version_key(updated_at, NULL, NULL, NULL, 'file:b#1') AS version FROM elsewhere";
    let versions = ctx.sql(versions).await.unwrap();
    ctx.register_table("payment_versions_elsewhere", versions.into_view())
        .unwrap();
    let columns = "order_id text, merchant_name text, amount text, status text, created_at text, updated_at text, \
                   _corrupt_record text, source_extracted_at ts, ingested_at ts, source_ref text, load_id text";
    register(&ctx, "payment_orders_raw", batch(columns, orders));
    let df = controls::payment_orders_of_day(&ctx, &day(), &Aliases::default())
        .await
        .unwrap();
    materialise(&ctx, "payment_orders_of_day", df).await;
    let df = controls::payment_day(&ctx).await.unwrap();
    materialise(&ctx, "payment_day", df).await;
    ctx
}

const I1: &str = "2026-01-05T01:00:00Z";

/// Versions of ten orders; three of `m1`, one of `m2` and two without a merchant are of the day.
async fn with_versions() -> SessionContext {
    let d = "2026-01-05T00:00:00Z";
    with_orders(
        &[
            // PENDING then FAILED: one order, failed.
            &format!("o1|m1|10|PENDING|{d}|2026-01-05T00:00:00Z|~|~|{I1}|file:a#1|~"),
            &format!("o1|m1|10|FAILED|{d}|2026-01-05T00:10:00Z|~|~|{I1}|file:a#2|~"),
            // The later line of one load wins when the times are equal, as a number: #10 over #9.
            &format!("o2|m1|10|FAILED|{d}|~|~|~|{I1}|file:a#9|~"),
            &format!("o2|m1|10|PAID|{d}|~|~|~|{I1}|file:a#10|~"),
            // Two files of one name: the later load wins, whatever the line, and the order is counted once.
            &format!("o12|m3|10|PAID|{d}|~|~|~|{I1}|file:a#1|0199-2"),
            &format!("o12|m3|10|FAILED|{d}|~|~|~|{I1}|file:a#2|0199-1"),
            &format!("o12|m3|10|REFUNDED|{d}|~|~|~|{I1}|file:a#3|~"),
            // A version without updated_at is below one with.
            &format!("o3|m1|10|REFUNDED|{d}|2020-01-01T00:00:00Z|~|~|{I1}|file:a#1|~"),
            &format!("o3|m1|10|PAID|{d}|~|~|~|2026-01-05T09:00:00Z|file:b#1|~"),
            // A bad amount does not exclude; a missing merchant is a group of its own, blank or null.
            &format!("o4|~|ten|CANCELLED|{d}|~|~|~|{I1}|file:a#11|~"),
            &format!("o5|\" \"|1|~|{d}|~|~|~|{I1}|file:a#12|~"),
            // Not counted: malformed, no id, another day, no usable day; the newest version decides the day.
            &format!("o6|m1|1|FAILED|{d}|~|not json|~|{I1}|file:a#13|~"),
            &format!("o10|m2|1|PAID|{d}|~|~|~|{I1}|file:a#18|~"),
            &format!("o10|m2|1|FAILED|{d}|~|not json|~|{I1}|file:a#19|~"),
            &format!("\" \"|m1|1|FAILED|{d}|~|~|~|{I1}|file:a#14|~"),
            &format!("o7|m1|1|FAILED|2026-01-05T15:00:00Z|~|~|~|{I1}|file:a#15|~"),
            &format!("o8|m1|1|FAILED|soon|~|~|~|{I1}|file:a#16|~"),
            &format!("o9|m1|1|FAILED|{d}|~|~|~|{I1}|file:a#17|~"),
            &format!("o9|m1|1|FAILED|2026-01-04T14:59:59Z|~|~|2026-01-05T02:00:00Z|{I1}|file:a#3|~"),
            // Its newest version is of another day; that of o10 is older than the one of the day.
            &format!("o11|m1|1|FAILED|{d}|2026-01-05T00:00:00Z|~|~|{I1}|file:a#20|~"),
        ],
        &["o11|2026-01-05T00:00:01Z", "o10|~"],
    )
    .await
}

#[tokio::test]
async fn failures_count_the_newest_version_of_each_order() {
    let ctx = with_versions().await;
    let rule = "ops_payment_failed_status_v1";
    let df = by_status(&ctx, &PAYMENT_FAILURE, rule, &["FAILED", "CANCELLED"]).await;
    assert_contract(&df, "gold.ops_payment_failure_daily");
    let batch = collect(df).await;
    assert_required(&batch, "gold.ops_payment_failure_daily");
    assert_eq!(
        rows(
            &batch,
            &[
                "date_kst",
                "merchant_name",
                "total_cnt",
                "failed_cnt",
                "failure_rate",
                "run_id",
                "rule_id"
            ]
        ),
        [
            "2026-01-05 | m1 | 3 | 1 | 0.333333 | run-1 | ops_payment_failed_status_v1",
            "2026-01-05 | m2 | 1 | 0 | 0.000000 | run-1 | ops_payment_failed_status_v1",
            "2026-01-05 | m3 | 1 | 0 | 0.000000 | run-1 | ops_payment_failed_status_v1",
            "2026-01-05 | ~ | 2 | 1 | 0.500000 | run-1 | ops_payment_failed_status_v1",
        ]
    );
}

#[tokio::test]
async fn refunds_count_the_same_orders_and_an_empty_rule_none() {
    let ctx = with_versions().await;
    let df = by_status(&ctx, &PAYMENT_REFUND, "refunded", &["REFUNDED"]).await;
    assert_contract(&df, "gold.ops_payment_refund_daily");
    assert_eq!(
        shown(
            df,
            &[
                "merchant_name",
                "total_cnt",
                "refunded_cnt",
                "refund_rate",
                "rule_id"
            ]
        )
        .await,
        [
            "m1 | 3 | 1 | 0.333333 | refunded",
            "m2 | 1 | 0 | 0.000000 | refunded",
            "m3 | 1 | 0 | 0.000000 | refunded",
            "~ | 2 | 0 | 0.000000 | refunded",
        ]
    );
    let df = by_status(&ctx, &PAYMENT_REFUND, "none", &[]).await;
    assert_eq!(
        shown(df, &["merchant_name", "refunded_cnt"]).await,
        ["m1 | 0", "m2 | 0", "m3 | 0", "~ | 0"]
    );
}

#[tokio::test]
async fn a_day_without_orders_has_no_merchant() {
    let ctx = with_orders(&[], &[]).await;
    let df = by_status(&ctx, &PAYMENT_FAILURE, "r", &["FAILED"]).await;
    assert_eq!(shown(df, &["merchant_name"]).await, [""; 0]);
}

/// `tx | wallet | type | related_id`, all of one amount and time, and what they take from `order | merchant | status`.
fn with_entries(entries: &[&str], orders: &[&str]) -> SessionContext {
    let ctx = session();
    let columns = "tx_id text, wallet_id text, entry_type text, related_id text, related_type text, amount dec2, \
                   amount_signed dec2, event_time ts, event_date_kst date, has_order bool, merchant_name text, \
                   payment_status text";
    let of_order = |entry: &str| {
        let (_, related_id) = entry.rsplit_once('|').unwrap();
        let named = orders
            .iter()
            .find_map(|o| o.strip_prefix(related_id)?.strip_prefix('|'));
        named.map_or("false|~|~".to_owned(), |order| format!("true|{order}"))
    };
    let lines: Vec<String> = entries
        .iter()
        .map(|e| {
            let order = of_order(e);
            format!("{e}|PAYMENT_ORDER|1.00|1.00|2026-01-05T00:00:00Z|2026-01-05|{order}")
        })
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    register(&ctx, "entries", batch(columns, &lines));
    ctx
}

#[tokio::test]
async fn pairs_are_exactly_one_of_each_and_everything_else_is_left_alone() {
    let ctx = with_entries(
        &[
            "p1|a|PAYMENT|o1",
            "r1|b|RECEIVE|o1",
            "h1|a|HOLD|o1", // a pair with a hold
            "fo|b|REFUND_OUT|o1",
            "fi|a|REFUND_IN|o1", // its refund is a pair of its own
            "p2|a|PAYMENT|o2",
            "p3|a|PAYMENT|o2",
            "r2|b|RECEIVE|o2", // two payments
            "p8|a|PAYMENT|o6",
            "r8|b|RECEIVE|o6",
            "r9|c|RECEIVE|o6", // two receipts
            "p4|a|PAYMENT|o3",
            "p5|b|PAYMENT|o3", // two of one side
            "p6|a|PAYMENT|o4", // alone
            "p7|a|PAYMENT|~",
            "r7|b|RECEIVE|~", // nothing names a pair
            "c1|a|CHARGE|o5",
            "c2|b|CHARGE|o5", // not a pairing type
        ],
        &["o1|shop|PAID", "o4|~|PENDING"],
    );
    let rules = ControlRules::default();
    let df = controls::rows(&ctx, &ORDER_SEARCH, &day(), &rules, None)
        .await
        .unwrap();
    assert_contract(&df, "gold.admin_tx_search");
    let batch = collect(df).await;
    assert_required(&batch, "gold.admin_tx_search");
    assert_eq!(
        rows(
            &batch,
            &[
                "tx_id",
                "related_id",
                "merchant_name",
                "payment_status",
                "paired_tx_id"
            ]
        ),
        [
            "c1 | o5 | ~ | ~ | ~",
            "c2 | o5 | ~ | ~ | ~",
            "fi | o1 | shop | PAID | fo",
            "fo | o1 | shop | PAID | fi",
            "h1 | o1 | shop | PAID | ~",
            "p1 | o1 | shop | PAID | r1",
            "p2 | o2 | ~ | ~ | ~",
            "p3 | o2 | ~ | ~ | ~",
            "p4 | o3 | ~ | ~ | ~",
            "p5 | o3 | ~ | ~ | ~",
            "p6 | o4 | ~ | PENDING | ~",
            "p7 | ~ | ~ | ~ | ~",
            "p8 | o6 | ~ | ~ | ~",
            "r1 | o1 | shop | PAID | p1",
            "r2 | o2 | ~ | ~ | ~",
            "r7 | ~ | ~ | ~ | ~",
            "r8 | o6 | ~ | ~ | ~",
            "r9 | o6 | ~ | ~ | ~",
        ]
    );
    assert_eq!(
        rows(
            &batch,
            &["event_date_kst", "run_id", "rule_id", "amount", "related_type"]
        )[0],
        "2026-01-05 | run-1 | ~ | 1.00 | PAYMENT_ORDER"
    );
}

#[tokio::test]
async fn pairing_quality_counts_entries_and_groups() {
    let ctx = with_entries(
        &[
            "1|a|PAYMENT|o1",
            "2|b|RECEIVE|o1", // two entries, two wallets
            "3|a|PAYMENT|o2",
            "4|a|RECEIVE|o2", // one wallet
            "5|a|PAYMENT|o3",
            "6|b|RECEIVE|o3",
            "7|c|HOLD|o3", // three entries
            "8|a|CHARGE|~",
        ],
        &["o1|m|PAID", "o3|m|PAID"],
    );
    let counts = controls::pairing_counts(&ctx).await.unwrap();
    let df = pairing_quality(&ctx, counts).await;
    assert_contract(&df, "gold.ops_ledger_pairing_quality_daily");
    let all = [
        "date_kst",
        "entry_cnt",
        "related_id_null_rate",
        "pair_candidate_rate",
        "join_payment_orders_rate",
        "run_id",
        "rule_id",
    ];
    assert_eq!(
        shown(df, &all).await,
        ["2026-01-05 | 8 | 0.125000 | 0.333333 | 0.666667 | run-1 | ~"]
    );
}

#[tokio::test]
async fn counts_of_parts_add_up_when_a_related_id_is_in_one_part() {
    let (changed, corrected) = (
        ["1|a|PAYMENT|o1", "2|b|RECEIVE|o1"],
        ["1|a|PAYMENT|o1", "2|b|RECEIVE|o4"],
    );
    let rest = ["3|a|PAYMENT|o2", "4|b|RECEIVE|o2", "5|a|CHARGE|~"];
    let orders = ["o1|m|PAID", "o2|m|PAID"];
    let counted = async |parts: &[&[&str]]| {
        let ctx = with_entries(&parts.concat(), &orders);
        controls::pairing_counts(&ctx).await.unwrap()
    };
    let (before, after) = (counted(&[&changed]).await, counted(&[&corrected]).await);
    let all = counted(&[&changed, &rest])
        .await
        .with_part_replaced(before, after);
    assert_eq!(all, counted(&[&corrected, &rest]).await);
    assert_eq!(
        (all.entries, all.related, all.groups, all.pairs, all.orders),
        (5, 4, 3, 1, 2)
    );
}

#[tokio::test]
async fn pairing_quality_is_one_row_even_of_nothing() {
    let ctx = with_entries(&[], &[]);
    let counts = controls::pairing_counts(&ctx).await.unwrap();
    let batch = collect(pairing_quality(&ctx, counts).await).await;
    assert_required(&batch, "gold.ops_ledger_pairing_quality_daily");
    let rates = [
        "entry_cnt",
        "related_id_null_rate",
        "pair_candidate_rate",
        "join_payment_orders_rate",
    ];
    assert_eq!(rows(&batch, &rates), ["0 | 0.000000 | 0.000000 | 0.000000"]);
}
