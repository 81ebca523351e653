//! Each source as data: its check, key, and how the Silver columns follow from Bronze and the check.

use super::checked_columns::Check;
use super::plan_columns::checked;

/// How one source becomes Silver rows.
#[derive(Debug)]
pub struct SourcePlan {
    /// Source name, e.g. `transaction_ledger`.
    pub source: &'static str,
    /// Silver table, `silver.<name>`.
    pub silver: &'static str,
    pub(super) check: Check,
    /// Key of a Silver row over Bronze columns and the check's result; equal keys collapse to the newest.
    pub(super) key: &'static [&'static str],
    /// The part of the key (over Bronze columns alone) that repeats are looked for by.
    pub(super) repeat: &'static [&'static str],
    /// The instant a row belongs to; a window takes rows by it.
    pub(super) instant: &'static str,
    /// The business time itself, null when the row has none (`belongs to an earlier day or to none`).
    pub(super) business_time: &'static str,
    /// Snapshots on a window's end belong to it as well: a midnight snapshot closes one day and opens the next.
    pub(super) end_inclusive: bool,
    /// Silver columns: name and expression.
    pub(super) columns: &'static [(&'static str, &'static str)],
}

/// The six sources in the order they are staged: orders before the ledger, which takes its status from them.
pub static PLANS: &[SourcePlan] = &[
    SourcePlan {
        source: "user_wallets",
        silver: "silver.wallet_snapshot",
        check: Check::Wallets,
        key: &["user_id", checked!("snapshot_ts")],
        repeat: &["user_id", "coalesce(source_extracted_at, ingested_at)"],
        instant: checked!("snapshot_ts"),
        business_time: checked!("snapshot_ts"),
        end_inclusive: true,
        columns: &[
            ("snapshot_ts", checked!("snapshot_ts")),
            ("snapshot_date_kst", checked!("snapshot_date_kst")),
            ("user_id", "user_id"),
            ("balance_available", checked!("balance_available")),
            ("balance_frozen", checked!("balance_frozen")),
            ("balance_total", checked!("balance_total")),
            ("source_updated_at", checked!("source_updated_at")),
        ],
    },
    SourcePlan {
        source: "payment_orders",
        silver: "silver.order_events",
        check: Check::PaymentOrders,
        key: &["order_id"],
        repeat: &["order_id"],
        instant: concat!("coalesce(", checked!("event_time"), ", ingested_at)"),
        business_time: checked!("event_time"),
        end_inclusive: false,
        columns: &[
            ("order_ref", "order_id"),
            ("order_key", "nsc_text_key(order_id)"),
            ("order_source", "'PAYMENT_ORDERS'"),
            ("user_id", "nsc_clean(user_id)"),
            ("merchant_name", "nsc_clean(merchant_name)"),
            ("amount", checked!("amount")),
            ("status", "nsc_clean(status)"),
            ("event_time", checked!("event_time")),
            ("event_date_kst", checked!("event_date_kst")),
            ("source_updated_at", checked!("source_updated_at")),
        ],
    },
    SourcePlan {
        source: "orders",
        silver: "silver.order_events",
        check: Check::Orders,
        key: &["order_id"],
        repeat: &["order_id"],
        instant: concat!("coalesce(", checked!("event_time"), ", ingested_at)"),
        business_time: checked!("event_time"),
        end_inclusive: false,
        columns: &[
            ("order_ref", "order_id"),
            ("order_key", "nsc_text_key(order_id)"),
            ("order_source", "'ORDERS'"),
            ("user_id", "nsc_clean(user_id)"),
            ("merchant_name", "CAST(NULL AS VARCHAR)"),
            ("amount", checked!("amount")),
            ("status", "nsc_clean(status)"),
            ("event_time", checked!("event_time")),
            ("event_date_kst", checked!("event_date_kst")),
            ("source_updated_at", checked!("source_updated_at")),
        ],
    },
    SourcePlan {
        source: "transaction_ledger",
        silver: "silver.ledger_entries",
        check: Check::Ledger,
        key: &["tx_id", "wallet_id"],
        repeat: &["tx_id"],
        instant: concat!("coalesce(", checked!("event_time"), ", ingested_at)"),
        business_time: checked!("event_time"),
        end_inclusive: false,
        columns: &[
            ("tx_id", "tx_id"),
            ("wallet_id", "wallet_id"),
            ("event_time", checked!("event_time")),
            ("event_date_kst", checked!("event_date_kst")),
            (
                "entry_type",
                "coalesce(nsc_clean(\"type\"), nsc_clean(entry_type))",
            ),
            ("amount", checked!("amount")),
            ("amount_signed", checked!("amount_signed")),
            ("related_id", "nsc_clean(related_id)"),
            ("related_type", "nsc_clean(related_type)"),
            ("status", "nsc_clean(status)"),
            ("created_at", checked!("created_at")),
            // Those that name an order take the rest from it (`with_named_orders`).
            ("has_order", "false"),
            ("merchant_name", "CAST(NULL AS VARCHAR)"),
            ("payment_status", "CAST(NULL AS VARCHAR)"),
        ],
    },
    SourcePlan {
        source: "order_items",
        silver: "silver.order_items",
        check: Check::Items,
        key: &[checked!("item_id")],
        repeat: &["nsc_integer(item_id)"],
        instant: "ingested_at",
        business_time: "ingested_at",
        end_inclusive: false,
        columns: &[
            ("item_id", checked!("item_id")),
            ("order_id", checked!("order_id")),
            (
                "order_ref",
                concat!("CAST(", checked!("order_id"), " AS VARCHAR)"),
            ),
            ("product_id", checked!("product_id")),
            ("quantity", checked!("quantity")),
            ("price_at_purchase", checked!("price_at_purchase")),
        ],
    },
    SourcePlan {
        source: "products",
        silver: "silver.products",
        check: Check::Products,
        key: &[checked!("product_id")],
        repeat: &["nsc_integer(product_id)"],
        instant: "ingested_at",
        business_time: "ingested_at",
        end_inclusive: false,
        columns: &[
            ("product_id", checked!("product_id")),
            ("product_name", "nsc_clean(product_name)"),
            ("category", "nsc_clean(category)"),
            ("price_krw", checked!("price_krw")),
            ("is_display", checked!("is_display")),
        ],
    },
];

/// The plan of a source.
#[must_use]
pub fn plan_of(source: &str) -> Option<&'static SourcePlan> {
    PLANS.iter().find(|p| p.source == source)
}
