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
}

/// The six sources in the order of the contract.
pub const SOURCES: &[Source] = &[
    Source {
        name: "user_wallets",
        bronze: "user_wallets_raw",
        silver: "wallet_snapshot",
    },
    Source {
        name: "transaction_ledger",
        bronze: "transaction_ledger_raw",
        silver: "ledger_entries",
    },
    Source {
        name: "payment_orders",
        bronze: "payment_orders_raw",
        silver: "order_events",
    },
    Source {
        name: "orders",
        bronze: "orders_raw",
        silver: "order_events",
    },
    Source {
        name: "order_items",
        bronze: "order_items_raw",
        silver: "order_items",
    },
    Source {
        name: "products",
        bronze: "products_raw",
        silver: "products",
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
