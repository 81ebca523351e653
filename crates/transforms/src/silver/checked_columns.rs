//! What each check returns, field by field.

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use super::check::Check;

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
