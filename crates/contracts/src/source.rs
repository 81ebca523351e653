//! The six sources: their fields as the source types them.

use crate::TableContract;

/// One source table and the Bronze table that keeps it.
#[derive(Debug)]
pub struct Source {
    /// Name at the source, e.g. `transaction_ledger`.
    pub name: &'static str,
    /// Bronze table, e.g. `transaction_ledger_raw`.
    pub bronze: &'static str,
    /// Silver table its rows end in.
    pub silver: &'static str,
    /// The fields the contract requires, each with the names it goes by (lakehouse contract 2).
    pub required: &'static [&'static [&'static str]],
}

/// The six sources in the order of the contract.
pub const SOURCES: &[Source] = &[
    Source {
        name: "user_wallets",
        bronze: "user_wallets_raw",
        silver: "wallet_snapshot",
        required: &[&["user_id"], &["balance"], &["frozen_amount"]],
    },
    Source {
        name: "transaction_ledger",
        bronze: "transaction_ledger_raw",
        silver: "ledger_entries",
        required: &[&["tx_id"], &["wallet_id"], &["type", "entry_type"], &["amount"]],
    },
    Source {
        name: "payment_orders",
        bronze: "payment_orders_raw",
        silver: "order_events",
        required: &[&["order_id"], &["amount"]],
    },
    Source {
        name: "orders",
        bronze: "orders_raw",
        silver: "order_events",
        required: &[&["order_id"]],
    },
    Source {
        name: "order_items",
        bronze: "order_items_raw",
        silver: "order_items",
        required: &[&["item_id"], &["order_id"], &["product_id"]],
    },
    Source {
        name: "products",
        bronze: "products_raw",
        silver: "products",
        required: &[&["product_id"]],
    },
];

impl Source {
    /// The source an operator names, with or without `_raw` or `bronze.`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        let name = name.strip_prefix("bronze.").unwrap_or(name);
        SOURCES.iter().find(|s| s.name == name || s.bronze == name)
    }

    /// Contract of the Bronze table.
    #[must_use]
    pub fn bronze_contract(&self) -> Option<&'static TableContract> {
        crate::bronze::TABLES.iter().find(|t| t.name == self.bronze)
    }
}
