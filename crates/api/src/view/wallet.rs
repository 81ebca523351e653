//! A page of a wallet's entries.

use serde::Serialize;
use utoipa::ToSchema;

use super::Transaction;

/// A page of a wallet's entries.
#[derive(Serialize, ToSchema)]
pub(crate) struct WalletTransactions {
    /// The wallet.
    #[schema(example = "user-1")]
    pub(crate) wallet_id: String,
    /// Newest first, then by `tx_id`.
    #[schema(max_items = 100)]
    pub(crate) entries: Vec<Transaction>,
    /// How many `entries` there are on this page.
    #[schema(minimum = 0, maximum = 100, example = 1)]
    pub(crate) count: usize,
    /// For the page after this one; null on the last.
    #[schema(required, example = "AQ...")]
    pub(crate) next_cursor: Option<String>,
}
