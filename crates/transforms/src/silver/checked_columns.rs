//! What each check reads and returns, field by field.

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

/// Which source a check validates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Check {
    Wallets,
    Ledger,
    PaymentOrders,
    Orders,
    Items,
    Products,
}

impl Check {
    pub(super) const ALL: [Self; 6] = [
        Self::Wallets,
        Self::Ledger,
        Self::PaymentOrders,
        Self::Orders,
        Self::Items,
        Self::Products,
    ];

    pub(super) const fn function(self) -> &'static str {
        match self {
            Self::Wallets => "nsc_check_wallets",
            Self::Ledger => "nsc_check_ledger",
            Self::PaymentOrders => "nsc_check_payment_orders",
            Self::Orders => "nsc_check_orders",
            Self::Items => "nsc_check_items",
            Self::Products => "nsc_check_products",
        }
    }

    /// Bronze columns the check reads, in argument order.
    pub(super) const fn inputs(self) -> &'static [&'static str] {
        match self {
            Self::Wallets => &[
                "_corrupt_record",
                "user_id",
                "balance",
                "frozen_amount",
                "updated_at",
                "source_extracted_at",
                "ingested_at",
            ],
            Self::Ledger => &[
                "_corrupt_record",
                "tx_id",
                "wallet_id",
                "type",
                "entry_type",
                "amount",
                "created_at",
                "event_time",
            ],
            Self::PaymentOrders => &[
                "_corrupt_record",
                "order_id",
                "amount",
                "created_at",
                "updated_at",
            ],
            Self::Orders => &["_corrupt_record", "order_id", "total_amount", "created_at"],
            Self::Items => &[
                "_corrupt_record",
                "item_id",
                "order_id",
                "product_id",
                "quantity",
                "price_at_purchase",
            ],
            Self::Products => &["_corrupt_record", "product_id", "price_krw", "is_display"],
        }
    }
}

pub(super) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The fields of a check's result; `reason` first, null for a row that passes.
pub(super) fn fields_of(check: Check) -> Fields {
    let money = DataType::Decimal128(38, 2);
    let fields: Vec<(&str, DataType)> = match check {
        Check::Wallets => vec![
            ("snapshot_ts", timestamp_type()),
            ("snapshot_date_kst", DataType::Date32),
            ("balance_available", money.clone()),
            ("balance_frozen", money.clone()),
            ("balance_total", money),
            ("source_updated_at", timestamp_type()),
        ],
        Check::Ledger => vec![
            ("event_time", timestamp_type()),
            ("event_date_kst", DataType::Date32),
            ("amount", money.clone()),
            ("amount_signed", money),
            ("created_at", timestamp_type()),
        ],
        Check::PaymentOrders | Check::Orders => vec![
            ("amount", money),
            ("event_time", timestamp_type()),
            ("event_date_kst", DataType::Date32),
            ("source_updated_at", timestamp_type()),
        ],
        Check::Items => vec![
            ("item_id", DataType::Int64),
            ("order_id", DataType::Int64),
            ("product_id", DataType::Int64),
            ("quantity", DataType::Int32),
            ("price_at_purchase", money),
        ],
        Check::Products => vec![
            ("product_id", DataType::Int64),
            ("price_krw", money),
            ("is_display", DataType::Boolean),
        ],
    };
    std::iter::once(("reason", DataType::Utf8))
        .chain(fields)
        .map(|(name, ty)| Field::new(name, ty, true))
        .collect()
}
