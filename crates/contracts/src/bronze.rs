//! Bronze: what the sources wrote, one nullable text column per field (lakehouse contract 2).

use crate::ColumnType::{Date, Text, Timestamp};
use crate::{Column, Layer, TableContract, WriteStrategy};

const fn text(name: &'static str, description: &'static str) -> Column {
    Column::new(name, Text, description)
}

/// Declares a Bronze table: its source fields, then the columns every Bronze table has.
macro_rules! bronze {
    ($name:literal, $about:literal, [$($field:literal : $what:literal),* $(,)?], stats: [$($stat:literal),*]) => {
        TableContract {
            layer: Layer::Bronze,
            name: $name,
            description: $about,
            columns: &[
                $(text($field, $what),)*
                text("_corrupt_record", "The line itself when it is not a JSON object (cut at 1 MiB)"),
                Column::required("ingested_at", Timestamp, "When the row was appended here"),
                Column::new("source_extracted_at", Timestamp, "When the source was read"),
                text("batch_id", "The load or source batch the row came with"),
                text("source_system", "The system that wrote the row"),
                Column::required("source_ref", Text, "Where exactly it came from: file:<name>#<line>, kafka:<topic>/<partition>/<offset>, cdc:<table>/<lsn>/<seq>"),
                Column::required("ingest_date", Date, "UTC date of ingested_at"),
                text("load_id", "The load that brought the row; loads sort by it (null: loaded before loads had ids)"),
            ],
            key: &[],
            partition: &["ingest_date"],
            write: WriteStrategy::Append,
            identity: &["load_id", "source_ref"],
            lineage: &[],
            lookup: None,
            statistics: &[$($stat,)* "ingested_at", "source_extracted_at", "load_id"],
        }
    };
}

pub(crate) static TABLES: &[TableContract] = &[
    bronze!("user_wallets_raw", "Wallet balances as the account service wrote them; one row per wallet and extraction.", [
        "user_id": "Wallet owner (varchar, required)",
        "balance": "Available balance (decimal(18,2), required)",
        "frozen_amount": "Frozen balance (decimal(18,2), required)",
        "updated_at": "Last change at the source (timestamp)",
    ], stats: ["user_id"]),
    bronze!("transaction_ledger_raw", "Ledger entries as the account and crypto services wrote them.", [
        "tx_id": "Entry id (varchar, required)",
        "wallet_id": "Wallet the entry moves (varchar, required)",
        "type": "Entry type (varchar, required; alias entry_type)",
        "entry_type": "Alias of type, used by the crypto service",
        "amount": "Positive amount (decimal(18,2), required)",
        "related_id": "Order, hold or transfer the entry belongs to (varchar)",
        "related_type": "What related_id names (varchar)",
        "status": "The entry's own status (varchar)",
        "created_at": "When it happened (timestamp; alias event_time)",
        "event_time": "Alias of created_at, used by the crypto service",
    ], stats: ["tx_id", "created_at", "event_time"]),
    bronze!("payment_orders_raw", "Payment orders, one row per version.", [
        "order_id": "Order id (varchar, required)",
        "user_id": "Who pays (varchar)",
        "merchant_name": "Who is paid (varchar)",
        "amount": "Amount (decimal(18,2), required)",
        "status": "Order status (varchar)",
        "created_at": "When it was created (timestamp)",
        "updated_at": "When this version was written (timestamp)",
    ], stats: ["order_id", "created_at"]),
    bronze!("orders_raw", "Commerce orders, one row per version.", [
        "order_id": "Order id (bigint, required)",
        "user_id": "Who ordered",
        "total_amount": "Total (decimal(18,2))",
        "status": "Order status",
        "created_at": "When it was created (timestamp)",
    ], stats: ["order_id", "created_at"]),
    bronze!("order_items_raw", "Items of commerce orders.", [
        "item_id": "Item id (bigint, required)",
        "order_id": "Order (bigint, required)",
        "product_id": "Product (bigint, required)",
        "quantity": "Pieces (int)",
        "price_at_purchase": "Price of one piece (decimal(18,2))",
    ], stats: []),
    bronze!("products_raw", "Products of the shop.", [
        "product_id": "Product id (bigint, required)",
        "product_name": "Name (varchar)",
        "price_krw": "Price (decimal(18,2))",
        "stock_quantity": "Stock (int)",
        "category": "Category (varchar)",
        "is_display": "Shown in the shop (boolean)",
    ], stats: []),
];
